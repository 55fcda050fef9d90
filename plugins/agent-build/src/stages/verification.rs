//! Verifies the agent by running it: compile, unit tests, start, ping, a question, the cases of the requirement, stop.
//!
//! A wrong figure fails the build; the author may mend the agent, never the cases. What was due and did not come becomes
//! part of what the agent does not serve: in the records, in the report, and in what the agent says of itself.

use std::time::Duration;

use nexus_evaluation::{Coverage, NotServed};
use nexus_plugin_api::payload::{self, Assessment, StageResult};
use serde_json::{Value, json};

use super::{Job, StageError, deployer, examples, repair};
use crate::{
    documents::{self, structured},
    spec::{AcceptanceCases, AgentDesign, AgentFolder, PromptRecord, ToolRecords},
    verify::{self, Asked, Limits, Verified, VerifyError, acceptance::Frozen},
    workspace::Workspace,
};

const REPORT: &str = "workflow_summary_report.md";
/// How often the author may repair what verification found.
const MAX_REPAIRS: usize = 1;

pub(super) async fn run(mut job: Job) -> Result<StageResult, StageError> {
    let design: AgentDesign = job.input()?;
    let tools: ToolRecords = job.input()?;
    let design = design.without(&tools.left_out);
    let prompt: PromptRecord = job.input()?;
    let folder: AgentFolder = job.input()?;
    let question = design.examples.first().map_or("help", |example| example.question.as_str());
    let limits = Limits {
        tests: Duration::from_secs(job.settings().test_timeout_secs),
        start: Duration::from_secs(job.settings().start_timeout_secs),
    };
    let path = job.request.workspace.join(&folder.agent_dir);
    let cases = cases(&job).await?;
    let requirement = job.request.requirement.clone();
    let asked = Asked { question, requirement: &requirement, cases: &cases };
    job.cx.progress(0.1, "compiling, testing and starting the agent");
    tokio::select! {
        () = job.lay_bytecode(&path) => {}
        () = job.cx.cancelled() => return Err(StageError::Cancelled),
    }
    let mut repairs = 0;
    let verified = loop {
        let verified = tokio::select! {
            verified = verify::verify(&job.settings().python, &path, asked, limits) => verified,
            // Dropping the future kills what it started.
            () = job.cx.cancelled() => return Err(StageError::Cancelled),
        };
        let verified = match verified {
            Ok(verified) if verified.exam.findings.is_empty() => Ok(verified),
            Ok(verified) => Err(VerifyError::Failed(verified.exam.findings_of(&tools))),
            Err(error) => Err(error),
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
        "{} files compiled, {} tests passed, agent started in {} ms; acceptance: {} of {} cases passed in {} ms",
        verified.report.compiled,
        verified.report.tests,
        verified.start_ms,
        verified.exam.acceptance.passed,
        verified.exam.acceptance.asked,
        verified.exam_ms
    ));
    let (coverage, not_served) = verified.exam.coverage(&design);
    let mut design = design;
    examples::warn(&job, &verified.report.dropped);
    examples::drop_from_design(&mut design, &verified.report.dropped);
    tell_agent(&mut job, &folder, coverage, &verified, design.language)?;
    let acceptance = serde_json::to_value(&verified.exam.acceptance)?;
    job.assessment(Assessment {
        coverage: coverage.word().to_owned(),
        not_served: not_served
            .iter()
            .map(|one| payload::NotServed { text: one.text.clone(), reason: one.reason.clone() })
            .collect(),
        acceptance: Some(acceptance.clone()),
    });
    for (number, (name, result)) in verified.steps().iter().enumerate() {
        job.cx.tool_call(
            &format!("check-{}", number + 1),
            name,
            json!({"folder": folder.agent_dir}),
            result.as_str(),
            false,
        );
    }
    let report = documents::report(&requirement, &design, &tools.tools, &verified, &not_served, job.model_id());
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
        "coverage": coverage,
        "not_served": not_served,
        "acceptance": acceptance,
        "verified": true,
    });
    // Given here too: the deployer stage is optional.
    job.agent(deployer::manifest(&design, &tools, &prompt, &folder));
    job.finish(output, report).await
}

/// The cases as they were frozen; none in a workflow without the stage that makes them.
async fn cases(job: &Job) -> Result<Frozen, StageError> {
    let Some(AcceptanceCases { acceptance_cases: record }) = job.optional_input()? else {
        return Ok(Frozen { cases: Vec::new() });
    };
    let workspace = Workspace::new(job.request.workspace.clone());
    let text =
        tokio::task::spawn_blocking(move || workspace.read(&record.path).map(|text| (text, record.sha256))).await??;
    Ok(Frozen::read(&text.0, &text.1)?)
}

/// Lets the agent say of itself what was found out: its manifest gets coverage, score, and the abilities that it lacks.
fn tell_agent(
    job: &mut Job,
    folder: &AgentFolder,
    coverage: Coverage,
    verified: &Verified,
    language: crate::spec::Language,
) -> Result<(), StageError> {
    let workspace = Workspace::new(job.request.workspace.clone());
    let mut manifest: Value = serde_json::from_str(&workspace.read(&folder.manifest_path)?)?;
    let (exam, dropped) = (&verified.exam, &verified.report.dropped);
    examples::drop_from_manifest(&mut manifest, dropped);
    if !dropped.is_empty() {
        let path = format!("{}/README.md", folder.agent_dir);
        let readme = workspace.read(&path)?;
        job.file(path, examples::drop_from_readme(&readme, dropped));
    }
    let all = &exam.acceptance;
    if let Some(manifest) = manifest.as_object_mut() {
        manifest.insert("coverage".into(), coverage.word().into());
        manifest.insert(
            "acceptance".into(),
            json!({ "asked": all.asked, "passed": all.passed, "failed": all.failed, "unproven": all.unproven }),
        );
        let missed: Vec<Value> = exam.lacking(language).into_iter().map(missed).collect();
        match manifest.get_mut("not_served").and_then(Value::as_array_mut) {
            // A repeated attempt finds what it wrote before.
            Some(list) => {
                list.retain(|one| one.get("ability").and_then(Value::as_str) != Some(MISSED));
                list.extend(missed);
            }
            None => {
                manifest.insert("not_served".into(), missed.into());
            }
        }
    }
    job.file(folder.manifest_path.clone(), serde_json::to_string_pretty(&manifest)? + "\n");
    Ok(())
}

/// Marks what the acceptance found, among what the design knew before.
const MISSED: &str = "acceptance";

fn missed(miss: NotServed) -> Value {
    json!({ "text": miss.text, "reason": miss.reason, "ability": MISSED, "needs": "model" })
}
