//! Records ↔ items: attribute names are those of SPEC section 1, and what is null or an empty key is left out.
//!
//! Reading is lax, because the original's services write these tables too: attributes may be missing or null, numbers
//! may come as text or decimals, times with or without a zone. What has no sense without its key is an error, and
//! only that.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde_json::{Map, Value};

mod deployment;
mod file_hashes;
mod reader;

pub(crate) use reader::{Reader, Word};

use super::{
    invocation_counters::Timed,
    lenient,
    value::{self, Item},
};
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        store::{Result, naming},
    },
    domain::{
        agent::{Agent, AgentStatus, Invocation, InvocationStatus},
        control::ControlStatus,
        foreign,
        ids::{AgentId, TaskId, WorkerId},
        project::{Project, ProjectStatus, ProjectSummary},
        session::{Message, Role, Session, SessionStatus},
        stage::{Stage, StageStatus},
        task::{Task, TaskType},
        time::Timestamp,
        tool::{Tool, ToolSource},
    },
};

/// A record of a table.
pub(crate) trait Record: Sized {
    /// As it is stored.
    fn to_item(&self) -> Result<Item>;
    /// As it was stored.
    fn from_item(item: &Item) -> Result<Self>;
}

/// The fields of a record, without those that are null.
pub(crate) fn fields(record: &impl Serialize) -> Result<Item> {
    let Value::Object(map) = serde_json::to_value(record)? else {
        return Err(BackendError::new(BackendErrorKind::Corrupt, "a record is no object"));
    };
    Ok(map
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.clone(), value::attribute(value)))
        .collect())
}

/// A project with what the daemon keeps beside it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredProject {
    pub(crate) project: Project,
    /// Grows with every change: who writes says which one it has read.
    pub(crate) revision: u64,
    /// Number of its last event.
    pub(crate) event_seq: u64,
    pub(crate) lease_worker: Option<WorkerId>,
    pub(crate) lease_epoch: u32,
    /// The step that was written last, so that one that is sent again is known.
    pub(crate) last_step: Option<String>,
    /// The words of the item, where they are not those of `project`: the original's may be others, or missing.
    pub(crate) stated: Option<Stated>,
    /// `revision` as it stands there, where it is not as the daemon writes it.
    pub(crate) stated_revision: Option<Word>,
    /// End of the build that the figures by day have counted last.
    pub(crate) counted: Option<Timestamp>,
    /// Members of `aggregated_metrics` that only others know.
    pub(crate) other_sums: Map<String, Value>,
}

impl StoredProject {
    /// The revision that a write names as the one it has read.
    pub(crate) fn read_revision(&self) -> Word {
        let written = || (self.revision > 0).then(|| value::whole(self.revision));
        self.stated_revision.clone().unwrap_or_else(written)
    }
}

/// Words as an item has them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stated {
    pub(crate) status: Option<AttributeValue>,
    pub(crate) control: Option<AttributeValue>,
}

impl Stated {
    /// As the daemon writes them.
    pub(crate) fn of(project: &Project) -> Self {
        let (status, control) = (project.status.as_str(), project.control_status.as_str());
        Self { status: Some(value::text(status)), control: Some(value::text(control)) }
    }
}

impl Record for StoredProject {
    fn to_item(&self) -> Result<Item> {
        let mut item = fields(&self.project)?;
        item.insert("revision".into(), value::whole(self.revision));
        item.insert("event_seq".into(), value::whole(self.event_seq));
        item.insert("lease_epoch".into(), value::whole(self.lease_epoch));
        value::without_empty(&mut item, "not_served");
        if let Some(at) = self.counted {
            item.insert("counted_build".into(), value::text(at.to_string()));
        }
        if let (false, Some(AttributeValue::M(sums))) = (self.other_sums.is_empty(), item.get_mut("aggregated_metrics"))
        {
            let others = self.other_sums.iter().filter(|(name, _)| !sums.contains_key(*name));
            let others: Vec<_> = others.map(|(name, other)| (name.clone(), value::attribute(other))).collect();
            sums.extend(others);
        }
        if let Some(worker) = &self.lease_worker {
            item.insert("lease_worker".into(), value::text(worker.as_str()));
        }
        if let Some(step) = &self.last_step {
            item.insert("last_step".into(), value::text(step));
        }
        Ok(item)
    }

