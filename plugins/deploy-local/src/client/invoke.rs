//! `POST /invocations`.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use nexus_deploy::answer::{AskError, Body as _, Bounds, Clock, question, read, rejection};
use nexus_plugin_api::{
    Context,
    payload::{InvokeRequest, InvokeResult},
};

use super::{Address, http::Exchange};

const SESSION_HEADER: &str = "x-amzn-bedrock-agentcore-runtime-session-id";

/// Asks, reports the answer's pieces to `cx` as they come, and returns the whole.
/// Dropping the future closes the connection.
pub(crate) async fn invoke(
    address: &Address,
    bounds: Bounds,
    request: &InvokeRequest,
    cx: &Context,
) -> Result<InvokeResult, AskError> {
    let posted = to_http(address, request)?;
    let mut clock = Clock::start(bounds);
    let exchange = clock.within(Exchange::begin(address, posted)).await?;
    if !(200..300).contains(&exchange.status()) {
        return Err(rejection(exchange, &mut clock).await);
    }
    read(exchange, &mut clock, request, cx).await
}

fn to_http(address: &Address, request: &InvokeRequest) -> Result<Request<Full<Bytes>>, AskError> {
    Request::post("/invocations")
        .header("host", address.host())
        .header("authorization", address.authorization())
        .header("connection", "close")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream, application/json;q=0.9")
        .header(SESSION_HEADER, &request.session_id)
        .body(Full::new(Bytes::from(question(request).to_string())))
        .map_err(|e| AskError::BadRequest(format!("the session id is no header value ({e})")))
}
