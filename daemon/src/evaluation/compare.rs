//! Two runs side by side, over the cases that both have: Fisher's exact test says whether the difference means anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use nexus_evaluation::statistics::fisher;

use super::results::{Case, Outcome, Results};

/// Cases that are listed of each kind of change.
const LISTED: usize = 40;

/// What differs.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// By kind, and `total`: right and all answers before and after, and how likely such a difference is by chance.
    pub groups: BTreeMap<String, (Share, Share, f64)>,
    /// Cases that got better, with both outcomes.
    pub better: Vec<(String, Outcome, Outcome)>,
    /// Cases that got worse.
    pub worse: Vec<(String, Outcome, Outcome)>,
    /// Cases of only one of the two.
    pub apart: usize,
}

type Share = (usize, usize);

/// Compares.
#[must_use]
pub fn compare(before: &Results, after: &Results) -> Comparison {
    let index = |results: &Results| -> BTreeMap<String, Case> {
        // A question that was changed is another one.
        results.cases.iter().map(|case| (format!("{}\u{0}{}", case.id, case.ask), case.clone())).collect()
    };
    let (first, second) = (index(before), index(after));
    let keys: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let mut sums: BTreeMap<String, (Share, Share)> = BTreeMap::new();
    let (mut better, mut worse, mut apart) = (Vec::new(), Vec::new(), 0);
    for key in keys {
        let (Some(old), Some(new)) = (first.get(key), second.get(key)) else {
            apart += 1;
            continue;
        };
        for name in [new.kind.as_str(), "total"] {
            let (a, b) = sums.entry(name.to_owned()).or_default();
            *a = (a.0 + old.runs().right, a.1 + old.runs().of);
            *b = (b.0 + new.runs().right, b.1 + new.runs().of);
        }
        let worst = |case: &Case| case.outcomes.iter().max().copied();
        if let (Some(was), Some(is)) = (worst(old), worst(new)) {
            match (was == Outcome::Right, is == Outcome::Right) {
                (false, true) => better.push((new.id.clone(), was, is)),
                (true, false) => worse.push((new.id.clone(), was, is)),
                _ => {}
            }
        }
    }
    let groups = sums.into_iter().map(|(name, (a, b))| (name, (a, b, fisher(a, b)))).collect();
    Comparison { groups, better, worse, apart }
}

impl Comparison {
    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let share = |(right, of): Share| {
            format!("{right}/{of} ({:.1} %)", if of == 0 { 0.0 } else { right as f64 * 100.0 / of as f64 })
        };
        for (name, (before, after, p)) in &self.groups {
            let meaning = if *p < 0.05 { "differs" } else { "may be chance" };
            let _ = writeln!(out, "{name:<14} {:<18} → {:<18} p = {p:.4}  {meaning}", share(*before), share(*after));
        }
        for (title, cases) in [("better", &self.better), ("worse", &self.worse)] {
            let _ = writeln!(out, "\n{title}: {}", cases.len());
            for (id, was, is) in cases.iter().take(LISTED) {
                let _ = writeln!(out, "  {id}: {} → {}", was.words(), is.words());
            }
        }
        if self.apart > 0 {
            let _ = writeln!(out, "\n{} case(s) stand in only one of the two and were left out", self.apart);
        }
        out
    }
}
