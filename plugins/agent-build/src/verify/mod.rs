//! Verifies an agent by using it: one process compiles everything and runs the unit tests, another is the
//! agent itself, which is asked `/ping`, one question and the cases of `acceptance`, and told to stop.

pub(crate) mod acceptance;
mod agent;
mod finding;
mod http;
mod process;
#[cfg(test)]
mod walls_tests;

use std::{io, path::Path, time::Duration};

use nexus_sandbox::{Profile, SandboxError};
use serde::Deserialize;
use serde_json::Value;

use acceptance::{Frozen, exam::Exam};
pub use agent::RunningAgent;
pub use finding::{Check, Finding};

const CHECK: &str = include_str!("check_agent.py");

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Compiling and all tests together.
    pub(crate) tests: Duration,
    /// Starting, and each answer.
    pub(crate) start: Duration,
}

/// What `check_agent.py` reports.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Report {
    /// Version of the Python that ran it.
    pub(crate) python: String,
    /// Why this Python is of no use.
    unusable: Option<String>,
    /// Files that compile.
    pub(crate) compiled: u64,
    /// Tests that ran.
    pub(crate) tests: u64,
    errors: Vec<CheckError>,
    pub(crate) seconds: f64,
    /// Example questions that the agent does not answer by the tool they were made for.
    #[serde(default)]
    pub(crate) dropped: Vec<DroppedExample>,
}

/// An example question that was dropped.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DroppedExample {
    pub(crate) question: String,
    /// The tool it was made for.
    pub(crate) tool: String,
    /// The functions that answered instead.
    pub(crate) got: String,
}

#[derive(Clone, Debug, Deserialize)]
struct CheckError {
    check: Check,
    /// The file or test.
    place: String,
    tool: Option<String>,
    expected: String,
    output: String,
}

impl From<CheckError> for Finding {
    fn from(error: CheckError) -> Self {
        // A traceback ends with its frames, each indented; what was raised follows.
        let raised = error.output.rsplit("\n  File \"").next().unwrap_or_default();
        let frame = raised.len() < error.output.len();
        let got = raised.lines().skip(usize::from(frame)).find(|line| !line.is_empty() && !line.starts_with(' '));
        let finding =
            Self::new(error.check, &error.place, &error.expected, got.unwrap_or("nothing")).with_output(&error.output);
        Self { tool: error.tool, ..finding }
    }
}

/// An agent that passed.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    /// Compilation and tests.
    pub(crate) report: Report,
    /// From the start of the process to its first answer.
    pub(crate) start_ms: u128,
    /// Answer of `/ping`.
    pub(crate) ping: Value,
    /// What it was asked.
    pub(crate) question: String,
    /// Answer of `/invocations`.
    pub(crate) answer: Value,
    /// What it answered to the cases of the requirement; wrong figures among them are no failure yet.
    pub(crate) exam: Exam,
}

impl Verified {
    /// The steps with their results, for the log.
    pub(crate) fn steps(&self) -> [(&'static str, String); 5] {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        [
            ("compile", format!("{} files", self.report.compiled)),
            ("unit_tests", format!("{} tests passed in {} s", self.report.tests, self.report.seconds)),
            ("start_and_ping", format!("{} after {} ms", text(&self.ping, "status"), self.start_ms)),
            ("invoke", format!("{}\n{}", self.question, text(&self.answer, "output"))),
            ("acceptance", score(&self.exam)),
        ]
    }
}

fn score(exam: &Exam) -> String {
    let all = &exam.acceptance;
    format!("{} of {} passed, {} failed, {} unproven", all.passed, all.asked, all.failed, all.unproven)
}

/// Why an agent did not pass, or could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Python cannot be started.
    #[error("cannot run `{python}`: {source}; set `python` in [plugins.agent-build] to a Python of 3.9 or newer")]
    Python {
        /// As configured.
        python: String,
        /// Why.
        source: io::Error,
    },
    /// It cannot be confined, so it was not started.
    #[error("the agent cannot be verified: {0}")]
    Sandbox(#[from] SandboxError),
    /// Something of the agent does not hold.
    #[error("{}", finding::summary(.0))]
    Failed(Vec<Finding>),
    /// Something took too long; trying again can help.
    #[error("{0} took too long")]
    Timeout(&'static str),
}

impl From<Finding> for VerifyError {
    fn from(finding: Finding) -> Self {
        Self::Failed(vec![finding])
    }
}

impl VerifyError {
    /// More for the operator: every finding, and what the processes wrote.
    pub(crate) fn details(&self) -> Option<String> {
        if let Self::Failed(findings) = self { Some(finding::details(findings)) } else { None }
    }
}

/// What is asked of an agent beside its own tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// One question, to see that it answers.
    pub(crate) question: &'a str,
    /// The requirement.
    pub(crate) requirement: &'a str,
    /// The cases made from it.
    pub(crate) cases: &'a Frozen,
}

