//! What becomes of an attempt that ended, and how the build stores its steps: one in flight at a time, each with all that
//! ended and all that begins by it.

use std::{sync::Arc, time::Duration};

use nexus_sandbox::recorded;
use ractor::{ActorId, ActorProcessingErr, ActorRef};

use super::{
    BuildMessage, BuildState, Handled,
    attempt::{AttemptEnd, Interrupt, broken},
    progress::{Verdict, Work},
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        store::{BuildEnd, BuildProgress, BuildStep, StageRetry},
    },
    domain::{backoff::backoff, ids::ProjectId, project::ProjectStatus, rel_path::RelPath, stage::StageOutcome},
    files::blocking,
    telemetry::told,
    workers::{Environment, metrics as figures},
};

/// Tries of one store call before the message goes back, and the first pause between them, which doubles.
const STORE_TRIES: u32 = 6;
const STORE_PAUSE: Duration = Duration::from_millis(200);

/// Records the files of the agent that a build made, as they are now: who starts it later refuses others.
async fn record_files(env: &Environment, project: &ProjectId, step: &mut BuildStep) {
    let Some(BuildEnd::Completed { agent: Some(agent), .. }) = &mut step.end else { return };
    let folder = env.config.load().data.projects().join(project.as_str());
    let Ok(own) = agent.agent_dir.parse::<RelPath>() else { return };
    let own = own.below(&folder);
    match blocking(move || recorded::record(&own)).await {
        Ok(Ok(files)) => agent.files = files,
        Ok(Err(error)) => {
            tracing::warn!(project_id = %project, %error, "the agent's files are not recorded, so whatever becomes of them is started");
        }
        Err(error) => tracing::warn!(project_id = %project, %error, "the agent's files are not recorded"),
    }
}

impl BuildState {
    pub(super) fn stage_ended(&mut self, myself: &ActorRef<BuildMessage>, index: usize, end: AttemptEnd) {
        if self.running.remove(&index).is_some() {
            self.attempt_ended(myself, index, end);
        }
    }

    pub(super) fn attempt_ended(&mut self, myself: &ActorRef<BuildMessage>, index: usize, end: AttemptEnd) {
        let Some(work) = &mut self.work else { return };
        match self.ending {
            Some(Interrupt::Cancelled) => return self.end_if_idle(myself),
            // Cut off by us, not failed. One that came to its end all the same counts.
            Some(Interrupt::HandBack)
                if end.interrupted == Interrupt::HandBack && matches!(end.end.outcome, StageOutcome::Failed(_)) =>
            {
                return self.end_if_idle(myself);
            }
            _ => {}
        }
        let no_retry = end.interrupted == Interrupt::TotalTimeout;
        figures::stage_ended(&end.end);
        told::stage_ended(&self.project_id, &end.end);
        match work.note(index, end, no_retry) {
            Verdict::Noted => self.advance(myself),
            // The next owner tries again: the end of the daemon is no reason to give the build up.
            Verdict::Retry { .. } if self.ending.is_some() => self.end_if_idle(myself),
            Verdict::Retry { retry, failure } => {
                let Some(spec) = work.spec(index) else { return };
                let pause = backoff(work.workflow.spec().retry_base_delay, retry, rand::random());
                told::stage_retried(&self.project_id, &spec.name, retry, pause, &failure);
                figures::stage_retried(&spec.name);
                let retry = StageRetry { stage_name: spec.name.clone(), failed_attempt: work.attempt(index), failure };
                let (env, lease, myself) = (Arc::clone(&self.env), work.lease.clone(), myself.clone());
                tokio::spawn(async move {
                    let attempt = env.store.retry_stage(&lease, retry).await;
                    let _ = myself.cast(BuildMessage::RetryStored { index, pause, attempt });
                });
            }
        }
    }

    pub(super) fn stage_failed(&mut self, myself: &ActorRef<BuildMessage>, id: ActorId, error: &ActorProcessingErr) {
        let Some(index) = self.running.iter().find(|(_, stage)| stage.get_id() == id).map(|(i, _)| *i) else { return };
        tracing::error!(project_id = %self.project_id, %error, "a stage actor failed");
        let Some(work) = &self.work else { return };
        let name = work.spec(index).map(|spec| spec.name.clone()).unwrap_or_default();
        let end = broken(name, work.attempt(index));
        self.stage_ended(myself, index, end);
    }

