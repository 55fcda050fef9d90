//! Whether the finished agent does what the requirement asks: cases made from the reading of the requirement alone,
//! frozen before any tool is chosen, asked of the finished agent.
//!
//! - [`Frozen`] are the cases with their hash. A repair may change the agent, never these.
//! - `data` makes cases of every kind of data, `abilities` of the clauses of tasks, served or not, and traps.
//! - [`exam`] asks and judges.

mod abilities;
mod data;
pub(crate) mod exam;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;

use nexus_evaluation::Oracle;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::spec::{Language, Requirements};

/// Where the cases lie in the project's folder: outside of the agent's, which authors write.
pub(crate) const PATH: &str = "acceptance/cases.json";

/// Most cases of one agent: asking them takes a tenth of a second.
const MOST: usize = 28;
/// Most of them about one data set.
const MOST_OF_A_SET: usize = 10;

/// A question, and what a right answer is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) kind: CaseKind,
    /// What is asked, in a session of its own.
    pub(crate) ask: String,
    pub(crate) oracle: Oracle,
    /// What should come, in words.
    pub(crate) expected: String,
    /// The words of the requirement that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// Why nothing can be proved: then it is not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unproven: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CaseKind {
    /// An entry of the data.
    Datum,
    /// A clause of a task, with a result that was computed elsewhere.
    Task,
    /// A clause that nothing serves.
    Refusal,
    /// What no agent should fall for.
    Trap,
}

impl CaseKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Datum => "datum",
            Self::Task => "task",
            Self::Refusal => "refusal",
            Self::Trap => "trap",
        }
    }
}

/// The cases of a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frozen {
    pub(crate) cases: Vec<Case>,
}

/// The cases are not those that were made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrozenError {
    #[error("{PATH} was changed after the cases were frozen; restart the build from the stage requirements_analysis")]
    Changed,
    #[error("{PATH} cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl Frozen {
    /// Makes the cases.
    pub(crate) fn of(requirement: &str, requirements: &Requirements) -> Self {
        let mut cases = data::cases(requirement, requirements);
        cases.extend(abilities::tasks(requirements));
        cases.extend(abilities::refusals(requirements));
        cases.extend(abilities::traps(requirements));
        cases.dedup_by(|a, b| a.ask == b.ask);
        Self { cases: thinned(cases) }
    }

    /// The file, and its SHA-256 in hexadecimal.
    pub(crate) fn file(&self) -> Result<(String, String), FrozenError> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        let digest = digest(&text);
        Ok((text, digest))
    }

    /// Reads the file back.
    pub(crate) fn read(text: &str, expected: &str) -> Result<Self, FrozenError> {
        if digest(text) != expected {
            return Err(FrozenError::Changed);
        }
        Ok(serde_json::from_str(text)?)
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// At most so many cases, of every kind some: the longest runs of one kind lose first.
fn thinned(cases: Vec<Case>) -> Vec<Case> {
    let (data, rest): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(|case| case.kind == CaseKind::Datum);
    let room = MOST.saturating_sub(rest.len().min(MOST / 2));
    let mut kept = sampled(data, room);
    kept.extend(sampled(rest, MOST - kept.len().min(MOST)));
    kept
}

/// So many of a list, spread evenly over it, in its order.
fn sampled<T>(list: Vec<T>, most: usize) -> Vec<T> {
    let (length, most) = (list.len(), most.min(list.len()));
    let keep = |at: usize| most > 0 && (at * most) / length != ((at + 1) * most) / length;
    list.into_iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, one)| one).collect()
}

impl Case {
    fn new(kind: CaseKind, ask: String, oracle: Oracle, source: Option<String>) -> Self {
        let expected = expected(&oracle);
        Self { kind, ask, oracle, expected, source, unproven: None }
    }

    /// Of which nothing can be said, and why.
    fn unproven(kind: CaseKind, ask: String, source: Option<String>, reason: &str) -> Self {
        let case = Self::new(kind, ask, Oracle::default(), source);
        Self { unproven: Some(reason.to_owned()), ..case }
    }
}

/// What an oracle wants, in words that need no translation where it can be helped.
fn expected(oracle: &Oracle) -> String {
    let plain = |text: &String| text.split("<-").next().unwrap_or(text).trim().to_owned();
    let mut parts: Vec<String> = oracle.figures.iter().map(ToString::to_string).collect();
    parts.extend(oracle.dates.iter().chain(&oracle.times).chain(&oracle.must).map(plain));
    if parts.is_empty() && !oracle.must_not.is_empty() {
        parts.push("anything but the order itself".to_owned());
    }
    if oracle.refuse {
        parts.push("a refusal".to_owned());
    }
    if let Some(pattern) = &oracle.pattern {
        parts.push(format!("`{pattern}`"));
    }
    if let Some(tool) = &oracle.tool {
        parts.push(format!("a result of `{tool}`"));
    }
    parts.join(", ")
}

/// The question of the language.
fn asked(language: Language, en: &str, zh: &str) -> String {
    language.pick(en, zh).to_owned()
}
