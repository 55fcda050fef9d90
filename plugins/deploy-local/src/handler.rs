//! The deploy handler `local`: the daemon's operations in terms of the fleet.

use std::{sync::Arc, time::Duration};

use nexus_deploy::answer::{AskError, Bounds, may_pass};
use nexus_plugin_api::{
    Context, DeployHandler,
    payload::{AgentRef, AgentStatus, DeployResult, Failure, InvokeRequest, InvokeResult},
};
use serde_json::{Map, Value};
use tokio::{select, time::timeout};

use crate::{
    Settings,
    agent::{End, Lease, with_output_in_log},
    client::{invoke, ping},
    fleet::Fleet,
    process::LOG_NAME,
};

/// How long the end of a process is waited for, after its connection broke, to say what happened.
const END_PATIENCE: Duration = Duration::from_millis(1500);
const PROBE_PATIENCE: Duration = Duration::from_secs(2);

/// Runs agents as child processes of this one. Dropping it stops them.
pub struct LocalDeployer {
    fleet: Arc<Fleet>,
}

impl LocalDeployer {
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(settings: Settings) -> Result<Self, Failure> {
        Ok(Self { fleet: Fleet::new(settings)? })
    }

    /// Stops all agents; every later request is refused.
    pub async fn shut_down(&self) {
        self.fleet.shut_down().await;
    }

    pub(crate) fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    async fn answer(&self, request: &InvokeRequest, cx: &Context) -> Result<InvokeResult, Failure> {
        let settings = self.fleet.settings();
        let mut retried = false;
        loop {
            let mut lease = self.fleet.acquire(&request.agent).await?;
            let bounds = Bounds {
                total_secs: settings.invoke_timeout_secs,
                idle_secs: settings.idle_timeout_secs,
                max_bytes: settings.max_answer_bytes,
            };
            match invoke(&lease.address, bounds, request, cx).await {
                Ok(result) => return Ok(result),
                // The process ended before anything was sent; once more, with the next one.
                Err(AskError::Refused(_)) if !retried && timeout(END_PATIENCE, lease.ended()).await.is_ok() => {
                    retried = true;
                }
                Err(error) => return Err(self.explain(&request.agent, error, lease).await),
            }
        }
    }

    /// A process that does not even answer `/ping` is ended, and the text says so.
    async fn probe(&self, agent: &AgentRef, text: String, lease: &Lease) -> String {
        if ping(&lease.address, PROBE_PATIENCE).await.is_ok() {
            return text;
        }
        self.fleet.unresponsive(agent, lease.generation).await;
        format!("{text}; it does not answer /ping either and is restarted")
    }

    /// Finds out what lies behind a failed request.
    async fn explain(&self, agent: &AgentRef, error: AskError, mut lease: Lease) -> Failure {
        let name = &agent.agent_name;
        let text = format!("agent {name} {error}");
        match &error {
            AskError::Cut(_) | AskError::Refused(_) => {
                let failure = match timeout(END_PATIENCE, lease.ended()).await {
                    Ok(End::Crashed(how)) => Failure::transient(format!("agent {name} crashed while answering: {how}")),
                    Ok(End::Stopped(why)) => {
                        return Failure::transient(format!("agent {name} was {why} while answering"));
                    }
                    Err(_) => Failure::transient(self.probe(agent, text, &lease).await),
                };
                with_output_in_log(failure, &lease.output)
            }
            AskError::Silent(_) | AskError::Overtime(_) => {
                with_output_in_log(Failure::transient(self.probe(agent, text, &lease).await), &lease.output)
            }
            AskError::Rejected { status, .. } => match status {
                408 | 409 | 425 | 429 | 502..=504 => Failure::transient(text),
                400..=499 => Failure::invalid_input(text),
                _ => with_output_in_log(Failure::permanent(text), &lease.output),
            },
            AskError::Reported { error_type, .. } if may_pass(error_type) => Failure::transient(text),
            AskError::BadRequest(_) => Failure::invalid_input(text),
            AskError::Reported { .. } | AskError::Garbage(_) | AskError::TooMuch(_) => {
                with_output_in_log(Failure::permanent(text), &lease.output)
            }
        }
    }
}

impl DeployHandler for LocalDeployer {
    async fn deploy(&self, agent: AgentRef, cx: Context) -> Result<DeployResult, Failure> {
        // A cancellation ends the waiting only: others may wait for the same start, and what nobody
        // uses is stopped for resting.
        let deployed = async {
            let told = |line: &str| {
                cx.progress(0.1, line);
                cx.info(line);
            };
            self.fleet.prepare(&agent, told).await;
            cx.progress(0.5, "starting the agent");
            self.fleet.deploy(&agent).await
        };
        let lease = select! {
            biased;
            () = cx.cancelled() => return Err(Failure::cancelled()),
            lease = deployed => lease?,
        };
        cx.info(format!("agent {} answers after {} ms", agent.agent_name, lease.ready_ms));
        let mut details = Map::new();
        // Not the port and the process: they change with every start, `status` tells them.
        details.insert("log".into(), Value::from(agent.state_dir.join(LOG_NAME).display().to_string()));
        details.insert("ready_ms".into(), Value::from(lease.ready_ms));
        if let Some(model) = &lease.model {
            details.insert("model".into(), model.as_str().into());
        }
        if let Some(why) = &lease.degraded {
            cx.warn(format!(
                "agent {} answers without the language model that it was made for: {why}",
                agent.agent_name
            ));
            details.insert("degraded".into(), (**why).into());
        }
        Ok(DeployResult { endpoint: Some(lease.address.place.to_string()), details })
    }

    async fn undeploy(&self, agent: AgentRef, _cx: Context) -> Result<(), Failure> {
        // Not cut off by a cancellation: it is short, and half an undeployment helps nobody.
        self.fleet.remove(&agent).await
    }

    async fn status(&self, agent: AgentRef, _cx: Context) -> Result<AgentStatus, Failure> {
        self.fleet.status(&agent)
    }

    async fn invoke(&self, request: InvokeRequest, cx: Context) -> Result<InvokeResult, Failure> {
        select! {
            biased;
            // Dropping the other branch closes the connection: the agent sees its client leave.
            () = cx.cancelled() => Err(Failure::cancelled()),
            result = self.answer(&request, &cx) => result,
        }
    }
}
