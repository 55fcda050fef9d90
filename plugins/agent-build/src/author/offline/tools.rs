//! The tools, from the catalogue.

use super::MODEL_ID;
use crate::{
    author::AuthorError,
    catalogue::{Catalogue, CatalogueTool},
    spec::{AgentDesign, Localized, WrittenTool},
};

pub(super) fn tools(catalogue: &Catalogue, design: &AgentDesign) -> Result<Vec<WrittenTool>, AuthorError> {
    let missing = |what: String| AuthorError::Broken(format!("the catalogue has no {what}"));
    let written = |id: &String| {
        let tool = catalogue.tool(id).ok_or_else(|| missing(format!("tool `{id}`")))?;
        let file = |path: String| catalogue.file(&path).map(str::to_owned).ok_or_else(|| missing(path));
        Ok(WrittenTool {
            about: tool.about.clone(),
            example: example(tool, design),
            source: format!("{MODEL_ID}: {id}"),
            code: file(format!("tools/{id}.py"))?,
            intent: file(format!("intents/{id}.py"))?,
            tests: file(format!("tests/test_{id}.py"))?,
        })
    };
    design.tools.iter().map(|choice| written(&choice.id)).collect()
}

/// A question to try: the design's own for this tool, in both languages where the catalogue has them.
fn example(tool: &CatalogueTool, design: &AgentDesign) -> Localized {
    let own = design.examples.iter().find(|example| example.tool == tool.id()).map(|example| example.question.clone());
    let of = |language: &str| {
        tool.examples.iter().find(|e| e.language == language && !e.question.contains('\n')).map(|e| e.question.clone())
    };
    let own = own.filter(|question| !question.contains('\n')).unwrap_or_default();
    Localized { en: of("en").unwrap_or_else(|| own.clone()), zh: of("zh").unwrap_or(own) }
}
