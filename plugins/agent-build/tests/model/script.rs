//! What a good model says in a build of a BMI agent, and a build that asks it.

use std::{collections::BTreeMap, sync::Arc};

use nexus_agent_build::{
    Settings,
    stages::{BuildStage, STAGES, Shared, Stage},
};
use nexus_plugin_api::{
    payload::{Event, Failure, ModelAccess, StageResult},
    sdk::{StageHandler as _, testing::Recorder},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::double::{Reply, says};

/// Rules understand the prices, and not the rest of it.
pub const REQUIREMENT: &str = "A helper for our gym. Work out the body mass index of a member. Prices: day pass 12 EUR, month pass 39 EUR.";

pub const CODE: &str = "from __future__ import annotations\n\n\ndef body_mass_index(weight: float, height: float) -> float:\n    \"\"\"Compute the body mass index.\n\n    Args:\n        weight: in kg.\n        height: in m.\n\n    Returns:\n        The index.\n    \"\"\"\n    if weight <= 0 or height <= 0:\n        raise ValueError(\"weight and height must be more than 0\")\n    return weight / height ** 2\n";

pub const TESTS: &str = "import unittest\n\nfrom tools.body_mass_index import body_mass_index\n\n\nclass BodyMassIndexTest(unittest.TestCase):\n    def test_other_values(self):\n        self.assertAlmostEqual(body_mass_index(81, 1.8), 25)\n\n    def test_limits(self):\n        for weight, height in ((0, 1.8), (80, 0)):\n            with self.assertRaises(ValueError):\n                body_mass_index(weight, height)\n        self.assertAlmostEqual(body_mass_index(1, 1), 1)\n        self.assertAlmostEqual(body_mass_index(0.5, 0.5), 2)\n";

pub fn module(code: &str) -> Reply {
    says(&json!({ "how": "By the formula.", "python_code": code }))
}

/// The answers of a model that makes no mistakes.
pub fn good(object: &str) -> Reply {
    says(&match object {
        "plan" => json!({ "summary": "A helper for a gym.", "assumptions": ["Members tell weight and height."] }),
        "understanding" => json!({
            "title": "Gym helper",
            "summary": "A helper that works out the body mass index and tells the prices of a gym.",
            "wishes": [{ "number": 1, "asks_for": "the body mass index", "served_by": "python_function", "vetted_tool": "", "reason": "A formula computes it." }],
        }),
        "tool_signature" => json!({
            "purpose": "Computes the body mass index of a person.",
            "function_name": "body_mass_index",
            "display_name": "Body mass index",
            "parameters": [
                { "name": "weight", "kind": "number", "unit": "kg", "meaning": "weight of the person" },
                { "name": "height", "kind": "number", "unit": "m", "meaning": "height of the person" },
            ],
            "result_kind": "number", "result_unit": "", "result_meaning": "body mass index",
            "keywords": ["bmi", "body mass index"],
        }),
        "worked_examples" => json!({ "examples": [
            { "question": "What is the BMI of 70 kg and 1.75 m?", "arguments": { "weight": 70, "height": 1.75 }, "calculation": "70 / (1.75 * 1.75)" },
            { "question": "My weight is 90 kg and my height is 1.8 m, what is my body mass index?", "arguments": { "weight": 90, "height": 1.8 }, "calculation": "90 / 1.8 ** 2" },
        ]}),
        "architecture" => json!({ "overview": "One service with its tools.", "decisions": [{ "decision": "Formulas are code.", "reason": "A formula gives the same figure each time." }] }),
        "agent_design" => json!({ "description": "Helps the members of a gym.", "capabilities": ["Works out the body mass index", "Tells prices"] }),
        "python_module" => json!({ "how": "Weight by the square of the height.", "python_code": CODE }),
        "unit_tests" => json!({ "python_tests": TESTS }),
        "agent_prompt" => json!({ "role": "You are the helper of a gym.", "rules": ["Be friendly.", "Give no medical advice."] }),
        "introduction" => json!({ "introduction": "Ask it for prices and the body mass index.", "notes": [] }),
        other => panic!("nobody asks for `{other}`"),
    })
}

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
