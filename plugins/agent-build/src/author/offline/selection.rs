//! Which tools a requirement asks for: BM25 over the tools, clause by clause.
//!
//! BM25 ranks; it cannot tell a weak match from none. So a tool is taken only when the clause also
//! holds one of its own keywords, one that few other tools share.

use std::collections::BTreeMap;

use bm25::Tokenizer as _;

use super::{
    keywords::{HIGH_SHARE_OF_BEST, Index, SHARE_OF_BEST},
    requirement::{Requirement, sentences},
    tokenizer::Terms,
};
use crate::{
    catalogue::{Catalogue, CatalogueTool},
    spec::{ToolChoice, Uncovered},
};

const MAX_TOOLS: usize = 10;
/// What an agent gets when its requirement names nothing the catalogue knows.
const GENERAL: [&str; 5] = ["calculator", "unit_converter", "date_calculator", "text_statistics", "text_summary"];
/// Words that alone make no task: a sentence of these only is an introduction.
const PLAIN: [&str; 14] = [
    "friendli", "polit", "kind", "chat", "quick", "good", "daili", "everyday", "offlin", "online", "shop", "team",
    "compani", "custom",
];

/// The outcome of a selection.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    /// The tools, those with data first, then by score.
    pub(super) tools: Vec<ToolChoice>,
    /// What is left.
    pub(super) uncovered: Vec<Uncovered>,
    /// Whether the general set was taken for want of anything better.
    pub(super) general: bool,
}

/// Chooses the tools for a requirement.
pub(super) fn select(catalogue: &Catalogue, requirement: &Requirement) -> Selection {
    let index = Index::new(catalogue.tools(), requirement);
    let mut chosen: BTreeMap<&str, ToolChoice> = BTreeMap::new();
    let mut selection = Selection::default();
    for sentence in &requirement.tasks {
        let mut covered = false;
        let mut lacking: Option<&CatalogueTool> = None;
        let mut parts: Vec<(String, f32)> =
            sentences::clauses(sentence).into_iter().map(|clause| (clause, SHARE_OF_BEST)).collect();
        if parts.len() > 1 {
            parts.push((sentence.clone(), HIGH_SHARE_OF_BEST));
        }
        for (part, share) in &parts {
            for (tool, score, matched) in index.search(part, *share) {
                if tool.needs.as_deref().is_some_and(|kind| requirement.data_of(kind).is_none()) {
                    lacking.get_or_insert(tool);
                    continue;
                }
                covered = true;
                let choice = chosen.entry(tool.id()).or_insert_with(|| unmatched(tool.id()));
                choice.score = choice.score.max((score * 100.0).round() / 100.0);
                for word in matched {
                    if !choice.matched.contains(&word) {
                        choice.matched.push(word);
                    }
                }
            }
        }
        // The heading of a list is served by the tool for that list.
        let heads_data = requirement.data.iter().any(|data| sentence.contains(data.title()));
        if !covered && !heads_data && says_something(sentence) {
            selection.uncovered.push(uncovered(sentence, lacking, requirement));
        }
    }
    for tool in catalogue.tools() {
        if let Some(data) = tool.needs.as_deref().and_then(|kind| requirement.data_of(kind)) {
            let choice = chosen.entry(tool.id()).or_insert_with(|| unmatched(tool.id()));
            choice.data = Some(data.id().to_owned());
        }
    }
    if chosen.is_empty() {
        selection.general = true;
        selection.tools = GENERAL.map(unmatched).to_vec();
        return selection;
    }
    selection.tools = chosen.into_values().collect();
    selection.tools.sort_by(|a, b| {
        b.data.is_some().cmp(&a.data.is_some()).then(b.score.total_cmp(&a.score)).then(a.id.cmp(&b.id))
    });
    selection.tools.truncate(MAX_TOOLS);
    selection
}

fn unmatched(id: &str) -> ToolChoice {
    ToolChoice { id: id.to_owned(), score: 0.0, matched: Vec::new(), data: None }
}

fn says_something(sentence: &str) -> bool {
    Terms::default().tokenize(sentence).iter().filter(|term| !PLAIN.contains(&term.as_str())).count() > 1
}

fn uncovered(sentence: &str, lacking: Option<&CatalogueTool>, requirement: &Requirement) -> Uncovered {
    let language = requirement.language;
    let reason = match lacking {
        Some(tool) => format!(
            "{}{}",
            language.pick("needs data that the requirement does not give: ", "需要的数据没有在需求中给出："),
            tool.name().of(language)
        ),
        None => language
            .pick(
                "no tool of the offline catalogue serves this; it needs a language model",
                "离线目录中没有合适的工具，需要语言模型",
            )
            .to_owned(),
    };
    Uncovered { text: sentence.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(text: &str) -> Vec<String> {
        let requirement = Requirement::read(text).unwrap();
        let selection = select(Catalogue::embedded().unwrap(), &requirement);
        assert!(!selection.general, "{text}");
        selection.tools.into_iter().map(|t| t.id).collect()
    }

    #[test]
    fn tools_follow_the_requirement() {
        let is = |text: &str, expected: &[&str]| {
            let mut found = tools(text);
            found.sort();
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(found, expected, "{text}");
        };
        is(
            "Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR. It should also convert kg to lb.",
            &["price_list", "unit_converter"],
        );
        is("An agent that computes days between dates and weekdays.", &["date_calculator"]);
        is(
            "I need a text assistant: summarise articles, count words and extract email addresses.",
            &["text_summary", "text_statistics", "pattern_extract"],
        );
        is("Compute SHA-256 checksums and encode or decode base64", &["hash_text", "encode_text"]);
        is("Analyse CSV data and query JSON documents", &["csv_query", "json_query"]);
        is("Fetch web pages and summarize them", &["http_fetch", "text_summary"]);
        is("做一个日期计算助手，能计算两个日期相差多少天，还能查询星期几。", &["date_calculator"]);
        is("文本工具：统计字数、生成摘要、提取邮箱", &["text_statistics", "text_summary", "pattern_extract"]);
        is("水果店助手：苹果 3元，梨 4元。可以把公斤换算成磅。", &["price_list", "unit_converter"]);
        is("Search the files in a folder", &["file_search"]);
        is("Generate passwords and UUIDs", &["random_generator"]);
    }

    #[test]
    fn what_cannot_be_served_is_told() {
        let requirement = Requirement::read("Convert kg to lb. Write romantic poems about the autumn sea.").unwrap();
        let selection = select(Catalogue::embedded().unwrap(), &requirement);
        assert_eq!(selection.tools.len(), 1);
        assert_eq!(selection.uncovered.len(), 1);
        let vague = Requirement::read("Compose symphonies for elephants").unwrap();
        let selection = select(Catalogue::embedded().unwrap(), &vague);
        assert!(selection.general);
        assert_eq!(selection.uncovered.len(), 1);
    }
}
