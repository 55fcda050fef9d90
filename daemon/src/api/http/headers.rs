//! Headers that every answer has: browsers must not guess types, frame the API, or keep its answers.

use salvo::{
    Response,
    http::header::{self, HeaderName, HeaderValue},
};

/// For data: nothing in it may ever run.
const DATA: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// For the pages of this daemon: everything comes from itself. The viewer of the documentation sets styles in line.
const PAGE: HeaderValue = HeaderValue::from_static(include_str!("../openapi/docs.csp").trim_ascii_end());

const FIXED: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Adds them.
pub(crate) fn secure(res: &mut Response) {
    let headers = res.headers_mut();
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    headers.insert(header::CONTENT_SECURITY_POLICY, if is_page { PAGE } else { DATA });
    for (name, value) in FIXED {
        headers.insert(name, value);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
