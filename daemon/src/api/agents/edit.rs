//! `/agents/{id}`: what people change of an agent, and what is to be known for running it.

use schemars::JsonSchema;
use std::time::Duration;

use nexus_plugin_api::payload::AgentState as Reported;
use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;
use serde_json::Value;

use super::view::{self, AgentView, RuntimeView};
use crate::api::http::{
    error::ApiError,
    request::{
        extract::{Body, Id, Query, State},
        rules::{MaybeTexts, NeededWord, Text, Word, fields_of},
    },
    response::{Answer, Reply},
};
use crate::{
    agents::package::Package,
    domain::{
        agent::{AgentChange, AgentStatus},
        ids::AgentId,
    },
    jobs::public_message,
};

/// How long a deploy handler may take to say how an agent is.
const PATIENCE: Duration = Duration::from_secs(2);

crate::domain::words! {
    /// States that people may put an agent into.
    Service {
        /// Answers.
        Running = "running",
        /// Taken out of service.
        Offline = "offline",
    }
}

impl Service {
    const fn status(self) -> AgentStatus {
        match self {
            Self::Running => AgentStatus::Running,
            Self::Offline => AgentStatus::Offline,
        }
    }
}

fields_of! {
    /// What is to change of an agent; what is absent stays.
    pub(crate) AgentBody {
        agent_name: Text<0, 200>,
        description: Text<0, 5_000>,
        category: Text<0, 100>,
        version: Text<0, 50>,
        capabilities: MaybeTexts<100, 500>,
        tools: MaybeTexts<200, 200>,
        /// `offline` takes it out of service, `running` deploys it again.
        status: Word<Service>,
    }
}

/// `PUT /agents/{id}`
///
/// Change an agent. `status` acts: `offline` takes it out of service, `running` deploys it again (the answer then
/// says `deploying`; an agent whose project is gone starts with its next question). What its state or its deploy
/// target does not allow changes nothing.
#[endpoint(operation_id = "updateAgent", tags("agents"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn update(state: State, id: Id<AgentId>, body: Body<AgentBody>) -> Answer<AgentView> {
    let AgentBody { agent_name, description, category, version, capabilities, tools, status } = body.0;
    let change =
        AgentChange { agent_name, description, category, version, capabilities, tools, ..AgentChange::default() };
    let agent = state.agents.update(state.caller(), &id.0, change, status.map(Service::status)).await?;
    Ok(Reply::new(agent.into()).message("agent changed"))
}

fields_of! {
    /// A change of state in the original's form.
    pub(crate) StatusQuery {
        /// The state that it shall have.
        status: NeededWord<AgentStatus>,
        /// Why, for `error`.
        error_message: Text<0, 500>,
    }
}

/// `PUT /agents/{id}/status`
///
/// Change an agent's state. `offline` and `running` act as in `PUT /agents/{id}`; `error` notes a failure. Other states
/// come about by deployments only: 409.
#[endpoint(operation_id = "putAgentStatus", tags("agents"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn put_status(state: State, id: Id<AgentId>, query: Query<StatusQuery>) -> Answer<AgentView> {
    let (Id(id), Query(StatusQuery { status, error_message })) = (id, query);
    let status = status.ok_or_else(|| ApiError::internal("a status that passed the check is gone"))?;
    let agent = state.agents.get(state.caller(), &id).await?;
    let changed = state.agents.put_into(state.caller(), agent, status, error_message).await?;
    Ok(Reply::new(changed.into()).message("agent changed"))
}

/// What is to be known for running an agent.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AgentContext")]
struct Context {
    agent_id: AgentId,
    /// For people: no other agent is called so.
    display_name: String,
    /// Relative to the project's folder.
    system_prompt_path: Option<String>,
    /// Relative to the project's folder.
    code_path: Option<String>,
    /// Relative to the project's folder; none when it has no tools there.
    tools_path: Option<String>,
    description: String,
    /// Its category and what it can do.
    tags: Vec<String>,
    /// The model that its deployment or its manifest names.
    runtime_model_id: Option<String>,
    #[serde(flatten)]
    runtime: RuntimeView,
}

