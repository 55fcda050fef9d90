//! Builds: claim, steps, ends.

use nexus_daemon::{
    domain::{event::EventType, project::ProjectStatus, stage::StageStatus, task::TaskStatus},
    queue::QueueName,
};

use super::world::*;

pub async fn a_build_walks_through_its_stages(f: &Fixture) {
    let new = f.create().await;
    let id = &new.project.project_id;
    let (delivery, build) = f.take("w1").await;
    assert_eq!(delivery.receive_count, 1);
    assert_eq!(build.project.status, ProjectStatus::Building);
    assert_eq!(build.project.requirement, new.project.requirement);
    assert_eq!(build.project.tags, new.project.tags);
    assert_eq!(build.project.current_stage.as_deref(), Some(STAGES[0]));
    assert_eq!(build.stages.len(), 9);
    assert_eq!((build.stages[0].status, build.stages[0].attempt), (StageStatus::Running, 1));
    assert_eq!(build.stages[1].status, StageStatus::Pending);
    assert_eq!(f.store.task(&build.lease.task_id).await.unwrap().unwrap().status, TaskStatus::Running);

    let last = f.run_from(&delivery, &build.lease, 0).await;
    assert_eq!(last.status, ProjectStatus::Completed);
    assert!(last.message_deleted);
    assert!(f.receive_one(QueueName::Build).await.is_none());

    let detail = f.store.project_detail(id).await.unwrap().unwrap();
    assert_eq!(detail.project.status, ProjectStatus::Completed);
    assert!(detail.project.completed_at.is_some() && detail.project.started_at.is_some());
    assert_eq!(detail.agent_count, 1);
    assert!(detail.stages.iter().all(|s| s.status == StageStatus::Completed && s.output_data.is_some()));
    assert_eq!(detail.stages[3].duration_seconds, Some(1.5));
    assert_eq!(detail.stages[3].metrics.as_ref().unwrap()["model_id"], "model");
    assert_eq!(f.store.task(&build.lease.task_id).await.unwrap().unwrap().status, TaskStatus::Completed);

    let events = f.store.events_after(id, 0, 1000).await.unwrap();
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), (1..=events.len() as u64).collect::<Vec<_>>());
    assert_eq!(events, f.events.of(id), "the sink hears what is stored");
    assert_eq!(events.iter().filter(|e| e.kind == EventType::Agent).count(), 1);
    assert_eq!(events.iter().filter(|e| e.kind == EventType::Stage).count(), 18);
    let last = events.iter().rfind(|e| e.kind == EventType::Project).unwrap();
    assert_eq!(last.fields["status"], "completed");
}
