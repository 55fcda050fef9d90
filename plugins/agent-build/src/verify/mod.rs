//! Verifies an agent by using it: one process compiles everything and runs the unit tests, another is the
//! agent itself, which is asked `/ping` and one `/invocations`, and told to stop.

mod agent;
mod http;
mod process;

use std::{io, path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use agent::RunningAgent;

const CHECK: &str = include_str!("check_agent.py");
/// Longest piece of a process's output that goes into an error.
const MAX_OUTPUT: usize = 16 * 1024;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Compiling and all tests together.
    pub tests: Duration,
    /// Starting, and each answer.
    pub start: Duration,
}

/// What `check_agent.py` reports.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// Version of the Python that ran it.
    pub python: String,
    /// Files that compile.
    pub compiled: u64,
    /// Tests that ran.
    pub tests: u64,
    /// What failed.
    pub errors: Vec<CheckError>,
    /// How long it took.
    pub seconds: f64,
}

/// A failed file or test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckError {
    /// The file or test.
    pub r#where: String,
    /// What Python says.
    pub output: String,
}

/// An agent that passed.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Compilation and tests.
    pub check: Check,
    /// From the start of the process to its first answer.
    pub start_ms: u128,
    /// Answer of `/ping`.
    pub ping: Value,
    /// What it was asked.
    pub question: String,
    /// Answer of `/invocations`.
    pub answer: Value,
}

impl Verified {
    /// The steps with their results, for the log.
    #[must_use]
    pub fn steps(&self) -> [(&'static str, String); 4] {
        let output = self.answer.get("output").and_then(Value::as_str).unwrap_or_default();
        [
            ("compile", format!("{} files", self.check.compiled)),
            ("unit_tests", format!("{} tests passed in {} s", self.check.tests, self.check.seconds)),
            (
                "start_and_ping",
                format!(
                    "{} after {} ms",
                    self.ping.get("status").and_then(Value::as_str).unwrap_or_default(),
                    self.start_ms
                ),
            ),
            ("invoke", format!("{}\n{output}", self.question)),
        ]
    }
}

/// Why an agent did not pass.
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
    /// Files do not compile or tests fail.
    #[error("{failed} check(s) of the agent failed, first: {first}")]
    Failed {
        /// How many.
        failed: usize,
        /// The first one's place.
        first: String,
        /// Everything Python said.
        output: String,
    },
    /// A process ended without doing what it should.
    #[error("{what}")]
    Process {
        /// What was expected.
        what: String,
        /// What it wrote.
        output: String,
    },
    /// The agent does not answer as the contract says.
    #[error("the agent breaks its contract: {what}")]
    Contract {
        /// What is wrong.
        what: String,
        /// What it wrote on stderr.
        output: String,
    },
    /// Something took too long.
    #[error("{0} took too long")]
    Timeout(&'static str),
    /// The build was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl VerifyError {
    /// Whether trying again can help.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    /// What the processes wrote.
    #[must_use]
    pub fn output(&self) -> Option<&str> {
        match self {
            Self::Failed { output, .. } | Self::Process { output, .. } | Self::Contract { output, .. } => Some(output),
            _ => None,
        }
    }
}

/// Compiles, tests, starts, asks and stops the agent in a folder.
///
/// # Errors
/// The first thing that does not hold. Whatever was started is ended then, also when the future is dropped.
pub async fn verify(python: &str, folder: &Path, question: &str, limits: Limits) -> Result<Verified, VerifyError> {
    // Both at once: they need nothing of each other, and starting Python is most of the time.
    let (check, asked) =
        tokio::try_join!(check(python, folder, limits.tests), ask(python, folder, question, limits.start))?;
    let (start_ms, ping, answer) = asked;
    Ok(Verified { check, start_ms, ping, question: question.to_owned(), answer })
}

async fn check(python: &str, folder: &Path, limit: Duration) -> Result<Check, VerifyError> {
    let mut command = process::python(python, folder);
    command.args(["-B", "-c", CHECK]);
    let finished = process::finish(command, python, limit).await?;
    let report: Check =
        serde_json::from_str(finished.stdout.lines().last().unwrap_or_default()).map_err(|e| VerifyError::Process {
            what: format!("the agent's tests ended without a report ({}; {e})", finished.status),
            output: shortened(&format!("{}\n{}", finished.stdout, finished.stderr)),
        })?;
    match report.errors.first() {
        None => Ok(report),
        Some(first) => Err(VerifyError::Failed {
            failed: report.errors.len(),
            first: first.r#where.clone(),
            output: shortened(
                &report.errors.iter().map(|e| format!("{}\n{}", e.r#where, e.output)).collect::<Vec<_>>().join("\n\n"),
            ),
        }),
    }
}

async fn ask(
    python: &str,
    folder: &Path,
    question: &str,
    limit: Duration,
) -> Result<(u128, Value, Value), VerifyError> {
    let agent = RunningAgent::start(python, folder, limit).await?;
    let ping = agent.ping().await?;
    let start_ms = agent.started.elapsed().as_millis();
    let answer = agent.invoke(question, "verification-of-the-build-0000001").await?;
    agent.stop().await?;
    Ok((start_ms, ping, answer))
}

fn shortened(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_OUTPUT)).unwrap_or_default().to_owned()
}
