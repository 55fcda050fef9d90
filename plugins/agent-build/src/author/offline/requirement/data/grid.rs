//! Tables given as Markdown, CSV or JSON records, also inside fences.

use serde_json::Value;

use super::{
    super::source::{Range, at, at_colon, lines, place, says, trim, unmarked},
    Found, heading,
    table::{self, Grid, number},
};

/// Takes all tables out of the open ranges; what is left stays open.
pub(super) fn extract(text: &str, open: Vec<Range>, found: &mut Vec<Found>) -> Vec<Range> {
    let open: Vec<Range> = open.into_iter().flat_map(|range| json_records(text, range, found)).collect();
    open.into_iter().flat_map(|range| tables(text, &range, found)).collect()
}

fn tables(text: &str, range: &Range, found: &mut Vec<Found>) -> Vec<Range> {
    let all = lines(text, range);
    let mut open: Vec<Range> = Vec::new();
    let mut from = range.start;
    let mut number = 0;
    while let Some(line) = all.get(number) {
        if at(text, line).trim_start().starts_with("```") || at(text, line).trim_start().starts_with("~~~") {
            open.push(from..line.start);
            from = line.end;
            number += 1;
            continue;
        }
        let following = all.get(number..).unwrap_or_default();
        let Some((grid, used)) = markdown(text, following)
            .or_else(|| barred(text, following))
            .or_else(|| delimited(text, following))
            .or_else(|| records(text, following))
            .or_else(|| spaced(text, following))
        else {
            number += 1;
            continue;
        };
        let title = all
            .get(..number)
            .unwrap_or_default()
            .iter()
            .rev()
            .find(|line| says(text, line))
            .map(|line| heading(at(text, line)))
            .unwrap_or_default();
        found.extend(table::found(grid, &title));
        open.push(from..line.start);
        number += used;
        from = all.get(number).map_or(range.end, |next| next.start);
    }
    open.push(from..range.end);
    open.retain(|range| says(text, range));
    open
}

fn markdown(text: &str, lines: &[Range]) -> Option<(Grid, usize)> {
    let first = lines.first()?;
    let ruler = at(text, lines.get(1)?);
    let is_ruler =
        ruler.contains('-') && ruler.contains('|') && ruler.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t'));
    if !at(text, first).contains('|') || !is_ruler {
        return None;
    }
    let cells = |line: &str| {
        line.trim()
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().trim_matches('*').to_owned())
            .collect::<Vec<_>>()
    };
    let body: Vec<&Range> = lines.get(2..)?.iter().take_while(|line| at(text, line).contains('|')).collect();
    let rows: Vec<_> = body.iter().map(|line| (trim(text, line), cells(at(text, line)))).collect();
    let grid = Grid { header: cells(at(text, first)), header_range: Some(first.clone()), rows };
    (!grid.rows.is_empty()).then_some((grid, body.len() + 2))
}

/// Cells between bars without a line under the header: `Zone | up to 1 kg | up to 5 kg`. Bars around the lines, or three
/// columns, tell them from a list on a line.
fn barred(text: &str, lines: &[Range]) -> Option<(Grid, usize)> {
    let framed = |line: &Range| {
        let line = at(text, line).trim();
        line.len() > 1 && line.starts_with('|') && line.ends_with('|')
    };
    let read = |line: &Range| {
        let inside = at(text, line).trim().trim_start_matches('|').trim_end_matches('|');
        inside.split('|').map(|cell| cell.trim().trim_matches('*').to_owned()).collect::<Vec<_>>()
    };
    let first = lines.first()?;
    let header = read(first);
    let enough = header.len() > if framed(first) { 1 } else { 2 };
    let named = header.iter().enumerate().all(|(at, cell)| {
        let priced = cell.contains(['€', '$', '£', '¥']) && cell.contains(|c: char| c.is_ascii_digit());
        !cell.is_empty()
            && cell.chars().count() <= 40
            && number(cell).is_none()
            && !priced
            && !header.iter().take(at).any(|o| o == cell)
    });
    let rows: Vec<(Range, Vec<String>)> = lines
        .get(1..)?
        .iter()
        .map(|line| (trim(text, line), read(line)))
        .take_while(|(_, row)| row.len() == header.len() && row.first().is_some_and(|name| !name.is_empty()))
        .collect();
    let used = rows.len() + 1;
    (enough && named && rows.len() >= 2).then(|| (Grid { header, header_range: Some(trim(text, first)), rows }, used))
}