    fn from_item(item: &Item) -> Result<Self> {
        let read = Reader(item);
        let (sums, other_sums) = read.document("aggregated_metrics").map(lenient::sums).unzip();
        let project = Project {
            project_id: read.key("project_id")?,
            project_name: read.text("project_name").unwrap_or_default(),
            status: read.word("status").unwrap_or(ProjectStatus::Pending),
            requirement: read.text("requirement").unwrap_or_default(),
            user_id: read.some_text("user_id").unwrap_or_else(|| "anonymous".to_owned()),
            user_name: read.text("user_name"),
            priority: read.priority(),
            tags: read.texts("tags"),
            progress: read.float("progress").unwrap_or(0.0),
            current_stage: read.some_text("current_stage"),
            error_info: read.document("error_info").and_then(|info| lenient::error_info(&info)),
            created_at: read.created(),
            updated_at: read.time("updated_at").unwrap_or_else(|| read.created()),
            started_at: read.time("started_at"),
            completed_at: read.time("completed_at"),
            assessment: read.assessment(),
            metrics: read.document("metrics"),
            control_status: read.word("control_status").unwrap_or(ControlStatus::Running),
            pause_requested_at: read.time("pause_requested_at"),
            stop_requested_at: read.time("stop_requested_at"),
            resume_from_stage: read.some_text("resume_from_stage"),
            last_control_action: read.some_text("last_control_action"),
            control_action_by: read.some_text("control_action_by"),
            aggregated_metrics: sums.unwrap_or_default(),
            workflow: read.some_text("workflow").unwrap_or_else(|| "agent_build".to_owned()),
            deployment: read.document("deployment"),
            task_id: read.word("task_id"),
        };
        let stated = Stated { status: item.get("status").cloned(), control: item.get("control_status").cloned() };
        let (known, revision) = (Stated::of(&project), read.count("revision").unwrap_or(0));
        Ok(Self {
            project,
            stated_revision: read.stated("revision", (revision > 0).then(|| value::whole(revision))),
            counted: read.time("counted_build"),
            other_sums: other_sums.unwrap_or_default(),
            revision,
            event_seq: read.count("event_seq").unwrap_or(0),
            lease_worker: read.word("lease_worker"),
            lease_epoch: read.whole("lease_epoch"),
            last_step: read.some_text("last_step"),
            stated: (stated != known).then_some(stated),
        })
    }
}

/// What lists show of a project.
pub(crate) fn summary(item: &Item) -> Result<ProjectSummary> {
    Ok(StoredProject::from_item(item)?.project.into())
}

impl Record for Stage {
    fn to_item(&self) -> Result<Item> {
        fields(self)
    }

    fn from_item(item: &Item) -> Result<Self> {
        let read = Reader(item);
        let stage_name: String = read.some_text("stage_name").unwrap_or_default();
        let metrics = read.document("metrics");
        // The original keeps the figures of a stage there only.
        let figure =
            |name: &str, names: &[&str]| read.count(name).or_else(|| lenient::count_in(metrics.as_ref(), names));
        let (input_tokens, output_tokens) =
            (figure("input_tokens", &["input_tokens"]), figure("output_tokens", &["output_tokens"]));
        let tool_calls = figure("tool_calls", &["tool_calls_count", "tool_calls"]);
        let seconds = ["execution_time_seconds", "execution_time", "duration_seconds"];
        let duration = read.float("duration_seconds").or_else(|| lenient::number_in(metrics.as_ref(), &seconds));
        let display_name = read.some_text("display_name").unwrap_or_else(|| stage_name.clone());
        Ok(Self {
            project_id: read.key("project_id")?,
            stage_number: read.whole("stage_number"),
            display_name_en: read.some_text("display_name_en").unwrap_or_else(|| stage_name.clone()),
            display_name,
            stage_name,
            status: read.word("status").unwrap_or(StageStatus::Pending),
            agent_name: read.some_text("agent_name"),
            started_at: read.time("started_at"),
            completed_at: read.time("completed_at"),
            duration_seconds: duration.map(|seconds| seconds.max(0.0)),
            input_tokens,
            output_tokens,
            tool_calls,
            output_data: read.document("output_data"),
            error_message: read.text("error_message"),
            logs: read.texts("logs"),
            doc_path: read.some_text("doc_path"),
            agent_output_content: read.text("agent_output_content"),
            agent_output_s3_ref: read.some_text("agent_output_s3_ref"),
            generated_files: read.document("generated_files").map(lenient::files).unwrap_or_default(),
            design_document: read.document("design_document"),
            metrics,
            attempt: read.whole("attempt"),
        })
    }
}

