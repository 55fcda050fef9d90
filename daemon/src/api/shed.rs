//! Load that the daemon cannot carry is refused at the door, before it costs memory: `503` with
//! `Retry-After`. What supervisors ask is always answered.

use salvo::Request;

use super::{error::ApiError, measure::InFlight};

/// Requests that are being answered at a time; open streams do not count.
const IN_FLIGHT: usize = 2048;
/// The error for a request that cannot be taken now.
pub(super) fn refusal(req: &Request) -> Option<ApiError> {
    let path = req.uri().path();
    if path.starts_with("/health") || path == "/metrics" {
        return None;
    }
    if InFlight::count() > IN_FLIGHT {
        let message = "the daemon has more to do than it can; try again".to_owned();
        return Some(ApiError::Unavailable { code: "OVERLOADED", message });
    }
    None
}