/// Lines with the same number of delimiters: a header and at least one row; prose with commas is none.
fn delimited(text: &str, lines: &[Range]) -> Option<(Grid, usize)> {
    let first = at(text, lines.first()?);
    for delimiter in ['\t', ';', '|', ',', '，'] {
        let count = first.matches(delimiter).count();
        if count == 0 {
            continue;
        }
        let rows: Vec<(Range, Vec<String>)> = lines
            .iter()
            .map(|line| (trim(text, line), cells(at(text, line), delimiter)))
            .take_while(|(_, cells)| cells.len() == count + 1 && cells.iter().all(|cell| cell.chars().count() <= 80))
            .collect();
        let (_, header) = rows.first()?;
        let headed = header.iter().all(|cell| {
            !cell.is_empty()
                && cell.chars().count() <= 30
                && cell.split_whitespace().count() <= 4
                && number(cell).is_none()
                && !cell.contains([':', '：', '.', '。', '?', '？', '!', '=', '€', '$', '£', '¥'])
                && !cell.contains(|c: char| c.is_ascii_digit())
                && !cell.starts_with(['-', '*', '•'])
        });
        let distinct = header.iter().enumerate().all(|(i, cell)| !header.iter().take(i).any(|other| other == cell));
        if headed && distinct && rows.len() >= if count > 1 { 2 } else { 3 } {
            let used = rows.len();
            let mut rows = rows.into_iter();
            let (header_range, header) = rows.next()?;
            return Some((Grid { header, header_range: Some(header_range), rows: rows.collect() }, used));
        }
    }
    None
}

/// Columns set apart by blanks: a header of words, and at least two rows that begin with a name and hold numbers in the
/// same columns. Sentences are none.
fn spaced(text: &str, lines: &[Range]) -> Option<(Grid, usize)> {
    let cells = |line: &Range| at(text, line).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let header = cells(lines.first()?);
    let numeric = |cell: &String| cell.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | ':' | '-' | '%'));
    let short = header.iter().all(|cell| {
        cell.chars().count() <= 14 && !cell.contains(|c: char| c.is_ascii_digit() || "：:，,。.=?？".contains(c))
    });
    if header.len() < 3 || !short {
        return None;
    }
    let kinds = |row: &[String]| row.iter().map(numeric).collect::<Vec<_>>();
    let second = kinds(&cells(lines.get(1)?));
    let rows: Vec<(Range, Vec<String>)> = lines
        .get(1..)?
        .iter()
        .map(|line| (trim(text, line), cells(line)))
        .take_while(|(_, row)| row.len() == header.len() && kinds(row) == second)
        .collect();
    let numbers = second.iter().filter(|numeric| **numeric).count();
    let named = second.first() == Some(&false);
    let used = rows.len() + 1;
    (rows.len() >= 2 && named && numbers * 2 >= header.len() - 1)
        .then(|| (Grid { header, header_range: lines.first().cloned(), rows }, used))
}

/// Lines of the form `key: value, key: value` with the same keys, two at least.
fn records(text: &str, lines: &[Range]) -> Option<(Grid, usize)> {
    let read = |line: &Range| -> Option<Vec<(String, String)>> {
        let content = at(text, &unmarked(text, line));
        let parts: Vec<&str> =
            content.split(['，', ';', '；', '|', ',']).map(str::trim).filter(|part| !part.is_empty()).collect();
        let pairs: Option<Vec<(String, String)>> = parts
            .iter()
            .map(|part| at_colon(part).map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())))
            .collect();
        pairs.filter(|pairs| {
            pairs.len() >= 2
                && pairs.iter().all(|(key, value)| !value.is_empty() && (1..=20).contains(&key.chars().count()))
        })
    };
    let keys = |pairs: &[(String, String)]| pairs.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let header = keys(&read(lines.first()?)?);
    let rows: Vec<(Range, Vec<String>)> = lines
        .iter()
        .map_while(|line| read(line).filter(|pairs| keys(pairs) == header).map(|pairs| (trim(text, line), pairs)))
        .map(|(range, pairs)| (range, pairs.into_iter().map(|(_, value)| value).collect()))
        .collect();
    let used = rows.len();
    (used >= 2).then_some((Grid { header, header_range: None, rows }, used))
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
fn json_records(text: &str, range: Range, found: &mut Vec<Found>) -> Vec<Range> {
    let mut open = Vec::new();
    let mut from = range.start;
    let mut search = range.start;
    while let Some(offset) = text.get(search..range.end).and_then(|rest| rest.find('[')) {
        let start = search + offset;
        let candidate = text.get(start..range.end).unwrap_or_default();
        let mut stream =
            serde_json::Deserializer::from_str(candidate).into_iter::<Vec<serde_json::Map<String, Value>>>();
        let parsed =
            stream.next().and_then(Result::ok).filter(|records| records.iter().any(|record| !record.is_empty()));
        let Some(records) = parsed else {
            search = start + 1;
            continue;
        };
        let whole = start..start + stream.byte_offset();
        let title = text
            .get(..start)
            .unwrap_or_default()
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .map(heading)
            .unwrap_or_default();
        found.extend(table::found(records_grid(text, &whole, &records), &title));
        open.push(from..whole.start);
        (from, search) = (whole.end, whole.end);
    }
    open.push(from..range.end);
    open
}

