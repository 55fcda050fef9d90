//! What a cloud service made the daemon contend with lately: tries that were throttled, refused, lost or late. The SDK
//! repeats them, so nobody else would see them: `/health` calls the backend degraded by this, and metrics count them.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::FinalizerInterceptorContextRef},
    error::BoxError,
};

use crate::{backend::store::Trouble, domain::time::Timestamp, telemetry::names};

/// How far back is looked, in slices.
const SLICE: Duration = Duration::from_secs(5);
const SLICES: usize = 6;
/// From so many failed tries on, and this share of all.
const WORTH_A_WORD: u64 = 3;
const SHARE: f64 = 0.05;
/// An answer that is older says nothing of now.
const FRESH: Duration = Duration::from_secs(10);
/// Answers say the time in whole seconds, so less than this is none.
const EXACT: i64 = 2_000_000;
/// From here on, in microseconds, somebody should look at the clock.
const SKEWED: i64 = 5_000_000;
/// Bytes of an error's body that are looked at.
const HEAD: usize = 2_048;

/// Why a try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Throttled,
    Server,
    Credentials,
    Clock,
    Late,
    Connection,
}

impl Reason {
    const ALL: [Self; 6] =
        [Self::Throttled, Self::Server, Self::Credentials, Self::Clock, Self::Late, Self::Connection];

    const fn label(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Server => "server_error",
            Self::Credentials => "credentials",
            Self::Clock => "clock_skew",
            Self::Late => "timeout",
            Self::Connection => "connection",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Throttled => "were throttled",
            Self::Server => "met an error of the service",
            Self::Credentials => "were refused for the daemon's credentials",
            Self::Clock => "were refused for the time: is this machine's clock right?",
            Self::Late => "had no answer in time",
            Self::Connection => "lost their connection",
        }
    }

    /// By what the service said.
    fn of(status: u16, body: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(body.get(..HEAD).unwrap_or(body));
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["Throttl", "ThroughputExceeded", "RequestLimitExceeded", "TooManyRequests", "SlowDown"]) {
            Some(Self::Throttled)
        } else if says(&["RequestTimeTooSkewed", "RequestExpired", "Signature not yet current", "Signature expired"]) {
            Some(Self::Clock)
        } else if says(&["ExpiredToken", "UnrecognizedClient", "InvalidSignature", "InvalidClientTokenId"]) {
            Some(Self::Credentials)
        } else {
            (status >= 500).then_some(Self::Server)
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Slice {
    /// Number of the slice since the start.
    number: u64,
    tries: u64,
    failed: [u64; Reason::ALL.len()],
}

struct Seen {
    slices: [Slice; SLICES],
    answered: Option<Instant>,
    /// Why the last try failed.
    last: Option<Reason>,
}

/// See the module; one for each service.
pub struct TroubleLog {
    service: &'static str,
    started: Instant,
    seen: Mutex<Seen>,
    /// Microseconds from this machine's clock to the service's.
    offset: AtomicI64,
}

impl std::fmt::Debug for TroubleLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TroubleLog").field("service", &self.service).finish_non_exhaustive()
    }
}

impl TroubleLog {
    /// Of this service (`dynamodb`, `sqs`).
    pub fn new(service: &'static str) -> Self {
        for reason in Reason::ALL {
            metrics::counter!(names::CLOUD_FAILED_TRIES, "service" => service, "reason" => reason.label()).absolute(0);
        }
        let seen = Seen { slices: [Slice::default(); SLICES], answered: None, last: None };
        Self { service, started: Instant::now(), seen: Mutex::new(seen), offset: AtomicI64::new(0) }
    }

