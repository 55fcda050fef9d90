//! The endpoint that an agent is asked at: the one that follows the latest version by itself, or one of our own.

use nexus_plugin_api::payload::Failure;
use tokio::time::Instant;

use super::Pace;
use crate::{
    Settings,
    cloud::{Cloud, CloudError, Runtime, State},
    settings::DEFAULT_ENDPOINT,
};

/// Waits until the endpoint serves the runtime's version; moves it there if it does not move by itself.
pub(super) async fn serve(
    settings: &Settings,
    cloud: &Cloud,
    runtime: &Runtime,
    token: &str,
    end: Instant,
) -> Result<(), Failure> {
    let (name, mut pace, mut was_moved) = (settings.endpoint.as_str(), Pace::new(), false);
    loop {
        let found = cloud.endpoint(&runtime.id, name).await.map_err(CloudError::into_failure)?;
        let serves = |version: Option<&str>| version.is_none_or(|version| version == runtime.version);
        match &found {
            Some(endpoint) if endpoint.state == State::Ready && serves(endpoint.live_version.as_deref()) => {
                return Ok(());
            }
            Some(endpoint) if matches!(endpoint.state, State::CreateFailed | State::UpdateFailed) && was_moved => {
                return Err(Failure::permanent(format!(
                    "endpoint {name} does not serve version {}: {}",
                    runtime.version,
                    endpoint.reason()
                )));
            }
            Some(endpoint) if matches!(endpoint.state, State::Creating | State::Updating | State::Deleting) => {}
            // It follows by itself.
            _ if name == DEFAULT_ENDPOINT => {}
            found => {
                let moved = cloud.point_endpoint(&runtime.id, name, &runtime.version, found.is_some(), token).await;
                was_moved |= moved.map_err(CloudError::into_failure)?;
            }
        }
        if Instant::now() >= end {
            return Err(Failure::transient(format!(
                "endpoint {name} does not serve version {} in time (ready_timeout_secs)",
                runtime.version
            )));
        }
        pace.wait().await;
    }
}
