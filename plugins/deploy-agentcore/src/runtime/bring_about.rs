//! From whatever there is to the runtime that is wanted. Nothing is remembered between two looks but what was asked for,
//! so a deployment that was cut off anywhere is taken up by the next one where it stands.

use std::time::Duration;

use nexus_plugin_api::{
    Context,
    payload::{AgentRef, DeployResult, Failure},
};
use serde_json::{Map, json};
use tokio::time::Instant;

use super::{Known, Pace, Wanted, endpoint, find};
use crate::{
    Settings,
    cloud::{Cloud, CloudError, Runtime, State},
};

/// Archives of an agent that are kept beside the current one, for versions that may be wanted back.
const KEPT_ARCHIVES: usize = 5;

/// What this deployment has asked AgentCore for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    Creation,
    Update,
}

/// Makes the runtime be what is wanted, and waits until it serves.
pub(crate) async fn bring_about(
    settings: &Settings,
    cloud: &Cloud,
    agent: &AgentRef,
    known: &Known,
    wanted: &Wanted,
    cx: &Context,
) -> Result<DeployResult, Failure> {
    let patience = Duration::from_secs(settings.ready_timeout_secs);
    let (end, mut known, mut pace) = (Instant::now() + patience, known.clone(), Pace::new());
    let (mut asked, mut told) = (Asked::Nothing, State::Unknown);
    let runtime = loop {
        let found = find(cloud, agent, &known).await?;
        let state = found.as_ref().map(|runtime| runtime.state.clone());
        if let (Some(state), Some(runtime)) = (&state, &found)
            && *state != told
        {
            told = state.clone();
            cx.progress(0.6, format!("version {} of the runtime is {}", runtime.version, state.word()));
        }
        match (found, state) {
            (Some(runtime), Some(State::Ready)) if runtime.fingerprint() == Some(&wanted.fingerprint) => {
                if asked == Asked::Nothing {
                    cx.info("the runtime is what it should be: nothing was changed");
                }
                break runtime;
            }
            (Some(runtime), Some(State::UpdateFailed)) if asked == Asked::Update => {
                return Err(failed("updated", &runtime, "; the version before goes on"));
            }
            (Some(runtime), Some(State::Ready | State::UpdateFailed)) if asked != Asked::Update => {
                cx.progress(0.5, "updating the runtime");
                if cloud.update_runtime(&runtime.id, wanted.to_update(agent)).await.map_err(CloudError::into_failure)? {
                    asked = Asked::Update;
                }
                known.id = Some(runtime.id);
            }
            (Some(runtime), Some(State::CreateFailed | State::DeleteFailed)) => {
                // Of no use to anybody, and its name is needed.
                cloud.delete_runtime(&runtime.id).await.map_err(CloudError::into_failure)?;
                if asked == Asked::Creation {
                    return Err(failed("created", &runtime, ""));
                }
            }
            (None, _) if asked != Asked::Update => {
                cx.progress(0.5, "creating the runtime");
                let made = cloud.create_runtime(wanted.to_create(agent)).await.map_err(CloudError::into_failure)?;
                if let Some(id) = made {
                    (asked, known.id) = (Asked::Creation, Some(id));
                }
            }
            // Something goes on there.
            _ => {}
        }
        if Instant::now() >= end {
            return Err(Failure::transient(format!(
                "the runtime is {} after {} seconds (ready_timeout_secs); the next try goes on with it",
                told.word(),
                patience.as_secs()
            )));
        }
        pace.wait().await;
    };
    cx.progress(0.9, format!("version {} is ready; moving endpoint {}", runtime.version, settings.endpoint));
    endpoint::serve(settings, cloud, &runtime, &wanted.token(agent), end).await?;
    if let Ok(bucket) = cloud.bucket()
        && let Err(error) = bucket.remove(&wanted.name, KEPT_ARCHIVES + 1).await
    {
        cx.warn(format!("old archives of the agent could not be removed: {error}"));
    }
    Ok(result(cloud, &runtime, &settings.endpoint, wanted))
}

/// A runtime that others deployed is only looked at.
pub(crate) async fn look_at_adopted(cloud: &Cloud, known: Known, agent: &AgentRef) -> Result<DeployResult, Failure> {
    let id = known.id.as_deref().unwrap_or_default();
    let found = cloud.runtime(id).await.map_err(CloudError::into_failure)?;
    let runtime = found.ok_or_else(|| {
        Failure::permanent(format!("the runtime {id}, which others deployed, is not there (any more)"))
    })?;
    match runtime.state {
        State::CreateFailed | State::Deleting | State::DeleteFailed => Err(Failure::permanent(format!(
            "the runtime {id}, which others deployed, is {}: {}",
            runtime.state.word(),
            runtime.reason()
        ))),
        State::Creating => Err(Failure::transient(format!("the runtime {id} is being created: try again"))),
        _ => Ok(DeployResult { endpoint: known.arn, details: agent.details.clone() }),
    }
}

fn failed(what: &str, runtime: &Runtime, rest: &str) -> Failure {
    Failure::permanent(format!("AgentCore has not {what} the runtime: {}{rest}", runtime.reason()))
}

fn result(cloud: &Cloud, runtime: &Runtime, endpoint: &str, wanted: &Wanted) -> DeployResult {
    let endpoint_arn = format!("{}/runtime-endpoint/{endpoint}", runtime.arn);
    let mut details = Map::new();
    for (name, value) in [
        ("agentcore_runtime_arn", json!(runtime.arn)),
        ("agentcore_runtime_alias", json!(endpoint)),
        ("agentcore_region", json!(cloud.region)),
        (
            "agentcore_config",
            json!({"agent_arn": runtime.arn, "agent_alias_id": endpoint, "agent_alias_arn": endpoint_arn}),
        ),
        ("agent_runtime_version", json!(runtime.version)),
        ("fingerprint", json!(wanted.fingerprint)),
    ] {
        details.insert(name.to_owned(), value);
    }
    DeployResult { endpoint: Some(endpoint_arn), details }
}
