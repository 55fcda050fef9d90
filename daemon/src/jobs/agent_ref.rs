//! Where an agent's code lies, and what a deploy handler is told of it. Every reader asks here.

use std::path::{Component, PathBuf};

use nexus_plugin_api::payload::AgentRef;
use serde_json::{Map, Value};

use crate::{
    config::DataConfig,
    domain::{
        agent::Agent,
        deletion::GoneAgent,
        ids::{AgentId, ProjectId},
    },
};

/// Where an agent's folder goes when its project is deleted and it stays, below its state folder.
const KEPT: &str = "package";

/// Where the files of an agent lie that outlived its project.
#[must_use]
pub fn kept(data: &DataConfig, agent: &AgentId) -> PathBuf {
    state(data, agent).join(KEPT)
}

/// The daemon's own folder for an agent.
#[must_use]
pub fn state(data: &DataConfig, agent: &AgentId) -> PathBuf {
    data.agents().join(agent.as_str())
}

/// Where an agent's code lies: in its project's folder as long as it has a project, else where it was kept.
///
/// A daemon of before kept files whose project then stayed: they count only where the project's folder has none, never
/// over what a build made since.
#[must_use]
pub fn code(data: &DataConfig, agent: &Agent) -> PathBuf {
    let kept = kept(data, &agent.agent_id);
    match (&agent.project_id, plain(&agent.agent_dir)) {
        (Some(project), Some(dir)) => {
            let own = data.projects().join(project.as_str()).join(dir);
            if !own.exists() && kept.exists() { kept } else { own }
        }
        // The record's path leads to nothing of its own.
        (Some(project), None) => data.projects().join(project.as_str()).join(&agent.agent_dir),
        (None, _) => kept,
    }
}

/// A relative folder of plain names, and not the project's whole folder.
#[must_use]
pub fn plain(dir: &str) -> Option<PathBuf> {
    let path = PathBuf::from(dir);
    let names = path.components().all(|c| matches!(c, Component::Normal(_)));
    (names && !dir.is_empty()).then_some(path)
}

/// What a deploy handler is told of an agent.
#[must_use]
pub fn of(agent: &Agent, data: &DataConfig) -> AgentRef {
    AgentRef {
        agent_id: agent.agent_id.to_string(),
        agent_name: agent.agent_name.clone(),
        agent_dir: code(data, agent),
        project_id: agent.project_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        state_dir: state(data, &agent.agent_id),
        config: agent.deployment_config.clone().unwrap_or_default(),
        details: details(agent.deployment_details.as_ref()),
        generation: agent.generation,
    }
}

/// The same of an agent that was deleted, by what its record says.
#[must_use]
pub fn of_deleted(id: &AgentId, name: &str, gone: &GoneAgent, data: &DataConfig) -> AgentRef {
    let own = |project: &ProjectId| Some(data.projects().join(project.as_str()).join(plain(&gone.agent_dir)?));
    AgentRef {
        agent_id: id.to_string(),
        agent_name: name.to_owned(),
        agent_dir: gone.project_id.as_ref().and_then(own).unwrap_or_else(|| kept(data, id)),
        project_id: gone.project_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        state_dir: state(data, id),
        config: gone.config.clone().unwrap_or_default(),
        details: details(gone.details.as_ref()),
        // It is only taken down.
        generation: 0,
    }
}

/// The record keeps the whole of the last `DeployResult`.
fn details(result: Option<&Value>) -> Map<String, Value> {
    result.and_then(|result| result.get("details")?.as_object()).cloned().unwrap_or_default()
}
