//! What a user asks of a project, against what builds do meanwhile.

use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        store::{BuildEnd, BuildStep, Claim},
    },
    domain::{
        control::{ControlAction, ControlStatus},
        project::ProjectStatus,
        queue::QueueName,
        stage::StageStatus,
        task::TaskStatus,
    },
};

use super::world::*;

pub async fn a_paused_message_does_nothing(f: &Fixture) {
    let new = f.create().await;
    let id = &new.project.project_id;
    // Received just before the pause.
    let delivery = f.receive_one(QueueName::Build).await.unwrap();
    let applied = f.control(id, ControlAction::Pause).await.unwrap();
    assert_eq!((applied.status, applied.control_status), (ProjectStatus::Paused, ControlStatus::Paused));
    assert!(matches!(f.claim(&delivery, "w1").await, Claim::Obsolete(_)));
    assert_eq!(f.status(id).await.0, ProjectStatus::Paused);
    let task = f.store.task(new.project.task_id.as_ref().unwrap()).await.unwrap().unwrap();
    assert_eq!(task.status, TaskStatus::Cancelled);

    let resumed = f.control(id, ControlAction::Resume).await.unwrap();
    assert_eq!(resumed.status, ProjectStatus::Queued);
    assert_ne!(resumed.task_id, new.project.task_id);
    assert!(matches!(f.claim(&delivery, "w1").await, Claim::Obsolete(_)), "the old message stays stale");
    let (_, build) = f.take("w1").await;
    assert_eq!(Some(&build.lease.task_id), resumed.task_id.as_ref());
    let project = f.store.project(id).await.unwrap().unwrap();
    assert_eq!(project.last_control_action.as_deref(), Some("resume"));
    assert_eq!(project.control_action_by.as_deref(), Some("anna"));
    assert!(project.pause_requested_at.is_some());
}

pub async fn a_pause_waits_for_the_running_stage(f: &Fixture) {
    let (delivery, build) = f.start("diamond").await;
    let (lease, id) = (&build.lease, &build.lease.project_id);
    f.step(lease, &["a"], &["b", "c"]).await.unwrap();
    let applied = f.control(id, ControlAction::Pause).await.unwrap();
    assert_eq!((applied.status, applied.notify.as_ref()), (ProjectStatus::Building, Some(&lease.task_id)));
    assert_eq!(f.status(id).await, (ProjectStatus::Building, ControlStatus::Paused));
    let step = BuildStep {
        ended: vec![done("b", 1)],
        still_running: 1,
        receipt: Some(delivery.receipt.clone()),
        ..BuildStep::default()
    };
    let progress = f.store.advance_build(lease, step).await.unwrap();
    assert_eq!((progress.status, progress.control), (ProjectStatus::Building, ControlStatus::Paused));
    assert!(!progress.message_deleted);
    let step = BuildStep {
        ended: vec![done("c", 1)],
        begin: vec!["d".into()],
        receipt: Some(delivery.receipt.clone()),
        ..BuildStep::default()
    };
    let progress = f.store.advance_build(lease, step).await.unwrap();
    assert_eq!(progress.status, ProjectStatus::Paused);
    f.settle(&delivery, progress.message_deleted).await;
    assert!(progress.begun.is_empty());
    assert!(matches!(f.claim(&delivery, "w1").await, Claim::Obsolete(_)));
    f.control(id, ControlAction::Resume).await.unwrap();
    let (_, again) = f.take("w1").await;
    let states: Vec<_> = again.stages.iter().map(|s| s.status).collect();
    use StageStatus::{Completed, Running};
    assert_eq!(states, [Completed, Completed, Completed, Running]);
}

