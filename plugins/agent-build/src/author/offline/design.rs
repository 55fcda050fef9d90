//! The design: which tools, what name, what the agent will not be able to do.

use super::{
    analysis::shortened,
    examples, naming,
    selection::{chosen, select},
};
use crate::{
    catalogue::{Catalogue, CatalogueTool},
    spec::{AgentDesign, DataSet, Requirements},
};

pub(in crate::author) fn design(catalogue: &Catalogue, project_name: &str, requirements: &Requirements) -> AgentDesign {
    let language = requirements.language;
    let selection = select(catalogue, requirements);
    let ids: Vec<String> = selection.tools.iter().map(|choice| choice.id.clone()).collect();
    let chosen: Vec<&CatalogueTool> = chosen(catalogue, &selection);
    // The title is what the requirement is about, where the project's name is only its beginning.
    let own = requirements.title.chars().any(|c| c.is_ascii_alphabetic());
    let named = if own { requirements.title.as_str() } else { project_name };
    let agent_name = naming::agent_name(named, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let vetted = chosen.iter().map(|tool| tool.name().of(language));
    let names: Vec<&str> = vetted.chain(requirements.to_write.iter().map(|one| one.name.as_str())).collect();
    let data: Vec<String> = requirements.data.iter().map(|set| describe(set, language.pick("entries", "条"))).collect();
    let mut description = language
        .pick(
            &format!("An offline agent with {} tool(s): {}.", names.len(), names.join(", ")),
            &format!("离线智能体，有 {} 个工具：{}。", names.len(), names.join("、")),
        )
        .to_owned();
    if !data.is_empty() {
        let known = language.pick(" It knows: ", "掌握的数据：").to_owned() + &data.join(language.pick("; ", "；"));
        description.push_str(&(known + language.pick(".", "。")));
    }
    let left: Vec<String> = requirements.not_served.iter().map(|left| shortened(&left.text, 60)).collect();
    if !left.is_empty() {
        let not = language.pick(" It does not serve: ", "不提供：").to_owned() + &left.join(language.pick("; ", "；"));
        description.push_str(&(not + language.pick(".", "。")));
    }
    AgentDesign {
        agent_name,
        display_name: shortened(&requirements.title, 60),
        description: shortened(&description, 500),
        category: category(&requirements.data, &chosen),
        language,
        capabilities: chosen.iter().map(|tool| tool.summary().of(language).to_owned()).collect(),
        examples: examples::examples(catalogue, &ids, &requirements.data, language),
        tools: selection.tools,
        to_write: requirements.to_write.clone(),
        coverage: requirements.coverage,
        not_served: requirements.not_served.clone(),
        general: selection.general,
    }
}

fn describe(set: &DataSet, entries: &str) -> String {
    format!("{} ({} {entries})", shortened(set.title(), 60), set.len())
}

fn category(data: &[DataSet], chosen: &[&CatalogueTool]) -> String {
    let has = |kind: &str| data.iter().any(|set| set.kind() == kind);
    if has("prices") {
        "commerce".into()
    } else if has("faq") || has("categories") || has("hours") {
        "support".into()
    } else if has("table") || has("rates") {
        "data".into()
    } else if has("notes") {
        "knowledge".into()
    } else {
        chosen.first().map_or_else(|| "utility".into(), |tool| tool.about.category.clone())
    }
}
