//! The tool modules, from the catalogue.

use super::MODEL_ID;
use crate::{
    catalogue::{Blueprint, Catalogue, Localized},
    provider::{
        ProviderError,
        answers::{AgentDesign, ToolModule, ToolSet},
    },
};

pub(super) fn tools(catalogue: &Catalogue, design: &AgentDesign) -> Result<ToolSet, ProviderError> {
    let modules = design
        .tools
        .iter()
        .map(|choice| {
            let blueprint = catalogue
                .blueprint(&choice.id)
                .ok_or_else(|| ProviderError::Broken(format!("the catalogue has no tool `{}`", choice.id)))?;
            module(catalogue, blueprint, design)
        })
        .collect::<Result<_, _>>()?;
    Ok(ToolSet { modules })
}

fn module(catalogue: &Catalogue, blueprint: &Blueprint, design: &AgentDesign) -> Result<ToolModule, ProviderError> {
    let file = |path: String| {
        catalogue
            .agent_file(&path)
            .map(str::to_owned)
            .ok_or_else(|| ProviderError::Broken(format!("the catalogue has no {path}")))
    };
    let id = &blueprint.id;
    Ok(ToolModule {
        id: id.clone(),
        name: blueprint.name.clone(),
        summary: blueprint.summary.clone(),
        example: example(blueprint, design),
        category: blueprint.category.clone(),
        permissions: blueprint.permissions.clone(),
        functions: blueprint.functions.clone(),
        source: format!("{MODEL_ID}: {id}"),
        code: file(format!("tools/{id}.py"))?,
        intent: file(format!("intents/{id}.py"))?,
        tests: file(format!("tests/test_{id}.py"))?,
    })
}

/// A question to try: the design's own for this tool, in both languages where the catalogue has them.
fn example(blueprint: &Blueprint, design: &AgentDesign) -> Localized {
    let own =
        design.examples.iter().find(|example| example.tool == blueprint.id).map(|example| example.question.clone());
    let of = |language: &str| {
        blueprint
            .examples
            .iter()
            .find(|e| e.language == language && !e.question.contains('\n'))
            .map(|e| e.question.clone())
    };
    let own = own.filter(|question| !question.contains('\n')).unwrap_or_default();
    Localized { en: of("en").unwrap_or_else(|| own.clone()), zh: of("zh").unwrap_or(own) }
}