pub async fn a_pause_reached_by_nobody_is_settled_by_the_next_claim(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    let id = &build.lease.project_id;
    f.control(id, ControlAction::Pause).await.unwrap();
    // The owner died; its lease is taken over by whom the message reaches.
    f.lapse(&build.lease).await;
    assert!(matches!(f.claim(&delivery, "w2").await, Claim::Obsolete(_)));
    assert_eq!(f.status(id).await, (ProjectStatus::Paused, ControlStatus::Paused));
    assert_eq!(f.store.stages(id).await.unwrap()[0].status, StageStatus::Pending);

    // Given back before the request: nobody works on it, so it is paused at once.
    let (delivery, build) = f.start("agent_build").await;
    f.store.release_lease(&build.lease, Some(&delivery.receipt)).await.unwrap();
    let applied = f.control(&build.lease.project_id, ControlAction::Pause).await.unwrap();
    assert_eq!((applied.status, applied.notify), (ProjectStatus::Paused, None));
    // Given back after the request: likewise.
    let (delivery, build) = f.start("agent_build").await;
    f.control(&build.lease.project_id, ControlAction::Pause).await.unwrap();
    f.store.release_lease(&build.lease, Some(&delivery.receipt)).await.unwrap();
    assert_eq!(f.status(&build.lease.project_id).await.0, ProjectStatus::Paused);
    assert!(f.receive_one(QueueName::Build).await.is_none());
}

/// A project that waits, and whose words say that it is to stop: so another may have written it, and nobody carried it out.
#[cfg(feature = "aws")]
pub async fn a_stop_that_came_with_the_records_is_carried_out_by_the_claim(
    store: &dyn nexus_daemon::backend::store::Store,
    target: &dyn nexus_daemon::backend::store::transfer::Target,
) {
    use nexus_daemon::backend::store::transfer::Kind;
    let new = new_project("agent_build", 3);
    let (mut project, id) = (new.project.clone(), &new.project.project_id);
    (project.status, project.control_status) = (ProjectStatus::Queued, ControlStatus::Stopped);
    let record = |thing: serde_json::Value| {
        let fields = thing.as_object().unwrap().clone();
        fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<serde_json::Map<_, _>>()
    };
    let task = project.task_id.clone().unwrap();
    let of_task = serde_json::json!({
        "task_id": task, "task_type": "build_agent", "project_id": id, "status": "queued", "priority": 3,
        "payload": {"task_id": task, "project_id": id}, "retry_count": 0, "lease_epoch": 0,
        "created_at": project.created_at, "updated_at": project.created_at,
    });
    let stages = new.stages.iter().map(|stage| record(serde_json::to_value(stage).unwrap())).collect();
    target.put(Kind::Projects, vec![record(serde_json::to_value(&project).unwrap())]).await.unwrap();
    target.put(Kind::Stages, stages).await.unwrap();
    target.put(Kind::Tasks, vec![record(of_task)]).await.unwrap();
    target.finish().await.unwrap();

    let claim = store.claim_build(claim_of(id, Some(task.clone()), "w1"), workflows()).await.unwrap();
    assert!(matches!(claim, Claim::Obsolete("the project is stopped")), "{claim:?}");
    let project = store.project(id).await.unwrap().unwrap();
    assert_eq!((project.status, project.control_status), (ProjectStatus::Cancelled, ControlStatus::Stopped));
    assert!(project.completed_at.is_some());
    assert_eq!(store.task(&task).await.unwrap().unwrap().status, TaskStatus::Cancelled);
    assert!(store.stages(id).await.unwrap().iter().all(|stage| stage.status == StageStatus::Pending));
}

