//! The nine build stages: from a written requirement to the folder of a running agent.
//!
//! - [`stages`] are the handlers, in one table: each asks the author, writes files, hands its output on.
//! - `spec` holds the typed objects that they hand on, the same whoever wrote them.
//! - `author` is the seam to whoever writes the content: by rules offline, or with a language model.
//! - `catalogue` holds the vetted tools; `documents` writes what people read of a stage.
//! - [`verify`] runs the finished agent's tests and the agent itself.
//!
//! Beside `src/`: `prompts/` is what language models are asked, `catalogue/` has a folder for each tool,
//! `template/` is what every agent has.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod author;
mod catalogue;
mod documents;
mod settings;
mod spec;
pub mod stages;
pub mod verify;
mod workspace;

/// `template/` and `catalogue/`, as `build.rs` puts them together.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

use std::sync::Arc;

use nexus_plugin_api::{
    export_plugin,
    payload::{Description, Failure},
    sdk::{Handlers, Plugin},
};

pub use settings::Settings;

use crate::{
    catalogue::Catalogue,
    stages::{BuildStage, STAGES, Shared},
};

/// The plugin.
pub struct AgentBuild;

impl Plugin for AgentBuild {
    type Settings = Settings;

    fn describe() -> Description {
        let description = Description::new(
            "agent-build",
            env!("CARGO_PKG_VERSION"),
            "Builds agents from written requirements, by rules and with language models",
        );
        let description = STAGES.iter().fold(description, |all, stage| all.stage(stage.name, stage.summary));
        let description = description.settings(Settings::schema());
        // A broken catalogue is told by `configure`.
        match Catalogue::embedded() {
            Ok(catalogue) => catalogue::describe(description, catalogue),
            Err(_) => description,
        }
    }

    fn configure(settings: Settings) -> Result<Handlers, Failure> {
        let shared = Arc::new(Shared::new(settings)?);
        Ok(STAGES.iter().fold(Handlers::new(), |handlers, stage| {
            handlers.stage(stage.name, BuildStage::new(stage, Arc::clone(&shared)))
        }))
    }
}

export_plugin!(AgentBuild);

// Unit tests run agents; their binary has to be one that can confine.
#[cfg(test)]
nexus_sandbox::stage_before_main!();
