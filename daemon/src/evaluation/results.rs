//! Judges the rows of a journal. The same rows always give the same results.

use std::collections::BTreeMap;

use nexus_evaluation::{Answer, Judgement, Turn, Verdict, judge, statistics};
use serde::{Deserialize, Serialize};

use super::{
    journal::{Built, Row},
    set::{Requirement, Set},
    tally::{self, Group, Times},
};

/// The form of the file.
const VERSION: u32 = 1;

/// What a run found out, as it is written to a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// Of this form.
    pub version: u32,
    /// The daemon that was measured.
    pub nexusd: String,
    /// SHA-256 of the set.
    pub set: String,
    /// Runs of each requirement.
    pub runs: usize,
    /// Over everything.
    pub total: Group,
    /// Over kinds, classes and languages.
    pub groups: BTreeMap<String, Group>,
    /// How long builds and answers took.
    pub times: Times,
    /// Requirement-runs that broke off, with the reason.
    pub incomplete: Vec<String>,
    /// Requirements without an agent that should have one, with the build's reason.
    pub missing: BTreeMap<String, String>,
    /// Every question.
    pub cases: Vec<Case>,
}

/// A question over all runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// `requirement/session.question`, both counted from 1.
    pub id: String,
    /// Its requirement.
    pub requirement: String,
    /// The file.
    pub kind: String,
    /// Its class.
    pub class: String,
    /// Its language.
    pub language: String,
    /// What was asked.
    pub ask: String,
    /// Whether an answer was due, not a refusal.
    pub due: bool,
    /// Whether a number, a day or a time was asked for.
    pub figures: bool,
    /// What each run brought.
    pub outcomes: Vec<Outcome>,
    /// Why the first run that was not right was not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// That answer, or the first.
    pub answer: String,
}

/// What one run of a question brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Right,
    /// Declined though an answer was due.
    Refused,
    /// Something else was stated.
    Wrong,
    /// No answer.
    Nonsense,
    /// There was nobody to ask.
    AgentMissing,
}

impl Outcome {
    /// All, the best first.
    pub const ALL: [Self; 5] = [Self::Right, Self::Refused, Self::Wrong, Self::Nonsense, Self::AgentMissing];

    /// The words in reports.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::AgentMissing => "agent missing",
            Self::Right => Verdict::Right.word(),
            Self::Refused => Verdict::Refused.word(),
            Self::Wrong => Verdict::Wrong.word(),
            Self::Nonsense => Verdict::Nonsense.word(),
        }
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Right => Self::Right,
            Verdict::Refused => Self::Refused,
            Verdict::Wrong => Self::Wrong,
            Verdict::Nonsense => Self::Nonsense,
        }
    }
}

impl Case {
    /// How many runs, and how many right ones.
    #[must_use]
    pub fn runs(&self) -> statistics::Runs {
        let right = self.outcomes.iter().filter(|one| **one == Outcome::Right).count();
        statistics::Runs { of: self.outcomes.len(), right }
    }
}

/// One finished run of a requirement.
struct Finished<'a> {
    built: &'a Built,
    answers: BTreeMap<(usize, usize), (&'a Answer, Option<&'a str>)>,
}

impl Results {
    /// Judges.
    #[must_use]
    pub fn of(set: &Set, rows: &[Row], runs: usize) -> Self {
        let finished = finished(rows);
        let (mut cases, mut missing) = (Vec::new(), BTreeMap::new());
        for requirement in &set.requirements {
            let own: Vec<&Finished<'_>> =
                (1..=runs).filter_map(|run| finished.get(&(requirement.id.as_str(), run))).collect();
            let lacks = own.iter().find_map(|one| lacks_its_agent(requirement, one));
            if let Some(reason) = lacks {
                missing.insert(requirement.id.clone(), reason);
            }
            for (session, questions) in requirement.sessions.iter().enumerate() {
                for question in 0..questions.len() {
                    cases.extend(case(requirement, session, question, &own));
                }
            }
        }
        let nexusd = rows.iter().find_map(|row| match row {
            Row::Begin { version, .. } => Some(version.clone()),
            _ => None,
        });
        Self {
            version: VERSION,
            nexusd: nexusd.unwrap_or_default(),
            set: set.digest.clone(),
            runs,
            total: Group::of(cases.iter()),
            groups: tally::groups(&cases),
            times: Times::of(rows),
            incomplete: incomplete(set, rows, runs),
            missing,
            cases,
        }
    }
}

