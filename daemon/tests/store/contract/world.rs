//! What the cases share: a backend under test, a workflow, and short ways to build with it.

use std::{
    any::Any,
    sync::{Arc, Mutex},
    time::Duration,
};

use nexus_daemon::{
    backend::{
        queue::{BuildMessage, Delivery, Queue},
        store::{
            BuildEnd, BuildProgress, BuildStep, Claim, ClaimBuild, ClaimedBuild, Continuation, EventSink, NewProject,
            PageRequest, Result, Store,
        },
    },
    domain::{
        assessment::Assessment,
        control::{ControlAction, ControlApplied, ControlRequest, ControlStatus},
        event::ProjectEvent,
        failure::{ErrorInfo, Failure, FailureKind},
        ids::{AgentId, ProjectId, TaskId, WorkerId},
        project::{AggregatedMetrics, Priority, Project, ProjectStatus, StageFigures},
        queue::QueueName,
        stage::{Stage, StageEnd, StageOutcome, StageProduct},
        task::Lease,
        time::Timestamp,
        workflow::{StageSpec, Workflow, WorkflowSpec, Workflows},
    },
};
use serde_json::json;

pub use crate::support::stages::STAGES;

/// Keeps every event in the order in which the store told of them.
#[derive(Default)]
pub struct Recorder {
    seen: Mutex<Vec<ProjectEvent>>,
}

impl EventSink for Recorder {
    fn committed(&self, events: &[ProjectEvent]) {
        self.seen.lock().unwrap().extend_from_slice(events);
    }
}

impl Recorder {
    pub fn all(&self) -> Vec<ProjectEvent> {
        self.seen.lock().unwrap().clone()
    }

    pub fn of(&self, id: &ProjectId) -> Vec<ProjectEvent> {
        self.all().into_iter().filter(|e| e.project_id == *id).collect()
    }
}

/// A backend under test.
pub struct Fixture {
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn Queue>,
    pub events: Arc<Recorder>,
    /// How long the backend hides a received message.
    pub visibility: Duration,
    /// Whether store and queue are one: messages come and go with the commits.
    pub one_unit: bool,
    /// How many make a crowd.
    pub crowd: usize,
    pub keep: Box<dyn Any + Send + Sync>,
}

fn stage_spec(name: &str, needs: &[&str]) -> StageSpec {
    StageSpec {
        name: name.into(),
        display_name: format!("zh {name}"),
        display_name_en: format!("en {name}"),
        handler: format!("test/{name}"),
        prerequisites: needs.iter().map(|s| (*s).to_owned()).collect(),
        optional: false,
        timeout: Duration::from_secs(60),
        max_retries: 3,
        aliases: if name == "requirements_analysis" { vec!["requirements_analyzer".into()] } else { Vec::new() },
        options: json!({}),
    }
}

fn workflow(name: &str, stages: Vec<StageSpec>) -> Workflow {
    Workflow::build(WorkflowSpec {
        name: name.into(),
        description: String::new(),
        stages,
        retry_base_delay: Duration::from_secs(5),
        total_timeout: Duration::from_secs(21_600),
    })
    .unwrap()
}

/// `agent_build`: nine in a row. `diamond`: a, then b and c side by side, then d.
pub fn workflows() -> Arc<Workflows> {
    let mut all = Workflows::default();
    let chain = STAGES
        .iter()
        .enumerate()
        .map(|(i, name)| stage_spec(name, if i == 0 { &[] } else { &STAGES[i - 1..i] }))
        .collect();
    all.insert(workflow("agent_build", chain));
    all.insert(workflow(
        "diamond",
        vec![stage_spec("a", &[]), stage_spec("b", &["a"]), stage_spec("c", &["a"]), stage_spec("d", &["b", "c"])],
    ));
    Arc::new(all)
}

pub fn new_project(workflow: &str, priority: i64) -> NewProject {
    let now = Timestamp::now();
    let project_id = ProjectId::generate();
    let flows = workflows();
    let stages = flows
        .get(workflow)
        .map(|w| {
            w.stages().iter().zip(1..).map(|(spec, n)| Stage::pending(project_id.clone(), spec, n)).collect::<Vec<_>>()
        })
        .unwrap_or_else(|| vec![Stage::pending(project_id.clone(), &stage_spec("only", &[]), 1)]);
    let project = Project {
        assessment: Assessment::default(),
        project_id,
        project_name: "Price agent".into(),
        status: ProjectStatus::Queued,
        requirement: "Build an agent that answers questions about prices".into(),
        user_id: "anna".into(),
        user_name: Some("Anna".into()),
        priority: Priority::clamped(priority),
        tags: vec!["shop".into(), "ä/\"b".into()],
        progress: 0.0,
        current_stage: None,
        error_info: None,
        created_at: now,
        updated_at: now,
        started_at: None,
        completed_at: None,
        metrics: None,
        control_status: ControlStatus::Running,
        pause_requested_at: None,
        stop_requested_at: None,
        resume_from_stage: None,
        last_control_action: None,
        control_action_by: None,
        aggregated_metrics: AggregatedMetrics::default(),
        workflow: workflow.into(),
        deployment: Some(json!({"target": "local"})),
        task_id: Some(TaskId::generate()),
    };
    NewProject { project, stages, idempotency: None }
}