/// `GET /agents/{id}/context`
///
/// Read what is to be known for running an agent.
#[endpoint(operation_id = "getAgentContext", tags("agents"))]
pub(crate) async fn context(state: State, id: Id<AgentId>) -> Answer<Context> {
    let look = |package: &Package| (!package.tool_paths().is_empty(), package.manifest());
    let (agent, (has_tools, manifest)) = state.agents.look(state.caller(), &id.0, look).await?;
    let model = |value: &Option<Value>| {
        let value = value.as_ref()?;
        let found = value.get("model_id").or_else(|| value.pointer("/details/model_id"))?;
        found.as_str().map(str::to_owned)
    };
    Ok(Reply::new(Context {
        runtime_model_id: model(&agent.deployment_config)
            .or_else(|| model(&agent.deployment_details))
            .or(manifest.model_id),
        tools_path: has_tools.then(|| format!("{}/tools", agent.agent_dir.trim_end_matches('/'))),
        tags: std::iter::once(agent.category).chain(agent.capabilities).collect(),
        agent_id: agent.agent_id,
        display_name: agent.display_name,
        system_prompt_path: agent.prompt_path,
        code_path: agent.code_path,
        description: agent.description,
        runtime: RuntimeView::of(&agent.deployment),
    }))
}

/// Whether an agent can be asked now.
#[derive(Serialize, JsonSchema)]
struct RuntimeHealth {
    agent_id: AgentId,
    agent_name: String,
    status: AgentStatus,
    has_agentcore_arn: bool,
    /// Its entry file is there.
    has_entrypoint: bool,
    /// `agentcore`, `local_http`, or the name of another deployment target.
    runtime_type: String,
    agentcore_arn: Option<String>,
    /// Relative to the project's folder.
    entrypoint: Option<String>,
    /// Where it answers, as its deploy handler said when it deployed it.
    endpoint: Option<String>,
    /// What its deploy handler wrote while it deployed it, last.
    deploy_log: Vec<String>,
    /// It answers, or would start on first use.
    is_ready: bool,
    /// What its deploy handler says.
    message: Option<String>,
}

/// `GET /agents/{id}/runtime/health`
///
/// Ask an agent's deploy handler how the agent is.
#[endpoint(operation_id = "getAgentRuntimeHealth", tags("agents"))]
pub(crate) async fn runtime_health(state: State, id: Id<AgentId>) -> Answer<RuntimeHealth> {
    let look = |package: &Package| package.code_path().is_some_and(|path| package.read(&path).exists);
    let (agent, has_entrypoint) = state.agents.look(state.caller(), &id.0, look).await?;
    let told = tokio::time::timeout(PATIENCE, state.agents.reported(state.caller(), &agent)).await;
    let (answers, message) = match told {
        Ok(Ok(told)) => (matches!(told.state, Reported::Running | Reported::Idle), told.message),
        Ok(Err(failure)) => (false, public_message(&failure)),
        Err(_) => (false, "the deploy handler does not say in time".to_owned()),
    };
    let arn = view::arn(&agent.deployment);
    let runtime_type = match agent.deployment.target.as_str() {
        _ if arn.is_some() => "agentcore".to_owned(),
        "local" => "local_http".to_owned(),
        // What has no target cannot be asked; the original calls it so.
        "" => "local_http".to_owned(),
        target => target.to_owned(),
    };
    let said = agent.deployment_details.as_ref();
    let endpoint = said.and_then(|said| said.get("endpoint")).and_then(Value::as_str).map(str::to_owned);
    let lines = said.and_then(|said| said.get("log")).and_then(Value::as_array);
    let deploy_log = lines.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(Reply::new(RuntimeHealth {
        is_ready: agent.status == AgentStatus::Running && answers,
        message: Some(message).filter(|message| !message.is_empty()),
        has_agentcore_arn: arn.is_some(),
        has_entrypoint,
        runtime_type,
        endpoint,
        deploy_log,
        agentcore_arn: arn,
        entrypoint: agent.code_path,
        agent_id: agent.agent_id,
        agent_name: agent.agent_name,
        status: agent.status,
    }))
}
