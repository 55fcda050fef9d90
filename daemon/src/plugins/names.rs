//! Metric names of the plugin host, under the short names it uses. They stand in `telemetry::names` with all others.

pub(super) use crate::telemetry::names::{
    PLUGIN_GENERATION as GENERATION, PLUGIN_JOBS as JOBS_TOTAL, PLUGIN_JOBS_RUNNING as JOBS_RUNNING,
    PLUGIN_PANICS as PANICS, PLUGIN_STUCK_JOBS as STUCK_JOBS, PLUGIN_VIOLATIONS as VIOLATIONS,
};
