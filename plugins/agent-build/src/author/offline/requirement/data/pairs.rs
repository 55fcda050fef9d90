//! `name: value` pairs, on lines of their own or in one sentence. Money makes a price list, lists of words
//! make categories when the requirement is about sorting, anything else a table of two columns.

use serde_json::Value;

use super::{amount, heading, sentences, title_of};
use crate::spec::{Category, Column, DataSet, PriceItem};

const SEPARATORS: [&str; 6] = [":", "：", " = ", "\t", " – ", " - "];

/// Takes blocks of two or more `name: value` lines out of a text and returns the rest.
pub(super) fn extract_lines(text: &str, sorting: bool, found: &mut Vec<DataSet>) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut rest: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let block: Vec<(String, String)> =
            lines.get(at..).unwrap_or_default().iter().map_while(|line| pair(line)).collect();
        let prose = block
            .iter()
            .filter(|(name, value)| sentences::is_task(name) && value.split_whitespace().count() > 3)
            .count();
        if block.len() >= 2 && prose * 2 < block.len() {
            let title = title_of(&rest, "List");
            at += block.len();
            add(block, title, sorting, found);
        } else {
            rest.push((*line).to_owned());
            at += 1;
        }
    }
    rest.join("\n")
}

/// Takes `head: a = 1, b = 2, c = 3` out of a sentence; what is left is the head.
pub(super) fn extract_inline(sentence: &str, found: &mut Vec<DataSet>) -> Option<String> {
    let (head, body) = sentence.split_once([':', '：'])?;
    let body = body.trim().trim_end_matches(['.', '。']);
    let hard = if body.contains([';', '；']) { [';', '；'] } else { [',', '，'] };
    let parts: Vec<&str> = body
        .split(hard)
        .map(|part| part.trim().trim_start_matches("and ").trim())
        .filter(|part| !part.is_empty())
        .collect();
    if parts.len() < 2 {
        return None;
    }
    let pairs: Option<Vec<(String, String)>> = parts.iter().map(|part| inline_pair(part)).collect();
    let pairs = pairs?;
    add(pairs, heading(head), false, found);
    Some(head.trim().to_owned())
}

fn inline_pair(part: &str) -> Option<(String, String)> {
    for separator in ["=", ":", "：", " is ", " – ", " - ", "->", "→", "是"] {
        if let Some((name, value)) = part.split_once(separator) {
            return short(name, value);
        }
    }
    // "Alice 555-0101", "apple 52 kcal": the value begins with the first digit.
    let at = part.find(|c: char| c.is_ascii_digit() || c == '+')?;
    let (name, value) = part.split_at(at);
    (value.split_whitespace().count() <= 3).then(|| short(name, value)).flatten()
}

fn pair(line: &str) -> Option<(String, String)> {
    let line = line.trim().trim_start_matches(['-', '*', '•', '·', ' ']);
    let line = line
        .split_once(['.', ')', '、'])
        .filter(|(n, _)| !n.is_empty() && n.len() < 3 && n.chars().all(|c| c.is_ascii_digit()))
        .map_or(line, |(_, rest)| rest.trim());
    if line.contains("://") || line.starts_with('#') {
        return None;
    }
    let found = SEPARATORS.iter().filter_map(|s| line.find(s).map(|at| (at, *s))).min();
    match found {
        Some((_, separator)) => line.split_once(separator).and_then(|(name, value)| short(name, value)),
        // "apple 3 EUR" on a line of its own
        None => {
            let money = amount::find(line, false);
            let only = money.first().filter(|m| {
                money.len() == 1 && m.start > 0 && line.get(m.end..).unwrap_or_default().trim().is_empty()
            })?;
            short(line.get(..only.start)?, line.get(only.start..)?)
        }
    }
}

fn short(name: &str, value: &str) -> Option<(String, String)> {
    let (name, value) = (name.trim().trim_matches(['*', '`', '"', ' ']), value.trim().trim_matches(['*', '`']).trim());
    let usable = !name.is_empty()
        && !value.is_empty()
        && name.chars().count() <= 50
        && name.split_whitespace().count() <= 6
        && value.chars().count() <= 300
        && name.chars().any(char::is_alphanumeric);
    usable.then(|| (name.to_owned(), value.to_owned()))
}

fn add(pairs: Vec<(String, String)>, title: String, sorting: bool, found: &mut Vec<DataSet>) {
    let words = |value: &str| {
        value
            .split([',', '，', '、', ';', '；', '/'])
            .map(|w| w.trim().trim_end_matches(['.', '。']).to_owned())
            .filter(|w| !w.is_empty())
            .collect::<Vec<_>>()
    };
    if sorting && pairs.iter().any(|(_, value)| words(value).len() > 1) {
        let categories = pairs.into_iter().map(|(name, value)| Category { name, words: words(&value) }).collect();
        found.push(DataSet::Categories { id: String::new(), title, categories });
        return;
    }
    let about_money = ["price", "cost", "价", "menu", "菜单"].iter().any(|cue| title.to_lowercase().contains(cue));
    let items: Option<Vec<PriceItem>> = pairs
        .iter()
        .map(|(name, value)| {
            let value = value.trim_end_matches(['.', '。']);
            let money = amount::find(value, about_money)
                .into_iter()
                .next()
                .filter(|m| m.start == 0 && value.get(m.end..).unwrap_or_default().trim().is_empty())?;
            Some(PriceItem { name: name.clone(), amount: money.value, currency: money.currency, per: money.per })
        })
        .collect();
    if let Some(items) = items {
        found.push(DataSet::Prices { id: String::new(), title, items });
        return;
    }
    let columns =
        vec![Column { name: "name".into(), kind: "text".into() }, Column { name: "value".into(), kind: "text".into() }];
    let rows = pairs.into_iter().map(|(name, value)| vec![Value::String(name), Value::String(value)]).collect();
    found.push(DataSet::Table { id: String::new(), title, columns, rows });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_pairs() {
        let mut found = Vec::new();
        let rest = extract_lines(
            "Prices:\n- apple: 3 EUR\n- pear: 4 EUR\n\nPhone book:\nAda: 555-1\nBo: 555-2\nBe kind.",
            false,
            &mut found,
        );
        assert_eq!(found.iter().map(|d| (d.kind(), d.len())).collect::<Vec<_>>(), [("prices", 2), ("table", 2)]);
        assert_eq!(rest.split_whitespace().collect::<Vec<_>>().join(" "), "Prices: Phone book: Be kind.");
    }

    #[test]
    fn categories_when_sorting() {
        let mut found = Vec::new();
        extract_lines("billing: invoice, refund\ntechnical: crash, error", true, &mut found);
        assert_eq!(found[0].kind(), "categories");
    }

    #[test]
    fn pairs_in_a_sentence() {
        let mut found = Vec::new();
        assert_eq!(
            extract_inline("Knows the capitals: France = Paris, Spain = Madrid, Peru = Lima.", &mut found).as_deref(),
            Some("Knows the capitals")
        );
        assert_eq!((found[0].kind(), found[0].len()), ("table", 3));
        assert!(extract_inline("It can do three things: convert units, count words, hash text", &mut found).is_none());
    }
}
