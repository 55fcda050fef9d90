//! JSON as the body of a response.

use salvo::{
    Response,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use serde::Serialize;

/// Puts JSON into the response. A value that cannot be serialised is a fault of ours: 500, logged.
pub(crate) fn put_json<T: Serialize>(res: &mut Response, value: &T) {
    let mut bytes = Vec::with_capacity(512);
    if let Err(error) = serde_json::to_writer(&mut bytes, value) {
        tracing::error!(%error, "an answer could not be serialised");
        bytes = br#"{"success":false,"error":{"code":"INTERNAL_ERROR","message":"internal error"}}"#.to_vec();
        res.status_code(StatusCode::INTERNAL_SERVER_ERROR);
    }
    res.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    res.replace_body(bytes.into());
}
