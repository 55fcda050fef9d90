//! One loaded plugin: the way to it, its jobs, its counts. A reload makes a new generation; running
//! jobs keep theirs. Generations live as long as the process, as loaded libraries do, so they are
//! `&'static`, and a job's token leads to its generation without any pointer crossing the boundary.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use nexus_plugin_api::payload::Description;
use serde_json::Value;
use tokio::sync::{Notify, oneshot};

use super::{
    error::JobError,
    lock,
    options::Limits,
    permits::Permit,
    report::PluginState,
    state::JobState,
    stats::Stats,
    transport::{LostCall, LostCalls, Transport},
};
use crate::telemetry::names;

/// A token is the generation's index above these bits and the job's number within them.
const NUMBER_BITS: u32 = 40;

static ALL: RwLock<Vec<&'static Generation>> = RwLock::new(Vec::new());

pub(super) struct Generation {
    pub(super) description: Description,
    /// Counts the loads of this plugin name.
    pub(super) number: u64,
    pub(super) file: PathBuf,
    pub(super) content: String,
    pub(super) settings: Value,
    transport: Arc<dyn Transport>,
    pub(super) stats: Stats,
    index: u64,
    limits: ArcSwap<Limits>,
    jobs: Mutex<Jobs>,
    next: AtomicU64,
    /// Jobs whose handle is not destroyed yet.
    open: AtomicUsize,
    closed_one: Notify,
    retired: AtomicBool,
    shutdown_called: AtomicBool,
}

struct Jobs {
    by_token: HashMap<u64, Arc<JobState>>,
    accepting: bool,
}

/// What a generation is made of.
pub(super) struct Parts {
    pub(super) description: Description,
    pub(super) number: u64,
    pub(super) file: PathBuf,
    pub(super) content: String,
    pub(super) settings: Value,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) limits: Limits,
}

/// The generation that issued a token, whether or not the job still exists.
pub(super) fn of_token(token: u64) -> Option<&'static Generation> {
    let index = usize::try_from(token >> NUMBER_BITS).ok()?;
    ALL.read().unwrap_or_else(PoisonError::into_inner).get(index).copied()
}

/// Gives up every call that is over its limit; says whether any call is running or waiting.
pub(super) fn give_up_overdue_calls(now: Instant) -> bool {
    let all = ALL.read().unwrap_or_else(PoisonError::into_inner).clone();
    let mut active = false;
    for generation in all {
        if let Some(lost) = generation.transport().give_up_overdue(now) {
            generation.call_lost(lost);
        }
        active |= generation.transport().is_active();
    }
    active
}

