//! Categories in one sentence: `billing (invoice, refund), technical (crash, error)` or with colons and semicolons.

use std::sync::LazyLock;

use regex::Regex;

use super::heading;
use crate::spec::{Category, DataSet};

static BRACKETS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?P<name>[\w\-/& ]{1,40}?)\s*[(（](?P<words>[^()（）]{2,300})[)）]").ok());

/// Whether the requirement is about sorting texts.
pub(super) fn is_sorting(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["classif", "categor", "triage", "route ", "routes ", "sorts ", "分类", "归类", "分拣", "分派", "类别"]
        .iter()
        .any(|cue| lower.contains(cue))
}

/// Takes categories out of a sentence; what is left is its head.
pub(super) fn extract(sentence: &str, found: &mut Vec<DataSet>) -> Option<String> {
    let (head, body) = sentence.split_once([':', '：']).unwrap_or(("", sentence));
    let split = |words: &str| {
        words
            .split([',', '，', '、', '/'])
            .map(|w| w.trim().trim_start_matches("and ").trim_end_matches(['.', '。']).to_owned())
            .filter(|w| !w.is_empty())
            .collect::<Vec<_>>()
    };
    let mut categories: Vec<Category> = BRACKETS
        .as_ref()
        .map(|regex| {
            regex
                .captures_iter(body)
                .filter_map(|c| {
                    let name =
                        c.name("name")?.as_str().trim().trim_start_matches("and ").trim_start_matches("or ").trim();
                    Some(Category { name: name.to_owned(), words: split(c.name("words")?.as_str()) })
                })
                .filter(|c| !c.name.is_empty() && c.name.split_whitespace().count() <= 4 && !c.words.is_empty())
                .collect()
        })
        .unwrap_or_default();
    if categories.len() < 2 {
        categories = body
            .split([';', '；'])
            .filter_map(|part| part.split_once([':', '：', '=']))
            .map(|(name, words)| Category { name: name.trim().to_owned(), words: split(words) })
            .filter(|c| !c.name.is_empty() && c.name.split_whitespace().count() <= 4 && !c.words.is_empty())
            .collect();
    }
    if categories.len() < 2 {
        return None;
    }
    let title = if head.is_empty() { "Categories".into() } else { heading(head) };
    found.push(DataSet::Categories { id: String::new(), title, categories });
    Some(if head.is_empty() {
        body.split(['(', '（']).next().unwrap_or_default().trim().to_owned()
    } else {
        head.trim().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_semicolons() {
        for text in [
            "Classify tickets: billing (invoice, refund), technical (crash, error message)",
            "Classify tickets: billing: invoice, refund; technical: crash, error message",
            "对工单分类：账单（发票、退款），技术（崩溃、报错）",
        ] {
            let mut found = Vec::new();
            assert!(extract(text, &mut found).is_some(), "{text}");
            let DataSet::Categories { categories, .. } = &found[0] else { panic!("categories") };
            assert_eq!(categories.iter().map(|c| c.words.len()).collect::<Vec<_>>(), [2, 2], "{text}");
        }
    }
}
