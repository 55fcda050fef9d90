//! Builds that fail, and what comes after a build that does not: the agent and its deployment.

use std::collections::BTreeMap;

use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        queue::DeployMessage,
        store::{AgentFilter, BuildEnd, BuildStep, Claim, ClaimBuild, DeployClaim, DeployEnd, GivenUp},
    },
    domain::{
        agent::{Agent, AgentChange, AgentStatus, Deployment, NewPlace},
        control::{ControlAction, ControlStatus},
        deletion::DeleteOrders,
        event::EventType,
        failure::{ErrorInfo, Failure, FailureKind},
        ids::{AgentId, TaskId},
        project::ProjectStatus,
        queue::QueueName,
        stage::StageStatus,
        task::TaskStatus,
        time::Timestamp,
    },
};
use serde_json::json;

use super::world::*;

fn info(message: &str) -> ErrorInfo {
    ErrorInfo {
        stage: Some(STAGES[0].into()),
        kind: FailureKind::Permanent,
        message: message.into(),
        details: None,
        attempt: 1,
    }
}

pub async fn a_failed_stage_fails_the_build(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    let id = &build.lease.project_id;
    let step = BuildStep {
        ended: vec![failed(STAGES[0], 1)],
        end: Some(BuildEnd::Failed(info("it cannot be done"))),
        receipt: Some(delivery.receipt.clone()),
        ..BuildStep::default()
    };
    let progress = f.store.advance_build(&build.lease, step).await.unwrap();
    assert_eq!((progress.status, progress.message_deleted), (ProjectStatus::Failed, f.one_unit));
    let project = f.store.project(id).await.unwrap().unwrap();
    assert_eq!(project.error_info.unwrap().message, "it cannot be done");
    assert!(project.completed_at.is_some());
    let stage = &f.store.stages(id).await.unwrap()[0];
    assert_eq!((stage.status, stage.error_message.as_deref()), (StageStatus::Failed, Some("it cannot be done")));
    let task = f.store.task(&build.lease.task_id).await.unwrap().unwrap();
    assert_eq!((task.status, task.error_message.as_deref()), (TaskStatus::Failed, Some("it cannot be done")));
    assert!(matches!(f.claim(&delivery, "w2").await, Claim::Obsolete(_)));
    let told = f.events.of(id).into_iter().rfind(|e| e.kind == EventType::Project).unwrap();
    assert_eq!(told.fields["error_info"]["message"], "it cannot be done");
}

pub async fn a_held_build_rests_until_it_is_resumed_from_the_same_stage(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    let (lease, id) = (&build.lease, &build.lease.project_id);
    f.step(lease, &[STAGES[0]], &[STAGES[1]]).await.unwrap();
    let spent = ErrorInfo { kind: FailureKind::BudgetExhausted, stage: Some(STAGES[1].into()), ..info("spent") };
    let step = BuildStep {
        ended: vec![failed(STAGES[1], 1)],
        end: Some(BuildEnd::Held(spent.clone())),
        receipt: Some(delivery.receipt.clone()),
        ..BuildStep::default()
    };
    let progress = f.store.advance_build(lease, step).await.unwrap();
    assert_eq!((progress.status, progress.message_deleted), (ProjectStatus::Paused, f.one_unit));
    f.settle(&delivery, progress.message_deleted).await;
    assert_eq!(f.status(id).await, (ProjectStatus::Paused, ControlStatus::Paused));
    let project = f.store.project(id).await.unwrap().unwrap();
    assert_eq!((project.error_info, project.completed_at), (Some(spent), None));
    let task = f.store.task(&lease.task_id).await.unwrap().unwrap();
    assert_eq!((task.status, task.error_message.as_deref()), (TaskStatus::Cancelled, Some("spent")));
    assert!(f.nothing_to_do(QueueName::Build).await, "nobody works on it");
    f.control(id, ControlAction::Resume).await.unwrap();
    assert_eq!(f.store.project(id).await.unwrap().unwrap().error_info, None);
    let (_, again) = f.take("w2").await;
    assert_eq!(again.stages[0].status, StageStatus::Completed, "what is done is not done again");
    assert_eq!((again.stages[1].status, again.stages[1].attempt), (StageStatus::Running, 2));
}

