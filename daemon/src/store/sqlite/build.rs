//! The steps of a build: the path that runs for every stage of every project.

use rusqlite::params;
use serde_json::json;

use super::{
    agents,
    error::{fenced, illegal, invalid},
    projects::{self, Fence},
    rows,
    stages::{self, Brief},
    state::{Effect, Live},
    tasks,
    tx::Tx,
};
use crate::{
    domain::{
        event::NewEvent,
        failure::ErrorInfo,
        ids::{ProjectId, TaskId},
        project::{AggregatedMetrics, ProjectStatus},
        stage::StageStatus,
        task::Lease,
        transition::{self, ProjectEvent, ProjectState, TaskEvent},
    },
    queue::Receipt,
    store::{BuildEnd, BuildProgress, BuildStep, Result, StageRetry},
};

/// What a step writes into the project's row.
pub(crate) struct ProjectUpdate<'a> {
    pub(crate) key: i64,
    pub(crate) state: ProjectState,
    pub(crate) progress: f64,
    pub(crate) current: Option<&'a str>,
    pub(crate) aggregated: Option<&'a AggregatedMetrics>,
    pub(crate) error: Option<&'a ErrorInfo>,
    /// How long the build took, when it is over.
    pub(crate) spent: Option<std::time::Duration>,
}

impl ProjectUpdate<'_> {
    /// Status and lease stay: nothing that is indexed is touched.
    fn write_on_the_way(&self, tx: &Tx<'_>) -> Result<()> {
        tx.sql(
            "UPDATE nexus_projects SET progress = ?2, current_stage = ?3, updated_at = ?4,
                 aggregated_metrics = coalesce(?5, aggregated_metrics)
             WHERE project_key = ?1",
        )?
        .execute(params![
            self.key,
            self.progress,
            self.current,
            tx.now_text(),
            rows::to_json_opt(self.aggregated)?
        ])?;
        Ok(())
    }

    /// The build rests or is over: the lease ends.
    pub(crate) fn write_at_rest(&self, tx: &Tx<'_>) -> Result<()> {
        let ended = self.state.status.is_final().then(|| tx.now_text());
        tx.sql(
            "UPDATE nexus_projects SET status = ?2, control_status = ?3, progress = ?4, current_stage = ?5,
                 updated_at = ?6, aggregated_metrics = coalesce(?7, aggregated_metrics), completed_at = ?8,
                 error_info = ?9, lease_worker = NULL, spent_ms = ?10
             WHERE project_key = ?1",
        )?
        .execute(params![
            self.key,
            self.state.status.as_str(),
            self.state.control.as_str(),
            self.progress,
            self.current,
            tx.now_text(),
            rows::to_json_opt(self.aggregated)?,
            ended,
            self.error.map(super::claim::info_json).transpose()?,
            self.spent.map(|spent| spent.as_secs_f64() * 1_000.0),
        ])?;
        Ok(())
    }
}

/// The project's row, when `lease` may write.
pub(crate) fn admit(tx: &mut Tx<'_>, lease: &Lease) -> Result<Fence> {
    match projects::fence(tx, &lease.project_id)? {
        Some(fence) if fence.admits(lease) => Ok(fence),
        _ => Err(fenced()),
    }
}

fn find<'b>(briefs: &'b mut [Brief], name: &str) -> Result<&'b mut Brief> {
    briefs
        .iter_mut()
        .find(|stage| stage.name == name)
        .ok_or_else(|| invalid(format!("the project has no stage {name:?}")))
}

/// Checks a step against what is stored, before anything is written.
fn check(briefs: &mut [Brief], step: &BuildStep) -> Result<()> {
    for end in &step.ended {
        let stage = find(briefs, &end.stage_name)?;
        if stage.attempt != end.attempt {
            return Err(fenced());
        }
        if stage.status != StageStatus::Running {
            let refused = transition::stage(stage.status, transition::StageEvent::Complete);
            return Err(refused.err().map_or_else(fenced, |e| illegal(&e)));
        }
    }
    for name in &step.begin {
        let stage = find(briefs, name)?;
        transition::stage(stage.status, transition::StageEvent::Begin).map_err(|e| illegal(&e))?;
        if step.ended.iter().any(|end| end.stage_name == *name) || stage.status == StageStatus::Running {
            return Err(invalid(format!("stage {name:?} cannot begin in the step in which it runs or ends")));
        }
    }
    if let Some(BuildEnd::Completed { .. }) = &step.end {
        use crate::domain::stage::StageOutcome;
        let open = |stage: &&Brief| {
            let ends_well = |end: &crate::domain::stage::StageEnd| {
                end.stage_name == stage.name && !matches!(end.outcome, StageOutcome::Failed(_))
            };
            !stage.status.is_satisfied() && !step.ended.iter().any(ends_well)
        };
        if let Some(stage) = briefs.iter().find(open) {
            return Err(invalid(format!("the build cannot be completed: stage {:?} is not", stage.name)));
        }
    }
    Ok(())
}

