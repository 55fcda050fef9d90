//! Everything of an agent goes: endpoints, runtime, archives.

use std::time::Duration;

use nexus_plugin_api::{
    Context,
    payload::{AgentRef, Failure},
};
use tokio::time::Instant;

use super::{Known, Pace, find};
use crate::{
    cloud::{Cloud, CloudError, Refusal, State},
    names, package,
};

/// Deletes all there is. AWS takes its time for a runtime: what is not gone within `patience` goes on by itself.
pub(crate) async fn take_down(
    cloud: &Cloud,
    agent: &AgentRef,
    known: &Known,
    patience: Duration,
    cx: &Context,
) -> Result<(), Failure> {
    let (end, mut pace, mut was_deleted) = (Instant::now() + patience, Pace::new(), false);
    while let Some(runtime) = find(cloud, agent, known).await? {
        match runtime.state {
            State::DeleteFailed if was_deleted => {
                return Err(Failure::transient(format!("AgentCore has not deleted the runtime: {}", runtime.reason())));
            }
            State::Deleting => {
                if Instant::now() >= end {
                    cx.info("the runtime is being deleted");
                    break;
                }
            }
            _ => match delete(cloud, &runtime.id).await {
                Ok(()) => was_deleted = true,
                // It is being made or changed, by a deployment that was cut off.
                Err(error) if error.is(Refusal::Conflict) && Instant::now() < end => {}
                Err(error) => return Err(error.into_failure()),
            },
        }
        if was_deleted && Instant::now() >= end {
            cx.info("the runtime is being deleted");
            break;
        }
        pace.wait().await;
    }
    if let Ok(bucket) = cloud.bucket() {
        let removed = bucket.remove(&names::runtime(&agent.agent_id), 0).await.map_err(CloudError::into_failure)?;
        if removed > 0 {
            cx.info(format!("{removed} archives of the agent were removed"));
        }
    }
    package::forget(&agent.state_dir).await;
    Ok(())
}

async fn delete(cloud: &Cloud, id: &str) -> Result<(), CloudError> {
    cloud.delete_endpoints(id).await?;
    cloud.delete_runtime(id).await
}