impl Generation {
    /// Makes a generation that takes jobs, for the life of the process.
    pub(super) fn register(parts: Parts) -> &'static Self {
        let mut all = ALL.write().unwrap_or_else(PoisonError::into_inner);
        let generation: &'static Self = Box::leak(Box::new(Self {
            description: parts.description,
            number: parts.number,
            file: parts.file,
            content: parts.content,
            settings: parts.settings,
            transport: parts.transport,
            stats: Stats::default(),
            index: all.len() as u64,
            limits: ArcSwap::from_pointee(parts.limits),
            jobs: Mutex::new(Jobs { by_token: HashMap::new(), accepting: true }),
            // From 1: no token is 0, which a plugin may use for "none".
            next: AtomicU64::new(1),
            open: AtomicUsize::new(0),
            closed_one: Notify::new(),
            retired: AtomicBool::new(false),
            shutdown_called: AtomicBool::new(false),
        }));
        all.push(generation);
        generation
    }

    /// The way to the plugin.
    pub(super) fn transport(&'static self) -> &'static dyn Transport {
        &*self.transport
    }

    pub(super) fn name(&self) -> &str {
        &self.description.name
    }

    pub(super) fn limits(&self) -> Limits {
        **self.limits.load()
    }

    pub(super) fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// Whether new jobs make sense.
    pub(super) fn admits(&self) -> Result<(), JobError> {
        let lost = self.transport.lost_calls();
        if lost.too_many {
            return Err(JobError::Broken { plugin: self.name().to_owned(), lost: lost.count });
        }
        let stuck = self.stats.stuck();
        if stuck > self.limits().max_stuck {
            return Err(JobError::Degraded { plugin: self.name().to_owned(), stuck });
        }
        Ok(())
    }

    /// State, reason and remedy for the report.
    pub(super) fn health(&self) -> (PluginState, Option<String>, Option<String>) {
        if self.retired.load(Ordering::Acquire) {
            let reason = "replaced or removed; its running jobs end in it".to_owned();
            return (PluginState::Retired, Some(reason), None);
        }
        let remedy = || Some("reload a repaired file, or restart nexusd; see the log for what hangs".to_owned());
        match self.admits() {
            Ok(()) => (PluginState::Loaded, None, None),
            Err(error @ JobError::Broken { .. }) => (PluginState::Broken, Some(error.to_string()), remedy()),
            Err(error) => (PluginState::Degraded, Some(error.to_string()), remedy()),
        }
    }

    /// Opens a job, or gives the permit back when the generation takes none any more.
    pub(super) fn begin(&'static self, handler: &str, permit: Permit) -> Result<Arc<JobState>, Permit> {
        let mut jobs = lock(&self.jobs);
        if !jobs.accepting {
            return Err(permit);
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let token = self.index << NUMBER_BITS | number;
        let job = JobState::new(token, self, handler.to_owned(), permit);
        jobs.by_token.insert(token, Arc::clone(&job));
        self.open.fetch_add(1, Ordering::AcqRel);
        drop(jobs);
        self.stats.began();
        metrics::gauge!(names::PLUGIN_JOBS_RUNNING, "plugin" => self.name().to_owned()).increment(1.0);
        Ok(job)
    }

    pub(super) fn job(&self, token: u64) -> Option<Arc<JobState>> {
        lock(&self.jobs).by_token.get(&token).cloned()
    }

    /// Takes the job out of the table: the caller, and nobody else, ends it.
    pub(super) fn claim(&self, token: u64) -> Option<Arc<JobState>> {
        lock(&self.jobs).by_token.remove(&token)
    }

    pub(super) fn running_jobs(&self) -> Vec<Arc<JobState>> {
        lock(&self.jobs).by_token.values().cloned().collect()
    }

    /// Whether the token was ever given out.
    pub(super) fn issued(&self, token: u64) -> bool {
        let number = token & ((1 << NUMBER_BITS) - 1);
        number != 0 && number < self.next.load(Ordering::Relaxed)
    }

    pub(super) fn job_ended(&self, job: &JobState, outcome: &'static str, was_stuck: bool) {
        self.stats.ended(was_stuck);
        if was_stuck {
            let (plugin, handler) = (self.name(), job.handler.as_str());
            tracing::warn!(plugin, handler, outcome, "a stuck plugin job ended after all");
            metrics::gauge!(names::PLUGIN_STUCK_JOBS, "plugin" => self.name().to_owned()).decrement(1.0);
            return;
        }
        metrics::gauge!(names::PLUGIN_JOBS_RUNNING, "plugin" => self.name().to_owned()).decrement(1.0);
        self.count_outcome(&job.handler, outcome);
    }

    pub(super) fn job_stuck(&self, job: &JobState, what: &'static str, limit: Duration) {
        let stuck = self.stats.became_stuck();
        metrics::gauge!(names::PLUGIN_JOBS_RUNNING, "plugin" => self.name().to_owned()).decrement(1.0);
        metrics::gauge!(names::PLUGIN_STUCK_JOBS, "plugin" => self.name().to_owned()).increment(1.0);
        self.count_outcome(&job.handler, "plugin_stuck");
        let (plugin, handler) = (self.name(), job.handler.as_str());
        tracing::error!(plugin, handler, generation = self.number, stuck, ?limit, "plugin job is stuck: {what}");
    }

    fn count_outcome(&self, handler: &str, outcome: &'static str) {
        let (plugin, handler) = (self.name().to_owned(), handler.to_owned());
        metrics::counter!(names::PLUGIN_JOBS, "plugin" => plugin, "handler" => handler, "outcome" => outcome)
            .increment(1);
    }

    /// A panic that the plugin caught and reported.
    pub(super) fn panicked(&self, handler: &str, message: &str) {
        self.stats.panicked();
        metrics::counter!(names::PLUGIN_PANICS, "plugin" => self.name().to_owned()).increment(1);
        tracing::error!(
            plugin = self.name(),
            handler,
            generation = self.number,
            error = message,
            "plugin code panicked"
        );
    }

    /// A broken rule. Logged at the first, second, fourth, eighth … time: a plugin may break it in a loop.
    pub(super) fn violation(&self, rule: &'static str, what: impl FnOnce() -> String) {
        let count = self.stats.violated();
        metrics::counter!(names::PLUGIN_VIOLATIONS, "plugin" => self.name().to_owned(), "rule" => rule).increment(1);
        if count.is_power_of_two() {
            let what = what();
            tracing::warn!(plugin = self.name(), generation = self.number, rule, count, "plugin broke a rule: {what}");
        }
    }

    fn call_lost(&'static self, lost: LostCall) {
        let LostCalls { count, too_many: broken } = self.transport.lost_calls();
        let (plugin, entry) = (self.name(), lost.entry);
        tracing::error!(plugin, generation = self.number, entry, limit = ?lost.limit, count, broken, "a call into the plugin does not return; its thread is given up");
        if let (Some(job), "start") = (&lost.job, lost.entry) {
            job.start_hangs(lost.limit);
        }
        for job in lost.unmade {
            job.undeliverable();
        }
    }

    /// A job's handle is destroyed, or there never was one.
    pub(super) fn job_closed(&'static self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
        self.closed_one.notify_waiters();
        self.shut_down_when_idle();
    }

    /// Takes no more jobs. Those that run end in this generation; after the last, `shutdown` is called.
    pub(super) fn retire(&'static self) {
        lock(&self.jobs).accepting = false;
        self.retired.store(true, Ordering::Release);
        self.shut_down_when_idle();
    }

    fn shut_down_when_idle(&'static self) {
        let idle = self.retired.load(Ordering::Acquire) && self.open.load(Ordering::Acquire) == 0;
        if idle && !self.shutdown_called.swap(true, Ordering::AcqRel) {
            let limit = self.limits().cancel_grace.max(Duration::from_secs(1));
            let _ = self.transport().shut_down(limit, None);
        }
    }

    /// Whether a retired generation has nothing left to do.
    pub(super) fn is_drained(&self) -> bool {
        self.shutdown_called.load(Ordering::Acquire) && !self.transport.is_active()
    }

    /// The daemon stops: cancels every job, waits for the first half of `grace`, then calls `shutdown`.
    pub(super) async fn stop(&'static self, grace: Duration) {
        let deadline = tokio::time::Instant::now() + grace;
        lock(&self.jobs).accepting = false;
        for job in self.running_jobs() {
            job.cancel();
        }
        let waited = tokio::time::timeout(grace / 2, async {
            loop {
                let closed = self.closed_one.notified();
                if self.open.load(Ordering::Acquire) <= self.stats.stuck() {
                    break;
                }
                closed.await;
            }
        });
        if waited.await.is_err() {
            let jobs = self.open.load(Ordering::Acquire);
            tracing::warn!(plugin = self.name(), jobs, "plugin jobs still run at shutdown");
        }
        if self.shutdown_called.swap(true, Ordering::AcqRel) {
            return;
        }
        let (finished, wait) = oneshot::channel();
        let limit = deadline.saturating_duration_since(tokio::time::Instant::now());
        let pushed = self.transport().shut_down(limit, Some(finished));
        if pushed.is_ok() && tokio::time::timeout_at(deadline, wait).await.is_err() {
            tracing::warn!(plugin = self.name(), "the plugin's `shutdown` did not return in time");
        }
    }
}
