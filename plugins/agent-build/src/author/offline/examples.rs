//! Example questions: for tools with data made from that data, for others taken from the catalogue.

use serde_json::Value;

use super::requirement::language::is_cjk;
use crate::{
    catalogue::{Catalogue, CatalogueTool},
    spec::{DataSet, Example, Language},
};

const PER_TOOL: usize = 2;

/// Questions that the finished agent must answer; its own tests ask them.
pub(in crate::author) fn examples(
    catalogue: &Catalogue,
    tools: &[String],
    data: &[DataSet],
    language: Language,
) -> Vec<Example> {
    let names = names(data);
    let mut found = Vec::new();
    for tool in tools.iter().filter_map(|id| catalogue.tool(id)) {
        match tool.needs.as_deref().and_then(|kind| data.iter().find(|set| set.kind() == kind)) {
            Some(set) => found.extend(from_data(set, language).map(|(question, contains)| Example {
                question,
                tool: tool.id().to_owned(),
                contains,
            })),
            None => found.extend(from_catalogue(tool, language, &names)),
        }
    }
    found
}

fn from_catalogue<'a>(
    tool: &'a CatalogueTool,
    language: Language,
    names: &'a [String],
) -> impl Iterator<Item = Example> + 'a {
    tool.examples
        .iter()
        .filter(move |example| example.language == language.code())
        // A question that happens to name something the agent knows may rightly go elsewhere.
        .filter(|example| !names.iter().any(|name| example.question.to_lowercase().contains(name)))
        .take(PER_TOOL)
        .map(|example| Example {
            question: example.question.clone(),
            tool: tool.id().to_owned(),
            contains: example.contains.clone(),
        })
}

fn from_data(set: &DataSet, language: Language) -> Option<(String, String)> {
    let q = |en: String, zh: String| language.pick(&en, &zh).to_owned();
    match set {
        DataSet::Prices { items, .. } => {
            let item = items.iter().find(|item| plain(&item.name))?;
            Some((q(format!("How much is {}?", item.name), format!("{}多少钱？", item.name)), item.name.clone()))
        }
        DataSet::Table { rows, columns, .. } => {
            let name = rows
                .iter()
                .filter_map(|row| row.first().and_then(Value::as_str))
                .find(|name| plain(name) && columns.iter().all(|c| c.name != **name))?;
            Some((q(format!("Tell me about {name}"), format!("介绍一下{name}")), name.to_owned()))
        }
        DataSet::Faq { pairs, .. } => pairs.first().map(|pair| (pair.question.clone(), String::new())),
        DataSet::Notes { passages, .. } => {
            let passage = passages.first()?;
            let chinese: String =
                passage.chars().skip_while(|c| !is_cjk(*c)).take_while(|c| is_cjk(*c)).take(8).collect();
            if chinese.chars().count() >= 4 {
                return Some((format!("关于{chinese}"), String::new()));
            }
            let mut words: Vec<&str> = passage.split(|c: char| !c.is_alphabetic()).filter(|w| w.len() > 4).collect();
            words.sort_by_key(|w| std::cmp::Reverse(w.len()));
            words.truncate(2);
            (!words.is_empty()).then(|| (format!("Tell me about {}", words.join(" ")), String::new()))
        }
        DataSet::Categories { categories, .. } => {
            let category = categories.first()?;
            let word = category.words.first()?;
            Some((q(format!("Classify: {word}"), format!("分类：{word}")), String::new()))
        }
        DataSet::Hours { .. } => {
            Some((q("What are your opening hours?".into(), "营业时间是什么时候？".into()), String::new()))
        }
        DataSet::Rates { rates, .. } => rates.first().map(|rate| {
            (
                q(format!("100 {} in {}", rate.from, rate.to), format!("100 {} 等于多少 {}？", rate.from, rate.to)),
                rate.to.clone(),
            )
        }),
    }
}

/// A name that reads as one in a sentence, whatever else the agent can do.
fn plain(name: &str) -> bool {
    let count = name.chars().count();
    (2..=30).contains(&count)
        && name.chars().all(|c| c.is_alphabetic() || c == ' ')
        && !["in", "to", "of", "what", "how", "all"].contains(&name.to_lowercase().as_str())
}

/// All names the agent's data knows, in lower case.
fn names(data: &[DataSet]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for set in data {
        match set {
            DataSet::Prices { items, .. } => names.extend(items.iter().map(|i| i.name.to_lowercase())),
            DataSet::Table { rows, .. } => {
                names.extend(rows.iter().flatten().filter_map(Value::as_str).map(str::to_lowercase))
            }
            DataSet::Categories { categories, .. } => {
                names.extend(categories.iter().flat_map(|c| c.words.iter().map(|w| w.to_lowercase())))
            }
            DataSet::Rates { rates, .. } => {
                names.extend(rates.iter().flat_map(|r| [r.from.to_lowercase(), r.to.to_lowercase()]))
            }
            DataSet::Faq { .. } | DataSet::Notes { .. } | DataSet::Hours { .. } => {}
        }
    }
    names.retain(|name| !name.trim().is_empty());
    names
}
