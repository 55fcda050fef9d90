//! The tools of an agent: those that serve a clause of the requirement, and those for its data.

use std::collections::BTreeMap;

use crate::{
    catalogue::{Catalogue, CatalogueTool},
    spec::{Requirements, ToolChoice},
};

const MAX_TOOLS: usize = 12;
/// What an agent gets when its requirement asks for nothing in particular.
const GENERAL: [&str; 5] = ["calculator", "unit_converter", "date_calculator", "text_statistics", "text_summary"];

/// The outcome of a selection.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    /// The tools: those with data first, then those that more clauses ask for.
    pub(super) tools: Vec<ToolChoice>,
    /// Whether the general set was taken for want of anything better.
    pub(super) general: bool,
}

/// Chooses the tools for a requirement.
pub(super) fn select(catalogue: &Catalogue, requirements: &Requirements) -> Selection {
    let mut chosen: BTreeMap<&str, ToolChoice> = BTreeMap::new();
    for tool in catalogue.tools() {
        let set = tool.needs.as_deref().and_then(|kind| requirements.data.iter().find(|set| set.kind() == kind));
        if let Some(set) = set {
            chosen.insert(tool.id(), ToolChoice { data: Some(set.id().to_owned()), ..unmatched(tool.id()) });
        }
    }
    for clause in requirements.reading.tasks.iter().flat_map(|task| &task.clauses) {
        for tool in clause.served_by.iter().filter_map(|id| catalogue.tool(id)) {
            let choice = chosen.entry(tool.id()).or_insert_with(|| unmatched(tool.id()));
            choice.matched.push(clause.text.chars().take(80).collect());
        }
    }
    let mut tools: Vec<ToolChoice> = chosen.into_values().collect();
    tools.extend(
        requirements.to_write.iter().map(|sketch| ToolChoice {
            matched: vec![sketch.wish.chars().take(80).collect()],
            ..unmatched(&sketch.id)
        }),
    );
    if tools.is_empty() {
        return Selection {
            tools: GENERAL
                .iter()
                .map(|id| unmatched(id))
                .filter(|choice| catalogue.tool(&choice.id).is_some())
                .collect(),
            general: true,
        };
    }
    tools.sort_by(|a, b| {
        b.data.is_some().cmp(&a.data.is_some()).then(b.matched.len().cmp(&a.matched.len())).then(a.id.cmp(&b.id))
    });
    tools.truncate(MAX_TOOLS);
    Selection { tools, general: false }
}

pub(super) fn chosen<'a>(catalogue: &'a Catalogue, selection: &Selection) -> Vec<&'a CatalogueTool> {
    selection.tools.iter().filter_map(|choice| catalogue.tool(&choice.id)).collect()
}

fn unmatched(id: &str) -> ToolChoice {
    ToolChoice { id: id.to_owned(), matched: Vec::new(), data: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{author::offline::analysis, spec::Coverage};

    fn analysed(text: &str) -> Requirements {
        analysis::analyse(Catalogue::embedded().unwrap(), "x", text).unwrap()
    }

    fn tools(text: &str) -> Vec<String> {
        let selection = select(Catalogue::embedded().unwrap(), &analysed(text));
        assert!(!selection.general, "{text}");
        selection.tools.into_iter().map(|t| t.id).collect()
    }

    #[test]
    fn tools_follow_the_requirement() {
        for (text, expected) in [
            (
                "Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR. It should also convert kg to lb.",
                "price_list unit_converter",
            ),
            ("An agent that computes days between dates and weekdays.", "date_calculator"),
            (
                "I need a text assistant: summarise articles, count words and extract email addresses.",
                "pattern_extract text_statistics text_summary",
            ),
            ("Compute SHA-256 checksums and encode or decode base64", "encode_text hash_text"),
            ("Analyse CSV data and query JSON documents", "csv_query json_query"),
            ("Fetch web pages and summarize them", "http_fetch text_summary"),
            ("做一个日期计算助手，能计算两个日期相差多少天，还能查询星期几。", "date_calculator"),
            ("文本工具：统计字数、生成摘要、提取邮箱", "pattern_extract text_statistics text_summary"),
            ("水果店助手：苹果 3元，梨 4元。可以把公斤换算成磅。", "price_list unit_converter"),
            ("Search the files in a folder", "file_search"),
            ("Generate passwords and UUIDs", "random_generator"),
            ("Sort tickets into access (password, login, locked) and billing (invoice, refund).", "text_classifier"),
            ("a little thing that tells my kids how many days until a date", "date_calculator"),
            ("Work out the tip and split a restaurant bill", "finance_calculator"),
            ("Roll dice for our board game night", "random_generator"),
            ("miles to km, pounds to kilos and fahrenheit to celsius please", "unit_converter"),
            ("把英里换成公里，华氏度换成摄氏度", "unit_converter"),
            ("帮我算贷款月供和存款利息", "finance_calculator"),
        ] {
            let mut found = tools(text);
            found.sort();
            assert_eq!(found.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_served_is_told() {
        for (text, coverage, abilities) in [
            ("Convert kg to lb. Write romantic poems about the autumn sea.", Coverage::Partial, "writing"),
            ("Compose symphonies for elephants", Coverage::None, "audio"),
            ("Send me an email every morning with the weather in Leeds", Coverage::None, "mail"),
            ("Convert kg to lb and never give medical advice.", Coverage::Full, ""),
            (
                "I want a bot that searches the web, books flights and converts miles to km.",
                Coverage::Partial,
                "web_search bookings",
            ),
            ("做一个能翻译文章、统计字数的助手", Coverage::Partial, "translation"),
            ("帮我写诗，再画一张海报", Coverage::None, "writing images"),
            ("It should juggle flaming torches", Coverage::None, "unknown"),
            ("help me", Coverage::Partial, "unknown"),
        ] {
            let requirements = analysed(text);
            let found: Vec<&str> = requirements.not_served.iter().map(|left| left.ability.as_str()).collect();
            assert_eq!((requirements.coverage, found.join(" ").as_str()), (coverage, abilities), "{text}");
        }
    }

    #[test]
    fn a_requirement_without_a_wish_gets_the_general_tools() {
        let selection = select(Catalogue::embedded().unwrap(), &analysed("help me"));
        assert!(selection.general && selection.tools.len() == GENERAL.len());
    }
}
