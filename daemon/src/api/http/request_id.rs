//! The id of a request, in its answer, its headers and the log.

use std::sync::Arc;

use salvo::{
    Depot,
    http::{HeaderName, header::HeaderMap},
};

/// Longest request id taken from a client.
const MAX_ID: usize = 128;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(Clone, Debug)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    /// The client's, when it is sane, else a new one.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let sane = |id: &&str| {
            !id.is_empty()
                && id.len() <= MAX_ID
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
        };
        let given = headers.get(&REQUEST_ID).and_then(|v| v.to_str().ok()).filter(sane);
        given.map_or_else(|| Self(format!("req_{:032x}", rand::random::<u128>()).into()), |id| Self(id.into()))
    }

    /// The id of the request that this depot belongs to.
    pub(crate) fn of(depot: &Depot) -> Self {
        depot.get_typed::<Self>().cloned().unwrap_or_else(|_| Self("req_unknown".into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
