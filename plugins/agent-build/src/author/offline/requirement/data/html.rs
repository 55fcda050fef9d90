//! Tables and lists given as HTML.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    super::source::{Range, at, place},
    Found, heading,
    table::{self, Grid},
};

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static TABLE: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"(?is)<table\b[^>]*>.*?(?:</table\s*>|\z)"));
static ROW: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"(?is)<tr\b[^>]*>.*?(?:</tr\s*>|\z)"));
static CELL: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"(?is)<t[hd]\b[^>]*>(.*?)(?:</t[hd]\s*>|\z)"));
static CAPTION: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"(?is)<caption\b[^>]*>(.*?)</caption\s*>"));
static SCRIPT: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?is)<(?:script|style)\b[^<>]*>.*?</(?:script|style)\s*>"));
static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"(?is)<!--.*?-->|</?[a-z][^<>]*>"));

/// Takes HTML tables out of the open ranges; what is left stays open.
pub(super) fn extract(text: &str, open: Vec<Range>, found: &mut Vec<Found>) -> Vec<Range> {
    let Some(regex) = TABLE.as_ref().filter(|regex| regex.is_match(text)) else { return open };
    let mut left = Vec::new();
    for range in open {
        let mut from = range.start;
        for table in regex.find_iter(at(text, &range)) {
            let whole = place(text, table.as_str());
            let Some(grid) = grid(text, &whole) else { continue };
            let above = text
                .get(..whole.start)
                .unwrap_or_default()
                .lines()
                .rev()
                .find(|line| !line.trim().is_empty())
                .map(|line| heading(&plain(line)));
            let caption = CAPTION
                .as_ref()
                .and_then(|r| r.captures(table.as_str()))
                .and_then(|c| c.get(1))
                .map(|m| place(text, m.as_str()));
            let title = caption.as_ref().map(|range| plain(at(text, range))).or(above).unwrap_or_default();
            let mut tables = table::found(grid, &title);
            if let Some(last) = tables.last_mut() {
                last.head.extend(caption);
            }
            found.extend(tables);
            left.push(from..whole.start);
            from = whole.end;
        }
        left.push(from..range.end);
    }
    left
}

fn grid(text: &str, whole: &Range) -> Option<Grid> {
    let mut rows = ROW.as_ref()?.find_iter(at(text, whole)).map(|row| {
        let cells = CELL
            .as_ref()
            .map(|regex| {
                regex.captures_iter(row.as_str()).filter_map(|c| c.get(1)).map(|m| plain(m.as_str())).collect()
            })
            .unwrap_or_default();
        (place(text, row.as_str()), cells)
    });
    let (header_range, header): (Range, Vec<String>) = rows.next()?;
    let rows: Vec<(Range, Vec<String>)> = rows.filter(|(_, cells): &(Range, Vec<String>)| !cells.is_empty()).collect();
    (!header.is_empty() && !rows.is_empty()).then_some(Grid { header, header_range: Some(header_range), rows })
}

/// The text without tags and with the common entities as what they stand for.
pub(super) fn plain(text: &str) -> String {
    let bare = TAG.as_ref().map_or_else(|| text.into(), |regex| regex.replace_all(text, " "));
    let entities = [
        ("&nbsp;", " "),
        ("&euro;", "€"),
        ("&pound;", "£"),
        ("&yen;", "¥"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    let text = entities.iter().fold(bare.into_owned(), |text, (entity, c)| text.replace(entity, c));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text with every tag as spaces: each byte keeps its place. Breaks and ends of items become ends of lines.
pub(in super::super) fn without_tags(text: &str) -> String {
    let (Some(regex), Some(script)) = (TAG.as_ref(), SCRIPT.as_ref()) else { return text.to_owned() };
    // What a script does is no part of a wish.
    let text = script.replace_all(text, |c: &regex::Captures<'_>| " ".repeat(c.get(0).map_or(0, |m| m.len())));
    let blank = |c: &regex::Captures<'_>| {
        let tag = c.get(0).map_or("", |m| m.as_str());
        let lower = tag.to_ascii_lowercase();
        // A table is read with its tags; what only looks like a tag stays.
        if ["table", "tr", "td", "th", "thead", "tbody", "caption"].iter().any(|name| named(&lower, name)) {
            return tag.to_owned();
        }
        let known = [
            "p", "br", "li", "ul", "ol", "div", "h1", "h2", "h3", "h4", "b", "i", "em", "strong", "span", "a", "u",
            "section", "html", "body", "!--", "script", "style",
        ];
        if !known.iter().any(|name| named(&lower, name)) {
            return tag.to_owned();
        }
        let ends = ["br", "li", "p", "div", "h1", "h2", "h3", "h4"].iter().any(|name| named(&lower, name));
        if ends { format!("\n{}", " ".repeat(tag.len() - 1)) } else { " ".repeat(tag.len()) }
    };
    regex.replace_all(&text, blank).into_owned()
}

fn named(tag: &str, name: &str) -> bool {
    let rest = tag.trim_start_matches(['<', '/']);
    rest.strip_prefix(name).is_some_and(|rest| rest.starts_with(|c: char| !c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::offline::requirement::data::Entry;

    #[test]
    fn tables_of_html() {
        let text = "Our menu:\n<table><tr><th>Dish</th><th>Price</th></tr>\n<tr><td>Soup &amp; bread</td><td>&euro;4.50</td></tr><tr><td>Pie</td><td>€6</td></tr></table> Be kind.";
        let mut found = Vec::new();
        let left = extract(text, std::iter::once(0..text.len()).collect(), &mut found);
        assert_eq!(left.iter().map(|r| at(text, r).trim()).collect::<Vec<_>>(), ["Our menu:", "Be kind."]);
        let Entry::Price(soup) = &found[0].entries[0].1 else { panic!("a price") };
        assert_eq!((soup.name.as_str(), soup.amount.as_str(), soup.currency.as_str()), ("Soup & bread", "4.50", "EUR"));
    }

    #[test]
    fn tags_leave_every_byte_in_its_place() {
        let text = "<ul><li>Open daily</li><li>1 < 2 and <b>bold</b></li></ul>";
        let bare = without_tags(text);
        assert_eq!(bare.len(), text.len());
        assert_eq!(bare.split_whitespace().collect::<Vec<_>>().join(" "), "Open daily 1 < 2 and bold");
    }
}