    pub(super) fn retry_stored(
        &mut self,
        myself: &ActorRef<BuildMessage>,
        index: usize,
        pause: Duration,
        attempt: Result<u32, BackendError>,
    ) {
        match attempt {
            Ok(attempt) => {
                if let Some(work) = &mut self.work {
                    work.set_attempt(index, attempt);
                }
                self.resting.insert(index);
                let pause = if self.timed_out { Duration::ZERO } else { pause };
                self.after(myself, pause, move || BuildMessage::BeginAttempt(index));
            }
            Err(error) if error.kind() == BackendErrorKind::Fenced => self.lease_lost(myself),
            Err(error) => {
                tracing::warn!(project_id = %self.project_id, %error, "a retry could not be stored");
                self.fault(myself);
            }
        }
    }

    /// Stores what ended and begins what can begin, unless a step is in flight already.
    pub(super) fn advance(&mut self, myself: &ActorRef<BuildMessage>) {
        if self.step.is_some() {
            return;
        }
        let hold = self.ending.is_some() || self.env.draining.is_cancelled();
        let Some(work) = &mut self.work else { return };
        let config = self.env.config.load();
        if let Some(mut step) = work.step(self.env.worker.parallel_stages, hold, &config.deploy) {
            step.receipt = self.in_flight.as_ref().map(|in_flight| in_flight.receipt().clone());
            self.step = Some((step, 0));
            self.store_step(myself, Duration::ZERO);
        } else {
            self.end_if_idle(myself);
        }
    }

    pub(super) fn store_step(&self, myself: &ActorRef<BuildMessage>, pause: Duration) {
        let (Some((step, _)), Some(work)) = (&self.step, &self.work) else { return };
        let (env, lease, step, myself) = (Arc::clone(&self.env), work.lease.clone(), step.clone(), myself.clone());
        tokio::spawn(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let mut step = step;
            record_files(&env, &lease.project_id, &mut step).await;
            let saved = if step.ended.is_empty() { Ok(()) } else { env.save_files(&lease).await };
            let result = match saved {
                Ok(()) => env.store.advance_build(&lease, step).await,
                Err(error) => Err(error),
            };
            if matches!(&result, Err(error) if error.kind() == BackendErrorKind::Fenced) {
                env.deletions.dropped(&lease.project_id).await;
            }
            let _ = myself.cast(BuildMessage::Stepped(result));
        });
    }

    pub(super) async fn stepped(
        &mut self,
        myself: &ActorRef<BuildMessage>,
        result: Result<BuildProgress, BackendError>,
    ) -> Handled {
        match result {
            Ok(progress) => {
                self.step = None;
                match progress.status {
                    ProjectStatus::Pending | ProjectStatus::Queued | ProjectStatus::Building => {}
                    status => {
                        self.ended(myself, status, progress.message_deleted);
                        return Ok(());
                    }
                }
                for (name, attempt) in progress.begun {
                    if let Some(index) = self.work.as_mut().and_then(|work| work.begun(&name, attempt)) {
                        self.begin(myself, index).await?;
                    }
                }
                if self.work.as_ref().is_some_and(Work::has_news) {
                    self.advance(myself);
                } else {
                    self.end_if_idle(myself);
                }
            }
            Err(error) if error.kind() == BackendErrorKind::Fenced => {
                tracing::info!(project_id = %self.project_id, "the lease is no longer ours; the build is dropped");
                self.step = None;
                self.lease_lost(myself);
            }
            Err(error) => {
                let tries = self.step.as_mut().map_or(STORE_TRIES, |(_, tries)| {
                    *tries += 1;
                    *tries
                });
                tracing::warn!(project_id = %self.project_id, %error, tries, "a step could not be stored");
                if error.retryable() && tries < STORE_TRIES {
                    self.store_step(myself, backoff(STORE_PAUSE, tries, rand::random()));
                } else {
                    self.step = None;
                    self.fault(myself);
                }
            }
        }
        Ok(())
    }
}
