//! `Idempotency-Key`: the header, and what tells the body of a request under it.

use std::future::Future;

use salvo::{
    Depot, Extractible, Request,
    extract::Metadata,
    oapi::{Components, EndpointArgRegister, Operation, Parameter, ParameterIn, Required},
};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{access, error::ApiError};
use crate::{
    api::openapi::raw,
    domain::caller::ANONYMOUS,
    idempotency::{IdempotencyKey, Keyed},
};

/// Most characters of a key.
const MAX_KEY: usize = 255;

const HEADER: &str = "idempotency-key";

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
pub(crate) struct Idempotency(Option<IdempotencyKey>);

impl Idempotency {
    /// The key, with what the request is answered with.
    pub(crate) fn answered_by<T>(self, answer: fn(&T) -> Value) -> Option<Keyed<T>> {
        self.0.map(|key| Keyed { key, answer })
    }
}

/// What is kept of the answer to a request that created something at `path`.
pub(crate) fn kept<T: Serialize>(path: &str, message: &str, data: &T) -> Value {
    json!({ "path": path, "message": message, "data": data })
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

fn read(req: &Request, depot: &Depot) -> Result<Option<IdempotencyKey>, ApiError> {
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
    Ok(Some(IdempotencyKey { key: format!("{} {path}\n{given}{whose}", req.method()), fingerprint }))
}
