//! Where an agent's code lies, and what a deploy handler is told of it. Every reader asks here.

use std::path::PathBuf;

use nexus_plugin_api::payload::AgentRef;
use serde_json::{Map, Value};

use crate::{
    config::DataConfig,
    domain::{
        agent::Agent,
        deletion::GoneAgent,
        ids::{AgentId, ProjectId},
        rel_path::{RelPath, RelPathError},
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
    let Some(project) = &agent.project_id else { return kept };
    let whole = data.projects().join(project.as_str());
    match agent.agent_dir.parse::<RelPath>() {
        Ok(folder) => {
            let own = folder.below(&whole);
            if !own.exists() && kept.exists() { kept } else { own }
        }
        // The original's records name none.
        Err(RelPathError::Empty) => whole,
        // Whatever the record says, no file outside of the project is its agent's.
        Err(_) => kept,
    }
}

/// An agent's folder within its project, of which it is a part: none for a record that names none, or the whole of it.
#[must_use]
pub fn folder_of(agent_dir: &str) -> Option<RelPath> {
    agent_dir.parse().ok()
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
        details: known(agent),
        generation: agent.generation,
        files: agent.files.clone(),
        models: None,
        cache_dir: data.cache(),
    }
}

/// The same of an agent that was deleted, by what its record says.
#[must_use]
pub fn of_deleted(id: &AgentId, name: &str, gone: &GoneAgent, data: &DataConfig) -> AgentRef {
    let own = |project: &ProjectId| Some(folder_of(&gone.agent_dir)?.below(&data.projects().join(project.as_str())));
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
        files: Default::default(),
        models: None,
        cache_dir: data.cache(),
    }
}

/// What is known of an agent's deployment: what its handler said of the last one; beside that, of an agent that was
/// deployed by others, what its record says in its vendor's words.
fn known(agent: &Agent) -> Map<String, Value> {
    let mut known = agent.deployment.options.clone();
    known.extend(details(agent.deployment_details.as_ref()));
    known
}

/// The record keeps the whole of the last `DeployResult`.
fn details(result: Option<&Value>) -> Map<String, Value> {
    result.and_then(|result| result.get("details")?.as_object()).cloned().unwrap_or_default()
}
