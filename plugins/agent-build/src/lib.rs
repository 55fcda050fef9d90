//! The nine build stages: from a written requirement to the folder of a running agent.
//!
//! - [`requirement`] reads the requirement: language, tasks, data.
//! - [`catalogue`] holds the vetted tools and chooses among them.
//! - [`provider`] is the seam to language models; the one provider now works offline.
//! - [`stages`] are the handlers: each asks the provider, writes files, hands its output on.
//! - [`verify`] runs the finished agent's tests and the agent itself.
//!
//! The Python content is in `catalogue/`: `agent/` is an agent folder with every tool in it,
//! `blueprints/` says what each tool is found by.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod catalogue;
mod documents;
pub mod provider;
pub mod requirement;
mod settings;
pub mod stages;
pub mod verify;
pub mod workspace;

use std::sync::Arc;

use nexus_plugin_api::{
    export_plugin,
    payload::{Description, Failure},
    sdk::{Handlers, Plugin},
};

pub use settings::Settings;

use crate::{
    catalogue::Catalogue,
    provider::blueprint::BlueprintProvider,
    stages::{BuildStage, Shared, StageName},
};

/// The plugin.
pub struct AgentBuild;

impl Plugin for AgentBuild {
    type Settings = Settings;

    fn describe() -> Description {
        let description = StageName::ALL.iter().fold(
            Description::new(
                "agent-build",
                env!("CARGO_PKG_VERSION"),
                "Builds agents from written requirements, offline",
            ),
            |description, stage| description.stage(stage.as_str(), stage.summary()),
        );
        let description = description.settings(Settings::schema());
        // A broken catalogue is told by `configure`.
        match Catalogue::embedded() {
            Ok(catalogue) => catalogue::describe(description, catalogue),
            Err(_) => description,
        }
    }

    fn configure(settings: Settings) -> Result<Handlers, Failure> {
        if settings.provider != "blueprint" {
            return Err(Failure::permanent(format!(
                "there is no model provider `{}`; this version has `blueprint`",
                settings.provider
            )));
        }
        let provider = BlueprintProvider::new().map_err(|e| Failure::permanent(e.to_string()))?;
        let shared = Arc::new(Shared { provider: Arc::new(provider), settings });
        Ok(StageName::ALL.iter().fold(Handlers::new(), |handlers, stage| {
            handlers.stage(stage.as_str(), BuildStage::new(*stage, Arc::clone(&shared)))
        }))
    }
}

export_plugin!(AgentBuild);
