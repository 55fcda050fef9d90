//! The deploy handler `agentcore`: the daemon's operations in terms of runtimes.

use std::time::Duration;

use aws_credential_types::Credentials;
use nexus_plugin_api::{
    Context, DeployHandler,
    payload::{AgentRef, AgentState, AgentStatus, DeployResult, Failure, InvokeRequest, InvokeResult},
};
use tokio::{select, sync::OnceCell};

use crate::{
    Settings, ask,
    cloud::{Cloud, CloudError, State},
    runtime::{self, Known, Wanted},
};

/// How long an undeployment waits to see the runtime gone; AWS goes on by itself.
const GONE_PATIENCE: Duration = Duration::from_secs(12);

/// Runs agents on AgentCore.
pub struct AgentCoreDeployer {
    settings: Settings,
    /// Instead of those that the environment has.
    credentials: Option<Credentials>,
    /// Found with the first request.
    cloud: OnceCell<Cloud>,
}

impl AgentCoreDeployer {
    /// Sends nothing.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(settings: Settings) -> Result<Self, Failure> {
        settings.validate()?;
        Ok(Self { settings, credentials: None, cloud: OnceCell::new() })
    }

    /// With these credentials, whatever the environment says.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn with_credentials(settings: Settings, key: &str, secret: &str) -> Result<Self, Failure> {
        let credentials = Credentials::new(key, secret, None, None, "given");
        Ok(Self { credentials: Some(credentials), ..Self::new(settings)? })
    }

    async fn cloud(&self) -> Result<&Cloud, Failure> {
        let connect = || Cloud::connect(&self.settings, self.credentials.clone());
        self.cloud.get_or_try_init(connect).await.map_err(CloudError::into_failure)
    }

    async fn bring_up(&self, agent: &AgentRef, cx: &Context) -> Result<DeployResult, Failure> {
        let known = Known::of(agent)?;
        if known.is_adopted {
            return runtime::look_at_adopted(self.cloud().await?, known, agent).await;
        }
        let missing = self.settings.missing();
        if !missing.is_empty() {
            return Err(Failure::permanent(format!(
                "set {} in [plugins.deploy-agentcore] before agents are deployed to AgentCore",
                missing.join(" and ")
            )));
        }
        let cloud = self.cloud().await?;
        let wanted = Wanted::make(&self.settings, cloud, agent, cx).await?;
        runtime::bring_about(&self.settings, cloud, agent, &known, &wanted, cx).await
    }
}

impl DeployHandler for AgentCoreDeployer {
    async fn deploy(&self, agent: AgentRef, cx: Context) -> Result<DeployResult, Failure> {
        select! {
            biased;
            // What was begun goes on in AWS, and is found again by its name.
            () = cx.cancelled() => Err(Failure::cancelled()),
            result = self.bring_up(&agent, &cx) => result,
        }
    }

    async fn undeploy(&self, agent: AgentRef, cx: Context) -> Result<(), Failure> {
        let known = Known::of(&agent)?;
        if known.is_adopted {
            cx.info(format!("the runtime of agent {} was deployed by others and is left alone", agent.agent_name));
            return Ok(());
        }
        if known.is_unknown() && !self.settings.missing().is_empty() {
            // It was never deployed: nobody could have.
            return Ok(());
        }
        // Not cut off by a cancellation: half an undeployment helps nobody.
        runtime::take_down(self.cloud().await?, &agent, &known, GONE_PATIENCE, &cx).await
    }

    async fn status(&self, agent: AgentRef, _cx: Context) -> Result<AgentStatus, Failure> {
        let known = Known::of(&agent)?;
        let offline = |message: &str| AgentStatus {
            state: AgentState::Offline,
            message: message.to_owned(),
            details: serde_json::Map::new(),
        };
        if known.is_unknown() {
            return Ok(offline("it was not deployed"));
        }
        let found = runtime::find(self.cloud().await?, &agent, &known).await?;
        let Some(runtime) = found else { return Ok(offline("AgentCore has no such runtime (any more)")) };
        let state = match runtime.state {
            State::Ready => AgentState::Running,
            State::Creating | State::Updating => AgentState::Starting,
            // The version before goes on.
            State::UpdateFailed => AgentState::Running,
            State::Deleting => AgentState::Offline,
            State::CreateFailed | State::DeleteFailed | State::Unknown => AgentState::Error,
        };
        let word = runtime.state.word();
        let message = match runtime.state {
            State::CreateFailed | State::UpdateFailed | State::DeleteFailed => format!("{word}: {}", runtime.reason()),
            _ => format!("version {} is {word}", runtime.version),
        };
        let mut details = serde_json::Map::new();
        details.insert("agent_runtime_version".into(), runtime.version.into());
        Ok(AgentStatus { state, message, details })
    }

    async fn invoke(&self, request: InvokeRequest, cx: Context) -> Result<InvokeResult, Failure> {
        let cloud = self.cloud().await?;
        select! {
            biased;
            // Dropping the other branch closes the connection: the agent sees its client leave.
            () = cx.cancelled() => Err(Failure::cancelled()),
            result = ask::ask(&self.settings, cloud, &request, &cx) => result,
        }
    }
}