pub fn worker(name: &str) -> WorkerId {
    name.parse().unwrap()
}

pub fn in_one_minute() -> Timestamp {
    Timestamp::now().plus(Duration::from_secs(60))
}

/// A claim for a minute.
pub fn claim_of(project: &ProjectId, task: Option<TaskId>, by: &str) -> ClaimBuild {
    ClaimBuild {
        task_id: task,
        project_id: project.clone(),
        worker_id: worker(by),
        lease_until: in_one_minute(),
        parallel: 2,
        asked: Continuation::default(),
    }
}

pub fn page(page: u64, limit: u64) -> PageRequest {
    PageRequest { page, limit, cursor: None }
}

pub fn done(stage: &str, attempt: u32) -> StageEnd {
    StageEnd {
        stage_name: stage.into(),
        attempt,
        outcome: StageOutcome::Completed(Box::new(StageProduct {
            output: json!({"made_by": stage}),
            doc_path: Some(format!("docs/{stage}.md")),
            content: Some(format!("# {stage}")),
            files: Vec::new(),
        })),
        ended_at: Timestamp::now(),
        figures: StageFigures {
            input_tokens: 100,
            output_tokens: 10,
            tool_calls: 2,
            duration_seconds: 1.5,
            cost_usd: 0.25,
        },
        model_id: Some("model".into()),
        logs: vec!["line".into()],
    }
}

pub fn failed(stage: &str, attempt: u32) -> StageEnd {
    let failure = Failure::new(FailureKind::Permanent, "it cannot be done");
    StageEnd { outcome: StageOutcome::Failed(failure), ..done(stage, attempt) }
}

impl Fixture {
    pub async fn end(&self) {
        self.store.close().await.unwrap();
    }

    pub async fn create(&self) -> NewProject {
        self.create_with("agent_build", 3).await
    }

    pub async fn create_with(&self, workflow: &str, priority: i64) -> NewProject {
        let new = new_project(workflow, priority);
        self.store.create_project(new.clone()).await.unwrap();
        new
    }

    pub async fn receive_one(&self, queue: QueueName) -> Option<Delivery> {
        self.queue.receive(queue, 1, Duration::ZERO).await.unwrap().pop()
    }

    pub fn claim_of(&self, delivery: &Delivery, by: &str) -> ClaimBuild {
        let message = BuildMessage::parse(&delivery.body).unwrap();
        claim_of(&message.project_id, message.task_id, by)
    }

    pub async fn claim(&self, delivery: &Delivery, by: &str) -> Claim {
        self.store.claim_build(self.claim_of(delivery, by), workflows()).await.unwrap()
    }

    /// Creates, receives and claims.
    pub async fn start(&self, workflow: &str) -> (Delivery, ClaimedBuild) {
        self.create_with(workflow, 3).await;
        self.take("w1").await
    }

    /// Receives and claims.
    pub async fn take(&self, by: &str) -> (Delivery, ClaimedBuild) {
        loop {
            let delivery = self.receive_one(QueueName::Build).await.expect("a message");
            match self.claim(&delivery, by).await {
                Claim::Claimed(build) => return (delivery, *build),
                // Of a task that was withdrawn: the commit did not take it along.
                Claim::Obsolete(_) if !self.one_unit => self.queue.delete(&delivery.receipt).await.unwrap(),
                other => panic!("not claimed: {other:?}"),
            }
        }
    }

    /// Ends `end` at its stored attempt and begins `begin`.
    pub async fn step(&self, lease: &Lease, end: &[&str], begin: &[&str]) -> Result<BuildProgress> {
        let stages = self.store.stages(&lease.project_id).await?;
        let attempt = |name: &str| stages.iter().find(|s| s.stage_name == name).map_or(0, |s| s.attempt);
        let step = BuildStep {
            ended: end.iter().map(|name| done(name, attempt(name))).collect(),
            begin: begin.iter().map(|s| (*s).to_owned()).collect(),
            progress: 50.0,
            ..BuildStep::default()
        };
        self.store.advance_build(lease, step).await
    }

