//! What the checks of an agent found: `check_agent.py` runs them beside the agent and leaves a report.

use std::{io, time::Duration};

use serde::Deserialize;
use tokio::{sync::oneshot, time::timeout};

use super::{Check, Finding, VerifyError};

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

/// The report, once the checks have ended.
pub(super) async fn report(
    python: &str,
    checked: oneshot::Receiver<String>,
    limit: Duration,
) -> Result<Report, VerifyError> {
    let told = timeout(limit, checked).await.map_err(|_| VerifyError::Timeout("testing the agent"))?;
    let report: Report = serde_json::from_str(&told.unwrap_or_default())
        .map_err(|_| Finding::new(Check::UnitTest, "tests", "a report of the tests", "none before they ended"))?;
    if let Some(reason) = report.unusable {
        return Err(VerifyError::Python { python: python.to_owned(), source: io::Error::other(reason) });
    }
    if report.errors.is_empty() {
        Ok(report)
    } else {
        Err(VerifyError::Failed(report.errors.into_iter().map(Finding::from).collect()))
    }
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
