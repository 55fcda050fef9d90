//! The outermost layer of every request, unknown paths included: request id, origin check, state into
//! the depot, panics into 500, bare error statuses into the error body, time and metrics.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures::FutureExt as _;
use salvo::{
    Depot, FlowCtrl, Handler, Request, Response, async_trait,
    http::{HeaderName, Method, ResBody, StatusCode, header::HeaderValue},
};

use super::{
    access::{self, Entrance},
    error::ApiError,
    headers, host, measure,
    places::Places,
    request_id::{REQUEST_ID, RequestId},
    serve::HEAD_BYTES,
};
use crate::api::{
    http::{load_shedding, origins, request::input, response as reply},
    state::AppState,
};

const PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");

/// See the module.
pub(crate) struct Edge {
    pub(crate) state: Arc<AppState>,
    pub(crate) entrance: Entrance,
    pub(crate) places: Places,
}

#[async_trait]
impl Handler for Edge {
    async fn handle(&self, req: &mut Request, depot: &mut Depot, res: &mut Response, ctrl: &mut FlowCtrl) {
        let started = Instant::now();
        let _open = measure::OpenRequest::begin();
        let id = RequestId::from_headers(req.headers());
        depot.insert_typed(id.clone());
        depot.insert_typed(Arc::clone(&self.state));

        let config = self.state.config.load();
        let origin = origins::judge(req, &config.server);
        let refusal = large_head(req).or_else(|| host::refusal(req, &config.server)).or_else(|| origin.refusal(req));
        drop(config);
        let refusal = match refusal {
            Some(refusal) => Some(refusal),
            None => self.places.refusal(req).or_else(|| load_shedding::refusal(req, &self.state)),
        };
        if let Some(refusal) = refusal {
            input::read_away(req).await;
            refusal.render(&id, res);
            ctrl.skip_rest();
        } else if origins::is_preflight(req) {
            origins::answer_preflight(&origin, &id, res);
            ctrl.skip_rest();
        } else if let Some(refusal) = input::refuse_form(req) {
            input::read_away(req).await;
            refusal.render(&id, res);
            ctrl.skip_rest();
        } else if let Some(refusal) = self.admitted(req, depot, res, &id).await {
            input::read_away(req).await;
            refusal.render(&id, res);
            ctrl.skip_rest();
        } else {
            let called = AssertUnwindSafe(ctrl.call_next(req, depot, res)).catch_unwind().await;
            if let Err(panic) = called {
                ApiError::Internal(format!("a handler panicked: {}", panic_text(panic.as_ref()))).render(&id, res);
            }
        }
        access::hold_stream_permit(depot, res);
        fill_error(res, &id);
        origin.stamp(res);
        headers::secure(res);
        let headers = res.headers_mut();
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            headers.insert(REQUEST_ID, value);
        }
        if self.places.is_guest(req) {
            headers.insert(salvo::http::header::CONNECTION, HeaderValue::from_static("close"));
        }
        let took = started.elapsed();
        headers.insert(PROCESS_TIME, reply::seconds(took));
        measure::request(req.method(), req.matched_path(), res.status_code.unwrap_or(StatusCode::OK), took);
    }
}

impl Edge {
    /// Why the gate does not let the request in. What leads nowhere needs none.
    async fn admitted(&self, req: &Request, depot: &mut Depot, res: &Response, id: &RequestId) -> Option<ApiError> {
        if matches!(res.status_code, Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)) {
            return None;
        }
        access::admit(req, depot, &self.state, self.entrance, id).await.err()
    }
}

/// The server reads a head in large bites, so one that is somewhat too large comes up to here.
fn large_head(req: &Request) -> Option<ApiError> {
    let headers: usize = req.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    (headers + req.uri().path().len() > HEAD_BYTES).then(|| {
        let message = format!("the head of the request is larger than {HEAD_BYTES} bytes");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        ApiError::plain(status, "HEAD_TOO_LARGE", message)
    })
}

/// Gives an error that has a status only, as the framework makes them, the body of all errors.
fn fill_error(res: &mut Response, id: &RequestId) {
    let Some(status) = res.status_code.filter(|s| s.is_client_error() || s.is_server_error()) else { return };
    if matches!(res.body, ResBody::None | ResBody::Error(_)) {
        ApiError::of_status(status).render(id, res);
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}

/// The catcher of what never went through [`Edge`].
#[salvo::handler]
pub(crate) async fn catcher(req: &mut Request, depot: &mut Depot, res: &mut Response) {
    if req.method() != Method::HEAD {
        fill_error(res, &RequestId::of(depot));
    }
}
