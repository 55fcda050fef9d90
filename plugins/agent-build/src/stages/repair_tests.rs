//! Verification and an author that mends, over the whole build: real files, real Python.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use nexus_plugin_api::{
    payload::{Failure, FailureKind, StageRequest, StageResult, Usage},
    sdk::{StageHandler as _, testing::Recorder},
};
use serde_json::Value;

use super::{BuildStage, STAGES, Shared};
use crate::{
    author::{AgentFile, Answer, Author, Authored, Brief, offline::OfflineAuthor},
    settings::Settings,
    spec::{AgentDesign, AgentPrompt, Architecture, Introduction, Plan, Requirements, StageOutline, WrittenTool},
    verify::{Check, Finding},
};

/// Writes every tool with a mistake in its first line, and mends it when it is told so.
struct Careless {
    offline: OfflineAuthor,
    /// The path that its repair returns instead of the one that it was shown.
    elsewhere: Option<&'static str>,
}

const MISTAKE: &str = "def mistake(:\n";

#[async_trait]
impl Author for Careless {
    fn model_id(&self) -> &str {
        "test/careless"
    }

    async fn plan(&self, brief: &Brief, stages: &[StageOutline]) -> Answer<Plan> {
        self.offline.plan(brief, stages).await
    }

    async fn analyse(&self, brief: &Brief) -> Answer<Requirements> {
        self.offline.analyse(brief).await
    }

    async fn draw_architecture(&self, brief: &Brief, requirements: &Requirements) -> Answer<Architecture> {
        self.offline.draw_architecture(brief, requirements).await
    }

    async fn design(&self, brief: &Brief, requirements: &Requirements) -> Answer<AgentDesign> {
        self.offline.design(brief, requirements).await
    }

    async fn write_tools(&self, brief: &Brief, design: &AgentDesign) -> Answer<Vec<WrittenTool>> {
        let mut tools = self.offline.write_tools(brief, design).await?;
        tools.object.iter_mut().for_each(|tool| tool.code.insert_str(0, MISTAKE));
        Ok(tools)
    }

    async fn write_prompt(&self, brief: &Brief, of: &Requirements, design: &AgentDesign) -> Answer<AgentPrompt> {
        self.offline.write_prompt(brief, of, design).await
    }

    async fn introduce(&self, brief: &Brief, of: &Requirements, design: &AgentDesign) -> Answer<Introduction> {
        self.offline.introduce(brief, of, design).await
    }

    async fn repair(&self, _brief: &Brief, files: &[AgentFile], findings: &[Finding]) -> Answer<Vec<AgentFile>> {
        // An agent whose tool cannot be imported does not start either.
        let found: Vec<_> = findings.iter().map(|f| (f.check, f.place.as_str(), f.tool.as_deref())).collect();
        let start = (Check::Start, "agent.py", None);
        assert_eq!(found, [(Check::Compile, "tools/hash_text.py", Some("hash_text")), start]);
        assert!(findings[0].got.starts_with("SyntaxError") && findings[1].output.contains("mistake"), "{findings:?}");
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["agent/tools/hash_text.py", "agent/intents/hash_text.py", "agent/tests/test_hash_text.py"]);
        let content = files[0].content.strip_prefix(MISTAKE).expect("the file as it is").to_owned();
        let path = self.elsewhere.unwrap_or(paths[0]).to_owned();
        let usage = Usage { input_tokens: 7, output_tokens: 5, model_id: Some("test/mender".into()) };
        Ok(Authored { object: vec![AgentFile { path, content }], usage })
    }
}

/// The result of the verification stage, and the tool as it is on disk then.
async fn verified(author: impl Author + 'static) -> (Result<StageResult, Failure>, String) {
    let folder = tempfile::tempdir().unwrap();
    let shared = Arc::new(Shared {
        author: Arc::new(author),
        settings: Settings::default(),
        bytecode: tokio::sync::OnceCell::new(),
    });
    let mut inputs: BTreeMap<String, Value> = BTreeMap::new();
    for (stage, number) in STAGES.iter().zip(1..) {
        let (_recorder, cx) = Recorder::new();
        let request = StageRequest {
            project_id: "proj_test".into(),
            project_name: "Checksums".into(),
            requirement: "Compute SHA-256 checksums of texts".into(),
            user_id: "tester".into(),
            tags: Vec::new(),
            stage: stage.name.into(),
            stage_number: number,
            attempt: 1,
            workspace: folder.path().to_owned(),
            inputs: inputs.clone(),
            options: Value::Null,
            deployment: Value::Null,
            models: None,
        };
        let result = BuildStage::new(stage, Arc::clone(&shared)).run(request, cx).await;
        if stage.name == "agent_developer_manager" {
            return (result, std::fs::read_to_string(folder.path().join("agent/tools/hash_text.py")).unwrap());
        }
        inputs.insert(stage.name.into(), Value::Object(result.unwrap().output));
    }
    panic!("no stage verifies the agent")
}

#[tokio::test]
async fn an_author_mends_what_verification_found_and_its_usage_counts() {
    let (result, tool) = verified(Careless { offline: OfflineAuthor::new().unwrap(), elsewhere: None }).await;
    let usage = result.unwrap().usage;
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.model_id.as_deref()), (7, 5, Some("test/mender")));
    assert!(!tool.contains("mistake"), "{tool}");
}

#[tokio::test]
async fn a_repair_changes_no_file_that_the_author_was_not_shown() {
    for elsewhere in ["agent/runtime/server.py", "agent/tools/../../x.py", "/x.py"] {
        let author = Careless { offline: OfflineAuthor::new().unwrap(), elsewhere: Some(elsewhere) };
        let (result, tool) = verified(author).await;
        let failure = result.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient);
        assert!(failure.message.contains(elsewhere) && tool.starts_with(MISTAKE), "{}", failure.message);
    }
}
