//! Tables given as Markdown, CSV or JSON records.

use serde_json::Value;

use super::{
    heading,
    table::{add, number},
    title_of,
};
use crate::spec::DataSet;

/// Takes all tables out of a text and returns the rest.
pub(super) fn extract(text: &str, found: &mut Vec<DataSet>) -> String {
    let text = json_records(text, found);
    let lines: Vec<&str> = text.lines().collect();
    let mut rest: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        if line.trim_start().starts_with("```") {
            at += 1;
            continue;
        }
        let following = lines.get(at..).unwrap_or_default();
        let (grid, used) = markdown(following).or_else(|| delimited(following)).unwrap_or_default();
        if used > 0 {
            let title = title_of(&rest, "Table");
            add(grid, title, found);
            at += used;
        } else {
            rest.push((*line).to_owned());
            at += 1;
        }
    }
    rest.join("\n")
}

type Grid = Vec<Vec<String>>;

fn markdown(lines: &[&str]) -> Option<(Grid, usize)> {
    let first = lines.first()?;
    let ruler = lines.get(1)?;
    let is_ruler =
        ruler.contains('-') && ruler.contains('|') && ruler.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t'));
    if !first.contains('|') || !is_ruler {
        return None;
    }
    let cells =
        |line: &str| line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let body = lines.get(2..)?.iter().take_while(|line| line.contains('|')).collect::<Vec<_>>();
    let mut grid = vec![cells(first)];
    grid.extend(body.iter().map(|line| cells(line)));
    (grid.len() > 1).then_some((grid, body.len() + 2))
}

/// Lines with the same number of delimiters: a header and at least one row; prose with commas is none.
fn delimited(lines: &[&str]) -> Option<(Grid, usize)> {
    let first = lines.first()?;
    for delimiter in ['\t', ';', '|', ',', '，'] {
        let count = first.matches(delimiter).count();
        if count == 0 {
            continue;
        }
        let grid: Grid = lines
            .iter()
            .map(|line| cells(line, delimiter))
            .take_while(|cells| cells.len() == count + 1 && cells.iter().all(|cell| cell.chars().count() <= 80))
            .collect();
        let header = grid.first()?;
        let headed = header.iter().all(|cell| {
            !cell.is_empty()
                && cell.chars().count() <= 30
                && cell.split_whitespace().count() <= 4
                && number(cell).is_none()
                && !cell.contains([':', '：', '.', '。'])
        });
        let distinct = header.iter().enumerate().all(|(i, cell)| !header.iter().take(i).any(|other| other == cell));
        if headed && distinct && grid.len() >= if count > 1 { 2 } else { 3 } {
            let used = grid.len();
            return Some((grid, used));
        }
    }
    None
}

/// The cells of a line; a quoted cell may hold the delimiter.
fn cells(line: &str, delimiter: char) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.trim().chars() {
        if c == '"' {
            quoted = !quoted;
        } else if c == delimiter && !quoted {
            cells.push(String::new());
        } else if let Some(cell) = cells.last_mut() {
            cell.push(c);
        }
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// JSON arrays of objects anywhere in the text.
fn json_records(text: &str, found: &mut Vec<DataSet>) -> String {
    let mut rest = String::new();
    let mut remaining = text;
    while let Some(at) = remaining.find('[') {
        let (before, candidate) = remaining.split_at(at);
        let mut stream =
            serde_json::Deserializer::from_str(candidate).into_iter::<Vec<serde_json::Map<String, Value>>>();
        let parsed = stream.next().and_then(Result::ok).filter(|records| !records.is_empty());
        let used = stream.byte_offset();
        rest.push_str(before);
        if let Some(records) = parsed {
            let mut columns: Vec<String> = Vec::new();
            for key in records.iter().flat_map(|record| record.keys()) {
                if !columns.contains(key) {
                    columns.push(key.clone());
                }
            }
            let mut grid = vec![columns.clone()];
            let cell = |value: Option<&Value>| match value {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            grid.extend(records.iter().map(|record| columns.iter().map(|column| cell(record.get(column))).collect()));
            add(
                grid,
                before.lines().rev().find(|l| !l.trim().is_empty()).map(heading).unwrap_or_else(|| "Records".into()),
                found,
            );
            remaining = candidate.get(used..).unwrap_or_default();
        } else {
            rest.push('[');
            remaining = candidate.get(1..).unwrap_or_default();
        }
    }
    rest.push_str(remaining);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<DataSet>, String) {
        let mut found = Vec::new();
        let rest = extract(text, &mut found);
        (found, rest)
    }

    #[test]
    fn markdown_and_csv_and_json() {
        let (found, rest) = read(
            "Staff:\n| name | dept | age |\n|---|:-:|---|\n| Ada | R&D | 36 |\n| Bo | Sales | 41 |\nAnswer politely.",
        );
        assert_eq!(found.len(), 1);
        assert_eq!(rest, "Staff:\nAnswer politely.");
        let DataSet::Table { title, columns, rows, .. } = &found[0] else { panic!("a table") };
        assert_eq!((title.as_str(), columns[2].kind.as_str(), rows.len()), ("Staff", "number", 2));
        let (found, _) = read("city,country,population\nParis,France,2100000\nRome,Italy,2800000");
        assert_eq!(found[0].len(), 2);
        let (found, rest) = read("Use [this]: [{\"a\": 1, \"b\": \"x\"}, {\"a\": 2}] please");
        assert_eq!((found[0].len(), rest.as_str()), (2, "Use [this]:  please"));
    }

    #[test]
    fn a_price_column_makes_a_price_list() {
        let (found, _) =
            read("| Product | Price (EUR) | Stock |\n|--|--|--|\n| Desk | 199 | 4 |\n| Chair | 49.90 | 12 |");
        assert_eq!(found.iter().map(DataSet::kind).collect::<Vec<_>>(), ["prices", "table"]);
        let DataSet::Prices { items, .. } = &found[0] else { panic!("prices") };
        assert_eq!((items[1].amount.as_str(), items[1].currency.as_str()), ("49.90", "EUR"));
    }

    #[test]
    fn prose_with_commas_is_no_table() {
        assert!(
            read("First, build an agent that is kind.\nSecond, let it convert units, please.\nThird, hash text.")
                .0
                .is_empty()
        );
    }
}
