//! Requests that may come twice: one that creates something is sent again under the same key, and creates nothing the second
//! time. The answer of the first is kept for a day beside what it created, written as one unit with it.
//!
//! Work that is no single unit, such as a question to an agent, holds its key while it lasts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::backend::{
    error::{BackendError, BackendErrorKind},
    store::{KeptAnswer, KeyRecord, Store},
};

/// How long a key that is being worked under outlives a daemon that is gone.
const LEASE: Duration = Duration::from_secs(15);

/// What a client sent to say that a request may come twice.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// The client's, made unique among callers and operations.
    pub key: String,
    /// Tells two different requests under one key apart.
    pub fingerprint: String,
}

/// A key, and what a request under it is answered with.
pub struct Keyed<T> {
    pub key: IdempotencyKey,
    pub answer: fn(&T) -> Value,
}

/// What a request came to that may have come before.
#[derive(Debug)]
pub enum Repeatable<T> {
    /// It was done now.
    New(T),
    /// It was done before, and answered so.
    Again(Value),
}

/// Why a request cannot be answered under its key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key stands for another request.
    #[error("this Idempotency-Key was used for a request with another body")]
    Reused,
    /// The first request is still being worked on.
    #[error("the first request with this Idempotency-Key is still being answered")]
    InProgress,
    /// The store does not say.
    #[error(transparent)]
    Store(#[from] BackendError),
}

impl IdempotencyKey {
    fn judge(&self, record: KeyRecord) -> Result<Value, KeyError> {
        if record.fingerprint != self.fingerprint {
            return Err(KeyError::Reused);
        }
        record.answer.ok_or(KeyError::InProgress)
    }

    async fn earlier(&self, store: &dyn Store) -> Result<Option<Value>, KeyError> {
        store.key_record(&self.key).await?.map(|record| self.judge(record)).transpose()
    }
}

impl<T> Keyed<T> {
    /// What the store keeps beside the thing that the request creates.
    pub fn kept(&self, created: &T) -> KeptAnswer {
        let IdempotencyKey { key, fingerprint } = self.key.clone();
        KeptAnswer { key, fingerprint, answer: (self.answer)(created), holder: None }
    }
}

/// The answer to an earlier request of this key.
pub async fn earlier<T>(store: &dyn Store, keyed: Option<&Keyed<T>>) -> Result<Option<Value>, KeyError> {
    match keyed {
        Some(keyed) => keyed.key.earlier(store).await,
        None => Ok(None),
    }
}

/// After a write that was refused: when it was because the same request came at the same time, its answer.
pub async fn or_earlier<T>(
    store: &dyn Store,
    keyed: Option<&Keyed<T>>,
    refused: BackendError,
) -> Result<Value, KeyError> {
    if refused.kind() == BackendErrorKind::Repeated
        && let Some(answer) = earlier(store, keyed).await?
    {
        return Ok(answer);
    }
    Err(refused.into())
}

/// The keys under which this daemon works.
#[derive(Clone)]
pub struct HeldKeys {
    store: Arc<dyn Store>,
    tasks: TaskTracker,
    unsettled: Unsettled,
}

/// What came of taking a key.
pub enum Begun {
    /// It is ours to answer.
    Held(HeldKey),
    /// It was answered before.
    Answered(Value),
}

impl HeldKeys {
    /// Over this store; `tasks` give keys back.
    pub fn new(store: Arc<dyn Store>, tasks: TaskTracker) -> Self {
        Self { store, tasks, unsettled: Unsettled::default() }
    }

    /// Answers that could not be recorded yet.
    pub fn unsettled(&self) -> &Unsettled {
        &self.unsettled
    }

    /// Takes a key for work that is no single unit, or answers what came of an earlier request. To be called by the work
    /// itself: a connection may end at any time, and the key must not hang on it.
    pub async fn take(&self, key: IdempotencyKey) -> Result<Begun, KeyError> {
        if let Some(record) = self.unsettled.get(&key.key) {
            return key.judge(record).map(Begun::Answered);
        }
        // Before the store is asked: its answer may get lost although the key is ours.
        let held = HeldKey::new(key, self.clone());
        match self.store.take_key(&held.key.key, &held.key.fingerprint, &held.holder, LEASE).await? {
            None => Ok(Begun::Held(held)),
            Some(record) => {
                let key = held.key.clone();
                held.settled();
                key.judge(record).map(Begun::Answered)
            }
        }
    }
}

/// A key that is ours as long as the work lasts. Dropped without an answer (a panic, a shutdown, a failure) it is given
/// back; if even that fails, nobody extends it any more, and it is free within `LEASE`.
pub struct HeldKey {
    key: IdempotencyKey,
    holder: String,
    keys: HeldKeys,
    keeper: tokio::task::JoinHandle<()>,
    settled: bool,
}

impl HeldKey {
    fn new(key: IdempotencyKey, keys: HeldKeys) -> Self {
        let holder = ulid::Ulid::generate().to_string();
        let keeper = tokio::spawn({
            let (store, key, holder) = (Arc::clone(&keys.store), key.key.clone(), holder.clone());
            async move {
                loop {
                    tokio::time::sleep(LEASE / 3).await;
                    if let Err(error) = store.extend_key(&key, &holder, LEASE).await {
                        tracing::warn!(%error, "an idempotency key could not be extended");
                    }
                }
            }
        });
        Self { key, holder, keys, keeper, settled: false }
    }

    /// What the store keeps as the answer.
    pub fn answered(&self, answer: Value) -> KeptAnswer {
        let IdempotencyKey { key, fingerprint } = self.key.clone();
        KeptAnswer { key, fingerprint, answer, holder: Some(self.holder.clone()) }
    }

    /// The store has the answer, or the key is not ours.
    pub fn settled(mut self) {
        self.settled = true;
    }
}

impl Drop for HeldKey {
    fn drop(&mut self) {
        self.keeper.abort();
        // Outside of a runtime the process is ending, and the lease ends by itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.settled {
            return;
        }
        let (store, key, holder) = (Arc::clone(&self.keys.store), self.key.key.clone(), self.holder.clone());
        let given_back = async move {
            if let Err(error) = store.release_key(&key, &holder).await {
                tracing::warn!(%error, "an idempotency key could not be released; it expires in {} s", LEASE.as_secs());
            }
        };
        self.keys.tasks.spawn_on(given_back, &runtime);
    }
}

/// Answers that were told but could not be recorded yet: the same request gets them all the same.
#[derive(Clone, Default)]
pub struct Unsettled(Arc<Mutex<HashMap<String, KeyRecord>>>);

impl Unsettled {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, KeyRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &str) -> Option<KeyRecord> {
        self.lock().get(key).cloned()
    }

    /// Notes an answer until it is forgotten.
    pub fn note(&self, kept: &KeptAnswer) {
        let record = KeyRecord { fingerprint: kept.fingerprint.clone(), answer: Some(kept.answer.clone()) };
        self.lock().insert(kept.key.clone(), record);
    }

    /// The store has it, or it is given up.
    pub fn forget(&self, key: &str) {
        self.lock().remove(key);
    }
}
