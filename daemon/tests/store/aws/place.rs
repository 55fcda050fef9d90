//! Tables into which rows are put as the original's services write them, and short ways to ask what became of them.

use std::{sync::Arc, time::Duration};

use nexus_daemon::backend::store::Repair;
use nexus_daemon::{
    backend::{
        aws::{dynamodb::DynamoStore, sqs::SqsQueue},
        queue::Queue as _,
        store::{Claim, ClaimBuild, ClaimedBuild, Continuation, prelude::*},
    },
    domain::{project::ProjectStatus, queue::QueueName, task::TaskStatus, time::Timestamp},
};
use serde_json::{Value, json};

use super::{account, dynamodb, sqs};
use crate::contract::world::{Recorder, STAGES, claim_of, new_project, workflows};
use crate::support::{account::ago, emulator::Account};

/// An account with a store and queues.
pub struct Place {
    pub account: Account,
    pub store: Arc<DynamoStore>,
    pub queue: Arc<SqsQueue>,
}

pub fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

impl Place {
    pub async fn new() -> Self {
        let account = account().await;
        let queue = sqs(&account);
        let store = dynamodb(&account, queue.clone(), Arc::new(Recorder::default()));
        Self { account, store, queue }
    }

    pub async fn put(&self, table: &str, row: Value) {
        self.account.put(table, &row).await;
    }

    /// Rows of a table.
    pub async fn count(&self, table: &str) -> i32 {
        self.account.dynamodb.scan().table_name(table).consistent_read(true).send().await.unwrap().count()
    }

    /// As the original's `update_project` and its siblings write: no condition.
    pub async fn set(&self, table: &str, key: (&str, &str), fields: Value) {
        self.account.set(table, &[key], &fields).await;
    }

    pub async fn project(&self, project: &str, status: &str, more: Value) {
        let mut row = json!({
            "project_id": project, "project_name": "of old", "status": status, "requirement": "r", "user_id": "anonymous",
            "user_name": null, "priority": 3, "tags": [], "progress": 0, "current_stage": null, "error_info": null,
            "created_at": ago(7200), "updated_at": ago(3600), "started_at": null, "completed_at": null, "metrics": {},
        });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put("nexus_projects", row).await;
    }

    pub async fn task(&self, task: &str, project: &str, status: &str, age: u64, more: Value) {
        let mut row = json!({
            "task_id": task, "task_type": "build_agent", "project_id": project, "status": status, "priority": 3,
            "payload": {"requirement": "r", "user_id": null, "project_name": "of old", "tags": []}, "result": null,
            "error_message": null, "retry_count": 0, "created_at": ago(age), "started_at": null, "completed_at": null,
            "worker_id": null,
        });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put("nexus_tasks", row).await;
    }

    pub async fn stages(&self, project: &str, completed: usize, output: Value) {
        for (at, name) in STAGES.iter().enumerate() {
            let status = if at < completed { "completed" } else { "pending" };
            let output = if at < completed { output.clone() } else { Value::Null };
            let row = json!({"project_id": project, "stage_name": name, "stage_number": at + 1, "display_name": name,
                "status": status, "output_data": output, "logs": [], "input_tokens": null});
            self.put("nexus_stages", row).await;
        }
    }

    pub fn message(&self, project: &str, task: Option<&str>, asked: Continuation) -> ClaimBuild {
        ClaimBuild { parallel: 1, asked, ..claim_of(&id(project), task.map(id), "w1") }
    }

    pub async fn claim(&self, project: &str, task: Option<&str>) -> Claim {
        self.store.claim_build(self.message(project, task, Continuation::Execute), workflows()).await.unwrap()
    }

    pub async fn claimed(&self, project: &str, task: Option<&str>) -> ClaimedBuild {
        match self.claim(project, task).await {
            Claim::Claimed(build) => *build,
            other => panic!("{other:?}"),
        }
    }

    pub async fn status(&self, project: &str) -> ProjectStatus {
        self.store.project(&id(project)).await.unwrap().unwrap().status
    }

    pub async fn task_status(&self, task: &str) -> TaskStatus {
        self.store.task(&id(task)).await.unwrap().unwrap().status
    }

    /// A project of ours whose first stage runs.
    pub async fn started(&self) -> ClaimedBuild {
        let new = new_project("agent_build", 3);
        self.store.create_project(new.clone()).await.unwrap();
        let task = new.project.task_id.unwrap();
        self.claimed(new.project.project_id.as_str(), Some(task.as_str())).await
    }

    pub fn later() -> Timestamp {
        Timestamp::now().plus(Duration::from_secs(120))
    }

    /// What the reconciler of a worker does.
    pub async fn reconcile(&self) -> usize {
        let tasks = self.store.stranded_tasks(Timestamp::now(), 256).await.unwrap();
        for task in &tasks {
            self.store.requeue_task(&task.task_id).await.unwrap();
        }
        self.store.repair(Timestamp::now(), Repair::ProjectsAndFigures).await.unwrap();
        tasks.len()
    }

    pub async fn bodies(&self) -> Vec<String> {
        let found = self.queue.receive(QueueName::Build, 50, Duration::ZERO).await.unwrap();
        found.into_iter().map(|delivery| delivery.body).collect()
    }
}
