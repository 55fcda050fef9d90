//! How things are printed for people: tables, fields, times. One renderer for JSON beside them.

use std::io::IsTerminal as _;

use serde_json::Value;

use crate::{domain::text::shorten, terminal::print};

/// Widest cell of a table.
const WIDE: usize = 60;

/// Prints a value as JSON.
pub(super) fn json(value: &Value) {
    print(&serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string()));
}

/// Prints a value as one line of JSON, for streams.
pub(super) fn json_line(value: &Value) {
    print(&value.to_string());
}

/// A value as a person reads it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(self::text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A member of an object as a person reads it.
pub(super) fn member(of: &Value, name: &str) -> String {
    of.get(name).map_or_else(|| "-".to_owned(), text)
}

/// Rows of objects under headings; each column is a heading and the member that fills it.
pub(super) fn table(rows: &[Value], columns: &[(&str, &str)]) {
    let cell = |row: &Value, name: &str| {
        let whole = if name.ends_with("_at") { when(row.get(name)) } else { member(row, name).replace('\n', " ") };
        shorten(&whole, WIDE)
    };
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|(_, name)| cell(row, name)).collect()).collect();
    let width = |index: usize, heading: &str| {
        let longest = cells.iter().filter_map(|row| row.get(index)).map(|cell| columns_of(cell)).max();
        longest.unwrap_or(0).max(columns_of(heading))
    };
    let widths: Vec<usize> = columns.iter().enumerate().map(|(index, (heading, _))| width(index, heading)).collect();
    let line = |cells: &[String]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(columns_of(cell)))));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    print(&line(&columns.iter().map(|(heading, _)| (*heading).to_owned()).collect::<Vec<_>>()));
    for row in &cells {
        print(&line(row));
    }
}

/// Members of an object, a line each; those that say nothing are left out.
pub(super) fn fields(of: &Value, names: &[(&str, &str)]) {
    let shown: Vec<_> =
        names.iter().map(|(label, name)| (*label, of.get(*name).unwrap_or(&Value::Null), *name)).collect();
    let width = names.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    for (label, value, name) in shown {
        let value = if name.ends_with("_at") { when(Some(value)) } else { text(value) };
        if value != "-" {
            print(&format!("{label:<width$}  {value}"));
        }
    }
}

/// A time of the API, in whole seconds of this machine's zone.
fn when(value: Option<&Value>) -> String {
    let Some(text) = value.and_then(Value::as_str) else { return "-".to_owned() };
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// Seconds as people say them.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 90.0 => format!("{s:.1} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// Columns that a text takes on a terminal: Chinese takes two a character.
pub(super) fn columns_of(text: &str) -> usize {
    text.chars()
        .map(|c| if ('\u{1100}'..='\u{115f}').contains(&c) || ('\u{2e80}'..='\u{ffef}').contains(&c) { 2 } else { 1 })
        .sum()
}

/// Whether a person reads what goes to standard error.
pub(super) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}
