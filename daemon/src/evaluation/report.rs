//! Results as people read them: a table for the terminal, a report in Markdown.

use std::fmt::Write as _;

use super::{
    results::{Case, Outcome, Results},
    tally::Group,
};

/// Most cases that a report shows of one outcome.
const SHOWN: usize = 60;
/// Characters of an answer that are shown.
const ANSWER: usize = 240;

/// A table of counts: a line a group.
#[must_use]
pub fn table(results: &Results) -> String {
    let mut out = String::new();
    let head = [
        "",
        "cases",
        "right",
        "refused",
        "wrong",
        "nonsense",
        "missing",
        "wrong figures",
        "due right",
        "refusals",
        "pass@k",
        "pass^k (95 %)",
    ];
    let total = ("total".to_owned(), &results.total);
    let groups = results.groups.iter().map(|(name, group)| (name.clone(), group));
    let rows: Vec<Vec<String>> = groups.chain([total]).map(|(name, group)| line(name, group)).collect();
    let all: Vec<Vec<String>> = std::iter::once(head.map(str::to_owned).to_vec()).chain(rows).collect();
    let width =
        |at: usize| all.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    for row in &all {
        for (at, cell) in row.iter().enumerate() {
            let gap = " ".repeat(width(at).saturating_sub(cell.chars().count()));
            let _ = if at == 0 { write!(out, "{cell}{gap}") } else { write!(out, "  {gap}{cell}") };
        }
        out.push('\n');
    }
    let times = &results.times;
    let _ = writeln!(
        out,
        "\nbuild {:.2} s (95 %: {:.2} s), answer {:.0} ms (95 %: {:.0} ms), {} run(s) of each",
        times.build_seconds.0,
        times.build_seconds.1,
        times.answer_milliseconds.0,
        times.answer_milliseconds.1,
        results.runs
    );
    for (id, reason) in &results.missing {
        let _ = writeln!(out, "agent missing: {id}: {}", short(reason));
    }
    if !results.incomplete.is_empty() {
        let _ = writeln!(
            out,
            "{} incomplete, the first: {}",
            results.incomplete.len(),
            short(&results.incomplete.join("; "))
        );
    }
    out
}

fn line(name: String, group: &Group) -> Vec<String> {
    let mut cells = vec![name, group.cases.to_string()];
    cells.extend(Outcome::ALL.map(|outcome| group.count(outcome).to_string()));
    let of = |(of, right): (usize, usize)| {
        if of == 0 { "-".to_owned() } else { format!("{right}/{of} {}", percent(right, of)) }
    };
    cells.push(group.wrong_figures.to_string());
    cells.extend([of(group.due), of(group.to_refuse), percent(group.passed_once, group.cases)]);
    let (low, high) = group.band;
    cells.push(format!("{} ({:.0}–{:.0})", percent(group.passed_always, group.cases), low * 100.0, high * 100.0));
    cells
}

fn percent(part: usize, of: usize) -> String {
    if of == 0 { "-".to_owned() } else { format!("{:.1} %", part as f64 * 100.0 / of as f64) }
}

/// A report in Markdown: the table, then what was not right.
#[must_use]
pub fn markdown(results: &Results) -> String {
    let mut out = format!(
        "# Evaluation\n\nnexusd {}, set `{}`, {} run(s) of each requirement.\n\n```\n{}```\n",
        results.nexusd,
        results.set.get(..12).unwrap_or_default(),
        results.runs,
        table(results)
    );
    for outcome in [Outcome::Wrong, Outcome::Nonsense, Outcome::AgentMissing, Outcome::Refused] {
        let cases: Vec<&Case> = results.cases.iter().filter(|case| case.outcomes.contains(&outcome)).collect();
        if cases.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n## {} ({})\n", capital(outcome.words()), cases.len());
        for case in cases.iter().take(SHOWN) {
            let _ = writeln!(out, "- **{}** {}\n  - {}", case.id, one_line(&case.ask), one_line(&case.reason));
            if !case.answer.is_empty() {
                let _ = writeln!(out, "  - > {}", short(&one_line(&case.answer)));
            }
        }
        if cases.len() > SHOWN {
            let _ = writeln!(out, "- … and {} more", cases.len() - SHOWN);
        }
    }
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn short(text: &str) -> String {
    if text.chars().count() <= ANSWER { text.to_owned() } else { text.chars().take(ANSWER).chain(['…']).collect() }
}
