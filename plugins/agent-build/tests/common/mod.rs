//! Runs the nine stages as the daemon would, in a temporary folder, and talks to the agent that comes out.
#![allow(dead_code, unreachable_pub)]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use nexus_agent_build::{
    Settings,
    stages::{BuildStage, STAGES, Shared, Stage},
    verify::RunningAgent,
};
use nexus_plugin_api::{
    payload::{AgentManifest, Failure, StageRequest, StageResult},
    sdk::{StageHandler as _, testing::Recorder},
};
use serde_json::Value;
use tempfile::TempDir;

nexus_sandbox::stage_before_main!();

pub struct Built {
    pub folder: TempDir,
    pub results: BTreeMap<&'static str, StageResult>,
    pub inputs: BTreeMap<String, Value>,
}

impl Built {
    pub fn agent(&self) -> &AgentManifest {
        self.results["agent_deployer"].agent.as_ref().expect("an agent")
    }

    pub fn agent_dir(&self) -> PathBuf {
        self.folder.path().join(&self.agent().agent_dir)
    }

    pub async fn start(&self) -> RunningAgent {
        RunningAgent::start("python3", &self.agent_dir(), Duration::from_secs(20)).await.expect("the agent starts")
    }
}

pub fn shared(settings: Settings) -> Arc<Shared> {
    Arc::new(Shared::new(settings).expect("the author"))
}

/// A stage by its name in the workflow.
pub fn stage(name: &str) -> &'static Stage {
    STAGES.iter().find(|stage| stage.name == name).expect(name)
}

pub fn request(
    project: &str,
    requirement: &str,
    stage: &Stage,
    folder: &TempDir,
    inputs: &BTreeMap<String, Value>,
) -> StageRequest {
    let number = STAGES.iter().position(|one| one.name == stage.name).map_or(0, |at| at + 1);
    StageRequest {
        project_id: "proj_test".into(),
        project_name: project.into(),
        requirement: requirement.into(),
        user_id: "tester".into(),
        tags: Vec::new(),
        stage: stage.name.into(),
        stage_number: u32::try_from(number).unwrap_or_default(),
        attempt: 1,
        workspace: folder.path().to_owned(),
        inputs: inputs.clone(),
        options: Value::Null,
        deployment: Value::Null,
        models: None,
    }
}

pub async fn try_build(project: &str, requirement: &str) -> Result<Built, (&'static str, Failure)> {
    let folder = tempfile::tempdir().expect("a folder");
    let shared = shared(Settings::default());
    let mut built = Built { folder, results: BTreeMap::new(), inputs: BTreeMap::new() };
    for stage in &STAGES {
        let (_recorder, cx) = Recorder::new();
        let request = request(project, requirement, stage, &built.folder, &built.inputs);
        let result = BuildStage::new(stage, Arc::clone(&shared))
            .run(request, cx)
            .await
            .map_err(|failure| (stage.name, failure))?;
        built.inputs.insert(stage.name.into(), Value::Object(result.output.clone()));
        built.results.insert(stage.name, result);
    }
    Ok(built)
}

pub async fn build(project: &str, requirement: &str) -> Built {
    try_build(project, requirement).await.unwrap_or_else(|(stage, failure)| {
        panic!("{requirement}\n{stage}: {}\n{}", failure.message, failure.details.unwrap_or_default())
    })
}

/// Asks questions in one session and checks what the answers contain, and which function gave them ("" for none).
pub async fn converse(agent: &RunningAgent, session: &str, steps: &[(&str, &str, &[&str])]) {
    for (question, function, parts) in steps {
        let answer = agent.invoke(question, session).await.expect("an answer");
        let output = answer["output"].as_str().unwrap_or_default();
        let called: Vec<&str> =
            answer["tool_calls"].as_array().into_iter().flatten().filter_map(|call| call["name"].as_str()).collect();
        let expected: Vec<&str> = if function.is_empty() { Vec::new() } else { function.split('+').collect() };
        assert_eq!(called, expected, "{question}\n{output}");
        for part in *parts {
            assert!(output.contains(part), "{question}\nlacks {part:?}:\n{output}");
        }
    }
}