    /// What is to be added to this machine's clock for the service's, in microseconds; 0 when they agree as far as can be
    /// seen. Leases are by the service's clock: it is the one that all daemons share.
    pub fn offset(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Takes the time of an answer.
    fn heard(&self, date: &str) {
        let Ok(there) = chrono::DateTime::parse_from_rfc2822(date) else { return };
        // In the middle of its second.
        let offset = there.timestamp_micros() + 500_000 - Timestamp::now().as_micros();
        self.offset.store(if offset.abs() < EXACT { 0 } else { offset }, Ordering::Relaxed);
    }

    fn note(&self, reason: Option<Reason>, answered: bool) {
        let slice_now = self.started.elapsed().as_secs() / SLICE.as_secs();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.last = reason;
        if answered {
            seen.answered = Some(Instant::now());
        }
        #[allow(clippy::cast_possible_truncation)] // below SLICES
        let Some(slice) = seen.slices.get_mut((slice_now % SLICES as u64) as usize) else { return };
        if slice.number != slice_now {
            *slice = Slice { number: slice_now, ..Slice::default() };
        }
        slice.tries += 1;
        let Some(reason) = reason else { return };
        if let Some(count) = Reason::ALL.iter().position(|one| *one == reason).and_then(|at| slice.failed.get_mut(at)) {
            *count += 1;
        }
        metrics::counter!(names::CLOUD_FAILED_TRIES, "service" => self.service, "reason" => reason.label())
            .increment(1);
    }

    /// What there was in the last half minute, if it is worth a word.
    pub fn lately(&self) -> Option<Trouble> {
        let offset = self.offset();
        if offset.abs() > SKEWED {
            let (seconds, way) = (offset.abs() / 1_000_000, if offset > 0 { "behind" } else { "ahead of" });
            let reason = format!("this machine's clock is {seconds} s {way} that of {}", self.service);
            return Some(Trouble { reason, answering: true });
        }
        let slice_now = self.started.elapsed().as_secs() / SLICE.as_secs();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = seen.slices.iter().filter(|slice| slice.number + SLICES as u64 > slice_now);
        let (mut tries, mut failed) = (0, [0; Reason::ALL.len()]);
        for slice in recent {
            tries += slice.tries;
            for (sum, count) in failed.iter_mut().zip(slice.failed) {
                *sum += count;
            }
        }
        let all: u64 = failed.iter().sum();
        #[allow(clippy::cast_precision_loss)] // counts of half a minute
        let share = all as f64 / (tries as f64).max(1.0);
        if all < WORTH_A_WORD || share < SHARE {
            return None;
        }
        let worst = failed.iter().zip(Reason::ALL).max_by_key(|(count, _)| **count).map(|(_, reason)| reason)?;
        let answering = seen.answered.is_some_and(|at| at.elapsed() < FRESH);
        let reason = format!("{all} of the last {tries} tries at {} failed; most {}", self.service, worst.words());
        Some(Trouble { reason, answering })
    }
}

impl TroubleLog {
    /// Whether the last try failed for a reason that passes by itself.
    pub(crate) fn is_passing(&self) -> bool {
        let last = self.seen.lock().unwrap_or_else(PoisonError::into_inner).last;
        last.is_some_and(|reason| !matches!(reason, Reason::Credentials | Reason::Clock))
    }
}

/// Tells a log of every try of a client.
#[derive(Clone, Debug)]
pub(crate) struct Witness(pub(crate) std::sync::Arc<TroubleLog>);

impl Intercept for Witness {
    fn name(&self) -> &'static str {
        "TroubleLog"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().and_then(|response| response.headers().get("date")) {
            self.0.heard(date);
        }
        let error = match context.output_or_error() {
            Some(Err(error)) => error,
            _ => {
                self.0.note(None, true);
                return Ok(());
            }
        };
        let reason = match context.response() {
            _ if error.is_timeout_error() => Some(Reason::Late),
            Some(response) => Reason::of(response.status().as_u16(), response.body().bytes().unwrap_or_default()),
            None if error.as_connector_error().is_some_and(|error| error.is_timeout()) => Some(Reason::Late),
            None if error.as_connector_error().is_some() => Some(Reason::Connection),
            // It was never sent: there is nothing to sign it with.
            None => Some(Reason::Credentials),
        };
        // A condition that does not hold is an answer.
        self.0.note(reason, reason.is_none());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_failures_are_not_worth_a_word_and_many_are() {
        let log = TroubleLog::new("dynamodb");
        for _ in 0..100 {
            log.note(None, true);
        }
        log.note(Some(Reason::Throttled), false);
        log.note(Some(Reason::Late), false);
        assert_eq!(log.lately(), None);
        for _ in 0..20 {
            log.note(Some(Reason::Throttled), false);
        }
        let told = log.lately().unwrap();
        assert!(told.answering && told.reason.contains("22 of the last 122") && told.reason.contains("throttled"));
    }

    #[test]
    fn a_clock_that_is_wrong_is_named_and_allowed_for() {
        let log = TroubleLog::new("dynamodb");
        let date = |seconds: i64| (chrono::Utc::now() + chrono::TimeDelta::seconds(seconds)).to_rfc2822();
        log.heard(&date(0));
        assert_eq!((log.offset(), log.lately()), (0, None));
        log.heard(&date(120));
        assert!((log.offset() - 120_000_000).abs() <= 1_500_000, "{}", log.offset());
        assert!(log.lately().unwrap().reason.contains("behind"), "{:?}", log.lately());
        log.heard(&date(-60));
        assert!(log.lately().unwrap().reason.contains("ahead"), "{:?}", log.lately());
        log.heard("no date");
        log.heard(&date(0));
        assert_eq!(log.offset(), 0);
    }

    #[test]
    fn a_reason_is_told_from_what_the_service_says() {
        let of = |status, body: &str| Reason::of(status, body.as_bytes());
        let named = |name: &str| format!("{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{name}\"}}");
        assert_eq!(of(400, &named("ProvisionedThroughputExceededException")), Some(Reason::Throttled));
        assert_eq!(of(400, &named("ExpiredTokenException")), Some(Reason::Credentials));
        assert_eq!(of(400, &named("ConditionalCheckFailedException")), None);
        assert_eq!(of(400, "Signature expired: 20260101T000000Z is now earlier than"), Some(Reason::Clock));
        assert_eq!(of(503, ""), Some(Reason::Server));
    }
}
