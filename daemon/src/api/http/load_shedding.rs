//! Load that the daemon cannot carry is refused at the door, before it costs memory: `503` with
//! `Retry-After`. What supervisors ask is always answered.

use std::time::Duration;

use salvo::{Request, http::Method};

use super::{error::ApiError, measure::OpenRequest};
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

/// The error for a request that cannot be taken now.
pub(crate) fn refusal(req: &Request, state: &AppState) -> Option<ApiError> {
    let path = req.uri().path();
    if path.starts_with("/health") || path == "/metrics" {
        return None;
    }
    let reading = matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if OpenRequest::count() > IN_FLIGHT || is_full(&state.store.pressure(), reading) {
        let message = "the daemon has more to do than it can; try again".to_owned();
        return Some(ApiError::Unavailable { code: "OVERLOADED", message });
    }
    None
}
