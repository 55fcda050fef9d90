//! Rights that last for seconds and belong to one request: to answer in a session, to work under an idempotency key.
//! One process holds the file, so their ends live in memory, by a clock that no step of the wall clock moves; a start
//! after a crash finds none held.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;

use super::{SqliteStore, error::not_found};
use crate::{
    backend::store::{Answering, Result, SessionLease, Sessions as _},
    domain::ids::SessionId,
};

/// More than this, and those that have ended are looked for.
const MANY: usize = 1_000;

#[derive(Default)]
pub(crate) struct Held {
    sessions: Mutex<HashMap<SessionId, Right>>,
    keys: Mutex<HashMap<String, Right>>,
}

struct Right {
    holder: String,
    /// None when it was given back. Who had it last stays known for a while: his answer may come late.
    until: Option<Instant>,
    stop: bool,
}

impl Right {
    fn is_live(&self) -> bool {
        self.until.is_some_and(|until| until > Instant::now())
    }

    /// Whether it is this holder's, as far as nobody took it since.
    fn is_of(&self, holder: &str) -> bool {
        self.holder == holder && self.until.is_some()
    }
}

fn lock<K>(all: &Mutex<HashMap<K, Right>>) -> MutexGuard<'_, HashMap<K, Right>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take<K: Eq + Hash + Clone>(all: &Mutex<HashMap<K, Right>>, what: &K, holder: &str, lasts: Duration) -> bool {
    let mut all = lock(all);
    if all.get(what).is_some_and(|right| right.holder != holder && right.is_live()) {
        return false;
    }
    if all.len() >= MANY {
        all.retain(|_, right| right.is_live());
    }
    all.insert(what.clone(), Right { holder: holder.to_owned(), until: Some(Instant::now() + lasts), stop: false });
    true
}

impl Held {
    pub(crate) fn take_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> SessionLease {
        if take(&self.sessions, id, holder, lasts) { SessionLease::Held } else { SessionLease::Taken }
    }

    pub(crate) fn extend_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> SessionLease {
        match lock(&self.sessions).get_mut(id) {
            Some(right) if right.is_of(holder) => {
                right.until = Some(Instant::now() + lasts);
                if right.stop { SessionLease::StopAsked } else { SessionLease::Held }
            }
            _ => SessionLease::Taken,
        }
    }

    pub(crate) fn release_session(&self, id: &SessionId, holder: &str) {
        if let Some(right) = lock(&self.sessions).get_mut(id).filter(|right| right.holder == holder) {
            (right.until, right.stop) = (None, false);
        }
    }

    /// Whether somebody took the session after this holder.
    pub(crate) fn was_taken_from(&self, id: &SessionId, holder: &str) -> bool {
        lock(&self.sessions).get(id).is_some_and(|right| right.holder != holder)
    }

    pub(crate) fn stop_session(&self, id: &SessionId) -> bool {
        match lock(&self.sessions).get_mut(id) {
            Some(right) if right.is_live() => {
                right.stop = true;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn is_answering(&self, id: &SessionId) -> bool {
        lock(&self.sessions).get(id).is_some_and(Right::is_live)
    }

    /// Whether the key is the holder's now.
    pub(crate) fn take_key(&self, key: &str, holder: &str, lasts: Duration) -> bool {
        take(&self.keys, &key.to_owned(), holder, lasts)
    }

    pub(crate) fn extend_key(&self, key: &str, holder: &str, lasts: Duration) -> bool {
        match lock(&self.keys).get_mut(key) {
            Some(right) if right.is_of(holder) => {
                right.until = Some(Instant::now() + lasts);
                true
            }
            _ => false,
        }
    }

    /// Whether somebody else holds the key now.
    pub(crate) fn is_anothers_key(&self, key: &str, holder: &str) -> bool {
        lock(&self.keys).get(key).is_some_and(|right| right.holder != holder && right.is_live())
    }

    pub(crate) fn is_held(&self, key: &str) -> bool {
        lock(&self.keys).get(key).is_some_and(Right::is_live)
    }

    /// Whether the holder had it.
    pub(crate) fn release_key(&self, key: &str, holder: &str) -> bool {
        let mut keys = lock(&self.keys);
        let his = keys.get(key).is_some_and(|right| right.holder == holder);
        if his {
            keys.remove(key);
        }
        his
    }
}

#[async_trait]
impl Answering for SqliteStore {
    async fn lease_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease> {
        if self.session(id).await?.is_none() {
            return Err(not_found("session"));
        }
        Ok(self.inner.held.take_session(id, holder, lasts))
    }

    async fn extend_session(&self, id: &SessionId, holder: &str, lasts: Duration) -> Result<SessionLease> {
        Ok(self.inner.held.extend_session(id, holder, lasts))
    }

    async fn release_session(&self, id: &SessionId, holder: &str) -> Result<()> {
        self.inner.held.release_session(id, holder);
        Ok(())
    }

    async fn stop_session(&self, id: &SessionId) -> Result<bool> {
        Ok(self.inner.held.stop_session(id))
    }

    async fn is_answering(&self, id: &SessionId) -> Result<bool> {
        Ok(self.inner.held.is_answering(id))
    }
}