/// `Store::advance_build`.
pub(crate) fn advance(tx: &mut Tx<'_>, lease: &Lease, step: &BuildStep) -> Result<BuildProgress> {
    let id = &lease.project_id;
    let (mut fence, mut briefs) = match tx.state.take_live(id) {
        Some(live) if live.fence.admits(lease) => (live.fence, live.stages),
        _ => {
            let fence = admit(tx, lease)?;
            let briefs = stages::briefs(tx.conn(), fence.key)?;
            (fence, briefs)
        }
    };
    check(&mut briefs, step)?;
    let mut events: Vec<NewEvent> = Vec::with_capacity(step.events.len() + step.ended.len() + step.begin.len() + 2);
    events.extend(step.events.iter().cloned());
    for end in &step.ended {
        let stage = find(&mut briefs, &end.stage_name)?;
        events.push(stages::end(tx, stage, end)?);
    }
    let pause = transition::project(fence.state, ProjectEvent::PauseReached).ok();
    let mut begun = Vec::new();
    let mut current = fence.current_stage.as_deref();
    if pause.is_none() && step.end.is_none() {
        for name in &step.begin {
            let stage = find(&mut briefs, name)?;
            events.push(stages::begin(tx, stage)?);
            begun.push((name.clone(), stage.attempt));
        }
        current = step.begin.first().map_or(current, |name| Some(name.as_str()));
    }
    if !step.ended.is_empty() {
        progress_made(tx, &lease.task_id)?;
    }
    let at_rest = match (&step.end, pause) {
        (Some(BuildEnd::Completed { .. }), _) => Some(ProjectEvent::Completed),
        (Some(BuildEnd::Failed(_)), _) => Some(ProjectEvent::Failed),
        (None, Some(_)) if step.still_running == 0 => Some(ProjectEvent::PauseReached),
        _ => None,
    };
    let mut update = ProjectUpdate {
        key: fence.key,
        state: fence.state,
        progress: step.progress,
        current,
        aggregated: Some(&step.aggregated),
        error: None,
        spent: None,
    };
    let Some(how) = at_rest else {
        update.write_on_the_way(tx)?;
        events.push(projects::event(tx.now(), fence.state, step.progress, current));
        tx.emit(id, events)?;
        let ProjectState { status, control } = fence.state;
        fence.current_stage = current.map(str::to_owned);
        fence.progress = step.progress;
        tx.state.set_live(id, Live { fence, stages: briefs });
        return Ok(BuildProgress { begun, status, control, message_deleted: false });
    };
    update.state = transition::project(fence.state, how).map_err(|e| illegal(&e))?.0;
    if let Some(BuildEnd::Failed(info)) = &step.end {
        update.error = Some(info);
    }
    if how != ProjectEvent::Completed {
        let why = if how == ProjectEvent::Failed { "the build failed" } else { "the build was paused" };
        events.extend(stages::cut_off(tx, &mut briefs, why)?);
    }
    if let Some(task) = tasks::brief(tx, &lease.task_id)? {
        update.spent = Some(tasks::age(tx, &lease.task_id, &task));
    }
    update.write_at_rest(tx)?;
    events.push(rest_event(tx, &update));
    let state = update.state;
    finish_task(tx, lease, step, id, &mut events)?;
    let message_deleted = drop_message(tx, &lease.task_id, step.receipt.as_ref())?;
    tx.emit(id, events)?;
    Ok(BuildProgress { begun, status: state.status, control: state.control, message_deleted })
}

fn rest_event(tx: &Tx<'_>, update: &ProjectUpdate<'_>) -> NewEvent {
    let mut event = projects::event(tx.now(), update.state, update.progress, update.current);
    if let Some(info) = update.error {
        event.fields.insert("error_info".into(), json!(info));
    }
    event
}

/// A step under this claim: what earlier receives of the message and crashes counted is forgotten.
fn progress_made(tx: &mut Tx<'_>, task: &TaskId) -> Result<()> {
    prove(tx, task)?;
    if let Some(key) = tx.state.mail.key_of(task)
        && tx.state.mail.get(key).is_some_and(|letter| letter.count > 1)
    {
        // Only the receive that holds it now; a start takes that one back, too.
        tx.sql("UPDATE queue_messages SET receive_count = 1 WHERE message_key = ?1")?.execute([key])?;
    }
    tx.at_commit(Effect::Progress(task.clone()));
    Ok(())
}

/// The stage ended and the daemon is alive: the task is no suspect any more.
fn prove(tx: &mut Tx<'_>, task: &TaskId) -> Result<()> {
    if tx.state.mail.is_suspect(task)
        && let Some(key) = tx.state.mail.key_of(task)
    {
        tx.sql(
            "UPDATE queue_messages SET crash_points = 0, faults = 0, solo_crashes = 0, quarantine = 0
             WHERE message_key = ?1",
        )?
        .execute([key])?;
        tx.at_commit(Effect::Proven(task.clone()));
    }
    Ok(())
}