/// Gives a task up; a backend that counts receives only spares it some times.
async fn fail(f: &Fixture, task: &TaskId) {
    for _ in 0..10 {
        if f.store.fail_task(task, info("poison")).await.unwrap() == GivenUp::Ended {
            return;
        }
        assert!(!f.one_unit);
    }
    panic!("it is spared for ever");
}

pub async fn a_dead_letter_fails_its_task(f: &Fixture) {
    // Of a build that was never claimed, and of one whose owner is gone.
    let queued = f.create().await;
    let id = queued.project.project_id.clone();
    let task = queued.project.task_id.unwrap();
    fail(f, &task).await;
    assert_eq!(f.status(&id).await.0, ProjectStatus::Failed);
    assert!(f.nothing_to_do(QueueName::Build).await);
    f.store.fail_task(&task, info("again")).await.unwrap();
    assert_eq!(f.store.project(&id).await.unwrap().unwrap().error_info.unwrap().message, "poison");

    let (_, build) = f.start("agent_build").await;
    if !f.one_unit {
        // A lease that is held is nobody's dead letter; one that lapsed may be.
        f.store.fail_task(&build.lease.task_id, info("poison")).await.unwrap();
        assert_eq!(f.status(&build.lease.project_id).await.0, ProjectStatus::Building);
        f.store.extend_leases(std::slice::from_ref(&build.lease), Timestamp::now()).await.unwrap();
    }
    fail(f, &build.lease.task_id).await;
    assert_eq!(f.store.stages(&build.lease.project_id).await.unwrap()[0].status, StageStatus::Failed);
    assert_eq!(f.step(&build.lease, &[STAGES[0]], &[]).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    // The task of an earlier run fails without touching the project.
    let stale = build.lease.task_id.clone();
    f.control(&build.lease.project_id, ControlAction::Restart).await.unwrap();
    f.store.fail_task(&stale, info("late")).await.unwrap();
    assert_eq!(f.status(&build.lease.project_id).await.0, ProjectStatus::Queued);
    let unknown = nexus_daemon::domain::ids::TaskId::generate();
    assert_eq!(f.store.fail_task(&unknown, info("x")).await.unwrap_err().kind(), BackendErrorKind::NotFound);
}

pub async fn a_build_without_its_workflow_fails_with_a_reason(f: &Fixture) {
    let gone = f.create_with("gone", 3).await;
    let delivery = f.receive_one(QueueName::Build).await.unwrap();
    let Claim::Failed(info) = f.claim(&delivery, "w1").await else { panic!("claimed") };
    assert!(info.message.contains("gone"));
    assert_eq!(f.status(&gone.project.project_id).await.0, ProjectStatus::Failed);
    assert!(matches!(f.claim(&delivery, "w1").await, Claim::Obsolete(_)));
    f.queue.delete(&delivery.receipt).await.unwrap();

    let mut other = new_project("agent_build", 3);
    other.stages[8].stage_name = "another".into();
    f.store.create_project(other.clone()).await.unwrap();
    let delivery = f.receive_one(QueueName::Build).await.unwrap();
    assert!(matches!(f.claim(&delivery, "w1").await, Claim::Failed(_)));
    assert_eq!(f.status(&other.project.project_id).await.0, ProjectStatus::Failed);
}

pub async fn a_registered_agent_is_kept_by_a_second_build(f: &Fixture) {
    let (delivery, build) = f.start("agent_build").await;
    let id = &build.lease.project_id;
    f.run_from(&delivery, &build.lease, 0).await;
    let first = f.store.agent(&AgentId::of_project(id)).await.unwrap().unwrap();
    assert_eq!(first.status, AgentStatus::Offline);
    f.control_from(id, ControlAction::Restart, Some(STAGES[8])).await.unwrap();
    let (delivery, build) = f.take("w1").await;
    f.run_from(&delivery, &build.lease, 8).await;
    let agents = f.store.list_agents(&AgentFilter::default(), &page(1, 10)).await.unwrap();
    assert_eq!(agents.total, 1);
    assert_eq!(agents.items[0].created_at, first.created_at);
}

pub async fn agents_of_one_name_are_numbered_once_and_for_all(f: &Fixture) {
    let names = async || {
        let agents = f.store.list_agents(&AgentFilter::default(), &page(1, 50)).await.unwrap().items;
        agents.into_iter().map(|agent| (agent.agent_id, agent.display_name)).collect::<BTreeMap<_, _>>()
    };
    let (project, first) = f.completed().await;
    let ((_, second), (_, third)) = (f.completed().await, f.completed().await);
    let three = names().await;
    let shown = |agent: &AgentId| three[agent].as_str();
    assert_eq!(
        [shown(&first), shown(&second), shown(&third)],
        ["Prices of fruit", "Prices of fruit 2", "Prices of fruit 3"]
    );
    // One is gone: the others are called as before, and nobody gets its name.
    f.store.delete_agent(&second, DeleteOrders::default()).await.unwrap().unwrap();
    let (_, fourth) = f.completed().await;
    let now = names().await;
    assert_eq!((now.len(), &now[&third], now[&fourth].as_str()), (3, &three[&third], "Prices of fruit 4"));
    // A further build of a project leaves its agent the name.
    f.control_from(&project, ControlAction::Restart, Some(STAGES[8])).await.unwrap();
    let (delivery, build) = f.take("w1").await;
    f.run_from(&delivery, &build.lease, 8).await;
    assert_eq!(names().await, now);
    // Who is given another name by a person is shown by it, unless another has it.
    let called = async |agent: &AgentId, name: &str| {
        let change = AgentChange { agent_name: Some(name.into()), ..AgentChange::default() };
        f.store.update_agent(agent, change).await.unwrap().unwrap().display_name
    };
    assert_eq!(called(&third, "fruit_man").await, "Fruit man");
    assert_eq!(called(&third, "fruit_man").await, "Fruit man");
    assert_eq!(called(&fourth, "FRUIT_MAN").await, "FRUIT MAN 2");
    // The numbered form of a name that was given is no other agent's name.
    assert_eq!(called(&first, "Prices of fruit 3").await, "Prices of fruit 3 2");
    assert_eq!(called(&first, "Prices of fruit 9").await, "Prices of fruit 9");
    let (_, fifth) = f.completed().await;
    assert_eq!(names().await[&fifth], "Prices of fruit 10");
}

async fn build_with_deployment(f: &Fixture) -> (AgentId, ClaimBuild, nexus_daemon::backend::queue::Receipt) {
    let (delivery, build) = f.start("diamond").await;
    let lease = &build.lease;
    f.step(lease, &["a"], &["b", "c"]).await.unwrap();
    f.step(lease, &["b", "c"], &["d"]).await.unwrap();
    let end = BuildStep {
        ended: vec![done("d", 1)],
        progress: 100.0,
        end: Some(BuildEnd::Completed { agent: Some(Box::new(new_agent(&lease.project_id))), deploy: true }),
        receipt: Some(delivery.receipt),
        ..BuildStep::default()
    };
    f.store.advance_build(lease, end).await.unwrap();
    let agent = AgentId::of_project(&lease.project_id);
    assert_eq!(f.store.agent(&agent).await.unwrap().unwrap().status, AgentStatus::Deploying);
    let delivery = f.receive_one(QueueName::Deploy).await.expect("a deploy message");
    let message = DeployMessage::parse(&delivery.body).unwrap();
    assert_eq!(message.agent_id, agent);
    let claim = claim_of(&message.project_id, message.task_id, "w1");
    (agent, claim, delivery.receipt)
}

pub async fn a_deployment_runs_to_its_end(f: &Fixture) {
    let (agent, claim, receipt) = build_with_deployment(f).await;
    let DeployClaim::Claimed { lease, .. } = f.store.claim_deploy(claim.clone()).await.unwrap() else { panic!() };
    let other = ClaimBuild { worker_id: worker("w2"), ..claim.clone() };
    assert!(matches!(f.store.claim_deploy(other).await.unwrap(), DeployClaim::HeldUntil(_)));
    assert!(f.store.extend_leases(std::slice::from_ref(&lease), in_one_minute()).await.unwrap()[0].held);
    let end = DeployEnd { agent_id: agent.clone(), result: Ok(json!({"port": 7})), receipt: Some(receipt) };
    f.store.finish_deploy(&lease, end.clone()).await.unwrap();
    assert_eq!(f.store.finish_deploy(&lease, end).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    let agent = f.store.agent(&agent).await.unwrap().unwrap();
    assert_eq!((agent.status, agent.deployment_details), (AgentStatus::Running, Some(json!({"port": 7}))));
    assert!(agent.deployed_at.is_some());
    assert!(matches!(f.store.claim_deploy(claim).await.unwrap(), DeployClaim::Obsolete(_)));
    assert!(f.receive_one(QueueName::Deploy).await.is_none());
    let told = f.events.of(&lease.project_id).pop().unwrap();
    assert_eq!((told.kind, told.fields["status"].as_str()), (EventType::Agent, Some("running")));
}

pub async fn a_failed_deployment_is_told(f: &Fixture) {
    let (agent, claim, receipt) = build_with_deployment(f).await;
    let DeployClaim::Claimed { lease, .. } = f.store.claim_deploy(claim).await.unwrap() else { panic!() };
    let failure = Failure::new(FailureKind::Permanent, "no port is free");
    let end = DeployEnd { agent_id: agent.clone(), result: Err(failure), receipt: Some(receipt) };
    f.store.finish_deploy(&lease, end).await.unwrap();
    let agent = f.store.agent(&agent).await.unwrap().unwrap();
    assert_eq!((agent.status, agent.error_message.as_deref()), (AgentStatus::Error, Some("no port is free")));
    assert_eq!(f.store.task(&lease.task_id).await.unwrap().unwrap().status, TaskStatus::Failed);
    assert_eq!(f.status(&lease.project_id).await.0, ProjectStatus::Completed, "the build stays what it was");
}

/// Each claim of a deployment has a number of its own, under which a process is known; and an owner that was overtaken
/// neither ends, gives back nor keeps what the next one claimed.
pub async fn a_deployment_that_was_overtaken_changes_nothing(f: &Fixture) {
    let (id, claim, receipt) = build_with_deployment(f).await;
    let generation = async || f.store.agent(&id).await.unwrap().unwrap().generation;
    assert_eq!(generation().await, 0);
    let claimed = async |by: &str| {
        let claim = ClaimBuild { worker_id: worker(by), ..claim.clone() };
        match f.store.claim_deploy(claim).await.unwrap() {
            DeployClaim::Claimed { lease, agent } => (lease, agent.generation),
            other => panic!("{other:?}"),
        }
    };
    let (first, one) = claimed("w1").await;
    assert_eq!((one, generation().await), (1, 1));
    f.lapse(&first).await;
    let (second, two) = claimed("w2").await;
    assert_eq!((two, generation().await), (2, 2));
    let end = |text: &str| DeployEnd { agent_id: id.clone(), result: Ok(json!({"by": text})), receipt: None };
    assert_eq!(f.store.finish_deploy(&first, end("w1")).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    assert_eq!(f.store.release_lease(&first, None).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    assert!(!f.store.extend_leases(std::slice::from_ref(&first), in_one_minute()).await.unwrap()[0].held);
    // Nor does the same worker under its earlier claim.
    f.lapse(&second).await;
    let (third, _) = claimed("w2").await;
    assert_eq!(f.store.finish_deploy(&second, end("w2")).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    f.store.finish_deploy(&third, DeployEnd { receipt: Some(receipt), ..end("w2 again") }).await.unwrap();
    let agent = f.store.agent(&id).await.unwrap().unwrap();
    assert_eq!((agent.status, agent.generation), (AgentStatus::Running, 3));
    assert_eq!(agent.deployment_details, Some(json!({"by": "w2 again"})));
    // A further one has a further number, and what was counted stays; what is known of a former place does not.
    let elsewhere = NewPlace { target: "elsewhere".into(), config: json!({"type": "elsewhere", "size": 2}) };
    let task = f.store.redeploy_agent(&id, Some(elsewhere.clone())).await.unwrap().unwrap();
    assert_eq!(generation().await, 3, "it is not begun");
    let moved = f.store.agent(&id).await.unwrap().unwrap();
    assert_eq!((moved.status, moved.deployment), (AgentStatus::Deploying, Deployment::to("elsewhere")));
    assert_eq!((moved.deployment_config, moved.deployment_details), (Some(elsewhere.config), None));
    let again = ClaimBuild { task_id: Some(task), ..claim.clone() };
    assert!(matches!(f.store.claim_deploy(again).await.unwrap(), DeployClaim::Claimed { .. }));
    assert_eq!(generation().await, 4);
}

/// What others deployed is registered once, under a name of its own, with what is needed to ask it.
pub async fn what_others_deployed_is_adopted_once(f: &Fixture) {
    let mut deployment = Deployment::to("agentcore");
    deployment.options.insert("agentcore_runtime_arn".into(), "arn:one".into());
    deployment.options.insert("adopted".into(), true.into());
    let of = |name: &str, arn: &str| Agent {
        agent_name: name.to_owned(),
        status: AgentStatus::Running,
        deployment: deployment.clone(),
        ..Agent::unused(AgentId::of_deployment("agentcore", arn), Timestamp::now())
    };
    let one = f.store.adopt_agent(of("prices", "arn:one")).await.unwrap();
    let other = f.store.adopt_agent(of("prices", "arn:two")).await.unwrap();
    assert_ne!((&one.agent_id, &one.display_name), (&other.agent_id, &other.display_name));
    let again = f.store.adopt_agent(of("another name", "arn:one")).await.unwrap();
    assert_eq!(
        (&again.agent_id, &again.display_name, &again.agent_name),
        (&one.agent_id, &one.display_name, &one.agent_name)
    );
    let kept = f.store.agent(&one.agent_id).await.unwrap().unwrap();
    assert_eq!((kept.status, &kept.deployment, &kept.project_id), (AgentStatus::Running, &deployment, &None));
    assert_eq!(f.store.list_agents(&AgentFilter::default(), &page(1, 10)).await.unwrap().total, 2);
}

/// A queue that counts receives by itself says nothing of a deployment: in kills and outages its message is received
/// again and again.
pub async fn a_dead_letter_does_not_fail_a_deployment_at_once(f: &Fixture) {
    let (id, claim, _) = build_with_deployment(f).await;
    if f.one_unit {
        // Here receives that a kill or an outage took are given back, so a letter is a verdict.
        assert_eq!(f.store.fail_task(claim.task_id.as_ref().unwrap(), info("poison")).await.unwrap(), GivenUp::Ended);
        assert_eq!(f.store.agent(&id).await.unwrap().unwrap().status, AgentStatus::Error);
        return;
    }
    let task = claim.task_id.clone().unwrap();
    for round in 0..3 {
        assert_eq!(f.store.fail_task(&task, info("poison")).await.unwrap(), GivenUp::Spared, "{round}");
        assert_eq!(f.store.agent(&id).await.unwrap().unwrap().status, AgentStatus::Deploying);
    }
    let DeployClaim::Claimed { lease, .. } = f.store.claim_deploy(claim.clone()).await.unwrap() else { panic!() };
    assert_eq!(f.store.fail_task(&task, info("held")).await.unwrap(), GivenUp::Spared);
    let end = DeployEnd { agent_id: id.clone(), result: Ok(json!({})), receipt: None };
    f.store.finish_deploy(&lease, end).await.unwrap();
    assert_eq!(f.store.agent(&id).await.unwrap().unwrap().status, AgentStatus::Running);
    // It is not spared for ever.
    let task = f.store.redeploy_agent(&id, None).await.unwrap().unwrap();
    fail(f, &task).await;
    let agent = f.store.agent(&id).await.unwrap().unwrap();
    assert_eq!((agent.status, agent.error_message.as_deref()), (AgentStatus::Error, Some("poison")));
    // Nor is one that ends every daemon that claims it.
    let task = f.store.redeploy_agent(&id, None).await.unwrap().unwrap();
    let claim = ClaimBuild { task_id: Some(task.clone()), ..claim };
    let mut claims = 0;
    // Who claims again is alive: a slow store took its lease, however often.
    for _ in 0..12 {
        let DeployClaim::Claimed { lease, .. } = f.store.claim_deploy(claim.clone()).await.unwrap() else { panic!() };
        f.lapse(&lease).await;
    }
    loop {
        let worker_id = format!("w-ended-{claims}").parse().unwrap();
        let claim = ClaimBuild { worker_id, ..claim.clone() };
        let DeployClaim::Claimed { lease, .. } = f.store.claim_deploy(claim).await.unwrap() else { break };
        f.lapse(&lease).await;
        claims += 1;
        assert!(claims < 20, "it is claimed for ever");
    }
    assert!(claims > 3, "{claims}");
    let agent = f.store.agent(&id).await.unwrap().unwrap();
    assert!(agent.status == AgentStatus::Error && agent.error_message.unwrap().contains("given up"));
}
