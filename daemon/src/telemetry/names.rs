//! Every metric of the daemon: name, kind, unit, help, labels. `promtool check metrics` reads the result in CI.
//!
//! Use them as `metrics::counter!(names::BUILDS, "outcome" => "completed").increment(1)`. Label values come from closed
//! sets (routes, stages, outcomes), never from ids or from what a client sent.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution over these buckets.
    Histogram(&'static [f64]),
}

/// A metric of the daemon.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// What it says and by which labels.
    pub help: &'static str,
}

/// From a cached answer to a client that gave up.
const REQUEST: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// From an offline stage to one that fills its hour.
const WORK: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0];
/// From a small local model to one that reasons for minutes: OpenTelemetry's advice for this histogram, and longer.
const CALL: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 300.0, 900.0];
/// From an fsync on a good disk to a stalled one.
const COMMIT: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
/// Up to the largest batch.
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

macro_rules! metrics {
    ($($constant:ident = $name:literal, $kind:expr, $unit:ident, $help:literal;)+) => {
        $(#[doc = $help] pub const $constant: &str = $name;)+

        /// All of them.
        pub const ALL: &[Metric] =
            &[$(Metric { name: $constant, kind: $kind, unit: Unit::$unit, help: $help }),+];
    };
}

metrics! {
    BUILD_INFO = "nexus_build_info", Kind::Gauge, Count, "Always 1, with the version of the daemon as a label";
    RELOADS = "nexus_config_reloads_total", Kind::Counter, Count, "Reloads of the settings by outcome (applied, refused)";

    HTTP_REQUESTS = "nexus_http_requests_total", Kind::Counter, Count, "Answered requests by method, route and status";
    HTTP_DURATION = "nexus_http_request_duration_seconds", Kind::Histogram(REQUEST), Seconds, "Time from the head of a request to its answer by method and route, event streams not counted";
    HTTP_IN_FLIGHT = "nexus_http_requests_in_flight", Kind::Gauge, Count, "Requests being answered, event streams not counted";
    SSE_CLIENTS = "nexus_sse_clients", Kind::Gauge, Count, "Open event streams by kind (all, chat, project, websocket)";
    SSE_LAGGED = "nexus_sse_lagged_total", Kind::Counter, Count, "Event streams that fell behind and read the store again";

    GEN_AI_CALLS = "nexus_gen_ai_client_operations_total", Kind::Counter, Count, "Calls to language models by provider, route and outcome (completed, cancelled, budget_exhausted, and the kinds of failure)";
    GEN_AI_DURATION = "gen_ai_client_operation_duration_seconds", Kind::Histogram(CALL), Seconds, "Time of a call to a language model from the request to its end by provider and route (OpenTelemetry: gen_ai.client.operation.duration)";
    GEN_AI_FIRST = "gen_ai_server_time_to_first_token_seconds", Kind::Histogram(CALL), Seconds, "Time from a request to the first content of its answer (OpenTelemetry: gen_ai.server.time_to_first_token)";
    GEN_AI_TOKENS = "nexus_gen_ai_client_token_usage_total", Kind::Counter, Count, "Tokens of language models by provider, route and type (input, output, cache_read, cache_write)";
    GEN_AI_COST = "nexus_gen_ai_cost_usd", Kind::Gauge, Count, "Cost booked by this daemon since its start in US dollars";
    GEN_AI_STREAMS = "nexus_gen_ai_calls_in_flight", Kind::Gauge, Count, "Calls to language models under way";

    QUEUE_DEPTH = "nexus_queue_depth", Kind::Gauge, Count, "Messages in a queue by queue and state (visible, in_flight, delayed)";
    QUEUE_OLDEST = "nexus_queue_oldest_message_age_seconds", Kind::Gauge, Seconds, "Age of the oldest visible message by queue, 0 when there is none";
    QUEUE_RECEIVES = "nexus_queue_receives_total", Kind::Counter, Count, "Messages received by queue, each delivery counted";
    QUEUE_DEAD = "nexus_queue_dead_letters", Kind::Gauge, Count, "Messages in the dead-letter queue by queue";

    CLOUD_REQUESTS = "nexus_cloud_requests_total", Kind::Counter, Count, "Requests to cloud services by service, operation and outcome (ok, error), tries of one request counted once";
    CLOUD_FAILED_TRIES = "nexus_cloud_failed_tries_total", Kind::Counter, Count, "Single tries of requests to cloud services that failed, by service and reason (throttled, server_error, credentials, clock_skew, timeout, connection)";
    POISON = "nexus_poison_messages_total", Kind::Counter, Count, "Messages that were moved to the dead letters by hand, by queue";

    BUILDS = "nexus_builds_total", Kind::Counter, Count, "Builds that ended by outcome (completed, failed, paused, cancelled, handed_back)";
    BUILDS_RUNNING = "nexus_builds_running", Kind::Gauge, Count, "Builds running in this daemon";
    STAGE_DURATION = "nexus_stage_duration_seconds", Kind::Histogram(WORK), Seconds, "Time of one attempt of a stage by stage and outcome";
    STAGE_ATTEMPTS = "nexus_stage_attempts_total", Kind::Counter, Count, "Attempts of a stage that ended by stage and outcome (completed, skipped, or the kind of failure)";
    STAGE_RETRIES = "nexus_stage_retries_total", Kind::Counter, Count, "Further attempts of a stage by stage";
    DEPLOYS = "nexus_deploys_total", Kind::Counter, Count, "Deployments that ended by outcome (completed, failed, handed_back)";
    DEPLOYS_RUNNING = "nexus_deploys_running", Kind::Gauge, Count, "Deployments running in this daemon";
    UNKNOWN_FOLDERS = "nexus_unknown_folders", Kind::Gauge, Count, "Folders of the data folder that the store does not know and no record says were deleted, by kind (project, agent)";
    TRASH = "nexus_trash_folders", Kind::Gauge, Count, "Folders of what was deleted that lie in the trash folder";
    RECONCILED = "nexus_reconciled_total", Kind::Counter, Count, "Things the reconciler put right by what they were";

    RECONCILER_ROUND = "nexus_reconciler_last_round_timestamp_seconds", Kind::Gauge, Seconds, "When the reconciler last looked everywhere, in seconds since 1970, 0 before the first time";

    TOKENS = "nexus_tokens_total", Kind::Counter, Count, "Tokens of models by model and direction (input, output)";

    PLUGIN_JOBS = "nexus_plugin_jobs_total", Kind::Counter, Count, "Jobs that ended or were given up by plugin, handler and outcome";
    PLUGIN_JOBS_RUNNING = "nexus_plugin_jobs_running", Kind::Gauge, Count, "Jobs that run by plugin";
    PLUGIN_STUCK_JOBS = "nexus_plugin_stuck_jobs", Kind::Gauge, Count, "Jobs given up but not ended by plugin";
    PLUGIN_PANICS = "nexus_plugin_panics_total", Kind::Counter, Count, "Panics that plugins caught and reported by plugin";
    PLUGIN_VIOLATIONS = "nexus_plugin_violations_total", Kind::Counter, Count, "Broken rules of the plugin interface by plugin and rule";
    PLUGIN_GENERATION = "nexus_plugin_generation", Kind::Gauge, Count, "Number of the generation that takes jobs by plugin";
    PLUGINS_REFUSED = "nexus_plugins_refused", Kind::Gauge, Count, "Plugin files that were found but not loaded";

    ACTOR_RESTARTS = "nexus_actor_restarts_total", Kind::Counter, Count, "Restarts of actors after a failure by kind";

    STORE_COMMIT = "nexus_store_commit_seconds", Kind::Histogram(COMMIT), Seconds, "Time of one durable transaction, fsync included";
    STORE_BATCH = "nexus_store_batch_size", Kind::Histogram(BATCH), Count, "Write requests gathered into one transaction";
    STORE_DEFERRED_FLUSHES = "nexus_store_deferred_flushes_total", Kind::Counter, Count, "Commits of deferred writes because their time was up";
    STORE_WAITING = "nexus_store_waiting_requests", Kind::Gauge, Count, "Requests to the store that are not answered yet by kind (read, write)";
    STORE_ROOM = "nexus_store_request_room", Kind::Gauge, Count, "Requests to the store that may wait at a time by kind (read, write)";
    STORE_STALLED = "nexus_store_stalled_seconds", Kind::Gauge, Seconds, "How long the store has ended no request although some wait";
    STORE_UNREADABLE_ROWS = "nexus_store_unreadable_rows_total", Kind::Counter, Count, "Stored rows that could not be understood and were passed over";

    AGENTS = "nexus_agents", Kind::Gauge, Count, "Agents by status";
    AGENT_INVOCATIONS = "nexus_agent_invocations_total", Kind::Counter, Count, "Invocations of agents by outcome (success, failed)";
    AGENT_DURATION = "nexus_agent_invocation_duration_seconds", Kind::Histogram(REQUEST), Seconds, "Time of one invocation of an agent by outcome";
}

/// Gives every metric its unit and help. The recorder must be installed.
pub fn describe_all() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.unit, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.unit, metric.help),
            Kind::Histogram(_) => describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for metric in ALL {
            let name = metric.name;
            // OpenTelemetry's names where it has some.
            assert!(name.starts_with("nexus_") || name.starts_with("gen_ai_"), "{name}");
            assert_eq!(matches!(metric.kind, Kind::Counter), name.ends_with("_total"), "{name}");
            for ending in ["_count", "_sum", "_bucket"] {
                assert!(!name.ends_with(ending), "{name} collides with what histograms add");
            }
            let seconds = name.trim_end_matches("_total").ends_with("_seconds");
            assert_eq!(metric.unit == Unit::Seconds, seconds, "{name}");
            assert!(!metric.help.is_empty() && !metric.help.ends_with('.'), "{name}");
            assert_eq!(ALL.iter().filter(|other| other.name == name).count(), 1, "{name}");
        }
    }
}
