//! `Idempotency-Key`: a request that creates something may be sent again, and creates nothing the second time.
//! The answer of the first is kept for a day beside what it created, written as one unit with it.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use salvo::{
    Depot, Extractible, Request,
    extract::Metadata,
    http::StatusCode,
    oapi::{Components, EndpointArgRegister, Operation, Parameter, ParameterIn, Required},
};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{access, error::ApiError};
use crate::api::{http::response::Created, openapi::raw, state::AppState};
use crate::domain::caller::ANONYMOUS;
use crate::backend::{
    error::{BackendError, BackendErrorKind},
    store::{Once, OnceRecord},
};

/// Most characters of a key.
const MAX_KEY: usize = 255;

const HEADER: &str = "idempotency-key";

/// How long a key that is being worked under outlives a daemon that is gone.
const LEASE: Duration = Duration::from_secs(15);

/// Tells the body of this request; put into the depot by whoever reads one.
#[derive(Clone)]
pub(crate) struct Fingerprint(String);

impl Fingerprint {
    /// Of a body, when the request has a key at all.
    pub(crate) fn take(req: &Request, depot: &mut Depot, body: impl FnOnce() -> Vec<u8>) {
        if req.headers().contains_key(HEADER) {
            let digest = Sha256::digest(body());
            depot.insert_typed(Self(digest.iter().map(|byte| format!("{byte:02x}")).collect()));
        }
    }
}

/// The key of a request, when it has one. Must be taken after the body.
pub(crate) struct Idempotency(Option<Key>);

#[derive(Clone)]
pub(crate) struct Key {
    key: String,
    fingerprint: String,
}

static METADATA: std::sync::LazyLock<Metadata> = std::sync::LazyLock::new(|| Metadata::new(""));

impl<'ex> Extractible<'ex> for Idempotency {
    fn metadata() -> &'static Metadata {
        &METADATA
    }

    #[allow(refining_impl_trait)]
    fn extract(req: &'ex mut Request, depot: &'ex mut Depot) -> impl Future<Output = Result<Self, ApiError>> + Send {
        std::future::ready(read(req, depot).map(Self))
    }
}

impl EndpointArgRegister for Idempotency {
    fn register(_components: &mut Components, operation: &mut Operation, _arg: &str) {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!-~]+$" });
        let parameter = Parameter::new("Idempotency-Key")
            .location(ParameterIn::Header)
            .required(Required::False)
            .description(
                "The same key with the same body gives the first answer again, for a day; with another body: 409.",
            )
            .schema(raw(schema));
        operation.parameters.insert(parameter);
        operation.responses.insert("409", salvo::oapi::Response::new("The key was used for another request."));
    }
}

fn read(req: &Request, depot: &Depot) -> Result<Option<Key>, ApiError> {
    let Some(value) = req.headers().get(HEADER) else { return Ok(None) };
    let given = String::from_utf8_lossy(value.as_bytes());
    if given.is_empty() || given.len() > MAX_KEY || !given.bytes().all(|b| b.is_ascii_graphic()) {
        let msg = format!("Input should be 1 to {MAX_KEY} visible ASCII characters");
        return Err(ApiError::invalid("header", HEADER, "value_error", msg, given.as_ref().into()));
    }
    let fingerprint = depot.get_typed::<Fingerprint>().map_or_else(|_| String::new(), |print| print.0.clone());
    // The alias is the same path.
    let path = req.uri().path().trim_end_matches('/').replacen("/api/v1/", "/api/v2/", 1);
    // One caller's key is nothing to another.
    let whose = access::caller(depot).filter(|caller| caller.user_id != ANONYMOUS);
    let whose = whose.map_or_else(String::new, |caller| format!("\n{}", caller.user_id));
    Ok(Some(Key { key: format!("{} {path}\n{given}{whose}", req.method()), fingerprint }))
}

/// What is kept of an answer.
#[derive(Serialize)]
struct Kept<'a, T> {
    path: &'a str,
    message: &'a str,
    data: &'a T,
}

impl Idempotency {
    /// The answer to an earlier request of this key.
    ///
    /// # Errors
    /// The key stands for another request, or the earlier one is still being worked on.
    pub(crate) async fn earlier(&self, state: &AppState) -> Result<Option<Value>, ApiError> {
        let Some(key) = &self.0 else { return Ok(None) };
        match state.store.once(&key.key).await? {
            None => Ok(None),
            Some(record) => key.judge(record).map(Some),
        }
    }

    /// What the store keeps beside the thing that is created at `path`.
    pub(crate) fn keep<T: Serialize>(&self, path: &str, message: &str, data: &T) -> Option<Once> {
        let Key { key, fingerprint } = self.0.clone()?;
        let answer = serde_json::to_value(Kept { path, message, data }).ok()?;
        Some(Once { key, fingerprint, answer, holder: None })
    }

