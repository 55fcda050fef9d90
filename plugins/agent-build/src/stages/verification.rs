//! Verifies the agent by running it: compile, unit tests, start, ping, one question, stop.

use std::time::Duration;

use nexus_plugin_api::payload::StageResult;
use serde_json::{Value, json};

use super::{Job, StageError, deployer, repair};
use crate::{
    documents::{self, structured},
    spec::{AgentDesign, AgentFolder, PromptRecord, ToolRecords},
    verify::{self, Limits, VerifyError},
    workspace::Workspace,
};

/// An agent never ends of its own examples: those that it answers otherwise are taken out of its folder, with a warning.
async fn drop_examples(
    job: &mut Job,
    design: &mut AgentDesign,
    folder: &AgentFolder,
    verified: &verify::Verified,
) -> Result<(), StageError> {
    let dropped = &verified.report.dropped;
    if dropped.is_empty() {
        return Ok(());
    }
    for example in dropped {
        job.cx.warn(format!("example dropped: “{}” is for {}, but {} answered", example.question, example.tool, example.got));
    }
    let is_dropped = |question: &str| dropped.iter().any(|example| example.question == question);
    design.examples.retain(|example| !is_dropped(&example.question));
    let workspace = Workspace::new(job.request.workspace.clone());
    let (manifest, readme) = (folder.manifest_path.clone(), format!("{}/README.md", folder.agent_dir));
    let read = { let (manifest, readme) = (manifest.clone(), readme.clone()); move || Ok::<_, StageError>((workspace.read(&manifest)?, workspace.read(&readme)?)) };
    let (manifest_text, readme_text) = tokio::task::spawn_blocking(read).await??;
    let mut value: Value = serde_json::from_str(&manifest_text)?;
    if let Some(examples) = value.get_mut("examples").and_then(Value::as_array_mut) {
        examples.retain(|example| !example.get("question").and_then(Value::as_str).is_some_and(is_dropped));
    }
    for tool in value.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        for text in tool.get_mut("example").and_then(Value::as_object_mut).into_iter().flat_map(|texts| texts.values_mut()) {
            if text.as_str().is_some_and(is_dropped) {
                *text = Value::from("");
            }
        }
    }
    let lines = readme_text.lines().filter(|line| !line.strip_prefix("- ").is_some_and(is_dropped));
    job.file(readme, lines.map(|line| format!("{line}\n")).collect::<String>());
    job.file(manifest, serde_json::to_string_pretty(&value)? + "\n");
    Ok(())
}

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
    let mut design = design;
    drop_examples(&mut job, &mut design, &folder, &verified).await?;
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
