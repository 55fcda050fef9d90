//! The design: which tools, what name, what the agent will not be able to do.

use super::{Known, architecture::requirement_of, examples, naming, spec::shortened};
use crate::{
    catalogue::{Blueprint, Catalogue, select},
    provider::answers::{AgentDesign, RequirementsSpec},
    requirement::data::DataSet,
};

pub(super) fn design(catalogue: &Catalogue, known: &Known, spec: &RequirementsSpec) -> AgentDesign {
    let language = spec.language;
    let selection = select(catalogue, &requirement_of(spec));
    let ids: Vec<String> = selection.tools.iter().map(|choice| choice.id.clone()).collect();
    let chosen: Vec<&Blueprint> = ids.iter().filter_map(|id| catalogue.blueprint(id)).collect();
    let agent_name = naming::agent_name(&known.project_name, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let names: Vec<&str> = chosen.iter().map(|b| b.name.of(language)).collect();
    let data: Vec<String> = spec.data.iter().map(|set| describe(set, language.pick("entries", "条"))).collect();
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
    AgentDesign {
        agent_name,
        display_name: shortened(&spec.title, 60),
        description: shortened(&description, 500),
        category: category(&spec.data, &chosen),
        language,
        capabilities: chosen.iter().map(|b| b.summary.of(language).to_owned()).collect(),
        examples: examples::examples(catalogue, &ids, &spec.data, language),
        tools: selection.tools,
        uncovered: selection.uncovered,
        general: selection.general,
    }
}

fn describe(set: &DataSet, entries: &str) -> String {
    format!("{} ({} {entries})", shortened(set.title(), 60), set.len())
}

fn category(data: &[DataSet], chosen: &[&Blueprint]) -> String {
    let has = |kind: &str| data.iter().any(|set| set.kind() == kind);
    if has("prices") {
        "commerce".into()
    } else if has("faq") || has("categories") {
        "support".into()
    } else if has("table") || has("rates") {
        "data".into()
    } else if has("notes") {
        "knowledge".into()
    } else {
        chosen.first().map_or_else(|| "utility".into(), |b| b.category.clone())
    }
}
