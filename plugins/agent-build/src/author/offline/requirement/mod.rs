//! Reads a written requirement: its language, the tasks it sets, the data it brings along, and what is neither.
//!
//! Every part keeps its place in the text, so that a check can prove that nothing is left out: see
//! [`Reading::missing`].

pub(super) mod data;
pub(super) mod hostile;
pub(super) mod language;
pub(super) mod sentences;
mod source;
pub(super) mod speech;
pub(super) mod subject;

use language::language_of;
use source::{Range, at, says};

use crate::spec::{DataSet, Language, NotUnderstood, Reading, Span, Task};

/// Longer requirements are cut; the daemon's own limit is far lower.
const MAX_BYTES: usize = 400_000;

/// A requirement, read.
#[derive(Clone, Debug)]
pub(crate) struct Requirement {
    /// The language to answer and document in.
    pub(crate) language: Language,
    /// Tasks, data and the rest, each with its place.
    pub(crate) reading: Reading,
    /// What the agent shall know.
    pub(crate) data: Vec<DataSet>,
}

/// The requirement holds not a single letter or digit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the requirement says nothing: it holds no letter and no digit; describe what the agent shall do")]
pub(crate) struct Empty;

impl Requirement {
    /// Reads a requirement. `names_ability` tells whether words without a verb name something that an agent could do.
    pub(crate) fn read(text: &str, names_ability: &dyn Fn(&str) -> bool) -> Result<Self, Empty> {
        let cut = text.get(..text.floor_char_boundary(MAX_BYTES)).unwrap_or_default();
        let plain = data::html::without_tags(&source::plain(cut));
        if !plain.chars().any(char::is_alphanumeric) {
            return Err(Empty);
        }
        let parts = data::take_apart(&plain, names_ability);
        let spoken: Vec<&str> = parts.tasks.iter().map(|range| at(&plain, range)).collect();
        let language = language_of(if spoken.is_empty() { plain.clone() } else { spoken.join("\n") }.as_str());
        let (sets, data) = data::assemble(&plain, parts.found, language == Language::Zh);
        let mut reading = Reading { data, ..Reading::default() };
        for range in parts.tasks {
            reading.tasks.push(task(&plain, reading.tasks.len() + 1, &range));
        }
        for range in parts.hostile {
            let reason = language.pick(
                "it gives orders to a model or a machine; it says nothing about the agent that is wanted",
                "这是给模型或机器的指令，与所需的智能体无关",
            );
            reading.not_understood.push(not_understood(&plain, &range, reason));
        }
        let reason = language.pick("it was read neither as a task nor as data", "既不是任务也不是数据");
        for span in reading.missing(&plain) {
            reading.not_understood.push(not_understood(&plain, &(span.start..span.end), reason));
        }
        Ok(Self { language, reading, data: sets })
    }
}

fn task(text: &str, number: usize, range: &Range) -> Task {
    Task { id: format!("R{number}"), text: on_one_line(at(text, range)), span: data::span(range), clauses: Vec::new() }
}

fn not_understood(text: &str, range: &Range, reason: &str) -> NotUnderstood {
    NotUnderstood { text: on_one_line(at(text, range)), span: data::span(range), reason: reason.to_owned() }
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The clauses of a task, without those that are data.
pub(super) fn clauses_of(text: &str, task: Span, taken: &[Span]) -> Vec<(Span, String)> {
    let plain = source::plain(text);
    // What is data stands apart from what is wished.
    let mut open: Vec<Range> = std::iter::once(task.start..task.end.min(plain.len())).collect();
    for span in taken {
        open = open
            .into_iter()
            .flat_map(|range| {
                let (start, end) = (span.start.clamp(range.start, range.end), span.end.clamp(range.start, range.end));
                if start < end { vec![range.start..start, end..range.end] } else { vec![range] }
            })
            .collect();
    }
    let clauses = open.iter().filter(|range| says(&plain, range)).flat_map(|range| sentences::clauses(&plain, range));
    clauses.map(|range| (data::span(&range), on_one_line(at(&plain, &range)))).collect()
}

#[cfg(test)]
mod tests;