/// A task with its lease.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredTask {
    pub(crate) task: Task,
    /// Of a deployment: whom.
    pub(crate) agent_id: Option<AgentId>,
    /// Number of the last claim.
    pub(crate) epoch: u32,
    pub(crate) lease_until: Option<Timestamp>,
    /// Claims since a stage ended last: a build that ends its daemon must not do so for ever.
    pub(crate) fruitless: u32,
    /// Whose claims these were. A worker that claims again is alive: a slow store took its lease, and its build did not
    /// end it, so it counts once.
    pub(crate) tried_by: Vec<WorkerId>,
    /// How often its dead letter was overruled since then.
    pub(crate) spared: u32,
    /// `status` as it stands in the item, where it is not that of `task`.
    pub(crate) stated: Option<Word>,
    /// Whether a daemon of ours wrote or claimed it.
    pub(crate) ours: bool,
}

impl StoredTask {
    /// A task of ours that nobody holds.
    pub(crate) fn of(task: Task, agent_id: Option<AgentId>, epoch: u32) -> Self {
        Self {
            task,
            agent_id,
            epoch,
            lease_until: None,
            fruitless: 0,
            tried_by: Vec::new(),
            spared: 0,
            stated: None,
            ours: true,
        }
    }
}

impl Record for StoredTask {
    fn to_item(&self) -> Result<Item> {
        let mut item = fields(&self.task)?;
        item.insert("lease_epoch".into(), value::whole(self.epoch));
        item.insert("fruitless_claims".into(), value::whole(self.fruitless));
        item.insert("spared".into(), value::whole(self.spared));
        if !self.tried_by.is_empty() {
            let workers: Vec<&str> = self.tried_by.iter().map(WorkerId::as_str).collect();
            item.insert("tried_by".into(), value::text(workers.join(" ")));
        }
        if let Some(until) = self.lease_until {
            item.insert("lease_expires_at".into(), value::text(until.to_string()));
        }
        if let Some(agent) = &self.agent_id {
            item.insert("agent_id".into(), value::text(agent.as_str()));
        }
        Ok(item)
    }

    fn from_item(item: &Item) -> Result<Self> {
        let read = Reader(item);
        let task_id: TaskId = read.key("task_id")?;
        let lease_until = read.time("lease_expires_at");
        let (ended, failed) = (read.time("completed_at").is_some(), read.some_text("error_message").is_some());
        let status = foreign::stated_task(read.word("status"), lease_until.is_some(), ended, failed);
        let payload = read.document("payload");
        let task = Task {
            task_id,
            task_type: read.word("task_type").unwrap_or(TaskType::BuildAgent),
            project_id: read.id("project_id")?,
            status,
            priority: read.priority(),
            payload: payload.clone().unwrap_or(Value::Null),
            result: read.document("result"),
            error_message: read.some_text("error_message"),
            retry_count: read.whole("retry_count"),
            created_at: read.created(),
            started_at: read.time("started_at"),
            completed_at: read.time("completed_at"),
            worker_id: read.word("worker_id"),
            updated_at: read.time("updated_at").unwrap_or_else(|| read.created()),
        };
        Ok(Self {
            task,
            // The original's tasks name it in their payload only.
            agent_id: read.word("agent_id").or_else(|| lenient::text_in(payload.as_ref(), "agent_id")?.parse().ok()),
            epoch: read.whole("lease_epoch"),
            lease_until,
            fruitless: read.whole("fruitless_claims"),
            tried_by: read
                .some_text("tried_by")
                .map_or_else(Vec::new, |text| text.split(' ').filter_map(|word| word.parse().ok()).collect()),
            spared: read.whole("spared"),
            stated: read.stated("status", Some(value::text(status.as_str()))),
            ours: item.contains_key("lease_epoch"),
        })
    }
}

impl Record for Agent {
    fn to_item(&self) -> Result<Item> {
        let mut item = fields(self)?;
        for (name, document) in
            [("deployment_config", &self.deployment_config), ("deployment_details", &self.deployment_details)]
        {
            if let Some(document) = document {
                item.insert(name.into(), value::attribute(document));
            }
        }
        deployment::write(&self.deployment, &mut item);
        file_hashes::write(&self.files, &mut item)?;
        value::without_empty(&mut item, "not_served");
        // What was never deployed has none, as the original's have.
        if self.generation == 0 {
            item.remove("generation");
        }
        // A key of an index is never empty.
        if self.category.is_empty() {
            item.remove("category");
        }
        Ok(item)
    }

