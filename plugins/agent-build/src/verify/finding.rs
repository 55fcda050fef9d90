//! What verification found: typed for an author that mends it, and in words for people.

use std::fmt;

use serde::Deserialize;

/// Longest piece of a process's output that goes into a finding.
const MAX_OUTPUT: usize = 16 * 1024;

/// Something of the agent that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check that failed.
    pub check: Check,
    /// The file, test or request that was checked.
    pub place: String,
    /// The tool it belongs to, when one of the tool's own files is at fault.
    pub tool: Option<String>,
    /// What should have come.
    pub expected: String,
    /// What came instead.
    pub got: String,
    /// Everything that the process wrote.
    pub output: String,
}

/// The checks that an agent has to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A Python file compiles.
    Compile,
    /// A written tool does nothing that tools may not do.
    Lint,
    /// A written tool gives the results of its worked examples.
    Example,
    /// A unit test of the agent passes.
    UnitTest,
    /// The agent starts and listens.
    Start,
    /// It answers `/ping` as the contract says.
    Ping,
    /// It answers `/invocations` as the contract says.
    Invoke,
    /// It answers a case of the requirement with the right figures.
    Acceptance,
    /// It ends with exit code 0 when it is told to stop.
    Stop,
}

impl Check {
    /// Where whoever mends it should look.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Compile => "the file must be valid Python 3.9",
            Self::Lint => {
                "a tool is a plain function that computes from its arguments: no files, network, processes or state"
            }
            Self::Example => "the function must give these results; the examples stay as they are",
            Self::UnitTest => "the tool and its test disagree, or the test cannot run",
            Self::Start => "agent.py must print one line of JSON with its port, and serve on",
            Self::Ping => "GET /ping must answer {\"status\": \"Healthy\" or \"HealthyBusy\"}",
            Self::Invoke => "POST /invocations must answer with output, tool_calls and the session_id of the question",
            Self::Acceptance => {
                "the agent must answer with the right figures, or say that it cannot; the cases stay as they are"
            }
            Self::Stop => "SIGTERM must end the agent's server and its process",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.place, self.expected, self.got)
    }
}

impl Finding {
    pub(super) fn new(check: Check, place: &str, expected: &str, got: impl Into<String>) -> Self {
        let (place, expected) = (place.to_owned(), expected.to_owned());
        Self { check, place, tool: None, expected, got: got.into(), output: String::new() }
    }

    pub(super) fn with_output(self, output: &str) -> Self {
        Self { output: shortened(output), ..self }
    }
}

/// One sentence about all findings.
pub(super) fn summary(findings: &[Finding]) -> String {
    match findings {
        [] => "nothing was found".to_owned(),
        [first, ..] => format!("{} check(s) of the agent failed, first: {first}", findings.len()),
    }
}

/// All findings with hints and outputs.
pub(super) fn details(findings: &[Finding]) -> String {
    let one = |finding: &Finding| format!("{finding}\n{}\n{}", finding.check.hint(), finding.output);
    shortened(&findings.iter().map(one).collect::<Vec<_>>().join("\n\n"))
}

fn shortened(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_OUTPUT)).unwrap_or_default().to_owned()
}
