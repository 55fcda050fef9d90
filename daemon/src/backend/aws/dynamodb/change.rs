//! Carries the change of a build out on what was read of it. What changes is decided in [`crate::domain::change`].

use serde_json::Value;

use super::{DynamoStore, aggregate::Plan, stages, tasks};
use crate::{
    backend::{error::fenced, store::Result},
    domain::{
        allowed_transitions::TaskEvent,
        change::{BuildView, Change, LeaseChange, ProjectChange, ownerless},
        failure::ErrorInfo,
        project::{AggregatedMetrics, StageFigures},
        stage::Stage,
    },
};

impl Plan {
    /// What decisions need of the build.
    pub(crate) fn view(&self) -> BuildView<'_, Stage> {
        let project = &self.after.stored.project;
        BuildView {
            state: self.after.state(),
            progress: project.progress,
            current_stage: project.current_stage.as_deref(),
            stages: &self.after.stages,
            task: self.after.task.as_ref().map(|task| task.task.status).filter(|status| !status.is_final()),
        }
    }

    /// Carries out a change; `result` is what the task came to.
    pub(crate) fn carry_out(&mut self, change: Change<'_>, result: Option<Value>) -> Result<()> {
        let now = self.now;
        for of_stage in &change.stages {
            if let Some(stage) = self.after.stages.get_mut(of_stage.index) {
                stages::write(stage, of_stage, now);
            }
        }
        if let Some(project) = change.project {
            self.write_project(project);
        }
        if let Some(end) = change.task {
            let task = self.after.open_task().ok_or_else(fenced)?;
            match end.event {
                TaskEvent::Release => tasks::queue_again(task, now),
                _ => tasks::finish(task, end, result, now)?,
            }
        }
        self.events.extend(change.events);
        Ok(())
    }

    fn write_project(&mut self, change: ProjectChange<'_>) {
        let now = self.now;
        self.after.set_state(change.state);
        let project = &mut self.after.stored.project;
        project.progress = change.progress;
        project.current_stage = change.current_stage;
        project.updated_at = now;
        if let Some(sums) = change.aggregated {
            project.aggregated_metrics = sums;
        }
        if let Some(assessment) = change.assessment {
            project.assessment = assessment.clone();
        }
        match change.lease {
            LeaseChange::Kept => {}
            LeaseChange::Taken => project.started_at = project.started_at.or(Some(now)),
            LeaseChange::Ended { error } => {
                project.completed_at = change.state.status.is_final().then_some(now);
                project.error_info = error.cloned();
                self.after.stored.lease_worker = None;
            }
        }
    }

    /// Carries out a pause or stop that nobody is left to reach; the word for what the project is then.
    pub(crate) fn settle(&mut self) -> Result<Option<&'static str>> {
        let Some((reached, word)) = ownerless::reached(&self.view(), self.now)? else { return Ok(None) };
        self.carry_out(reached, None)?;
        Ok(Some(word))
    }

    /// Carries out a stop that stands in the words. Whether there was one.
    pub(crate) fn settle_stop(&mut self) -> Result<bool> {
        let Some(stopped) = ownerless::stop_reached(&self.view(), self.now)? else { return Ok(false) };
        self.carry_out(stopped, None)?;
        Ok(true)
    }

    /// Ends a build as failed, whoever holds its lease.
    pub(crate) fn fail(&mut self, store: &DynamoStore, info: &ErrorInfo) -> Result<()> {
        let failed = ownerless::fail(&self.view(), info, self.now)?;
        self.carry_out(failed, None)?;
        store.build_figures(self)
    }

    /// Makes the sums anew over the stages that are done.
    pub(crate) fn sum_up(&mut self) {
        let mut sums = AggregatedMetrics::default();
        for stage in self.after.stages.iter().filter(|stage| stage.status.is_satisfied()) {
            sums.add(&StageFigures {
                input_tokens: stage.input_tokens.unwrap_or(0),
                output_tokens: stage.output_tokens.unwrap_or(0),
                tool_calls: stage.tool_calls.unwrap_or(0),
                duration_seconds: stage.duration_seconds.unwrap_or(0.0),
                cost_usd: stage.metrics.as_ref().and_then(|m| m.get("cost_usd")?.as_f64()).unwrap_or(0.0),
            });
        }
        self.after.stored.project.aggregated_metrics = sums;
    }
}