fn records_grid(text: &str, whole: &Range, records: &[serde_json::Map<String, Value>]) -> Grid {
    let mut header: Vec<String> = Vec::new();
    for key in records.iter().flat_map(|record| record.keys()) {
        if !header.contains(key) {
            header.push(key.clone());
        }
    }
    let cell = |value: Option<&Value>| match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    // A record begins at its brace; nested ones are not told apart, the whole is the place of each then.
    let pieces: Vec<&str> = at(text, whole).split_inclusive('}').collect();
    let range = |number: usize| {
        pieces
            .get(number)
            .filter(|_| pieces.len() == records.len() + 1)
            .map_or_else(|| whole.clone(), |piece| place(text, piece))
    };
    let rows = records
        .iter()
        .enumerate()
        .map(|(number, record)| (range(number), header.iter().map(|column| cell(record.get(column))).collect()));
    Grid { rows: rows.collect(), header, header_range: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::offline::requirement::data::Entry;

    fn read(text: &str) -> (Vec<Found>, String) {
        let mut found = Vec::new();
        let open = extract(text, std::iter::once(0..text.len()).collect(), &mut found);
        let rest: Vec<&str> = open.iter().map(|range| at(text, range).trim()).collect();
        (found, rest.join("\n"))
    }

    #[test]
    fn markdown_and_csv_and_json() {
        let (found, rest) = read(
            "Staff:\n| name | dept | age |\n|---|:-:|---|\n| Ada | R&D | 36 |\n| Bo | Sales | 41 |\nAnswer politely.",
        );
        assert_eq!((found.len(), rest.as_str()), (1, "Staff:\nAnswer politely."));
        assert_eq!(
            (found[0].title.as_str(), found[0].columns[2].kind.as_str(), found[0].entries.len()),
            ("Staff", "number", 2)
        );
        let (found, _) = read("city,country,population\nParis,France,2100000\nRome,Italy,2800000");
        assert_eq!(found[0].entries.len(), 2);
        let (found, rest) = read("Use [this]: [{\"a\": 1, \"b\": \"x\"}, {\"a\": 2}] please");
        assert_eq!((found[0].entries.len(), rest.as_str()), (2, "Use [this]:\nplease"));
        let (found, rest) = read("Data:\n```csv\na,b,c\nx,y,z\n```\nThe end.");
        assert_eq!((found[0].entries.len(), rest.as_str()), (1, "Data:\nThe end."));
    }

    #[test]
    fn a_price_column_makes_a_price_list() {
        let (found, _) =
            read("| Product | Price (EUR) | Stock |\n|--|--|--|\n| Desk | 199 | 4 |\n| Chair | 49.90 | 12 |");
        let Entry::Price(chair) = &found[0].entries[1].1 else { panic!("a price") };
        assert_eq!((chair.amount.as_str(), chair.currency.as_str(), found.len()), ("49.90", "EUR", 2));
        let (found, _) = read("| 饮品 | 中杯 | 大杯 |\n|--|--|--|\n| 拿铁 | 25元 | 30元 |");
        let Entry::Price(large) = &found[0].entries[1].1 else { panic!("a price") };
        assert_eq!((large.name.as_str(), large.variant.as_str(), large.amount.as_str()), ("拿铁 大杯", "大杯", "30"));
    }

    #[test]
    fn lines_with_the_same_keys() {
        let (found, rest) = read("排班\n医生：李敏，科室：儿科，诊室：203\n医生：周强，科室：骨科，诊室：115\n");
        assert_eq!((found[0].entries.len(), found[0].columns.len(), rest.as_str()), (2, 3, "排班"));
    }

    #[test]
    fn bars_need_no_line_under_the_header() {
        for text in [
            "Zone | up to 1 kg | up to 5 kg\nEU | 9,90 € | 15,50 €\nWorld | 16,90 € | 34,00 €",
            "| group | age | days |\n| Tadpoles | 5-7 | Mon |\n| Sharks | 12-16 | Fri |",
        ] {
            let (found, rest) = read(text);
            assert!(!found.is_empty() && rest.is_empty(), "{text}: {found:?}");
        }
        for text in ["Tea | 3 €\nCake | 4 €", "Mo | Tu\nopen | closed\nsee below"] {
            assert!(read(text).0.is_empty(), "{text}");
        }
    }

    #[test]
    fn prose_with_commas_is_no_table() {
        for text in [
            "First, build an agent that is kind.\nSecond, let it convert units, please.\nThird, hash text.",
            "Cakes, pies\nTarts, buns",
        ] {
            assert!(read(text).0.is_empty(), "{text}");
        }
    }
}
