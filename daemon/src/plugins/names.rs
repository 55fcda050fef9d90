//! Metric names of the plugin host.

/// Gauge by plugin: jobs that run.
pub(super) const JOBS_RUNNING: &str = "nexus_plugin_jobs_running";
/// Counter by plugin, handler and outcome: jobs that ended or were given up.
pub(super) const JOBS_TOTAL: &str = "nexus_plugin_jobs_total";
/// Counter by plugin: panics that plugins caught and reported.
pub(super) const PANICS: &str = "nexus_plugin_panics_total";
/// Counter by plugin and rule: broken rules of the interface.
pub(super) const VIOLATIONS: &str = "nexus_plugin_violations_total";
/// Gauge by plugin: number of the generation that takes jobs.
pub(super) const GENERATION: &str = "nexus_plugin_generation";
/// Gauge by plugin: jobs given up but not ended.
pub(super) const STUCK_JOBS: &str = "nexus_plugin_stuck_jobs";
