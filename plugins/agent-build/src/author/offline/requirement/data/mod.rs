//! Data given in a requirement: found, typed, and tied to its place in the text.
//!
//! Tables, questions with answers and lists are taken first; what is left is read sentence by sentence.

mod amount;
mod apart;
pub(super) mod categories;
mod clock;
mod entry;
mod faq;
mod grid;
mod hours;
pub(super) mod html;
mod lists;
mod measured;
mod names;
mod numerals;
mod pairs;
mod prices;
mod prose;
mod rates;
mod rules;
mod sizes;
mod table;
mod topics;

use super::{
    hostile, sentences, source,
    source::{Range, at},
    subject::subject,
};

pub(super) use entry::{Entry, Found, assemble, span};

/// A requirement taken apart.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) found: Vec<Found>,
    /// Sentences that set a task.
    pub(super) tasks: Vec<Range>,
    /// Text that gives orders to a model or a machine.
    pub(super) hostile: Vec<Range>,
}

/// Takes a text apart. `names_ability` tells whether words without a verb name something that an agent could do.
pub(super) fn take_apart(text: &str, names_ability: &dyn Fn(&str) -> bool) -> Parts {
    let mut parts = Parts::default();
    let open = without_hostile(text, &mut parts.hostile);
    let open = html::extract(text, open, &mut parts.found);
    let open = grid::extract(text, open, &mut parts.found);
    let open = faq::extract(text, open, &mut parts.found);
    let mut reader = lists::Reader::new(text, names_ability, parts);
    for range in &open {
        reader.read(range);
    }
    reader.finish()
}

/// The text but for what gives orders to a model: from where a sentence begins to do so to its end.
fn without_hostile(text: &str, found: &mut Vec<Range>) -> Vec<Range> {
    let mut open = Vec::new();
    let mut from = 0;
    for sentence in sentences::split(text, &(0..text.len())) {
        if !hostile::is_hostile(at(text, &sentence)) {
            continue;
        }
        let clauses = sentences::clauses(text, &sentence);
        let start = clauses
            .iter()
            .find(|clause| hostile::is_hostile(at(text, clause)))
            .map_or(sentence.start, |clause| clause.start);
        // "SYSTEM: you are now …" begins with its first word.
        let few = at(text, &(sentence.start..start)).split_whitespace().count() < 5;
        let start = if few { sentence.start } else { start };
        open.push(from..start);
        found.push(start..sentence.end);
        from = sentence.end;
    }
    open.push(from..text.len());
    open
}

/// A heading without its closing colon and leading marks; the last clause when it is long.
fn heading(line: &str) -> String {
    let line = line
        .trim()
        .trim_start_matches(['#', '-', '*', '•', '【', '[', '=', ' '])
        .trim_end_matches([':', '：', ' ', '.', '。', '=', '*', '】', ']']);
    let line = line.trim_matches(|c: char| source::is_picture(c) || c.is_whitespace());
    let short =
        if line.chars().count() > 60 { line.rsplit(['.', ',', '，', '。']).next().unwrap_or(line) } else { line };
    subject(short).chars().take(80).collect()
}
