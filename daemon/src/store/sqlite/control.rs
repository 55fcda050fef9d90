//! What a user asks of a project, by the project machine: the effects that it names are carried out
//! here, in one unit with the new state.

use rusqlite::params;
use serde_json::{Value, json};

use super::{
    build,
    error::{illegal, invalid, not_found},
    projects::{self, Fence},
    rows,
    stages::{self, Brief},
    tasks::{self, NewTask},
    tx::Tx,
};
use crate::{
    domain::{
        control::{ControlAction, ControlApplied, ControlRequest, ControlStatus},
        event::NewEvent,
        ids::{ProjectId, TaskId},
        plan,
        project::{AggregatedMetrics, ProjectStatus, StageFigures},
        stage::StageStatus,
        task::{TaskStatus, TaskType},
        transition::{self, Effect, ProjectEvent, TaskEvent},
        workflow::{Workflow, Workflows},
    },
    store::{Result, StoreError, StoreErrorKind},
};

/// `Store::control`.
pub(crate) fn apply(
    tx: &mut Tx<'_>,
    id: &ProjectId,
    request: &ControlRequest,
    workflows: &Workflows,
) -> Result<ControlApplied> {
    let Some(fence) = projects::fence(tx, id)? else { return Err(not_found("project")) };
    let (state, effects) = transition::project(fence.state, ProjectEvent::Control(request.action))
        .map_err(|error| refusal(&fence, &illegal(&error)))?;
    let mut briefs = stages::briefs(tx.conn(), fence.key)?;
    let reset = if effects.contains(&Effect::QueueTask) {
        Some(Reset::plan(tx, &fence, request, &briefs, workflows, effects.contains(&Effect::ResetStages))?)
    } else {
        None
    };
    // From here on it writes.
    let now = tx.now_text().to_owned();
    note_request(tx, &fence, request, reset.as_ref().and_then(|reset| reset.from.as_deref()), &now)?;
    let old_task = match &fence.task_id {
        Some(task) => tasks::brief(tx, task)?.filter(|task| !task.status.is_final()).map(|brief| (task.clone(), brief)),
        None => None,
    };
    let worked_on = old_task.as_ref().filter(|(_, task)| task.status == TaskStatus::Running).map(|(id, _)| id.clone());
    let mut applied =
        ControlApplied { status: state.status, control_status: state.control, task_id: None, notify: None };
    if effects.contains(&Effect::HoldAfterRunningStages) {
        tx.sql("UPDATE nexus_projects SET control_status = ?2, updated_at = ?3 WHERE project_key = ?1")?
            .execute(params![fence.key, state.control.as_str(), now])?;
        match (&worked_on, &old_task) {
            // Nobody works on it, so nobody would reach the pause.
            (None, Some((task_id, task))) => {
                let held = Fence { state, ..fence };
                applied.status = build::settle_pause(tx, id, &held, &mut briefs, task_id, task)?.status;
            }
            _ => {
                let event = projects::event(tx.now(), state, fence.progress, fence.current_stage.as_deref());
                tx.emit(id, vec![control_event(event, state.control, request)])?;
                applied.notify = worked_on;
            }
        }
        return Ok(applied);
    }
    let mut events = Vec::new();
    if effects.contains(&Effect::CancelRunningStages) {
        let how = if request.action == ControlAction::Stop { "stopped" } else { "cancelled" };
        let who = request.requested_by.as_deref().unwrap_or("its user");
        events.extend(stages::cut_off(tx, &mut briefs, &format!("{how} by {who}"))?);
    }
    if let Some((task_id, task)) = &old_task {
        let why = request.reason.as_deref();
        tasks::finish(tx, task_id, task, TaskEvent::Cancel, why, None)?;
        tx.withdraw_message(task_id)?;
        applied.notify = worked_on;
    }
    let (mut progress, mut current) = (fence.progress, fence.current_stage.clone());
    if let Some(reset) = &reset {
        for index in &reset.stages {
            if let Some(stage) = briefs.get_mut(*index) {
                events.push(stages::reset(tx, stage, true)?);
            }
        }
        let statuses: Vec<StageStatus> = briefs.iter().map(|stage| stage.status).collect();
        progress = plan::progress(&statuses);
        if !reset.stages.is_empty() {
            current = None;
        }
        applied.task_id = Some(queue_task(tx, id, &fence)?);
    }
    let ended = state.status.is_final().then_some(now.as_str());
    let aggregated = if reset.is_some() { Some(rows::to_json(&sums(tx, fence.key)?)?) } else { None };
    tx.sql(
        "UPDATE nexus_projects SET status = ?2, control_status = ?3, lease_worker = NULL, completed_at = ?4,
             progress = ?5, current_stage = ?6, error_info = NULL, task_id = coalesce(?7, task_id), updated_at = ?8,
             aggregated_metrics = coalesce(?9, aggregated_metrics)
         WHERE project_key = ?1",
    )?
    .execute(params![
        fence.key,
        state.status.as_str(),
        state.control.as_str(),
        ended,
        progress,
        current,
        applied.task_id.as_ref().map(TaskId::as_str),
        now,
        aggregated
    ])?;
    let event = projects::event(tx.now(), state, progress, current.as_deref());
    events.push(control_event(event, state.control, request));
    tx.emit(id, events)?;
    Ok(applied)
}

/// The refusal, with what would be possible.
fn refusal(fence: &Fence, error: &StoreError) -> StoreError {
    let allowed = transition::allowed_actions(fence.state);
    StoreError::new(StoreErrorKind::Illegal, error.to_string())
        .with_details(json!({"status": fence.state.status, "allowed_actions": allowed}))
}