pub async fn a_stopped_build_refuses_its_late_step(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    let (lease, id) = (&build.lease, &build.lease.project_id);
    f.step(lease, &[STAGES[0]], &[STAGES[1]]).await.unwrap();
    let applied = f.control(id, ControlAction::Stop).await.unwrap();
    assert_eq!((applied.status, applied.control_status), (ProjectStatus::Cancelled, ControlStatus::Stopped));
    assert_eq!(applied.notify.as_ref(), Some(&lease.task_id));
    assert_eq!(f.step(lease, &[STAGES[1]], &[STAGES[2]]).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    let late = BuildStep {
        end: Some(BuildEnd::Completed { agent: None, deploy: false }),
        receipt: Some(delivery.receipt.clone()),
        ..BuildStep::default()
    };
    assert_eq!(f.store.advance_build(lease, late).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    assert!(matches!(f.claim(&delivery, "w2").await, Claim::Obsolete(_)));
    assert_eq!(f.status(id).await, (ProjectStatus::Cancelled, ControlStatus::Stopped));
    let stage = &f.store.stages(id).await.unwrap()[1];
    assert_eq!((stage.status, stage.error_message.as_deref()), (StageStatus::Failed, Some("stopped by anna")));
    // A restart begins where it was stopped.
    f.control(id, ControlAction::Restart).await.unwrap();
    let (_, again) = f.take("w2").await;
    assert_eq!(again.stages[0].status, StageStatus::Completed);
    assert_eq!((again.stages[1].status, again.stages[1].attempt), (StageStatus::Running, 2));
}

pub async fn what_is_not_allowed_says_what_is(f: &Fixture) {
    let new = f.create().await;
    let id = &new.project.project_id;
    let refused = f.control(id, ControlAction::Resume).await.unwrap_err();
    assert_eq!(refused.kind(), BackendErrorKind::Illegal);
    let details = refused.details().unwrap();
    assert_eq!(details["status"], "queued");
    assert_eq!(details["allowed_actions"], serde_json::json!(["pause", "stop", "cancel"]));
    f.control(id, ControlAction::Cancel).await.unwrap();
    assert_eq!(f.status(id).await, (ProjectStatus::Cancelled, ControlStatus::Cancelled));
    for action in [ControlAction::Pause, ControlAction::Resume, ControlAction::Stop, ControlAction::Cancel] {
        let refused = f.control(id, action).await.unwrap_err();
        assert_eq!(refused.details().unwrap()["allowed_actions"], serde_json::json!(["restart"]));
    }
    let unknown = nexus_daemon::domain::ids::ProjectId::generate();
    assert_eq!(f.control(&unknown, ControlAction::Pause).await.unwrap_err().kind(), BackendErrorKind::NotFound);
    let bad = f.control_from(id, ControlAction::Restart, Some("nonsense")).await.unwrap_err();
    assert_eq!(bad.kind(), BackendErrorKind::Invalid);
    assert_eq!(f.status(id).await.0, ProjectStatus::Cancelled);
}

pub async fn a_restart_resets_what_depends_on_its_stage(f: &Fixture) {
    let (delivery, build) = f.start("diamond").await;
    let (lease, id) = (&build.lease, &build.lease.project_id);
    f.step(lease, &["a"], &["b", "c"]).await.unwrap();
    f.step(lease, &["b", "c"], &["d"]).await.unwrap();
    let end = BuildStep {
        ended: vec![done("d", 1)],
        progress: 100.0,
        end: Some(BuildEnd::Completed { agent: None, deploy: false }),
        receipt: Some(delivery.receipt.clone()),
        ..BuildStep::default()
    };
    f.store.advance_build(lease, end).await.unwrap();
    let applied = f.control_from(id, ControlAction::Restart, Some("b")).await.unwrap();
    assert_eq!(applied.status, ProjectStatus::Queued);
    let detail = f.store.project_detail(id).await.unwrap().unwrap();
    let states: Vec<_> = detail.stages.iter().map(|s| s.status).collect();
    use StageStatus::{Completed, Pending};
    assert_eq!(states, [Completed, Pending, Completed, Pending]);
    assert!(detail.stages[1].output_data.is_none() && detail.stages[1].agent_output_content.is_none());
    assert!(detail.stages[2].output_data.is_some());
    assert_eq!(detail.stages[1].attempt, 1, "attempts go on counting");
    assert_eq!(detail.project.progress, 50.0);
    assert_eq!(detail.project.resume_from_stage.as_deref(), Some("b"));
    assert_eq!(detail.project.completed_at, None);
    assert_eq!(detail.project.aggregated_metrics.total_input_tokens, 200);
    assert_eq!(detail.project.aggregated_metrics.total_cost, 0.5);
    let (_, again) = f.take("w1").await;
    assert_eq!((again.stages[1].status, again.stages[1].attempt), (StageStatus::Running, 2));
}

pub async fn a_restart_finds_where_it_failed(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    let (lease, id) = (&build.lease, &build.lease.project_id);
    f.step(lease, &[STAGES[0]], &[STAGES[1]]).await.unwrap();
    let info = nexus_daemon::domain::failure::ErrorInfo {
        stage: Some(STAGES[1].into()),
        kind: nexus_daemon::domain::failure::FailureKind::Permanent,
        message: "no".into(),
        details: None,
        attempt: 1,
    };
    let step = BuildStep {
        ended: vec![failed(STAGES[1], 1)],
        end: Some(BuildEnd::Failed(info)),
        receipt: Some(delivery.receipt),
        ..BuildStep::default()
    };
    f.store.advance_build(lease, step).await.unwrap();
    f.control(id, ControlAction::Restart).await.unwrap();
    let project = f.store.project(id).await.unwrap().unwrap();
    assert_eq!((project.error_info, project.completed_at), (None, None));
    assert_eq!(project.resume_from_stage.as_deref(), Some(STAGES[1]));
    let (_, again) = f.take("w1").await;
    assert_eq!(again.stages[0].status, StageStatus::Completed);
    assert_eq!(again.stages[1].status, StageStatus::Running);
    // Old names are understood.
    f.control(id, ControlAction::Cancel).await.unwrap();
    f.control_from(id, ControlAction::Restart, Some("requirements_analyzer")).await.unwrap();
    assert_eq!(f.store.project(id).await.unwrap().unwrap().resume_from_stage.as_deref(), Some(STAGES[1]));
}

pub async fn a_resume_runs_failed_stages_again(f: &Fixture) {
    let (_, build) = f.start("diamond").await;
    let (lease, id) = (&build.lease, &build.lease.project_id);
    f.step(lease, &["a"], &["b", "c"]).await.unwrap();
    f.control(id, ControlAction::Pause).await.unwrap();
    let step = BuildStep { ended: vec![failed("b", 1), done("c", 1)], ..BuildStep::default() };
    assert_eq!(f.store.advance_build(lease, step).await.unwrap().status, ProjectStatus::Paused);
    f.control(id, ControlAction::Resume).await.unwrap();
    let (_, again) = f.take("w1").await;
    assert_eq!((again.stages[1].status, again.stages[1].attempt), (StageStatus::Running, 2));
    assert_eq!(again.stages[2].status, StageStatus::Completed);
}

pub async fn pause_and_steps_race_without_a_stray_stage(f: &Fixture) {
    for _ in 0..30 {
        let (_, build) = f.start("agent_build").await;
        let (lease, id) = (build.lease.clone(), build.lease.project_id.clone());
        let step = f.step(&lease, &[STAGES[0]], &[STAGES[1]]);
        let (stepped, paused) = tokio::join!(step, f.control(&id, ControlAction::Pause));
        let (stepped, _) = (stepped.unwrap(), paused.unwrap());
        let running = f.store.stages(&id).await.unwrap().iter().filter(|s| s.status == StageStatus::Running).count();
        match f.status(&id).await.0 {
            ProjectStatus::Paused => assert_eq!((running, stepped.begun.len()), (0, 0)),
            ProjectStatus::Building => {
                assert_eq!((running, stepped.begun.len()), (1, 1));
                let last = f.step(&lease, &[STAGES[1]], &[STAGES[2]]).await.unwrap();
                assert_eq!((last.status, last.begun.len()), (ProjectStatus::Paused, 0));
            }
            other => panic!("{other}"),
        }
    }
}
