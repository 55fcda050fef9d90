//! `Idempotency-Key`: a request that creates something may be sent again, and creates nothing the second time.
//! The answer of the first is kept for a day beside what it created, written as one unit with it.

use std::future::Future;

use salvo::{
    Depot, Extractible, Request,
    extract::Metadata,
    http::StatusCode,
    oapi::{Components, EndpointArgRegister, Operation, Parameter, ParameterIn, Required},
};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{error::ApiError, openapi::raw, reply::Created, state::AppState};
use crate::store::{Once, OnceRecord, StoreError, StoreErrorKind};

/// Most characters of a key.
const MAX_KEY: usize = 255;

const HEADER: &str = "idempotency-key";

/// Tells the body of this request; put into the depot by whoever reads one.
#[derive(Clone)]
pub(super) struct Fingerprint(String);

impl Fingerprint {
    /// Of a body, when the request has a key at all.
    pub(super) fn take(req: &Request, depot: &mut Depot, body: impl FnOnce() -> Vec<u8>) {
        if req.headers().contains_key(HEADER) {
            let digest = Sha256::digest(body());
            depot.insert_typed(Self(digest.iter().map(|byte| format!("{byte:02x}")).collect()));
        }
    }
}

/// The key of a request, when it has one. Must be taken after the body.
pub(super) struct Idempotency(Option<Key>);

#[derive(Clone)]
pub(super) struct Key {
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
    Ok(Some(Key { key: format!("{} {path}\n{given}", req.method()), fingerprint }))
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
    pub(super) async fn earlier(&self, state: &AppState) -> Result<Option<Value>, ApiError> {
        let Some(key) = &self.0 else { return Ok(None) };
        match state.store.once(&key.key).await? {
            None => Ok(None),
            Some(record) => key.judge(record).map(Some),
        }
    }

    /// What the store keeps beside the thing that is created at `path`.
    pub(super) fn keep<T: Serialize>(&self, path: &str, message: &str, data: &T) -> Option<Once> {
        let Key { key, fingerprint } = self.0.clone()?;
        let answer = serde_json::to_value(Kept { path, message, data }).ok()?;
        Some(Once { key, fingerprint, answer })
    }

    /// After a write that was refused: when it was because the same request came at the same time, its answer.
    pub(super) async fn or_earlier<T>(&self, state: &AppState, error: StoreError) -> Result<Created<T>, ApiError> {
        if error.kind() == StoreErrorKind::Repeated
            && let Some(answer) = self.earlier(state).await?
        {
            return Ok(Created::again(answer));
        }
        Err(error.into())
    }

    /// Takes the key for work that is no single unit; the answer to an earlier request when there was one.
    pub(super) async fn begin(&self, state: &AppState) -> Result<Option<Value>, ApiError> {
        let Some(key) = &self.0 else { return Ok(None) };
        match state.store.begin_once(&key.key, &key.fingerprint).await? {
            None => Ok(None),
            Some(record) => key.judge(record).map(Some),
        }
    }

    /// The key, for work that goes on elsewhere.
    pub(super) fn key(&self) -> Option<Key> {
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

    /// What the store keeps as the answer.
    pub(super) fn answered(&self, answer: Value) -> Once {
        Once { key: self.key.clone(), fingerprint: self.fingerprint.clone(), answer }
    }

    /// Gives the key back: nothing came of the request.
    pub(super) async fn abandon(&self, state: &AppState) {
        if let Err(error) = state.store.abandon_once(&self.key).await {
            tracing::warn!(%error, "an idempotency key could not be given back");
        }
    }
}