    /// After a write that was refused: when it was because the same request came at the same time, its answer.
    pub(crate) async fn or_earlier<T>(&self, state: &AppState, error: BackendError) -> Result<Created<T>, ApiError> {
        if error.kind() == BackendErrorKind::Repeated
            && let Some(answer) = self.earlier(state).await?
        {
            return Ok(Created::again(answer));
        }
        Err(error.into())
    }

    /// The key, for work that goes on elsewhere.
    pub(crate) fn key(&self) -> Option<Key> {
        self.0.clone()
    }
}

impl Key {
    fn judge(&self, record: OnceRecord) -> Result<Value, ApiError> {
        if record.fingerprint != self.fingerprint {
            let message = "this Idempotency-Key was used for a request with another body";
            return Err(ApiError::plain(StatusCode::CONFLICT, "IDEMPOTENCY_KEY_REUSED", message));
        }
        record.answer.ok_or_else(|| {
            let message = "the first request with this Idempotency-Key is still being answered";
            ApiError::plain(StatusCode::CONFLICT, "IDEMPOTENCY_IN_PROGRESS", message)
        })
    }

    /// Takes the key for work that is no single unit, or answers what came of an earlier request. To be called by the
    /// work itself: a connection may end at any time, and the key must not hang on it.
    pub(crate) async fn claim(self, state: &Arc<AppState>) -> Result<Begun, ApiError> {
        if let Some(record) = state.chats.unsettled.get(&self.key) {
            return self.judge(record).map(Begun::Answered);
        }
        // Before the store is asked: its answer may get lost although the key is ours.
        let claim = Claim::new(self, state);
        let key = &claim.key;
        match state.store.begin_once(&key.key, &key.fingerprint, &claim.holder, LEASE).await {
            Ok(None) => Ok(Begun::Claimed(claim)),
            Ok(Some(record)) => {
                let key = key.clone();
                claim.settled();
                key.judge(record).map(Begun::Answered)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What came of taking a key.
pub(crate) enum Begun {
    /// It is ours to answer.
    Claimed(Claim),
    /// It was answered before.
    Answered(Value),
}

/// A key that is ours as long as the work lasts. Dropped without an answer (a panic, a shutdown, a failure) it is given
/// back; if even that fails, nobody extends it any more, and it is free within [`LEASE`].
pub(crate) struct Claim {
    key: Key,
    holder: String,
    state: Arc<AppState>,
    keeper: tokio::task::JoinHandle<()>,
    settled: bool,
}

impl Claim {
    fn new(key: Key, state: &Arc<AppState>) -> Self {
        let holder = ulid::Ulid::generate().to_string();
        let keeper = tokio::spawn({
            let (state, key, holder) = (Arc::clone(state), key.key.clone(), holder.clone());
            async move {
                loop {
                    tokio::time::sleep(LEASE / 3).await;
                    if let Err(error) = state.store.extend_once(&key, &holder, LEASE).await {
                        tracing::warn!(%error, "an idempotency key could not be extended");
                    }
                }
            }
        });
        Self { key, holder, state: Arc::clone(state), keeper, settled: false }
    }

    /// What the store keeps as the answer.
    pub(crate) fn answered(&self, answer: Value) -> Once {
        let Key { key, fingerprint } = self.key.clone();
        Once { key, fingerprint, answer, holder: Some(self.holder.clone()) }
    }

    /// The store has the answer, or the key is not ours.
    pub(crate) fn settled(mut self) {
        self.settled = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.keeper.abort();
        // Outside of a runtime the process is ending, and the lease ends by itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.settled {
            return;
        }
        let (state, key, holder) = (Arc::clone(&self.state), self.key.key.clone(), self.holder.clone());
        let tasks = state.tasks.clone();
        let given_back = async move {
            if let Err(error) = state.store.abandon_once(&key, &holder).await {
                tracing::warn!(%error, "an idempotency key could not be given back; it is free in {} s", LEASE.as_secs());
            }
        };
        tasks.spawn_on(given_back, &runtime);
    }
}

/// Answers that were told but could not be recorded yet: the same request gets them all the same.
#[derive(Clone, Default)]
pub(crate) struct Unsettled(Arc<Mutex<HashMap<String, OnceRecord>>>);

impl Unsettled {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, OnceRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &str) -> Option<OnceRecord> {
        self.lock().get(key).cloned()
    }

    /// Notes an answer until it is forgotten.
    pub(crate) fn note(&self, once: &Once) {
        let record = OnceRecord { fingerprint: once.fingerprint.clone(), answer: Some(once.answer.clone()) };
        self.lock().insert(once.key.clone(), record);
    }

    /// The store has it, or it is given up.
    pub(crate) fn forget(&self, key: &str) {
        self.lock().remove(key);
    }
}
