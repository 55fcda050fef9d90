//! Counters that stand at 0 before anything has happened: Prometheus' `increase()` sees the first failure only when the
//! series was there before it. Called at start and after a reload, for every label set that can be known by then.
//!
//! A counter that has counted already is left as it is.

use metrics::{counter, gauge};

use super::names;
use crate::domain::{failure::FailureKind, queue::QueueName, workflow::Workflows};

/// How a build ends or leaves this daemon.
const BUILD_OUTCOMES: [&str; 4] = ["completed", "failed", "paused", "cancelled"];
const DEPLOY_OUTCOMES: [&str; 3] = ["completed", "failed", "handed_back"];
const INVOCATION_OUTCOMES: [&str; 2] = ["success", "failed"];
const RELOAD_OUTCOMES: [&str; 2] = ["applied", "refused"];
/// What the reconciler puts right.
const RECONCILED: [&str; 2] = ["stranded_task", "dead_letter"];
/// Kinds of event streams.
const STREAMS: [&str; 4] = ["all", "chat", "project", "websocket"];
/// Kinds of supervised actors.
pub const ACTORS: [&str; 6] = ["dispatcher", "lease_keeper", "poller/build", "poller/deploy", "reconciler", "build"];

/// How a plugin job may end that was begun.
const JOB_OUTCOMES: [&str; 9] = [
    "ok",
    "transient",
    "permanent",
    "invalid_input",
    "cancelled",
    "plugin_panicked",
    "plugin_stuck",
    "plugin_violation",
    "plugin_gone",
];

/// What any daemon counts.
pub fn of_process() {
    let labelled: [(&'static str, &'static str, &[&'static str]); 6] = [
        (names::BUILDS, "outcome", &BUILD_OUTCOMES),
        (names::DEPLOYS, "outcome", &DEPLOY_OUTCOMES),
        (names::AGENT_INVOCATIONS, "outcome", &INVOCATION_OUTCOMES),
        (names::RELOADS, "outcome", &RELOAD_OUTCOMES),
        (names::RECONCILED, "what", &RECONCILED),
        (names::ACTOR_RESTARTS, "kind", &ACTORS),
    ];
    for (name, label, values) in labelled {
        for value in values {
            counter!(name, label => *value).absolute(0);
        }
    }
    for name in [names::SSE_LAGGED, names::STORE_UNREADABLE_ROWS, names::STORE_DEFERRED_FLUSHES] {
        counter!(name).absolute(0);
    }
    for kind in STREAMS {
        gauge!(names::SSE_CLIENTS, "kind" => kind).increment(0.0);
    }
    for name in [names::BUILDS_RUNNING, names::DEPLOYS_RUNNING, names::HTTP_IN_FLIGHT, names::PLUGINS_REFUSED] {
        gauge!(name).increment(0.0);
    }
    for queue in QueueName::ALL.into_iter().filter(|queue| queue.dead_letters().is_some()) {
        counter!(names::QUEUE_RECEIVES, "queue" => queue.as_str()).absolute(0);
        counter!(names::POISON, "queue" => queue.as_str()).absolute(0);
    }
}

/// What is counted by stage.
pub fn of_workflows(workflows: &Workflows) {
    let stages = workflows.all().into_iter().flat_map(|workflow| workflow.stages());
    for stage in stages {
        counter!(names::STAGE_RETRIES, "stage" => stage.name.clone()).absolute(0);
        let failures = FailureKind::ALL.iter().map(|kind| kind.as_str());
        for outcome in ["completed", "skipped"].into_iter().chain(failures) {
            counter!(names::STAGE_ATTEMPTS, "stage" => stage.name.clone(), "outcome" => outcome).absolute(0);
        }
    }
}

/// What is counted by plugin; `handlers` are its own names for them.
pub fn of_plugin<'a>(plugin: &str, handlers: impl Iterator<Item = &'a str>) {
    counter!(names::PLUGIN_PANICS, "plugin" => plugin.to_owned()).absolute(0);
    for name in [names::PLUGIN_JOBS_RUNNING, names::PLUGIN_STUCK_JOBS] {
        gauge!(name, "plugin" => plugin.to_owned()).increment(0.0);
    }
    for handler in handlers {
        for outcome in JOB_OUTCOMES {
            let (plugin, handler) = (plugin.to_owned(), handler.to_owned());
            counter!(names::PLUGIN_JOBS, "plugin" => plugin, "handler" => handler, "outcome" => outcome).absolute(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::project::ProjectStatus;

    #[test]
    fn words_are_those_that_are_counted() {
        let known = |word: &&str| ProjectStatus::ALL.iter().any(|status| status.as_str() == *word);
        assert!(BUILD_OUTCOMES.iter().all(known), "{BUILD_OUTCOMES:?}");
    }
}
