//! Verifies an agent by using it: one interpreter loads it, compiles everything and runs the unit tests in a copy of
//! itself, and in another is the agent, which is asked `/ping`, one question and the cases of `acceptance`, and told to stop.

pub(crate) mod acceptance;
mod agent;
mod bytecode;
mod checks;
mod finding;
mod http;
mod process;
pub(crate) mod tool;
#[cfg(test)]
mod walls_tests;

use std::{io, path::Path, time::Duration};

use nexus_sandbox::SandboxError;
use serde_json::Value;
use tokio::sync::oneshot;

use acceptance::{Frozen, exam::Exam};
pub use agent::RunningAgent;
pub(crate) use bytecode::Bytecode;
pub(crate) use checks::{DroppedExample, Report};
pub use finding::{Check, Finding};

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Compiling and all tests together.
    pub(crate) tests: Duration,
    /// Starting, and each answer.
    pub(crate) start: Duration,
}

/// An agent that passed.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    /// Compilation and tests.
    pub(crate) report: Report,
    /// From the start of the process to its first answer.
    pub(crate) start_ms: u128,
    /// How long the acceptance questions took.
    pub(crate) exam_ms: u128,
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
    let (agent, events) = RunningAgent::examined(python, folder, limits.start).await?;
    // Both at once: they need nothing of each other but what was loaded for both.
    let checked = findings(checks::report(python, events.checked, limits.tests));
    let question = asked.question.to_owned();
    let asked = findings(ask(&agent, events.listening, asked));
    match tokio::try_join!(checked, asked)? {
        (Ok(report), Ok(Spoken { start_ms, exam_ms, ping, answer, exam })) => {
            agent.stop().await?;
            Ok(Verified { report, start_ms, exam_ms, ping, question, answer, exam })
        }
        (checked, asked) => {
            let output = agent.kill().await;
            let both = checked.err().into_iter().chain(asked.err()).flatten();
            // Why it did not start, or its tests did not end, it says there.
            let told = both.map(|one| if one.output.is_empty() { one.with_output(&output) } else { one });
            Err(VerifyError::Failed(told.collect()))
        }
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

/// What a running agent said.
struct Spoken {
    start_ms: u128,
    exam_ms: u128,
    ping: Value,
    answer: Value,
    exam: Exam,
}

async fn ask(agent: &RunningAgent, listening: oneshot::Receiver<()>, asked: Asked<'_>) -> Result<Spoken, VerifyError> {
    agent.listens(listening).await?;
    let ping = agent.ping().await?;
    let start_ms = agent.started.elapsed().as_millis();
    let answer = agent.invoke(asked.question, "verification-of-the-build-0000001").await?;
    let begun = std::time::Instant::now();
    let exam = acceptance::exam::ask(asked.requirement, asked.cases, agent).await?;
    Ok(Spoken { start_ms, exam_ms: begun.elapsed().as_millis(), ping, answer, exam })
}