fn control_event(mut event: NewEvent, control: ControlStatus, request: &ControlRequest) -> NewEvent {
    event.fields.insert("control_status".into(), control.as_str().into());
    event.fields.insert("action".into(), request.action.as_str().into());
    if let Some(reason) = &request.reason {
        event.fields.insert("reason".into(), Value::from(reason.as_str()));
    }
    event
}

fn note_request(tx: &Tx<'_>, fence: &Fence, request: &ControlRequest, from: Option<&str>, now: &str) -> Result<()> {
    let pause = (request.action == ControlAction::Pause).then_some(now);
    let stop = matches!(request.action, ControlAction::Stop | ControlAction::Cancel).then_some(now);
    let goes_on = matches!(request.action, ControlAction::Resume | ControlAction::Restart);
    tx.sql(
        "UPDATE nexus_projects SET last_control_action = ?2, control_action_by = ?3,
             pause_requested_at = coalesce(?4, pause_requested_at),
             stop_requested_at = coalesce(?5, stop_requested_at),
             resume_from_stage = CASE WHEN ?6 THEN ?7 ELSE resume_from_stage END
         WHERE project_key = ?1",
    )?
    .execute(params![fence.key, request.action.as_str(), request.requested_by, pause, stop, goes_on, from])?;
    Ok(())
}

/// Which stages are to be run again.
struct Reset {
    /// The first, for the record.
    from: Option<String>,
    /// In order.
    stages: Vec<usize>,
}

impl Reset {
    /// Resume goes on where the build is; a restart, or a resume that names a stage, sets that stage
    /// and all that depend on it back. Failed stages are run again in any case: they are unfinished.
    fn plan(
        tx: &Tx<'_>,
        fence: &Fence,
        request: &ControlRequest,
        briefs: &[Brief],
        workflows: &Workflows,
        restart: bool,
    ) -> Result<Self> {
        let statuses: Vec<StageStatus> = briefs.iter().map(|stage| stage.status).collect();
        let name: String = tx
            .sql("SELECT workflow FROM nexus_projects WHERE project_key = ?1")?
            .query_row([fence.key], |row| row.get(0))?;
        let workflow = workflows.get(&name).filter(|workflow| {
            workflow.stages().iter().map(|stage| stage.name.as_str()).eq(briefs.iter().map(|s| s.name.as_str()))
        });
        let from = match &request.from_stage {
            Some(stage) => Some(find_stage(stage, workflow.map(|w| &**w), briefs)?),
            None if restart => Some(plan::default_restart(&statuses)),
            None => None,
        };
        let mut stages = match (from, workflow) {
            (Some(from), Some(workflow)) => workflow.with_dependents(from),
            // Without its workflow the claim will fail the build anyway, and say why.
            (Some(from), None) => (from..briefs.len()).collect(),
            (None, _) => Vec::new(),
        };
        let unfinished = |status: &StageStatus| matches!(status, StageStatus::Failed | StageStatus::Running);
        stages.extend(statuses.iter().enumerate().filter(|(_, status)| unfinished(status)).map(|(index, _)| index));
        stages.sort_unstable();
        stages.dedup();
        let from = from.and_then(|index| briefs.get(index)).map(|stage| stage.name.clone());
        Ok(Self { from, stages })
    }
}

fn find_stage(name: &str, workflow: Option<&Workflow>, briefs: &[Brief]) -> Result<usize> {
    let found = match workflow {
        Some(workflow) => workflow.index_of(name),
        None => briefs.iter().position(|stage| stage.name == name),
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = briefs.iter().map(|stage| stage.name.as_str()).collect();
        invalid(format!("the project has no stage {name:?}: it has {}", known.join(", ")))
            .with_details(json!({"stages": known}))
    })
}

/// A new build task for the project, queued.
fn queue_task(tx: &mut Tx<'_>, id: &ProjectId, fence: &Fence) -> Result<TaskId> {
    let Some((project, _)) = projects::read_keyed(tx.conn(), id)? else { return Err(not_found("project")) };
    let task_id = TaskId::generate();
    let new = NewTask {
        task_id: &task_id,
        task_type: TaskType::BuildAgent,
        project_id: id,
        project_key: fence.key,
        agent_id: None,
        priority: project.priority,
        payload: projects::build_payload(&project, &task_id),
    };
    tasks::insert(tx, &new)?;
    Ok(task_id)
}

/// The sums over the stages that stay.
fn sums(tx: &Tx<'_>, project_key: i64) -> Result<AggregatedMetrics> {
    let (low, high) = stages::key_range(project_key);
    let mut find = tx.sql(
        "SELECT coalesce(input_tokens, 0), coalesce(output_tokens, 0), coalesce(tool_calls, 0),
             coalesce(duration_seconds, 0.0), coalesce(json_extract(metrics, '$.cost_usd'), 0.0)
         FROM nexus_stages WHERE stage_key BETWEEN ?1 AND ?2 AND status IN ('completed', 'skipped')",
    )?;
    let mut found = find.query([low, high])?;
    let mut sums = AggregatedMetrics::default();
    while let Some(row) = found.next()? {
        sums.add(&StageFigures {
            input_tokens: row.get::<_, i64>(0)?.max(0).unsigned_abs(),
            output_tokens: row.get::<_, i64>(1)?.max(0).unsigned_abs(),
            tool_calls: row.get::<_, i64>(2)?.max(0).unsigned_abs(),
            duration_seconds: row.get(3)?,
            cost_usd: row.get(4)?,
        });
    }
    Ok(sums)
}

/// A project that is worked on or may be: its task must be told when the project goes.
pub(crate) const fn is_open(status: ProjectStatus) -> bool {
    matches!(status, ProjectStatus::Pending | ProjectStatus::Queued | ProjectStatus::Building)
}
