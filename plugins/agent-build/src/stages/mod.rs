//! The stage handlers. All work alike: take the outputs of earlier stages, ask the author for a typed
//! object, write files, return output and document. A repeated attempt writes the same files again.
//!
//! `table.rs` lists them; `job.rs` is what one attempt has at hand.

mod agent_folder;
mod architecture;
mod deployer;
mod design;
mod error;
mod examples;
mod job;
mod plan;
mod prompt;
mod repair;
#[cfg(test)]
mod repair_tests;
mod requirements;
mod table;
mod tools;
mod verification;

use std::sync::Arc;

use nexus_plugin_api::{
    payload::{Failure, StageRequest, StageResult},
    sdk::{Context, StageHandler},
};

use error::StageError;
use job::Job;
pub use table::{STAGES, Stage};

use tokio::sync::OnceCell;

use crate::{author::Authors, settings::Settings, verify::Bytecode};

/// What all stages share.
pub struct Shared {
    authors: Authors,
    settings: Settings,
    /// Made once, while the first build is being thought about.
    bytecode: OnceCell<Option<Arc<Bytecode>>>,
}

impl Shared {
    /// The settings, and the authors that they allow.
    ///
    /// # Errors
    /// When there is no such author, or its catalogue is broken.
    pub fn new(settings: Settings) -> Result<Self, Failure> {
        Ok(Self { authors: Authors::new(&settings)?, settings, bytecode: OnceCell::new() })
    }

    /// The bytecode of what agents have in common; none where this Python gives none, and then agents start slower.
    async fn bytecode(&self) -> Option<&Arc<Bytecode>> {
        self.bytecode
            .get_or_init(|| async { Bytecode::of(&self.settings.python).await.ok().map(Arc::new) })
            .await
            .as_ref()
    }
}

/// The handler of one stage.
pub struct BuildStage {
    stage: &'static Stage,
    shared: Arc<Shared>,
}

impl BuildStage {
    /// The handler of a stage.
    #[must_use]
    pub fn new(stage: &'static Stage, shared: Arc<Shared>) -> Self {
        Self { stage, shared }
    }
}

impl StageHandler for BuildStage {
    async fn run(&self, request: StageRequest, cx: Context) -> Result<StageResult, Failure> {
        if cx.is_cancelled() {
            return Err(Failure::cancelled());
        }
        if !self.shared.bytecode.initialized() {
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move { shared.bytecode().await.is_some() });
        }
        let job = Job::new(self.stage, request, cx, Arc::clone(&self.shared))?;
        (self.stage.run)(job).await.map_err(Failure::from)
    }
}