    fn from_item(item: &Item) -> Result<Self> {
        let read = Reader(item);
        let id: AgentId = read.key("agent_id")?;
        let name = read.text("agent_name").unwrap_or_default();
        Ok(Self {
            project_id: read.word("project_id"),
            display_name: read.some_text("display_name").unwrap_or_else(|| naming::unnamed(&name, &id)),
            agent_id: id,
            agent_name: name,
            description: read.text("description").unwrap_or_default(),
            category: read.text("category").unwrap_or_default(),
            version: read.some_text("version").unwrap_or_else(|| "1.0.0".to_owned()),
            status: read.word("status").unwrap_or(AgentStatus::Offline),
            deployment: deployment::read(&read),
            capabilities: read.texts("capabilities"),
            assessment: read.assessment(),
            tools: read.texts("tools"),
            prompt_path: read.some_text("prompt_path"),
            code_path: read.some_text("code_path"),
            created_at: read.created(),
            updated_at: read.time("updated_at").unwrap_or_else(|| read.created()),
            deployed_at: read.time("deployed_at"),
            generation: read.count("generation").unwrap_or(0),
            total_invocations: read.count("total_invocations").unwrap_or(0),
            successful_invocations: read.count("successful_invocations").unwrap_or(0),
            failed_invocations: read.count("failed_invocations").unwrap_or(0),
            avg_duration_ms: Timed::of(&read).mean(),
            last_invoked_at: read.time("last_invoked_at"),
            error_message: read.some_text("error_message"),
            agent_dir: read.text("agent_dir").unwrap_or_default(),
            deployment_config: read.document("deployment_config"),
            deployment_details: read.document("deployment_details"),
            files: file_hashes::read(&read),
        })
    }
}

impl Record for Invocation {
    fn to_item(&self) -> Result<Item> {
        fields(self)
    }

    fn from_item(item: &Item) -> Result<Self> {
        let read = Reader(item);
        Ok(Self {
            invocation_id: read.key("invocation_id")?,
            agent_id: read.id("agent_id")?,
            session_id: read.word("session_id"),
            user_id: read.text("user_id").unwrap_or_default(),
            input_text: read.text("input_text").unwrap_or_default(),
            output_text: read.text("output_text"),
            status: read.word("status").unwrap_or(InvocationStatus::Failed),
            duration_ms: read.count("duration_ms").unwrap_or(0),
            input_tokens: read.count("input_tokens").unwrap_or(0),
            output_tokens: read.count("output_tokens").unwrap_or(0),
            error_message: read.some_text("error_message"),
            created_at: read.created(),
            metadata: read.document("metadata"),
            tool_names: Vec::new(),
        })
    }
}

impl Record for Session {
    fn to_item(&self) -> Result<Item> {
        let mut item = fields(self)?;
        for key in ["user_id", "display_name"] {
            if self::Reader(&item).some_text(key).is_none() {
                item.remove(key);
            }
        }
        Ok(item)
    }

    fn from_item(item: &Item) -> Result<Self> {
        let read = Reader(item);
        Ok(Self {
            session_id: read.key("session_id")?,
            agent_id: read.id("agent_id")?,
            user_id: read.some_text("user_id"),
            display_name: read.some_text("display_name"),
            status: read.word("status").unwrap_or(SessionStatus::Active),
            message_count: read.count("message_count").unwrap_or(0),
            created_at: read.created(),
            last_active_at: read.time("last_active_at").unwrap_or_else(|| read.created()),
            metadata: read.document("metadata"),
        })
    }
}

impl Record for Message {
    fn to_item(&self) -> Result<Item> {
        fields(self)
    }

    fn from_item(item: &Item) -> Result<Self> {
        let read = Reader(item);
        Ok(Self {
            session_id: read.key("session_id")?,
            message_id: read.key("message_id")?,
            role: read.word("role").unwrap_or(Role::System),
            content: read.text("content").unwrap_or_default(),
            created_at: read.created(),
            metadata: read.document("metadata"),
        })
    }
}

impl Record for Tool {
    fn to_item(&self) -> Result<Item> {
        let mut item = fields(self)?;
        if self.category.is_empty() {
            item.remove("category");
        }
        Ok(item)
    }

    fn from_item(item: &Item) -> Result<Self> {
        let read = Reader(item);
        let tool_name = read.some_text("tool_name").unwrap_or_default();
        Ok(Self {
            tool_id: read.key("tool_id")?,
            display_name: read.some_text("display_name").unwrap_or_else(|| tool_name.clone()),
            tool_name,
            description: read.text("description").unwrap_or_default(),
            category: read.text("category").unwrap_or_default(),
            source: read.word("source").unwrap_or(ToolSource::Imported),
            version: read.text("version").unwrap_or_default(),
            code_path: read.some_text("code_path"),
            schema: read.document("schema"),
            dependencies: read.texts("dependencies"),
            usage_count: read.count("usage_count").unwrap_or(0),
            created_at: read.created(),
            updated_at: read.time("updated_at").unwrap_or_else(|| read.created()),
            agent_id: read.word("agent_id"),
            project_id: read.word("project_id"),
        })
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