/// Ends the task as its build ended, and registers the agent.
fn finish_task(
    tx: &mut Tx<'_>,
    lease: &Lease,
    step: &BuildStep,
    id: &ProjectId,
    events: &mut Vec<NewEvent>,
) -> Result<()> {
    let Some(task) = tasks::brief(tx, &lease.task_id)? else { return Err(fenced()) };
    let task_id = &lease.task_id;
    match &step.end {
        Some(BuildEnd::Completed { agent, deploy }) => {
            let result = match agent {
                Some(agent) => {
                    events.push(agents::register(tx, id, &task, agent, *deploy)?);
                    Some(json!({"agent_id": agent.agent_id}).to_string())
                }
                None => None,
            };
            tasks::finish(tx, task_id, &task, TaskEvent::Complete, None, result.as_deref())
        }
        Some(BuildEnd::Failed(info)) => tasks::finish(tx, task_id, &task, TaskEvent::Fail, Some(&info.message), None),
        None => tasks::finish(tx, task_id, &task, TaskEvent::Cancel, None, None),
    }
}

fn drop_message(tx: &mut Tx<'_>, task: &TaskId, receipt: Option<&Receipt>) -> Result<bool> {
    let held = receipt.and_then(|receipt| tx.state.mail.held_by(receipt));
    let own = tx.state.mail.key_of(task);
    let mut deleted = false;
    for key in [held, own.filter(|key| Some(*key) != held)].into_iter().flatten() {
        deleted |= tx.delete_message(key)?;
    }
    Ok(deleted)
}

/// A pause that nobody is left to reach: what ran goes back to pending, the task ends.
pub(crate) fn settle_pause(
    tx: &mut Tx<'_>,
    id: &ProjectId,
    fence: &Fence,
    briefs: &mut [Brief],
    task_id: &TaskId,
    task: &tasks::Brief,
) -> Result<ProjectState> {
    let state = transition::project(fence.state, ProjectEvent::PauseReached).map_err(|e| illegal(&e))?.0;
    let mut events = Vec::new();
    for stage in briefs.iter_mut().filter(|stage| stage.status == StageStatus::Running) {
        events.push(stages::reset(tx, stage, false)?);
    }
    let update = ProjectUpdate {
        key: fence.key,
        state,
        progress: fence.progress,
        current: fence.current_stage.as_deref(),
        aggregated: None,
        error: None,
        spent: None,
    };
    update.write_at_rest(tx)?;
    events.push(rest_event(tx, &update));
    tasks::finish(tx, task_id, task, TaskEvent::Cancel, None, None)?;
    tx.withdraw_message(task_id)?;
    tx.emit(id, events)?;
    Ok(state)
}

/// Ends a build as failed, whoever holds its lease.
pub(crate) fn fail(
    tx: &mut Tx<'_>,
    id: &ProjectId,
    fence: &Fence,
    briefs: &mut [Brief],
    task: Option<(&TaskId, &tasks::Brief)>,
    info: &ErrorInfo,
) -> Result<()> {
    let state = ProjectUpdate::failed_state(fence)?;
    let mut events = stages::cut_off(tx, briefs, &info.message)?;
    let update = ProjectUpdate {
        key: fence.key,
        state,
        progress: fence.progress,
        current: fence.current_stage.as_deref(),
        aggregated: None,
        error: Some(info),
        spent: task.map(|(task_id, task)| tasks::age(tx, task_id, task)),
    };
    update.write_at_rest(tx)?;
    events.push(rest_event(tx, &update));
    if let Some((task_id, task)) = task {
        tasks::finish(tx, task_id, task, TaskEvent::Fail, Some(&info.message), None)?;
        tx.withdraw_message(task_id)?;
    }
    debug_assert_eq!(state.status, ProjectStatus::Failed);
    tx.emit(id, events)
}

/// `Store::retry_stage`.
pub(crate) fn retry(tx: &mut Tx<'_>, lease: &Lease, retry: &StageRetry) -> Result<u32> {
    let fence = admit(tx, lease)?;
    let mut briefs = stages::briefs(tx.conn(), fence.key)?;
    let stage = find(&mut briefs, &retry.stage_name)?;
    if stage.attempt != retry.failed_attempt || stage.status != StageStatus::Running {
        return Err(fenced());
    }
    let line = crate::store::alike::attempt_line(stage.attempt, &retry.failure);
    let mut event = stages::begin(tx, stage)?;
    let attempt = stage.attempt;
    tx.sql("UPDATE nexus_stages SET logs = json_insert(coalesce(logs, '[]'), '$[#]', ?2) WHERE stage_key = ?1")?
        .execute(params![stage.key, line])?;
    event.fields.insert("error".into(), retry.failure.message.as_str().into());
    prove(tx, &lease.task_id)?;
    tx.emit(&lease.project_id, vec![event])?;
    Ok(attempt)
}
