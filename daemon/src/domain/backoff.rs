//! The pause before something is tried again.

use std::time::Duration;

/// Longest pause, before jitter.
const CEILING: Duration = Duration::from_secs(600);

/// The pause before attempt `retry` (from 1) of something that starts with `base`: doubled each time, up to 30 % longer by
/// `jitter`, a random number from 0 to 1, so that several daemons do not come back in step.
pub fn backoff(base: Duration, retry: u32, jitter: f64) -> Duration {
    let factor = 2u32.saturating_pow(retry.saturating_sub(1).min(16));
    base.saturating_mul(factor).min(CEILING).mul_f64(1.0 + 0.3 * jitter.clamp(0.0, 1.0))
}
