//! What the tree counts for `/metrics`.

use metrics::{counter, gauge, histogram};

use crate::{
    backend::queue::QueueDepth,
    domain::{
        agent::AgentStatus,
        project::ProjectStatus,
        queue::QueueName,
        stage::{StageEnd, StageOutcome},
        time::Timestamp,
    },
    telemetry::names,
};

/// An attempt of a stage ended.
pub fn stage_ended(end: &StageEnd) {
    let outcome = match &end.outcome {
        StageOutcome::Completed(_) => "completed",
        StageOutcome::Skipped(_) => "skipped",
        StageOutcome::Failed(failure) => failure.kind.as_str(),
    };
    // Stage names come from workflow files, a closed set.
    let stage = end.stage_name.clone();
    counter!(names::STAGE_ATTEMPTS, "stage" => stage.clone(), "outcome" => outcome).increment(1);
    histogram!(names::STAGE_DURATION, "stage" => stage, "outcome" => outcome).record(end.figures.duration_seconds);
    let model = end.model_id.clone().unwrap_or_else(|| "none".to_owned());
    if end.figures.input_tokens > 0 || end.figures.output_tokens > 0 {
        counter!(names::TOKENS, "model" => model.clone(), "direction" => "input").increment(end.figures.input_tokens);
        counter!(names::TOKENS, "model" => model, "direction" => "output").increment(end.figures.output_tokens);
    }
}

/// A stage is tried again.
pub fn stage_retried(stage: &str) {
    counter!(names::STAGE_RETRIES, "stage" => stage.to_owned()).increment(1);
}

/// A build ended.
pub fn build_ended(outcome: ProjectStatus) {
    counter!(names::BUILDS, "outcome" => outcome.as_str()).increment(1);
}

/// A deployment ended: `completed`, `failed`, or `handed_back` to be done later.
pub fn deploy_ended(outcome: &'static str) {
    counter!(names::DEPLOYS, "outcome" => outcome).increment(1);
}

/// An actor of this kind failed.
pub fn actor_failed(kind: &'static str) {
    counter!(names::ACTOR_RESTARTS, "kind" => kind).increment(1);
}

/// How many builds and deployments run.
#[allow(clippy::cast_precision_loss)] // counts
pub fn running(builds: usize, deploys: usize) {
    gauge!(names::BUILDS_RUNNING).set(builds as f64);
    gauge!(names::DEPLOYS_RUNNING).set(deploys as f64);
}

/// Messages came from a queue.
pub fn received(queue: QueueName, messages: usize) {
    counter!(names::QUEUE_RECEIVES, "queue" => queue.as_str()).increment(messages as u64);
}

/// Agents by status; a status nobody has is 0 and not what it was.
#[allow(clippy::cast_precision_loss)] // counts
pub fn agents(counts: &[(AgentStatus, u64)]) {
    for status in AgentStatus::ALL {
        let count = counts.iter().find(|(of, _)| of == status).map_or(0, |(_, count)| *count);
        gauge!(names::AGENTS, "status" => status.as_str()).set(count as f64);
    }
}

/// Depth of a queue as the backend says.
#[allow(clippy::cast_precision_loss)] // counts
pub fn queue(queue: QueueName, depth: QueueDepth) {
    let name = queue.as_str();
    if queue.dead_letters().is_none() {
        gauge!(names::QUEUE_DEAD, "queue" => name).set((depth.visible + depth.in_flight) as f64);
        return;
    }
    gauge!(names::QUEUE_DEPTH, "queue" => name, "state" => "visible").set(depth.visible as f64);
    gauge!(names::QUEUE_DEPTH, "queue" => name, "state" => "in_flight").set(depth.in_flight as f64);
    gauge!(names::QUEUE_OLDEST, "queue" => name).set(depth.oldest.unwrap_or_default().as_secs_f64());
}

/// The reconciler has looked everywhere.
#[allow(clippy::cast_precision_loss)] // seconds fit for as long as the name of the year has four digits
pub fn reconciler_looked(at: Timestamp) {
    gauge!(names::RECONCILER_ROUND).set((at.as_micros() / 1_000_000) as f64);
}

/// The reconciler put something right.
pub fn reconciled(what: &'static str) {
    counter!(names::RECONCILED, "what" => what).increment(1);
}