fn finished(rows: &[Row]) -> BTreeMap<(&str, usize), Finished<'_>> {
    let mut open: BTreeMap<(&str, usize), Finished<'_>> = BTreeMap::new();
    let mut done = BTreeMap::new();
    for row in rows {
        match row {
            Row::Begin { .. } => {}
            Row::Build { requirement, run, built, .. } => {
                // A run that broke off and was begun anew.
                open.insert((requirement, *run), Finished { built, answers: BTreeMap::new() });
            }
            Row::Answer { requirement, run, session, question, answer, failure, .. } => {
                if let Some(one) = open.get_mut(&(requirement.as_str(), *run)) {
                    one.answers.insert((*session, *question), (answer, failure.as_deref()));
                }
            }
            Row::Done { requirement, run } => {
                if let Some(one) = open.remove(&(requirement.as_str(), *run)) {
                    done.insert((requirement.as_str(), *run), one);
                }
            }
            Row::Incomplete { requirement, run, .. } => {
                open.remove(&(requirement.as_str(), *run));
            }
        }
    }
    done
}

/// Why a requirement has no agent though it should, by the build's word.
fn lacks_its_agent(requirement: &Requirement, run: &Finished<'_>) -> Option<String> {
    match run.built {
        Built::Failed { reason, .. } if !(requirement.class.may_lack_an_agent() && says_why(reason)) => {
            Some(reason.clone())
        }
        _ => None,
    }
}

/// A reason that tells a person something.
fn says_why(reason: &str) -> bool {
    reason.split_whitespace().count() >= 3 || reason.chars().count() >= 10
}

