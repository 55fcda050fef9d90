//! Counts over cases, and times.

use std::collections::BTreeMap;

use nexus_evaluation::statistics::{pass, wilson};
use serde::{Deserialize, Serialize};

use super::{
    journal::Row,
    results::{Case, Outcome},
};

/// Counts of one group of cases. Outcomes are counted over all runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Questions.
    pub cases: usize,
    /// Answers.
    pub answers: usize,
    /// As they should be.
    pub right: usize,
    /// Declined though due.
    pub refused: usize,
    /// Something else stated.
    pub wrong: usize,
    /// Of the wrong ones, those where a number, a day or a time was asked for.
    pub wrong_figures: usize,
    /// No answers.
    pub nonsense: usize,
    /// Nobody to ask.
    pub agent_missing: usize,
    /// Answers that were due, and the right ones of them.
    pub due: (usize, usize),
    /// Refusals that were due, and the right ones of them.
    pub to_refuse: (usize, usize),
    /// Cases right in at least one run: pass@k.
    pub passed_once: usize,
    /// Cases right in every run: pass^k.
    pub passed_always: usize,
    /// Wilson's band of 95 % around pass^k.
    pub band: (f64, f64),
}

impl Group {
    pub(super) fn of<'a>(cases: impl Iterator<Item = &'a Case>) -> Self {
        let mut group = Self::default();
        let mut runs = Vec::new();
        for case in cases {
            runs.push(case.runs());
            for outcome in &case.outcomes {
                group.answers += 1;
                let right = usize::from(*outcome == Outcome::Right);
                let kind = if case.due { &mut group.due } else { &mut group.to_refuse };
                *kind = (kind.0 + 1, kind.1 + right);
                group.wrong_figures += usize::from(*outcome == Outcome::Wrong && case.figures);
                *match outcome {
                    Outcome::Right => &mut group.right,
                    Outcome::Refused => &mut group.refused,
                    Outcome::Wrong => &mut group.wrong,
                    Outcome::Nonsense => &mut group.nonsense,
                    Outcome::AgentMissing => &mut group.agent_missing,
                } += 1;
            }
        }
        (group.passed_once, group.passed_always, group.cases) = pass(&runs);
        group.band = wilson(group.passed_always, group.cases);
        group
    }

    /// How often an outcome came.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        match outcome {
            Outcome::Right => self.right,
            Outcome::Refused => self.refused,
            Outcome::Wrong => self.wrong,
            Outcome::Nonsense => self.nonsense,
            Outcome::AgentMissing => self.agent_missing,
        }
    }
}

/// By kind (`prices`), class (`class served`) and language (`language zh`).
pub(super) fn groups(cases: &[Case]) -> BTreeMap<String, Group> {
    let mut groups: BTreeMap<String, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        let names = [case.kind.clone(), format!("class {}", case.class), format!("language {}", case.language)];
        for name in names {
            groups.entry(name).or_default().push(case);
        }
    }
    groups.into_iter().map(|(name, cases)| (name, Group::of(cases.into_iter()))).collect()
}

/// Median and 95th percentile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Seconds from the request to the running agent.
    pub build_seconds: (f64, f64),
    /// Milliseconds of an answer's round trip.
    pub answer_milliseconds: (f64, f64),
}

impl Times {
    pub(super) fn of(rows: &[Row]) -> Self {
        let builds = rows.iter().filter_map(|row| match row {
            Row::Build { seconds, .. } => Some(*seconds),
            _ => None,
        });
        let answers = rows.iter().filter_map(|row| match row {
            Row::Answer { milliseconds, .. } => Some(*milliseconds),
            _ => None,
        });
        Self { build_seconds: spread(builds.collect()), answer_milliseconds: spread(answers.collect()) }
    }
}

fn spread(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get(times.len().saturating_sub(1) * share / 100).copied().unwrap_or(0.0);
    (at(50), at(95))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads() {
        assert_eq!(spread(Vec::new()), (0.0, 0.0));
        assert_eq!(spread((1..=100).map(f64::from).collect()), (50.0, 95.0));
    }
}
