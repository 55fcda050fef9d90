//! Tries out a tool that nobody vetted: its code is read for what a tool may not do, then run behind the walls of
//! [`nexus_sandbox`] on its worked examples and its unit tests, and small mistakes are put into it to see whether the
//! tests notice. `check_tool.py` does it; nothing of the tool can write its report.

#[cfg(test)]
mod tests;

use std::{fs, io, path::Path, time::Duration};

use nexus_sandbox::{Limits, Profile};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    Check, Finding, VerifyError,
    process::{self, Walled},
};
use crate::{catalogue::Catalogue, spec::ToolSketch};

const CHECK: &str = include_str!("check_tool.py");
const FLAGS: [&str; 5] = ["-S", "-E", "-B", "-X", "utf8"];
/// What a tool may import of the agent's runtime.
const RUNTIME: [&str; 2] = ["runtime/__init__.py", "runtime/refusal.py"];
/// A tool computes; a fork bomb among them ends at once.
const LIMITS: Limits = Limits {
    memory: Some(512 << 20),
    address_space: None,
    cpu_seconds: Some(60),
    cpu_percent: None,
    file_bytes: Some(1 << 20),
    open_files: Some(64),
    processes: Some(24),
    user_processes: Some(4096),
    disk_bytes: Some(4 << 20),
    disk_files: Some(64),
    nice: 5,
};

/// Code and tests of one tool.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<'a> {
    /// Name of the module and of its function.
    pub(crate) id: &'a str,
    /// What it is to be; `None` when only its tests say so.
    pub(crate) sketch: Option<&'a ToolSketch>,
    pub(crate) code: &'a str,
    pub(crate) tests: &'a str,
    /// Whether it is tried if the tests notice mistakes.
    pub(crate) mutate: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tried {
    /// What is wrong; none when it passed.
    pub(crate) findings: Vec<Finding>,
    pub(crate) tests: u64,
    pub(crate) mutants: u64,
    pub(crate) noticed: u64,
    /// Mistakes that no test noticed.
    pub(crate) survivors: Vec<String>,
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    unusable: Option<String>,
    #[serde(default)]
    faults: Vec<Fault>,
    #[serde(default)]
    tests: u64,
    #[serde(default)]
    mutants: u64,
    #[serde(default)]
    noticed: u64,
    #[serde(default)]
    survivors: Vec<String>,
}

#[derive(Deserialize)]
struct Fault {
    check: Check,
    place: String,
    expected: String,
    got: String,
    output: String,
}

/// How far a figure may be off an expected one: results of tools are rounded to two places at most.
pub(crate) fn tolerance(expected: &Value) -> f64 {
    let largest = |value: &Value| value.as_f64().map(f64::abs);
    let size = match expected {
        Value::Array(all) => all.iter().filter_map(largest).fold(0.0, f64::max),
        one if one.is_i64() || one.is_u64() => return one.as_f64().unwrap_or_default().abs() * 1e-9,
        one => largest(one).unwrap_or_default(),
    };
    if size < 0.1 { size * 0.005 + 1e-12 } else { f64::max(0.005_000_1, size * 1e-6) }
}

/// Tries a candidate out. It is ended after `limit`, and when the future is dropped.
pub(crate) async fn try_out(python: &str, candidate: &Candidate<'_>, limit: Duration) -> Result<Tried, VerifyError> {
    try_with(python, CHECK, candidate, limit).await
}

async fn try_with(python: &str, check: &str, candidate: &Candidate<'_>, limit: Duration) -> Result<Tried, VerifyError> {
    let unusable = |source: io::Error| VerifyError::Python { python: python.to_owned(), source };
    let folder = tempfile::Builder::new().prefix("nexus-tool-").tempdir().map_err(unusable)?;
    lay(folder.path(), candidate, limit).map_err(unusable)?;
    let mut walled = Walled::python(python, folder.path(), Profile::Test).await?;
    walled.sandbox.limits = LIMITS;
    walled.sandbox = walled.sandbox.arguments(FLAGS).arguments(["-c", check]);
    let mut confined = walled.spawn(python).await?;
    let (stdout, stderr) = (confined.stdout.take(), confined.stderr.take());
    let run = async { tokio::join!(process::read_all(stdout), process::read_all(stderr), confined.ended()) };
    let place = format!("tools/{}.py", candidate.id);
    let fault = |got: String, output: &str| {
        let finding = Finding::new(Check::Example, &place, "a tool that ends and keeps to its limits", got);
        let finding = Finding { tool: Some(candidate.id.to_owned()), ..finding }.with_output(output);
        Tried { findings: vec![finding], ..Tried::default() }
    };
    // Each step within has a time of its own; this is for what escapes them.
    let Ok((told, complaints, ending)) = timeout(limit.saturating_mul(4), run).await else {
        let _ = confined.kill().await;
        return Ok(fault(format!("it did not end within {} s", limit.as_secs_f64()), ""));
    };
    let line = told.lines().next_back().unwrap_or_default();
    let Ok(report) = serde_json::from_str::<Report>(line) else {
        let got = match ending {
            Ok(ending) => ending.to_string(),
            Err(error) => error.to_string(),
        };
        return Ok(fault(got, &complaints));
    };
    if let Some(reason) = report.unusable {
        return Err(unusable(io::Error::other(reason)));
    }
    let finding = |fault: Fault| {
        let finding = Finding::new(fault.check, &fault.place, &fault.expected, fault.got).with_output(&fault.output);
        Finding { tool: Some(candidate.id.to_owned()), ..finding }
    };
    Ok(Tried {
        findings: report.faults.into_iter().map(finding).collect(),
        tests: report.tests,
        mutants: report.mutants,
        noticed: report.noticed,
        survivors: report.survivors,
    })
}

/// Writes everything into a folder of its own. A few small files: it blocks for no longer than a start of Python.
fn lay(folder: &Path, candidate: &Candidate<'_>, limit: Duration) -> io::Result<()> {
    let Candidate { id, sketch, code, tests, mutate } = candidate;
    for name in ["tools", "tests", "runtime"] {
        fs::create_dir(folder.join(name))?;
        fs::write(folder.join(name).join("__init__.py"), "")?;
    }
    if let Ok(catalogue) = Catalogue::embedded() {
        for path in RUNTIME {
            fs::write(folder.join(path), catalogue.file(path).unwrap_or_default())?;
        }
    }
    fs::write(folder.join(format!("tools/{id}.py")), code)?;
    fs::write(folder.join(format!("tests/test_{id}.py")), tests)?;
    let examples = sketch.iter().flat_map(|sketch| &sketch.examples);
    let examples: Vec<Value> = examples
        .map(|one| json!({ "arguments": one.arguments, "result": one.result, "tolerance": tolerance(&one.result) }))
        .collect();
    let parameters: Option<Vec<&str>> =
        sketch.map(|sketch| sketch.parameters.iter().map(|one| one.name.as_str()).collect());
    let task = json!({
        "id": id,
        "parameters": parameters,
        "signature": sketch.map_or_else(|| format!("def {id}(…)"), ToolSketch::signature),
        "examples": examples,
        "seconds": limit.as_secs_f64() / 2.0,
        "mutate": mutate,
    });
    fs::write(folder.join("task.json"), task.to_string())
}