fn case(requirement: &Requirement, session: usize, question: usize, runs: &[&Finished<'_>]) -> Option<Case> {
    let questions = requirement.sessions.get(session)?;
    let asked = questions.get(question)?;
    let judged: Vec<(Outcome, String, &str)> = runs
        .iter()
        .map(|run| {
            let Some((answer, failure)) = run.answers.get(&(session, question)) else {
                let Built::Failed { reason, .. } = run.built else {
                    return (Outcome::AgentMissing, "it was not asked".to_owned(), "");
                };
                return match lacks_its_agent(requirement, run) {
                    Some(_) => (Outcome::AgentMissing, reason.clone(), ""),
                    None => (Outcome::Right, String::new(), ""),
                };
            };
            if let Some(failure) = failure {
                return (Outcome::Nonsense, format!("the agent failed: {failure}"), "");
            }
            let mut earlier = Vec::new();
            for (at, before) in questions.iter().enumerate().take(question) {
                earlier.push(before.ask.clone());
                earlier.extend(run.answers.get(&(session, at)).map(|(answer, _)| answer.text.clone()));
            }
            let turn = Turn { requirement: &requirement.text, earlier: &earlier, question: &asked.ask };
            let Judgement { verdict, reason } = judge(turn, &asked.oracle, answer);
            (verdict.into(), reason, answer.text.as_str())
        })
        .collect();
    let shown = judged.iter().find(|(outcome, ..)| *outcome != Outcome::Right).or(judged.first())?;
    Some(Case {
        id: format!("{}/{}.{}", requirement.id, session + 1, question + 1),
        requirement: requirement.id.clone(),
        kind: requirement.kind.clone(),
        class: requirement.class.as_str().to_owned(),
        language: requirement.language.as_str().to_owned(),
        ask: asked.ask.clone(),
        due: asked.oracle.is_due(),
        figures: asked.oracle.has_figures(),
        reason: shown.1.clone(),
        answer: shown.2.to_owned(),
        outcomes: judged.iter().map(|(outcome, ..)| *outcome).collect(),
    })
}

/// What broke off and was not run to its end later.
fn incomplete(set: &Set, rows: &[Row], runs: usize) -> Vec<String> {
    let done = |id: &str, at: usize| {
        rows.iter().any(|row| matches!(row, Row::Done { requirement, run } if requirement == id && *run == at))
    };
    let reason = |id: &str, at: usize| {
        rows.iter().rev().find_map(|row| match row {
            Row::Incomplete { requirement, run, reason } if requirement == id && *run == at => Some(reason.clone()),
            _ => None,
        })
    };
    let all = set.requirements.iter().flat_map(|one| (1..=runs).map(move |run| (one.id.as_str(), run)));
    all.filter(|(id, run)| !done(id, *run))
        .map(|(id, run)| {
            format!("{id}, run {run}: {}", reason(id, run).unwrap_or_else(|| "it was not reached".to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> Set {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.toml");
        let text = r#"
[[requirement]]
id = "a"
language = "en"
class = "served"
text = "prices: apple 3 EUR"
sessions = [[{ ask = "2 apples", figures = ["6 EUR"] }, { ask = "and mango", refuse = true }]]
[[requirement]]
id = "b"
language = "zh"
class = "impossible"
text = "查天气"
sessions = [[{ ask = "天气", refuse = true }]]
"#;
        std::fs::write(&path, text).unwrap();
        Set::read(&path).unwrap()
    }

    fn answer(run: usize, question: usize, text: &str) -> Row {
        let answer = Answer { text: text.into(), calls: Vec::new() };
        Row::Answer { requirement: "a".into(), run, session: 0, question, answer, failure: None, milliseconds: 1.0 }
    }

    fn build(requirement: &str, run: usize, agent: bool) -> Row {
        let (project, id) = (String::new(), String::new());
        let reason = "nothing of it can be served".to_owned();
        let built = if agent {
            Built::Agent { id, project, said: serde_json::Value::Null }
        } else {
            Built::Failed { project, reason }
        };
        Row::Build { requirement: requirement.into(), run, seconds: 1.0, built }
    }

    fn done(requirement: &str, run: usize) -> Row {
        Row::Done { requirement: requirement.into(), run }
    }

    #[test]
    fn what_broke_off_counts_for_nothing() {
        let broken = Row::Incomplete { requirement: "a".into(), run: 1, reason: "no daemon".into() };
        let rows = [build("a", 1, true), answer(1, 0, "5 EUR"), broken];
        let results = Results::of(&set(), &rows, 1);
        assert!(results.cases.is_empty() && results.incomplete.len() == 2, "{results:?}");
        // Run again: only the second try counts.
        let mut rows = rows.to_vec();
        rows.extend([build("a", 1, true), answer(1, 0, "6 EUR"), answer(1, 1, "I do not know mango"), done("a", 1)]);
        let results = Results::of(&set(), &rows, 1);
        assert_eq!((results.cases.len(), results.total.right), (2, 2), "{results:?}");
    }

    #[test]
    fn an_agent_that_is_rightly_not_there() {
        let rows = [build("b", 1, false), done("b", 1), build("a", 1, false), done("a", 1)];
        let results = Results::of(&set(), &rows, 1);
        let outcome = |id: &str| results.cases.iter().find(|case| case.requirement == id).unwrap().outcomes[0];
        assert_eq!((outcome("a"), outcome("b")), (Outcome::AgentMissing, Outcome::Right));
        assert_eq!(results.missing.keys().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn every_run_counts() {
        let run = |run, text| {
            [build("a", run, true), answer(run, 0, text), answer(run, 1, "I cannot answer that"), done("a", run)]
        };
        let rows = [run(1, "6 EUR"), run(2, "7 EUR")].concat();
        let results = Results::of(&set(), &rows, 2);
        assert_eq!((results.total.passed_once, results.total.passed_always, results.total.cases), (2, 1, 2));
        assert_eq!((results.total.right, results.total.wrong), (3, 1));
    }
}