    /// Completes the build from stage number `from` (0-based, running) on.
    pub async fn run_from(&self, delivery: &Delivery, lease: &Lease, from: usize) -> BuildProgress {
        for i in from..8 {
            self.step(lease, &[STAGES[i]], &[STAGES[i + 1]]).await.unwrap();
        }
        let stages = self.store.stages(&lease.project_id).await.unwrap();
        let step = BuildStep {
            ended: vec![done(STAGES[8], stages[8].attempt)],
            progress: 100.0,
            end: Some(BuildEnd::Completed { agent: Some(Box::new(new_agent(&lease.project_id))), deploy: false }),
            receipt: Some(delivery.receipt.clone()),
            ..BuildStep::default()
        };
        let progress = self.store.advance_build(lease, step).await.unwrap();
        self.settle(delivery, progress.message_deleted).await;
        progress
    }

    /// The owner of a lease dies, and the lease ends.
    pub async fn lapse(&self, lease: &Lease) {
        self.store.extend_leases(std::slice::from_ref(lease), Timestamp::now()).await.unwrap();
        self.store.requeue_task(&lease.task_id).await.unwrap();
    }

    /// Deletes a message that did not go with the commit.
    pub async fn settle(&self, delivery: &Delivery, deleted: bool) {
        assert_eq!(deleted, self.one_unit, "a message goes with the commit where it can");
        if !deleted {
            self.queue.delete(&delivery.receipt).await.unwrap();
        }
    }

    /// Whether nothing is left to do: no message, or only one that is of no use.
    pub async fn nothing_to_do(&self, queue: QueueName) -> bool {
        let Some(delivery) = self.receive_one(queue).await else { return true };
        if self.one_unit {
            return false;
        }
        let obsolete = matches!(self.claim(&delivery, "w9").await, Claim::Obsolete(_));
        self.queue.delete(&delivery.receipt).await.unwrap();
        obsolete
    }

    /// Builds a project to its end: it and its agent.
    pub async fn completed(&self) -> (ProjectId, AgentId) {
        let (delivery, build) = self.start("agent_build").await;
        self.run_from(&delivery, &build.lease, 0).await;
        let project = build.lease.project_id;
        (project.clone(), AgentId::of_project(&project))
    }

    /// A project whose build failed.
    pub async fn failed(&self) -> ProjectId {
        let (delivery, build) = self.start("agent_build").await;
        let reason =
            ErrorInfo { stage: None, kind: FailureKind::Permanent, message: "no".into(), details: None, attempt: 1 };
        let step = BuildStep {
            end: Some(BuildEnd::Failed(reason)),
            receipt: Some(delivery.receipt.clone()),
            ..BuildStep::default()
        };
        let progress = self.store.advance_build(&build.lease, step).await.unwrap();
        self.settle(&delivery, progress.message_deleted).await;
        build.lease.project_id
    }

    pub async fn control(&self, id: &ProjectId, action: ControlAction) -> Result<ControlApplied> {
        self.control_from(id, action, None).await
    }

    pub async fn control_from(
        &self,
        id: &ProjectId,
        action: ControlAction,
        from: Option<&str>,
    ) -> Result<ControlApplied> {
        let request = ControlRequest {
            action,
            reason: Some("because".into()),
            from_stage: from.map(str::to_owned),
            requested_by: Some("anna".into()),
        };
        self.store.control(id, request, workflows()).await
    }

    pub async fn status(&self, id: &ProjectId) -> (ProjectStatus, ControlStatus) {
        let project = self.store.project(id).await.unwrap().expect("the project");
        (project.status, project.control_status)
    }
}

pub fn new_agent(project: &ProjectId) -> nexus_daemon::domain::agent::NewAgent {
    nexus_daemon::domain::agent::NewAgent {
        agent_id: AgentId::of_project(project),
        agent_name: "price_agent".into(),
        display_name: "Prices of fruit".into(),
        description: "Answers questions about prices.".into(),
        category: "shop".into(),
        version: "1.0.0".into(),
        deployment_type: "local".into(),
        capabilities: vec!["prices".into()],
        assessment: Assessment::default(),
        tools: vec!["lookup".into()],
        prompt_path: Some("prompts/p.yaml".into()),
        code_path: Some("agent.py".into()),
        agent_dir: "agents/price".into(),
        deployment_config: None,
        generated_tools: Vec::new(),
        files: [("agent.py".to_owned(), "0f".repeat(32))].into(),
    }
}