/// Compiles, tests, starts, asks and stops the agent in a folder.
///
/// Whatever was started is ended when something cannot be verified, also when the future is dropped.
pub(crate) async fn verify(
    python: &str,
    folder: &Path,
    asked: Asked<'_>,
    limits: Limits,
) -> Result<Verified, VerifyError> {
    // Both at once: they need nothing of each other, and starting Python is most of the time.
    let checked = findings(check(python, folder, limits.tests));
    let question = asked.question.to_owned();
    let asked = findings(ask(python, folder, asked, limits.start));
    match tokio::try_join!(checked, asked)? {
        (Ok(report), Ok(Spoken { start_ms, ping, answer, exam })) => {
            Ok(Verified { report, start_ms, ping, question, answer, exam })
        }
        (checked, asked) => Err(VerifyError::Failed(checked.err().into_iter().chain(asked.err()).flatten().collect())),
    }
}

/// Findings apart from what stops verification: one check's do not hide the other's.
async fn findings<T>(
    check: impl Future<Output = Result<T, VerifyError>>,
) -> Result<Result<T, Vec<Finding>>, VerifyError> {
    match check.await {
        Ok(passed) => Ok(Ok(passed)),
        Err(VerifyError::Failed(findings)) => Ok(Err(findings)),
        Err(error) => Err(error),
    }
}

async fn check(python: &str, folder: &Path, limit: Duration) -> Result<Report, VerifyError> {
    let mut walled = process::Walled::python(python, folder, Profile::Test).await?;
    walled.sandbox = walled.sandbox.arguments(["-B", "-c", CHECK]);
    let finished = process::finish(walled, python, limit).await?;
    let report: Report = serde_json::from_str(finished.stdout.lines().last().unwrap_or_default()).map_err(|e| {
        Finding::new(Check::UnitTest, "tests", "a report of the tests", format!("none ({}; {e})", finished.ending))
            .with_output(&format!("{}\n{}", finished.stdout, finished.stderr))
    })?;
    if let Some(reason) = report.unusable {
        return Err(VerifyError::Python { python: python.to_owned(), source: io::Error::other(reason) });
    }
    if report.errors.is_empty() {
        Ok(report)
    } else {
        Err(VerifyError::Failed(report.errors.into_iter().map(Finding::from).collect()))
    }
}

/// What a running agent said.
struct Spoken {
    start_ms: u128,
    ping: Value,
    answer: Value,
    exam: Exam,
}

async fn ask(python: &str, folder: &Path, asked: Asked<'_>, limit: Duration) -> Result<Spoken, VerifyError> {
    let agent = RunningAgent::start(python, folder, limit).await?;
    let ping = agent.ping().await?;
    let start_ms = agent.started.elapsed().as_millis();
    let answer = agent.invoke(asked.question, "verification-of-the-build-0000001").await?;
    let exam = acceptance::exam::ask(asked.requirement, asked.cases, &agent).await?;
    agent.stop().await?;
    Ok(Spoken { start_ms, ping, answer, exam })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_tells_what_was_raised() {
        let got = |output: &str| {
            let (place, expected) = ("place".to_owned(), "a test that passes".to_owned());
            let error = CheckError { check: Check::UnitTest, place, tool: None, expected, output: output.to_owned() };
            Finding::from(error).got
        };
        let trace = "Traceback (most recent call last):\n  File \"t.py\", line 9, in f\n    self.assertEqual(a, b)\n";
        assert_eq!(got("SyntaxError: invalid syntax (x.py, line 1)"), "SyntaxError: invalid syntax (x.py, line 1)");
        assert_eq!(got(&format!("{trace}AssertionError: 'x' != 'y'\n- x\n+ y\n")), "AssertionError: 'x' != 'y'");
        assert_eq!(got(&format!("{trace}         ^^^\nx.Oops\n\nStdout:\nhello\n")), "x.Oops");
        assert_eq!(got(""), "nothing");
    }
}
