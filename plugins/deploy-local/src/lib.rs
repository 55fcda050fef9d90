//! Deploys an agent's folder as a supervised child process of the daemon.
//!
//! One deploy handler, `local`. The way of a request through the folders:
//! `handler` (the daemon's operations) → `fleet` (one entry per agent) → `agent/` (its keeper: a
//! task that alone decides when the process starts, restarts and stops) → `process/` (the child:
//! environment, limits, output, group) and `client/` (asking it over HTTP). An agent of a language model is handed the
//! way to the daemon's gate by `model/`, and its packages are installed by `packages/`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod agent;
mod capacity;
mod client;
mod fleet;
mod handler;
mod model;
mod packages;
mod process;
mod settings;

pub use handler::LocalDeployer;
pub use settings::Settings;

use std::sync::Arc;

use nexus_plugin_api::{
    Handlers, Plugin,
    payload::{Description, Failure},
};

/// The plugin `deploy-local`.
pub struct DeployLocal;

impl Plugin for DeployLocal {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "deploy-local",
            env!("CARGO_PKG_VERSION"),
            "Runs agents as supervised processes on this machine",
        )
        .deploy("local", "A child process per agent, started on first use")
        .settings(Settings::schema())
    }

    fn configure(settings: Settings) -> Result<Handlers, Failure> {
        let deployer = LocalDeployer::new(settings)?;
        let fleet = Arc::clone(deployer.fleet());
        Ok(Handlers::new().deploy("local", deployer).on_shutdown(move || {
            let fleet = Arc::clone(&fleet);
            async move { fleet.shut_down().await }
        }))
    }
}

nexus_plugin_api::export_plugin!(DeployLocal);
