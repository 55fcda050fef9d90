//! Data given in a requirement: found, typed, and taken out of the text.

mod amount;
mod categories;
mod faq;
mod grid;
mod pairs;
mod prices;
mod rates;
mod table;

use super::{sentences, subject::subject};
use crate::spec::DataSet;

/// Finds all data of a text: the data sets, and the sentences that are left.
pub(super) fn extract(text: &str) -> (Vec<DataSet>, Vec<String>) {
    let mut found = Vec::new();
    let sorting = categories::is_sorting(text);
    let rest = faq::extract(text, &mut found);
    let rest = grid::extract(&rest, &mut found);
    let rest = pairs::extract_lines(&rest, sorting, &mut found);
    let mut left = Vec::new();
    let mut passages = Vec::new();
    for sentence in sentences::split(&rest) {
        let before = found.len();
        let remains = rates::extract(&sentence, &mut found)
            .or_else(|| prices::extract(&sentence, &mut found))
            .or_else(|| sorting.then(|| categories::extract(&sentence, &mut found)).flatten())
            .or_else(|| pairs::extract_inline(&sentence, &mut found));
        match remains {
            Some(head) if found.len() > before => {
                if head.chars().any(char::is_alphanumeric) {
                    left.push(head);
                }
            }
            _ if sentences::is_task(&sentence) => left.push(sentence),
            _ => passages.push(sentence),
        }
    }
    if !passages.is_empty() {
        found.push(DataSet::Notes { id: String::new(), title: "Notes".into(), passages });
    }
    (name_all(prices::joined(found)), left)
}

/// Gives every data set an id of its own, by kind.
fn name_all(mut found: Vec<DataSet>) -> Vec<DataSet> {
    let mut seen: Vec<&'static str> = Vec::new();
    for data in &mut found {
        let kind = data.kind();
        seen.push(kind);
        let number = seen.iter().filter(|k| **k == kind).count();
        let (DataSet::Prices { id, .. }
        | DataSet::Table { id, .. }
        | DataSet::Faq { id, .. }
        | DataSet::Notes { id, .. }
        | DataSet::Categories { id, .. }
        | DataSet::Rates { id, .. }) = data;
        *id = if number == 1 { kind.to_owned() } else { format!("{kind}_{number}") };
    }
    found
}

/// What stands above a piece of data: the last line before it that says anything.
fn title_of(before: &[String], otherwise: &str) -> String {
    let last = before.iter().rev().find(|line| !line.trim().is_empty()).map(|line| heading(line));
    last.filter(|title| !title.is_empty()).unwrap_or_else(|| otherwise.to_owned())
}

/// A heading without its closing colon and leading marks; the last clause when it is long.
fn heading(line: &str) -> String {
    let line =
        line.trim().trim_start_matches(['#', '-', '*', '•', ' ']).trim_end_matches([':', '：', ' ', '.', '。', '=']);
    let short =
        if line.chars().count() > 60 { line.rsplit(['.', ',', '，', '。']).next().unwrap_or(line) } else { line };
    subject(short).chars().take(80).collect()
}
