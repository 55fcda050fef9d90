//! Verifies the agent by running it: compile, unit tests, start, ping, one question, stop.

use std::time::Duration;

use nexus_plugin_api::payload::StageResult;
use serde_json::json;

use super::{Job, StageError, deployer, repair};
use crate::{
    documents::{self, structured},
    spec::{AgentDesign, AgentFolder, PromptRecord, ToolRecords},
    verify::{self, Limits, VerifyError},
};

const REPORT: &str = "workflow_summary_report.md";
/// How often the author may repair what verification found.
const MAX_REPAIRS: usize = 1;

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let design: AgentDesign = job.input()?;
    let tools: ToolRecords = job.input()?;
    let prompt: PromptRecord = job.input()?;
    let folder: AgentFolder = job.input()?;
    let question = design.examples.first().map_or("help", |example| example.question.as_str());
    let limits = Limits {
        tests: Duration::from_secs(job.settings().test_timeout_secs),
        start: Duration::from_secs(job.settings().start_timeout_secs),
    };
    let path = job.request.workspace.join(&folder.agent_dir);
    job.cx.progress(0.1, "compiling, testing and starting the agent");
    let mut repairs = 0;
    let verified = loop {
        let verified = tokio::select! {
            verified = verify::verify(&job.settings().python, &path, question, limits) => verified,
            // Dropping the future kills what it started.
            () = job.cx.cancelled() => return Err(StageError::Cancelled),
        };
        match verified {
            Ok(verified) => break verified,
            Err(VerifyError::Failed(findings)) if repairs < MAX_REPAIRS => {
                repairs += 1;
                if !repair::repair(&mut job, &tools, &findings).await? {
                    return Err(VerifyError::Failed(findings).into());
                }
            }
            Err(error) => return Err(error.into()),
        }
    };
    job.cx.info(format!(
        "{} files compiled, {} tests passed, agent started in {} ms",
        verified.report.compiled, verified.report.tests, verified.start_ms
    ));
    for (number, (name, result)) in verified.steps().iter().enumerate() {
        job.cx.tool_call(
            &format!("check-{}", number + 1),
            name,
            json!({"folder": folder.agent_dir}),
            result.as_str(),
            false,
        );
    }
    let report = documents::report(&job.request.requirement, &design, &tools.tools, &verified, job.model_id());
    job.file(REPORT, report.clone());
    job.structure(structured::verification(&job.request.project_name, &verified, REPORT));
    let output = json!({
        "python": verified.report.python,
        "compiled_files": verified.report.compiled,
        "tests_run": verified.report.tests,
        "tests_failed": 0,
        "test_seconds": verified.report.seconds,
        "start_ms": verified.start_ms,
        "ping": verified.ping,
        "question": verified.question,
        "answer": verified.answer,
        "report_path": REPORT,
        "verified": true,
    });
    // Given here too: the deployer stage is optional.
    job.agent(deployer::manifest(&design, &tools, &prompt, &folder));
    job.finish(output, report).await
}
