//! How much one credential, or one address, may ask for. Rates are kept in memory; what is counted by the day is written
//! in the data folder, so that a restart gives nobody a second day.

use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use serde::{Deserialize, Serialize};

use super::files::{self, FileError, unpoisoned};
use crate::{
    config::LimitsConfig,
    domain::{caller::Caller, time::Timestamp},
};

/// What somebody has too much of.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what}; try again in {} seconds", after.as_secs().max(1))]
pub struct TooMuch {
    /// In words.
    pub what: &'static str,
    /// When there is room again.
    pub after: Duration,
}

/// What was used on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Used {
    builds: u64,
    tokens: u64,
    usd: f64,
}

#[derive(Default, Serialize, Deserialize)]
struct Day {
    day: String,
    used: HashMap<String, Used>,
    #[serde(skip)]
    changed: bool,
}

/// See the module.
pub struct Limits {
    config: LimitsConfig,
    callers: Option<DefaultKeyedRateLimiter<String>>,
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    failures: Option<DefaultKeyedRateLimiter<IpAddr>>,
    /// Addresses that showed too much that was wrong, and until when.
    barred: Mutex<HashMap<IpAddr, Instant>>,
    streams: Arc<Mutex<HashMap<String, usize>>>,
    day: Mutex<Day>,
    path: PathBuf,
}

/// A stream that counts until it is dropped.
pub struct StreamPermit {
    streams: Arc<Mutex<HashMap<String, usize>>>,
    name: String,
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut streams = unpoisoned(&self.streams);
        if let Some(open) = streams.get_mut(&self.name) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.name);
            }
        }
    }
}

fn limiter<K: std::hash::Hash + Eq + Clone>(per_minute: u32) -> Option<DefaultKeyedRateLimiter<K>> {
    NonZeroU32::new(per_minute).map(|rate| RateLimiter::keyed(Quota::per_minute(rate)))
}

fn judge<K: std::hash::Hash + Eq + Clone>(
    limiter: Option<&DefaultKeyedRateLimiter<K>>,
    key: &K,
    what: &'static str,
) -> Result<(), TooMuch> {
    let Some(limiter) = limiter else { return Ok(()) };
    limiter.check_key(key).map_err(|not_until| TooMuch {
        what,
        after: not_until.wait_time_from(governor::clock::DefaultClock::default().now()),
    })
}

