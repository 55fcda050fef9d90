//! Load that the daemon cannot carry is refused at the door, before it costs memory: `503` with
//! `Retry-After`. What supervisors ask is always answered.

use std::time::Duration;

use salvo::{Request, http::Method};

use super::{
    error::ApiError,
    measure::{OpenRequest, OpenStream},
};
use crate::api::state::AppState;
use crate::backend::store::Pressure;

/// Requests that are being answered at a time; open streams do not count.
const IN_FLIGHT: usize = 2048;
/// The writer has not ended anything for so long while requests wait: more would only wait, too.
const STALLED: Duration = Duration::from_secs(3);

/// Whether the store takes no more.
pub(crate) fn is_full(pressure: &Pressure, reading: bool) -> bool {
    let (waiting, room) = if reading {
        (pressure.waiting_reads, pressure.read_room)
    } else {
        (pressure.waiting_writes, pressure.write_room)
    };
    let stalled = (!reading || pressure.reads_stall) && pressure.stalled_for.is_some_and(|time| time > STALLED);
    // The last quarter is for the daemon's own work: builds go on when clients have to wait.
    stalled || waiting >= room / 4 * 3
}

/// Streams may take three quarters of the connections: the rest is for questions that end.
const fn stream_share(connections: usize) -> i64 {
    let share = connections - connections / 4;
    if share > i64::MAX as usize { i64::MAX } else { share as i64 }
}

/// Whether the answer to the request goes on until somebody leaves.
pub(crate) fn is_stream(req: &Request) -> bool {
    let route = req.matched_path();
    let bare = route.strip_prefix("api/v2/").or_else(|| route.strip_prefix("api/v1/")).unwrap_or(route);
    matches!(bare, "events" | "ws" | "projects/{id}/events" | "agentcore/stream")
        || (bare == "sessions/{id}/stream" && *req.method() != Method::DELETE)
}

/// The error for a request that cannot be taken now.
pub(crate) fn refusal(req: &Request, state: &AppState) -> Option<ApiError> {
    let path = req.uri().path();
    if path.starts_with("/health") || path == "/metrics" {
        return None;
    }
    let reading = matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_stream(req) && OpenStream::count() >= stream_share(state.config.load().server.max_connections) {
        let message = "more event streams are open than the daemon keeps room for; try again".to_owned();
        return Some(ApiError::Unavailable { code: "TOO_MANY_STREAMS", message });
    }
    if OpenRequest::count() > IN_FLIGHT || is_full(&state.store.pressure(), reading) {
        let message = "the daemon has more to do than it can; try again".to_owned();
        return Some(ApiError::Unavailable { code: "OVERLOADED", message });
    }
    None
}
