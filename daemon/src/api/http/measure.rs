//! Metrics of the HTTP server. Labels come from closed sets: the method, the route as it is declared
//! (never the path that was asked for), the status.

use std::{
    sync::atomic::{AtomicI64, AtomicUsize, Ordering},
    time::Duration,
};

use metrics::{counter, gauge, histogram};
use salvo::http::{Method, StatusCode};

use crate::telemetry::names::{HTTP_DURATION, HTTP_IN_FLIGHT, HTTP_REQUESTS, SSE_CLIENTS};

/// Notes an answered request.
pub(crate) fn request(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    };
    // Both prefixes are one route; unknown paths are one, too.
    let route = match route {
        "" if status == StatusCode::NOT_FOUND || status == StatusCode::METHOD_NOT_ALLOWED => "(none)".to_owned(),
        route => route.strip_prefix("api/v1").map_or_else(|| format!("/{route}"), |rest| format!("/api/v2{rest}")),
    };
    histogram!(HTTP_DURATION, "method" => method, "route" => route.clone()).record(took.as_secs_f64());
    counter!(HTTP_REQUESTS, "method" => method, "route" => route, "status" => status.as_str().to_owned()).increment(1);
}

static OPEN: AtomicI64 = AtomicI64::new(0);

/// An open stream; counts until dropped.
pub(crate) struct OpenStream(&'static str);

impl OpenStream {
    /// Counts a stream of this kind from now on.
    pub(crate) fn begin(kind: &'static str) -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        gauge!(SSE_CLIENTS, "kind" => kind).increment(1.0);
        Self(kind)
    }

    /// Streams open in this process.
    pub(crate) fn count() -> i64 {
        OPEN.load(Ordering::Relaxed)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
        gauge!(SSE_CLIENTS, "kind" => self.0).decrement(1.0);
    }
}

static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

/// A request that is being answered; counts until dropped.
pub(crate) struct OpenRequest;

impl OpenRequest {
    /// Requests being answered in this process.
    pub(crate) fn count() -> usize {
        IN_FLIGHT.load(Ordering::Relaxed)
    }

    pub(crate) fn begin() -> Self {
        IN_FLIGHT.fetch_add(1, Ordering::Relaxed);
        gauge!(HTTP_IN_FLIGHT).increment(1.0);
        Self
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
        gauge!(HTTP_IN_FLIGHT).decrement(1.0);
    }
}
