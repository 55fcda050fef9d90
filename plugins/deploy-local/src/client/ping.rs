//! `GET /ping`.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use nexus_deploy::answer::{AskError, Body as _, excerpt};
use serde_json::Value;
use tokio::time::timeout;

use super::{Address, http::Exchange};

const MAX_BODY_BYTES: usize = 64 * 1024;

/// What a healthy agent says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Ready, nothing to do.
    Healthy,
    /// Ready, and working on its own: not to be stopped for resting.
    Busy,
}

/// Asks once. Any success status counts as healthy; the body only tells whether it is busy.
pub(crate) async fn ping(address: &Address, patience: Duration) -> Result<Health, AskError> {
    timeout(patience, ask(address)).await.unwrap_or(Err(AskError::Silent(patience.as_secs())))
}

async fn ask(address: &Address) -> Result<Health, AskError> {
    let request = Request::get("/ping")
        .header("host", address.host())
        .header("authorization", address.authorization())
        .header("connection", "close")
        .body(Full::new(Bytes::new()))
        .map_err(|e| AskError::BadRequest(e.to_string()))?;
    let exchange = Exchange::begin(address, request).await?;
    let status = exchange.status();
    let body = exchange.body(MAX_BODY_BYTES).await?;
    if !(200..300).contains(&status) {
        return Err(AskError::Rejected { status, message: excerpt(&String::from_utf8_lossy(&body)) });
    }
    let busy = serde_json::from_slice::<Value>(&body).is_ok_and(|body| {
        body.get("status").and_then(Value::as_str).is_some_and(|status| status.eq_ignore_ascii_case("HealthyBusy"))
    });
    Ok(if busy { Health::Busy } else { Health::Healthy })
}
