//! The right to answer in a session, among all daemons: taken before anything is stored, extended while the answer runs,
//! given back before the client reads its end.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::task::TaskTracker;

use super::{
    AgentError, Conversations, Result, of_session,
    running::{Cut, Running},
};
use crate::{
    backend::{
        error::BackendErrorKind,
        store::{NewMessage, Result as Stored, SessionLease, Store},
    },
    domain::ids::SessionId,
};

/// How long a session stays taken after its daemon is gone.
const LEASE: Duration = Duration::from_secs(10);
const EXTEND_EVERY: Duration = Duration::from_millis(2_500);
/// Before another can have it, an answer that could not be extended must have ended.
const MARGIN: Duration = Duration::from_secs(2);

pub(super) struct SessionHeld {
    store: Arc<dyn Store>,
    tasks: TaskTracker,
    session: SessionId,
    holder: String,
    /// None until it is taken.
    keeper: Option<JoinHandle<()>>,
    given_back: bool,
}

impl SessionHeld {
    /// Takes the session for this answer, which is ended when it is lost, or somebody asks for that.
    pub(super) async fn take(of: &Conversations, session: &SessionId, running: &Arc<Running>) -> Result<Self> {
        let holder = ulid::Ulid::generate().to_string();
        let asked = Instant::now();
        // Given back when it goes, also when only the answer of the store was lost.
        let (store, tasks, session) = (Arc::clone(&of.store), of.tasks.clone(), session.clone());
        let mut held = Self { store, tasks, session, holder, keeper: None, given_back: false };
        match of.store.lease_session(&held.session, &held.holder, LEASE).await {
            Ok(SessionLease::Held | SessionLease::StopAsked) => {
                let (store, session, holder) = (Arc::clone(&of.store), held.session.clone(), held.holder.clone());
                held.keeper = Some(tokio::spawn(keep(store, session, holder, Arc::clone(running), asked)));
                Ok(held)
            }
            Ok(SessionLease::Taken) => {
                held.given_back = true;
                Err(AgentError::SessionBusy)
            }
            Err(error) => {
                held.given_back = error.kind() == BackendErrorKind::NotFound;
                Err(of_session(&held.session)(error))
            }
        }
    }

    /// Whose it is, for the store.
    pub(super) fn holder(&self) -> &str {
        &self.holder
    }

    /// Gives it back; others may have it when this returns.
    pub(super) async fn release(mut self) {
        self.end_keeping();
        self.given_back = self.store.release_session(&self.session, &self.holder).await.is_ok();
    }

    fn end_keeping(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.abort();
        }
    }
}

impl Drop for SessionHeld {
    fn drop(&mut self) {
        self.end_keeping();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.given_back {
            return;
        }
        let (store, session, holder) = (Arc::clone(&self.store), self.session.clone(), self.holder.clone());
        let release = async move {
            if let Err(error) = store.release_session(&session, &holder).await {
                tracing::warn!(%session, %error, "a session's lease could not be released; it expires in {} s", LEASE.as_secs());
            }
        };
        self.tasks.spawn_on(release, &runtime);
    }
}

async fn keep(store: Arc<dyn Store>, session: SessionId, holder: String, running: Arc<Running>, mut held_at: Instant) {
    let mut next = held_at + EXTEND_EVERY;
    loop {
        tokio::time::sleep_until(next).await;
        let asked = Instant::now();
        let ends = held_at + LEASE - MARGIN;
        let told = tokio::time::timeout_at(ends.max(asked), store.extend_session(&session, &holder, LEASE)).await;
        match told {
            Ok(Ok(SessionLease::Held)) => held_at = asked,
            Ok(Ok(SessionLease::StopAsked)) => {
                held_at = asked;
                running.cut(Cut::Stopped);
            }
            Ok(Ok(SessionLease::Taken)) => {
                running.cut(Cut::Lost);
                return;
            }
            Ok(Err(error)) => tracing::warn!(%session, %error, "a session's lease could not be extended"),
            Err(_) => {}
        }
        next = if held_at == asked { asked + EXTEND_EVERY } else { Instant::now() + EXTEND_EVERY / 5 };
        if Instant::now() >= held_at + LEASE - MARGIN {
            tracing::warn!(%session, "a session's lease was lost: its answer ends");
            running.cut(Cut::Lost);
            return;
        }
    }
}

/// Stores an answer under the lease of its session. When another took the session meanwhile it is kept all the same, as
/// what it is: marked as interrupted, beside the other's answer.
pub(super) async fn append_answer(store: &dyn Store, message: NewMessage) -> Stored<()> {
    let refused = match store.append_message(message.clone()).await {
        Err(error) if error.kind() == BackendErrorKind::Fenced => error,
        stored => return stored.map(drop),
    };
    tracing::warn!(session = %message.session_id, error = %refused, "another question took over the session before this answer was stored");
    let mut metadata = message.metadata.unwrap_or_else(|| Value::Object(Map::new()));
    if let Some(fields) = metadata.as_object_mut() {
        fields.insert("interrupted".to_owned(), true.into());
    }
    store.append_message(NewMessage { metadata: Some(metadata), holder: None, ..message }).await.map(drop)
}