impl Limits {
    /// With these settings; what was used today is read from there.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(config: &LimitsConfig, path: &Path) -> Result<Self, FileError> {
        // Figures that cannot be read are no reason to keep everybody out.
        let day = files::read(path)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        Ok(Self {
            config: config.clone(),
            callers: limiter(config.requests_per_minute),
            addresses: limiter(config.address_requests_per_minute),
            failures: limiter(config.failures_per_minute),
            barred: Mutex::default(),
            streams: Arc::default(),
            day: Mutex::new(day),
            path: path.to_owned(),
        })
    }

    /// One more request from this address.
    ///
    /// # Errors
    /// It sends too many.
    pub fn address(&self, address: IpAddr) -> Result<(), TooMuch> {
        judge(self.addresses.as_ref(), &address.to_canonical(), "this address sends too many requests")
    }

    /// One more refused credential, or login, from this address.
    ///
    /// # Errors
    /// There were too many.
    pub fn failure(&self, address: Option<IpAddr>) -> Result<(), TooMuch> {
        let address = known(address);
        let what = "too many wrong credentials or logins come from this address";
        judge(self.failures.as_ref(), &address, what).inspect_err(|over| {
            unpoisoned(&self.barred).insert(address, Instant::now() + over.after);
        })
    }

    /// Whether there were too many refused credentials from this address a moment ago: what it shows is not worth a
    /// question to the store.
    #[must_use]
    pub fn is_barred(&self, address: Option<IpAddr>) -> bool {
        unpoisoned(&self.barred).get(&known(address)).is_some_and(|until| Instant::now() < *until)
    }

    /// One more request of this caller.
    ///
    /// # Errors
    /// He sends too many.
    pub fn request(&self, caller: &Caller) -> Result<(), TooMuch> {
        judge(self.callers.as_ref(), &caller.name, "this credential sends too many requests")
    }

    /// One more stream of this caller, while the permit lives.
    ///
    /// # Errors
    /// He has too many open.
    pub fn stream(&self, caller: &Caller) -> Result<Option<StreamPermit>, TooMuch> {
        if self.config.streams == 0 {
            return Ok(None);
        }
        let mut streams = unpoisoned(&self.streams);
        let open = streams.entry(caller.name.clone()).or_insert(0);
        if *open >= self.config.streams {
            let what = "this credential has too many event streams open";
            return Err(TooMuch { what, after: Duration::from_secs(5) });
        }
        *open += 1;
        Ok(Some(StreamPermit { streams: Arc::clone(&self.streams), name: caller.name.clone() }))
    }

    fn counts_days(&self) -> bool {
        self.config.builds_per_day > 0 || self.config.tokens_per_day > 0 || self.config.usd_per_day > 0.0
    }

    /// The figures of today, of this caller; `change` may move them.
    fn today<T>(&self, caller: &str, now: Timestamp, change: impl FnOnce(&mut Used) -> (T, bool)) -> T {
        let today: String = now.to_string().chars().take(10).collect();
        let mut day = unpoisoned(&self.day);
        if day.day != today {
            *day = Day { day: today, ..Day::default() };
        }
        let (answer, changed) = change(day.used.entry(caller.to_owned()).or_default());
        day.changed |= changed;
        answer
    }

    /// One more build.
    ///
    /// # Errors
    /// There were enough today.
    pub fn build(&self, caller: &Caller, now: Timestamp) -> Result<(), TooMuch> {
        let most = self.config.builds_per_day;
        if most == 0 {
            return Ok(());
        }
        let taken = self.today(&caller.name, now, |used| {
            let room = used.builds < most;
            used.builds += u64::from(room);
            (room, room)
        });
        let what = "this credential has started all the builds of its day";
        if taken { Ok(()) } else { Err(TooMuch { what, after: to_midnight(now) }) }
    }

    /// Whether this caller may ask for more answers today. They are counted when they are there, so the last one may go
    /// over.
    ///
    /// # Errors
    /// There were enough today.
    pub fn answers(&self, caller: &Caller, now: Timestamp) -> Result<(), TooMuch> {
        let (tokens, usd) = (self.config.tokens_per_day, self.config.usd_per_day);
        if tokens == 0 && usd <= 0.0 {
            return Ok(());
        }
        let over = self.today(&caller.name, now, |used| {
            ((tokens > 0 && used.tokens >= tokens) || (usd > 0.0 && used.usd >= usd), false)
        });
        let what = "this credential has used all the tokens, or the money, of its day";
        if over { Err(TooMuch { what, after: to_midnight(now) }) } else { Ok(()) }
    }

    /// What an answer took.
    pub fn answered(&self, caller: &str, tokens: u64, usd: f64, now: Timestamp) {
        if self.counts_days() {
            self.today(caller, now, |used| {
                used.tokens = used.tokens.saturating_add(tokens);
                used.usd += usd;
                ((), true)
            });
        }
    }

    /// Writes what changed, and forgets who has not come for a while.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn settle(&self) -> Result<(), FileError> {
        self.callers.iter().for_each(RateLimiter::retain_recent);
        self.addresses.iter().for_each(RateLimiter::retain_recent);
        self.failures.iter().for_each(RateLimiter::retain_recent);
        unpoisoned(&self.barred).retain(|_, until| Instant::now() < *until);
        let mut day = unpoisoned(&self.day);
        if std::mem::take(&mut day.changed) {
            let text = serde_json::to_string(&*day).map_err(|error| FileError::form(&self.path, &error))?;
            files::write(&self.path, &text)?;
        }
        Ok(())
    }
}

