//! `name: value` pairs, on lines of their own or in one sentence. Lists of words make categories when the
//! requirement is about sorting, facts about the house stay text, anything else is a table of two columns.

use serde_json::Value;

use super::{
    super::source::{Range, at, at_colon, place},
    Entry, Found, categories,
};
use crate::spec::{Category, Column};

const SEPARATORS: [&str; 8] = [":", "：", " = ", "\t", " – ", " — ", " - ", " → "];
/// What a house says of itself: such pairs are facts, not rows.
const ABOUT: &str = "name|shop|address|where|phone|tel|telephone|mobile|fax|email|e-mail|mail|website|web|site|url|instagram|facebook|wechat|hours|opening hours|location|parking|wifi|wi-fi|owner|contact|delivery|payment|payments|founded|about|closed|open|directions|note|notes|returns|shipping|refunds|booking|bookings|reservations|dogs|pets|allergies|access|店名|名称|地址|电话|手机|微信|邮箱|网址|网站|营业时间|位置|停车|无线|老板|联系方式|联系人|配送|付款|支付|备注|退换|预约|交通|公众号";

/// A line with a name and a value.
pub(super) struct Pair {
    pub(super) whole: Range,
    name: String,
    value: String,
}

impl Pair {
    /// Whether the value is a number alone, as the price in a list that names its currency once.
    pub(super) fn is_numeric(&self) -> bool {
        let digits = self.value.chars().filter(char::is_ascii_digit).count();
        digits > 0 && digits <= 6 && self.value.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
    }
}

/// A line as name and value.
pub(super) fn split(text: &str, line: &Range) -> Option<Pair> {
    let content = at(text, line);
    if content.contains("://") && content.find("://") < content.find(' ') {
        return None;
    }
    let clock = |at: usize| {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        digit(content.get(..at).and_then(|b| b.chars().next_back()))
            && digit(content.get(at + 1..).and_then(|r| r.chars().next()))
    };
    let found = SEPARATORS
        .iter()
        .filter_map(|s| content.find(s).filter(|at| *s != ":" || !clock(*at)).map(|at| (at, *s)))
        .min()?;
    let (name, value) = (content.get(..found.0)?, content.get(found.0 + found.1.len()..)?);
    let (name, value) = short(name, value)?;
    Some(Pair { whole: line.clone(), name, value })
}

fn short(name: &str, value: &str) -> Option<(String, String)> {
    let (name, value) = (name.trim().trim_matches(['*', '`', '"', ' ']), value.trim().trim_matches(['*', '`']).trim());
    let usable = !name.is_empty()
        && !value.is_empty()
        && name.chars().count() <= 50
        && name.split_whitespace().count() <= 6
        && value.chars().count() <= 300
        && name.chars().any(char::is_alphanumeric)
        && value.chars().any(char::is_alphanumeric);
    usable.then(|| (name.to_owned(), value.to_owned()))
}

/// What a block of pairs is; the second part is what is no data by itself.
pub(super) fn found(text: &str, block: Vec<Pair>, title: &str, sorting: bool) -> (Vec<Found>, Vec<Range>) {
    let listed = block.iter().filter(|pair| categories::words(&pair.value).len() > 1).count();
    if sorting && listed * 2 > block.len() && block.len() >= 2 {
        let category = |pair: Pair| {
            (pair.whole, Entry::Category(Category { words: categories::words(&pair.value), name: pair.name }))
        };
        return (vec![Found::new(block.into_iter().map(category).collect())], Vec::new());
    }
    let (about, rest): (Vec<Pair>, Vec<Pair>) =
        block.into_iter().partition(|pair| is_about(&pair.name) || is_prose(&pair.value));
    let mut left: Vec<Range> = about.into_iter().map(|pair| pair.whole).collect();
    if rest.len() < 2 {
        left.extend(rest.into_iter().map(|pair| pair.whole));
        left.sort_by_key(|range| range.start);
        return (Vec::new(), left);
    }
    let _ = text;
    let rows = rest
        .into_iter()
        .map(|pair| (pair.whole, Entry::Row(vec![Value::String(pair.name), Value::String(pair.value)])))
        .collect();
    (vec![table(rows, title)], left)
}

fn table(entries: Vec<(Range, Entry)>, title: &str) -> Found {
    let column = |name: &str| Column { name: name.into(), kind: "text".into() };
    Found { columns: vec![column("name"), column("value")], title: title.to_owned(), ..Found::new(entries) }
}

pub(super) fn is_about(name: &str) -> bool {
    let lower = name.to_lowercase();
    ABOUT.split('|').any(|word| word == lower)
}

/// Whether a value is a sentence.
fn is_prose(value: &str) -> bool {
    value.ends_with(['.', '。', '!', '！']) && value.split_whitespace().count() > 4
        || value.split_whitespace().count() > 14
}

/// The pairs of `head: a = 1, b = 2, c = 3`, and where the list begins.
pub(super) fn inline(text: &str, sentence: &Range) -> Option<(Found, Range)> {
    let content = at(text, sentence);
    let (head, body) = at_colon(content)?;
    let body = body.trim().trim_end_matches(['.', '。']);
    let hard = if body.contains([';', '；']) { [';', '；', ';'] } else { [',', '，', '、'] };
    let parts: Vec<&str> = body
        .split(hard)
        .map(|part| part.trim().trim_start_matches("and ").trim())
        .filter(|part| !part.is_empty())
        .collect();
    if parts.len() < 2 {
        return None;
    }
    // What a house says of itself stays as it is written.
    if is_about(head.trim()) || parts.iter().any(|part| inline_pair(part).is_some_and(|(name, _)| is_about(&name))) {
        return None;
    }
    let rows: Option<Vec<(Range, Entry)>> = parts
        .iter()
        .map(|part| {
            inline_pair(part)
                .map(|(name, value)| (place(text, part), Entry::Row(vec![Value::String(name), Value::String(value)])))
        })
        .collect();
    Some((table(rows?, ""), place(text, head)))
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
    (value.split_whitespace().count() <= 3 && !name.trim_end().ends_with(['(', '/']))
        .then(|| short(name, value))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::offline::requirement::source::lines;

    #[test]
    fn blocks() {
        let show = |text: &str, sorting: bool| {
            let block = lines(text, &(0..text.len())).iter().filter_map(|line| split(text, line)).collect();
            let (found, left) = found(text, block, "", sorting);
            (found.iter().map(|f| f.entries.len()).collect::<Vec<_>>(), left.len())
        };
        assert_eq!(show("Ada: 555-1\nBo: 555-2", false), (vec![2], 0));
        assert_eq!(show("Address: Main St 5\nPhone: 555-1", false), (vec![], 2));
        assert_eq!(show("billing: invoice, refund\ntechnical: crash, error", true), (vec![2], 0));
    }

    #[test]
    fn pairs_in_a_sentence() {
        let read = |text: &str| {
            inline(text, &(0..text.len()))
                .map(|(found, head)| (found.entries.len(), text.get(head).unwrap().to_owned()))
        };
        assert_eq!(
            read("Knows the capitals: France = Paris, Spain = Madrid, Peru = Lima."),
            Some((3, "Knows the capitals".into()))
        );
        assert_eq!(read("It can do three things: convert units, count words, hash text"), None);
    }
}
