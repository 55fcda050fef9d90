//! Verifies the agent by running it: compile, unit tests, start, ping, one question, stop.

use std::time::Duration;

use nexus_plugin_api::payload::StageResult;
use serde_json::json;

use super::{Job, StageError, StageName, code::CodeRecord, deployer, prompt::PromptRecord, tools::ToolRecords};
use crate::{
    documents,
    provider::answers::AgentDesign,
    verify::{self, Limits},
};

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let design: AgentDesign = job.input(StageName::AgentDesign)?;
    let tools: ToolRecords = job.input(StageName::ToolsDeveloper)?;
    let prompt: PromptRecord = job.input(StageName::PromptEngineer)?;
    let code: CodeRecord = job.input(StageName::AgentCodeDeveloper)?;
    let settings = &job.shared.settings;
    let limits = Limits {
        tests: Duration::from_secs(settings.test_timeout_secs),
        start: Duration::from_secs(settings.start_timeout_secs),
    };
    let question = design.examples.first().map_or("help", |example| example.question.as_str());
    let folder = job.request.workspace.join(&code.agent_dir);
    job.cx.progress(0.1, "compiling, testing and starting the agent");
    let verified = tokio::select! {
        verified = verify::verify(&settings.python, &folder, question, limits) => verified?,
        // Dropping the future kills what it started.
        () = job.cx.cancelled() => return Err(StageError::Cancelled),
    };
    job.cx.info(format!(
        "{} files compiled, {} tests passed, agent started in {} ms",
        verified.check.compiled, verified.check.tests, verified.start_ms
    ));
    for (number, (name, result)) in verified.steps().iter().enumerate() {
        job.cx.tool_call(
            &format!("check-{}", number + 1),
            name,
            json!({"folder": code.agent_dir}),
            result.as_str(),
            false,
        );
    }
    let report =
        documents::report(&job.request.requirement, &design, &tools.tools, &verified, job.shared.provider.model_id());
    job.file("workflow_summary_report.md", report.clone());
    let output = json!({
        "python": verified.check.python,
        "compiled_files": verified.check.compiled,
        "tests_run": verified.check.tests,
        "tests_failed": 0,
        "test_seconds": verified.check.seconds,
        "start_ms": verified.start_ms,
        "ping": verified.ping,
        "question": verified.question,
        "answer": verified.answer,
        "report_path": "workflow_summary_report.md",
        "verified": true,
    });
    // Given here too: the deployer stage is optional.
    let agent = deployer::manifest(&design, &tools, &prompt, &code);
    job.finish_with(output, report, Some(agent)).await
}
