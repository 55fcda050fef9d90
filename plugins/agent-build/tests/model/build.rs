//! A build that asks a model, stage by stage.

use std::{collections::BTreeMap, sync::Arc};

use nexus_agent_build::{
    Settings,
    stages::{BuildStage, STAGES, Shared, Stage},
};
use nexus_plugin_api::{
    payload::{Event, Failure, ModelAccess, StageResult},
    sdk::{StageHandler as _, testing::Recorder},
};
use serde_json::Value;
use tempfile::TempDir;

/// A build as far as it came.
pub struct Build {
    pub folder: TempDir,
    pub results: BTreeMap<&'static str, StageResult>,
    pub inputs: BTreeMap<String, Value>,
    pub events: Vec<Event>,
    shared: Arc<Shared>,
    access: Option<ModelAccess>,
    requirement: String,
}

impl Build {
    pub fn new(requirement: &str, access: Option<ModelAccess>) -> Self {
        Self::with(requirement, access, Settings::default())
    }

    pub fn with(requirement: &str, access: Option<ModelAccess>, settings: Settings) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            results: BTreeMap::new(),
            inputs: BTreeMap::new(),
            events: Vec::new(),
            shared: Arc::new(Shared::new(settings).unwrap()),
            access,
            requirement: requirement.to_owned(),
        }
    }

    pub fn handler(&self, stage: &'static Stage) -> BuildStage {
        BuildStage::new(stage, Arc::clone(&self.shared))
    }

    pub fn request(&self, stage: &'static Stage) -> nexus_plugin_api::payload::StageRequest {
        let mut request = crate::common::request("Gym", &self.requirement, stage, &self.folder, &self.inputs);
        request.models.clone_from(&self.access);
        request
    }

    /// Runs one stage.
    pub async fn stage(&mut self, stage: &'static Stage) -> Result<(), Failure> {
        let (recorder, cx) = Recorder::new();
        let result = self.handler(stage).run(self.request(stage), cx).await;
        self.events.extend(recorder.events());
        let result = result?;
        self.inputs.insert(stage.name.into(), Value::Object(result.output.clone()));
        self.results.insert(stage.name, result);
        Ok(())
    }

    /// Runs all stages; the name of the one that failed, with its failure.
    pub async fn run(&mut self) -> Result<(), (&'static str, Failure)> {
        self.until("").await
    }

    /// Runs the stages before this one.
    pub async fn until(&mut self, end: &str) -> Result<(), (&'static str, Failure)> {
        for stage in STAGES.iter().take_while(|stage| stage.name != end) {
            self.stage(stage).await.map_err(|failure| (stage.name, failure))?;
        }
        Ok(())
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(path)).expect(path)
    }

    /// The tokens that its events reported.
    pub fn tokens(&self) -> (u64, u64) {
        let each = self.events.iter().filter_map(|event| match event {
            Event::Tokens { input, output } => Some((*input, *output)),
            _ => None,
        });
        each.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Its log.
    pub fn log(&self) -> String {
        let lines = self.events.iter().filter_map(|event| match event {
            Event::Log { message, .. } => Some(format!("{message}\n")),
            _ => None,
        });
        lines.collect()
    }
}

/// A stage by its name.
pub fn stage(name: &str) -> &'static Stage {
    crate::common::stage(name)
}