/// Who comes through the socket has no address.
fn known(address: Option<IpAddr>) -> IpAddr {
    address.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)).to_canonical()
}

fn to_midnight(now: Timestamp) -> Duration {
    const DAY: i64 = 86_400_000_000;
    Duration::from_micros(u64::try_from(DAY - now.as_micros().rem_euclid(DAY)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::caller::Role;

    fn limits(config: LimitsConfig) -> (tempfile::TempDir, Limits) {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits::open(&config, &folder.path().join("usage.json")).unwrap();
        (folder, limits)
    }

    fn caller(name: &str) -> Caller {
        Caller::new(name, Role::User, name)
    }

    #[test]
    fn each_credential_and_each_address_has_its_own_rate() {
        let (_folder, limits) = limits(LimitsConfig {
            requests_per_minute: 3,
            address_requests_per_minute: 2,
            failures_per_minute: 1,
            ..LimitsConfig::default()
        });
        let passed = |name: &str| (0..5).filter(|_| limits.request(&caller(name)).is_ok()).count();
        assert_eq!((passed("a"), passed("b"), passed("a")), (3, 3, 0));
        let one: IpAddr = [10, 0, 0, 1].into();
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert!(limits.address(one).is_ok() && limits.address(mapped).is_ok());
        let refused = limits.address(one).unwrap_err();
        assert!(refused.after > Duration::ZERO && refused.after <= Duration::from_secs(60), "{refused}");
        assert!(limits.failure(Some(one)).is_ok() && !limits.is_barred(Some(one)));
        assert!(limits.failure(Some(one)).is_err() && limits.is_barred(Some(mapped)) && !limits.is_barred(None));
        limits.settle().unwrap();
    }

    #[test]
    fn nothing_is_limited_unless_it_is_set() {
        let (_folder, limits) = limits(LimitsConfig { failures_per_minute: 0, ..LimitsConfig::default() });
        let one = caller("a");
        let now = Timestamp::now();
        for _ in 0..1000 {
            assert!(limits.request(&one).is_ok() && limits.failure(None).is_ok() && limits.build(&one, now).is_ok());
            assert!(limits.stream(&one).is_ok_and(|permit| permit.is_none()) && limits.answers(&one, now).is_ok());
        }
    }

    #[test]
    fn a_stream_counts_until_it_ends() {
        let (_folder, limits) = limits(LimitsConfig { streams: 1, ..LimitsConfig::default() });
        let open = limits.stream(&caller("a")).unwrap();
        assert!(limits.stream(&caller("a")).is_err() && limits.stream(&caller("b")).is_ok());
        drop(open);
        assert!(limits.stream(&caller("a")).is_ok());
    }

    #[test]
    fn a_day_is_one_day_over_a_restart() {
        let (folder, limits) =
            limits(LimitsConfig { builds_per_day: 2, tokens_per_day: 100, ..LimitsConfig::default() });
        let (one, noon) = (caller("a"), Timestamp::from_micros(43_200_000_000));
        assert!(limits.build(&one, noon).is_ok() && limits.build(&one, noon).is_ok());
        assert_eq!(limits.build(&one, noon).unwrap_err().after, Duration::from_secs(43_200));
        limits.answered(&one.name, 100, 0.0, noon);
        limits.settle().unwrap();
        let again = Limits::open(&limits.config, &folder.path().join("usage.json")).unwrap();
        assert!(again.build(&one, noon).is_err() && again.answers(&one, noon).is_err());
        assert!(again.answers(&caller("b"), noon).is_ok());
        let tomorrow = noon.plus(Duration::from_secs(86_400));
        assert!(again.build(&one, tomorrow).is_ok() && again.answers(&one, tomorrow).is_ok());
    }
}
