//! What the dashboard of a build shows beside its figures: the workflow as a graph, what the build made, and what needs a
//! look.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{
    agent::{Agent, AgentStatus},
    project::{Project, ProjectStatus},
    stage::{Stage, StageStatus},
    task::{Task, TaskStatus, TaskType},
    time::Timestamp,
    workflow::Workflow,
};

/// Something about a build that a reader should see at once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BuildAlert")]
pub(crate) struct Alert {
    /// The same for the same thing, so that a reader can hide it.
    id: String,
    /// `error`, `warning` or `info`.
    level: &'static str,
    message: String,
    timestamp: Timestamp,
    /// The same as `timestamp`: the original's older console reads no other.
    created_at: Timestamp,
}

/// Something that a build made: an agent, or a tool of one.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BuildResource")]
pub(crate) struct Made {
    /// The agent's id; of a tool with its name behind it.
    id: String,
    /// For people.
    label: String,
    /// Where an agent runs (the deployment target), or whose tool it is.
    owner: String,
    /// The agent's.
    status: AgentStatus,
    /// `agent` or `tool`.
    r#type: &'static str,
}

/// A stage as a node of the workflow's graph.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WorkflowNode")]
pub(crate) struct GraphNode {
    /// The stage's name.
    id: String,
    /// English.
    label: String,
    /// `stage`, or `optional` for one that a build can do without.
    r#type: &'static str,
    status: StageStatus,
}

/// A stage that another waits for.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WorkflowEdge")]
pub(crate) struct GraphEdge {
    /// The stage that comes first.
    source: String,
    target: String,
    /// `requires`.
    kind: &'static str,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<GraphNode>,
    pub(crate) edges: Vec<GraphEdge>,
}

impl Graph {
    /// The stages as they are; what they wait for is known while their workflow is in force.
    pub(crate) fn of(workflow: Option<&Workflow>, stages: &[Stage]) -> Self {
        let spec = |name: &str| workflow?.stages().iter().find(|spec| spec.name == name);
        let node = |stage: &Stage| GraphNode {
            id: stage.stage_name.clone(),
            label: stage.display_name_en.clone(),
            r#type: if spec(&stage.stage_name).is_some_and(|spec| spec.optional) { "optional" } else { "stage" },
            status: stage.status,
        };
        let edge = |source: &String, target: &String| GraphEdge {
            source: source.clone(),
            target: target.clone(),
            kind: "requires",
        };
        let known = |name: &String| stages.iter().any(|stage| stage.stage_name == *name);
        let specs = stages.iter().filter_map(|stage| spec(&stage.stage_name));
        let edges = specs.flat_map(|spec| {
            spec.prerequisites.iter().filter(|name| known(name)).map(move |name| edge(name, &spec.name))
        });
        Self { edges: edges.collect(), nodes: stages.iter().map(node).collect() }
    }
}

/// What the build made: the agents, each followed by its tools.
pub(crate) fn made(agents: &[Agent]) -> Vec<Made> {
    let of = |agent: &Agent| {
        let (status, owner) = (agent.status, agent.display_name.clone());
        let tool =
            move |(id, name): (String, String)| Made { id, label: name, owner: owner.clone(), status, r#type: "tool" };
        let tools: Vec<_> =
            agent.tools.iter().map(|name| (format!("{}/{name}", agent.agent_id), name.clone())).collect();
        let itself = Made {
            id: agent.agent_id.to_string(),
            label: agent.display_name.clone(),
            owner: agent.deployment.target.clone(),
            status,
            r#type: "agent",
        };
        std::iter::once(itself).chain(tools.into_iter().map(tool))
    };
    agents.iter().flat_map(of).collect()
}

/// What needs a look, the worst first.
pub(crate) fn alerts(project: &Project, stages: &[Stage], task: Option<&Task>) -> Vec<Alert> {
    let mut alerts = Vec::new();
    if let (ProjectStatus::Failed, Some(error)) = (project.status, &project.error_info) {
        let place = error.stage.as_deref().map_or_else(String::new, |stage| format!(" in stage {stage}"));
        alerts.push(Alert {
            id: "build_failed".to_owned(),
            level: "error",
            message: format!("the build failed{place}: {}", error.message),
            timestamp: project.completed_at.unwrap_or(project.updated_at),
            created_at: project.completed_at.unwrap_or(project.updated_at),
        });
    }
    if let Some(task) = task.filter(|task| task.task_type == TaskType::DeployAgent && task.status == TaskStatus::Failed)
    {
        let why = task.error_message.as_deref().unwrap_or("its task says no reason");
        alerts.push(Alert {
            id: format!("deployment_failed:{}", task.task_id),
            level: "error",
            message: format!("the agent could not be deployed: {why}"),
            timestamp: task.completed_at.unwrap_or(task.updated_at),
            created_at: task.completed_at.unwrap_or(task.updated_at),
        });
    }
    for stage in stages.iter().filter(|stage| stage.status == StageStatus::Skipped) {
        let reason = stage.output_data.as_ref().and_then(|output| output.get("reason")?.as_str());
        // Without one it was no failure.
        let Some(reason) = reason else { continue };
        alerts.push(Alert {
            id: format!("stage_skipped:{}", stage.stage_name),
            level: "warning",
            message: format!("stage {} was skipped: {reason}", stage.stage_name),
            timestamp: stage.completed_at.unwrap_or(project.updated_at),
            created_at: stage.completed_at.unwrap_or(project.updated_at),
        });
    }
    if project.status == ProjectStatus::Paused {
        alerts.push(Alert {
            id: "paused".to_owned(),
            level: "info",
            message: "the build is paused: resume it to go on".to_owned(),
            timestamp: project.updated_at,
            created_at: project.updated_at,
        });
    }
    alerts
}
