//! Which web pages may use the API. A browser sends the cookie of a login along with whatever page asks, so a page from
//! elsewhere must not be able to start builds through its visitor; another port of this machine, where an agent may serve,
//! is elsewhere, too. Others may read nothing either: without the headers that are added here, a browser keeps the answer
//! from the page.

use salvo::{
    Request, Response,
    http::{
        HeaderValue, Method, StatusCode,
        header::{self, HeaderMap},
    },
};

use super::error::ApiError;
use crate::api::http::request_id::RequestId;
use crate::config::ServerConfig;

/// What the `Origin` header says.
pub(crate) enum Origin {
    /// No browser page, or one of the same origin.
    None,
    /// A page that may.
    Allowed(HeaderValue),
    /// A page that may because every page may: with a token that it has, and never by its visitor's cookie.
    Anybody(HeaderValue),
    /// A page that may not.
    Refused,
}

/// Judges the request's origin: pages of the daemon itself (its `Host` was checked), and of the public address and origins
/// in the settings may use the API.
pub(crate) fn judge(req: &Request, server: &ServerConfig) -> Origin {
    let Some(origin) = req.headers().get(header::ORIGIN) else { return Origin::None };
    let is_public = |origin: &str| !origin.is_empty() && server.public_origin().eq_ignore_ascii_case(origin);
    if origin.to_str().is_ok_and(|o| is_public(o) || is_allowed(o, req.headers(), server)) {
        Origin::Allowed(origin.clone())
    } else if server.allowed_origins.iter().any(|one| one == "*") {
        Origin::Anybody(origin.clone())
    } else {
        Origin::Refused
    }
}

fn is_allowed(origin: &str, headers: &HeaderMap, server: &ServerConfig) -> bool {
    if server.allowed_origins.iter().any(|one| one.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
        return true;
    }
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    // Where TLS is spoken, a page that came without it may be whoever's is on the way.
    if !server.tls_certificate.as_os_str().is_empty() && !scheme.eq_ignore_ascii_case("https") {
        return false;
    }
    let own = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    own.is_some_and(|own| own.eq_ignore_ascii_case(authority))
}

/// Whether it is a browser's question before the real request.
pub(crate) fn is_preflight(req: &Request) -> bool {
    req.method() == Method::OPTIONS && req.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Answers a preflight; [`Origin::stamp`] adds who may.
pub(crate) fn answer_preflight(origin: &Origin, id: &RequestId, res: &mut Response) {
    if matches!(origin, Origin::Refused) {
        return Origin::refused().render(id, res);
    }
    res.status_code(StatusCode::NO_CONTENT);
    let headers = res.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, fixed("GET, HEAD, POST, PUT, DELETE"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        fixed("content-type, authorization, last-event-id, x-request-id, idempotency-key"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, fixed("600"));
}

impl Origin {
    /// The error for a request that may change something, from a page that may not. A WebSocket is no mere
    /// reading either: browsers hand its messages to any page.
    pub(crate) fn refusal(&self, req: &Request) -> Option<ApiError> {
        let reads = matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let upgrades = req.headers().contains_key(header::UPGRADE);
        (matches!(self, Self::Refused) && (!reads || upgrades)).then(Self::refused)
    }

    fn refused() -> ApiError {
        {
            let message = "pages of this origin may not use the API";
            ApiError::plain(StatusCode::FORBIDDEN, "ORIGIN_NOT_ALLOWED", message)
        }
    }

    /// Whether a cookie that comes along is its visitor's will: no page from elsewhere has it sent for itself.
    pub(crate) const fn may_bring_cookies(&self) -> bool {
        matches!(self, Self::None | Self::Allowed(_))
    }

    /// Lets the browser hand the answer to the page.
    pub(crate) fn stamp(self, res: &mut Response) {
        let headers = res.headers_mut();
        let with_cookies = self.may_bring_cookies();
        if let Self::Allowed(origin) | Self::Anybody(origin) = self {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if with_cookies {
                headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            let exposed =
                HeaderValue::from_static("x-request-id, x-process-time, location, retry-after, idempotency-replayed");
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
}
