//! What is known of a thing that was deleted. A record of it is written in the unit that deletes the thing, and files and
//! objects go by such a record only: what nobody recorded as deleted is never removed, however unknown it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    agent::Agent,
    ids::{AgentId, ProjectId},
    time::Timestamp,
};

/// How long a record is kept. A daemon that was away for longer reports the folders of what was deleted meanwhile and
/// leaves them.
pub const KEPT_FOR: Duration = Duration::from_secs(90 * 86_400);

super::words! {
    DeletedKind {
        Project = "project",
        Agent = "agent",
        Session = "session",
    }
}

/// What becomes of a project's agents when it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectAgents {
    /// They stay, without a project.
    Keep,
    /// They go with it, and their conversations.
    Delete,
}

/// A record of a deletion.
#[derive(Clone, Debug, PartialEq)]
pub struct Deletion {
    pub kind: DeletedKind,
    pub id: String,
    pub name: String,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// What belonged to it.
    pub owned: Owned,
}

/// What belonged to a thing that was deleted, as far as it lies outside of the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Owned {
    /// Of a project: agents that stay, whose files lie in its folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<KeptAgent>,
    /// Of an agent: what takes it out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<GoneAgent>,
}

/// An agent that outlives its project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptAgent {
    pub agent_id: AgentId,
    /// Its folder, relative to the project's.
    pub agent_dir: String,
}

/// An agent that was deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoneAgent {
    /// Where it came from.
    pub project_id: Option<ProjectId>,
    /// Its folder, relative to the project's.
    pub agent_dir: String,
    /// Name of its deployment target.
    pub deployment_type: String,
    /// The deployment request; only until it is out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
    /// What the deploy handler wants back; only until it is out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// What was asked for beside the record.
    pub orders: DeleteOrders,
}

/// What goes with the record of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteOrders {
    pub undeploy: bool,
    /// Its files in its project's folder.
    pub files: bool,
}

impl Default for DeleteOrders {
    fn default() -> Self {
        Self { undeploy: true, files: false }
    }
}

impl Deletion {
    /// The record of a project whose agents stay as `kept` says.
    pub fn project(id: &ProjectId, name: &str, kept: Vec<KeptAgent>, deleted_at: Timestamp) -> Self {
        let owned = Owned { kept, agent: None };
        Self { kind: DeletedKind::Project, id: id.to_string(), name: name.to_owned(), deleted_at, owned }
    }

    /// The record of an agent.
    pub fn agent(agent: &Agent, orders: DeleteOrders, deleted_at: Timestamp) -> Self {
        let gone = GoneAgent {
            project_id: agent.project_id.clone(),
            agent_dir: agent.agent_dir.clone(),
            deployment_type: agent.deployment.target.clone(),
            config: agent.deployment_config.clone(),
            details: agent.deployment_details.clone().or_else(|| agent.deployment.as_details()),
            orders,
        };
        Self {
            kind: DeletedKind::Agent,
            id: agent.agent_id.to_string(),
            name: agent.agent_name.clone(),
            deleted_at,
            owned: Owned { kept: Vec::new(), agent: Some(gone) },
        }
    }

    /// The record of a conversation.
    pub fn session(id: &str, name: &str, deleted_at: Timestamp) -> Self {
        let (id, name) = (id.to_owned(), name.to_owned());
        Self { kind: DeletedKind::Session, id, name, deleted_at, owned: Owned::default() }
    }
}

impl Owned {
    /// What is left to be known once everything that belonged to it is dealt with: nothing that may be secret.
    pub fn settled(mut self) -> Self {
        if let Some(agent) = &mut self.agent {
            (agent.config, agent.details) = (None, None);
        }
        self
    }
}

/// A deletion is committed within this time after the moment that it is recorded with.
pub const COMMITS_WITHIN: Duration = Duration::from_secs(180);
