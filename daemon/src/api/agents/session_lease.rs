//! The right to answer in a session, among all daemons: taken before anything is stored, extended while the answer runs,
//! given back before the client reads its end.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::{task::JoinHandle, time::Instant};

use super::answers::{Cut, Running};
use crate::api::{
    http::error::{ApiError, Resource},
    state::AppState,
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

/// See the module.
pub(crate) struct Held {
    state: Arc<AppState>,
    session: SessionId,
    holder: String,
    /// None until it is taken.
    keeper: Option<JoinHandle<()>>,
    given_back: bool,
}

/// Somebody answers in the session.
pub(crate) fn busy() -> ApiError {
    let message = "the agent is still answering in this session".to_owned();
    ApiError::Conflict { code: "SESSION_BUSY", message, details: None }
}

impl Held {
    /// Takes the session for this answer, which is ended when it is lost, or somebody asks for that.
    pub(crate) async fn take(
        state: &Arc<AppState>,
        session: &SessionId,
        running: &Arc<Running>,
    ) -> Result<Self, ApiError> {
        let holder = ulid::Ulid::generate().to_string();
        let asked = Instant::now();
        // Given back when it goes, also when only the answer of the store was lost.
        let mut held =
            Self { state: Arc::clone(state), session: session.clone(), holder, keeper: None, given_back: false };
        match state.store.lease_session(session, &held.holder, LEASE).await {
            Ok(SessionLease::Held | SessionLease::StopAsked) => {
                let (state, session, holder) = (Arc::clone(state), session.clone(), held.holder.clone());
                held.keeper = Some(tokio::spawn(keep(state, session, holder, Arc::clone(running), asked)));
                Ok(held)
            }
            Ok(SessionLease::Taken) => {
                held.given_back = true;
                Err(busy())
            }
            Err(error) if error.kind() == BackendErrorKind::NotFound => {
                held.given_back = true;
                Err(ApiError::not_found(Resource::Session, session.as_str()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whose it is, for the store.
    pub(crate) fn holder(&self) -> &str {
        &self.holder
    }

    /// Gives it back; others may have it when this returns.
    pub(crate) async fn release(mut self) {
        self.end_keeping();
        self.given_back = self.state.store.release_session(&self.session, &self.holder).await.is_ok();
    }
}

impl Held {
    fn end_keeping(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.abort();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end_keeping();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.given_back {
            return;
        }
        let (state, session, holder) = (Arc::clone(&self.state), self.session.clone(), self.holder.clone());
        let tasks = state.tasks.clone();
        let release = async move {
            if let Err(error) = state.store.release_session(&session, &holder).await {
                tracing::warn!(%session, %error, "a session could not be given back; it is free in {} s", LEASE.as_secs());
            }
        };
        tasks.spawn_on(release, &runtime);
    }
}

async fn keep(state: Arc<AppState>, session: SessionId, holder: String, running: Arc<Running>, mut held_at: Instant) {
    let mut next = held_at + EXTEND_EVERY;
    loop {
        tokio::time::sleep_until(next).await;
        let asked = Instant::now();
        let ends = held_at + LEASE - MARGIN;
        let told = tokio::time::timeout_at(ends.max(asked), state.store.extend_session(&session, &holder, LEASE)).await;
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
pub(crate) async fn append_answer(store: &dyn Store, message: NewMessage) -> Stored<()> {
    let refused = match store.append_message(message.clone()).await {
        Err(error) if error.kind() == BackendErrorKind::Fenced => error,
        stored => return stored.map(drop),
    };
    tracing::warn!(session = %message.session_id, error = %refused, "the session was another's by the time of this answer");
    let mut metadata = message.metadata.unwrap_or_else(|| Value::Object(Map::new()));
    if let Some(fields) = metadata.as_object_mut() {
        fields.insert("interrupted".to_owned(), true.into());
    }
    store.append_message(NewMessage { metadata: Some(metadata), holder: None, ..message }).await.map(drop)
}
