//! Categories in one sentence: `billing (invoice, refund), technical (crash, error)` or with colons and semicolons.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    super::source::{Range, at, at_colon, place},
    Entry,
};
use crate::spec::Category;

static BRACKETS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?P<name>[\w\-/& ]{1,40}?)\s*[(（](?P<words>[^()（）]{2,300})[)）]").ok());
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:classif\w+|categor\w+|sort\w*|label\w*|tag\w*|triage|route\w*)\b[^:.]{0,60}?\b(?:into|as|to|in)\s+(?:(?:one of|either|the categories|categories|the classes|these|three|four|two|five)\s+)*:?\s*(?P<names>[\w\- ]+(?:,\s*[\w\- ]+)*,?\s+(?:and|or)\s+[\w\- ]+)\.?$|(?:分为|分成|归为|归到|标记为)(?P<zh>[^，。：]{1,12}(?:、[^，。：、]{1,12})+)").ok()
});

/// Whether the requirement is about sorting texts.
pub(in super::super) fn is_sorting(text: &str) -> bool {
    let lower = text.to_lowercase();
    let cues = [
        "classif",
        "categor",
        "triage",
        "route ",
        "routes ",
        "sorts ",
        "sort ",
        "label ",
        "labels",
        "labelled",
        "labeled",
        "label:",
        "tag ",
        "tags ",
        "分类",
        "归类",
        "分拣",
        "分派",
        "类别",
        "打标签",
        "分到",
        "归到",
        "归入",
        "分给",
        "标记为",
    ];
    cues.iter().any(|cue| lower.contains(cue))
}

/// The words that speak for a category.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split([',', '，', '、', '/', ';', '；'])
        .map(|word| {
            word.trim()
                .trim_start_matches("and ")
                .trim_start_matches("or ")
                .trim_end_matches(['.', '。', '等'])
                .trim()
                .to_owned()
        })
        .filter(|word| !word.is_empty() && word != "etc")
        .collect()
}

fn named(name: &str) -> Option<String> {
    let mut name = name.trim();
    while let Some(shorter) =
        ["and ", "or ", "into ", "as ", "to ", "either ", "和", "或"].iter().find_map(|word| name.strip_prefix(word))
    {
        name = shorter.trim();
    }
    // "sort messages into sales (…)": the name is the last words.
    let name = [" into ", " as ", " categories "]
        .iter()
        .find_map(|joint| name.rsplit_once(joint))
        .or_else(|| name.rsplit_once(" to "))
        .map_or(name, |(_, last)| last.trim());
    (!name.is_empty() && name.split_whitespace().count() <= 4).then(|| name.to_owned())
}

/// The categories of a sentence with their places, and where the list begins.
pub(super) fn read(text: &str, range: &Range, known: bool) -> Option<(Vec<(Range, Entry)>, usize)> {
    let sentence = at(text, range);
    let (head, body) = at_colon(sentence).unwrap_or(("", sentence));
    let mut found: Vec<(Range, Entry)> = BRACKETS
        .as_ref()?
        .captures_iter(body)
        .filter_map(|c| {
            let (name, list) = (c.name("name")?.as_str(), c.name("words")?.as_str());
            let category = Category { name: named(name)?, words: words(list) };
            let start = place(text, name.trim_start())
                .start
                .max(place(text, c.get(0)?.as_str()).end.saturating_sub(c.get(0)?.len()));
            (!category.words.is_empty())
                .then_some((start..place(text, c.get(0)?.as_str()).end, Entry::Category(category)))
        })
        .collect();
    if found.len() < if known { 1 } else { 2 } {
        found = body
            .split([';', '；'])
            .filter_map(|part| part.split_once([':', '：', '=']).map(|pair| (part, pair)))
            .filter_map(|(part, (name, list))| {
                Some((place(text, part.trim()), Entry::Category(Category { name: named(name)?, words: words(list) })))
            })
            .collect();
    }
    if found.len() < 2
        && let Some(captures) = NAMED.as_ref().and_then(|regex| regex.captures(sentence))
        && let Some(list) = captures.name("names").or_else(|| captures.name("zh"))
    {
        // Categories of which only the names are known: their names are their words.
        let spaced = list.as_str().replace(" and ", ", ").replace(" or ", ", ");
        let names: Vec<String> =
            words(&spaced).into_iter().flat_map(|w| w.split('和').map(str::to_owned).collect::<Vec<_>>()).collect();
        if names.len() >= 2 && names.iter().all(|name| name.split_whitespace().count() <= 3) {
            let whole = place(text, list.as_str());
            let start = whole.start;
            return Some((
                names
                    .into_iter()
                    .map(|name| (whole.clone(), Entry::Category(Category { words: vec![name.clone()], name })))
                    .collect(),
                start,
            ));
        }
    }
    if found.len() < if known { 1 } else { 2 } {
        return None;
    }
    let first = found.first()?.0.start;
    let start = if head.is_empty() { first } else { place(text, body).start };
    Some((found, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_semicolons() {
        for (text, expected) in [
            ("Classify tickets: billing (invoice, refund), technical (crash, error message)", "billing 2,technical 2"),
            ("Classify tickets: billing: invoice, refund; technical: crash, error message", "billing 2,technical 2"),
            ("对工单分类：账单（发票、退款），技术（崩溃、报错）", "账单 2,技术 2"),
            ("It sorts mails into sales (quote, offer) or spam (win, prize, lottery).", "sales 2,spam 3"),
            ("Classify each message as praise, complaint or question.", "praise 1,complaint 1,question 1"),
            ("把留言分为投诉、建议、咨询", "投诉 1,建议 1,咨询 1"),
        ] {
            let found = read(text, &(0..text.len()), false).map(|(found, _)| found).unwrap_or_default();
            let show = |e: &Entry| {
                if let Entry::Category(c) = e { format!("{} {}", c.name, c.words.len()) } else { String::new() }
            };
            assert_eq!(found.iter().map(|(_, e)| show(e)).collect::<Vec<_>>().join(","), expected, "{text}");
        }
    }
}
