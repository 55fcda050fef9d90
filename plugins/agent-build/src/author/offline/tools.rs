//! The tools, from the catalogue.

use super::MODEL_ID;
use crate::{
    author::AuthorError,
    catalogue::{Catalogue, CatalogueTool},
    spec::{AgentDesign, Localized, WrittenTool, WrittenTools},
};

/// The tools that the catalogue has. Those that a model designed and that nobody is here to write are left out.
pub(in crate::author) fn tools(catalogue: &Catalogue, design: &AgentDesign) -> Result<WrittenTools, AuthorError> {
    let to_write = |id: &str| design.to_write.iter().find(|sketch| sketch.id == id);
    let vetted = design.tools.iter().filter(|choice| to_write(&choice.id).is_none());
    let tools = vetted.map(|choice| from_catalogue(catalogue, design, &choice.id)).collect::<Result<_, _>>()?;
    let reason = design.language.pick(
        "its tool has to be written by a language model, and there is none",
        "所需工具要由语言模型编写，而现在没有语言模型",
    );
    Ok(WrittenTools { tools, left_out: design.to_write.iter().map(|sketch| sketch.left_out(reason)).collect() })
}

/// A vetted tool as it is.
pub(in crate::author) fn from_catalogue(
    catalogue: &Catalogue,
    design: &AgentDesign,
    id: &str,
) -> Result<WrittenTool, AuthorError> {
    let missing = |what: String| AuthorError::Broken(format!("the catalogue has no {what}"));
    let tool = catalogue.tool(id).ok_or_else(|| missing(format!("tool `{id}`")))?;
    let file = |path: String| catalogue.file(&path).map(str::to_owned).ok_or_else(|| missing(path));
    Ok(WrittenTool {
        about: tool.about.clone(),
        example: example(tool, design),
        source: format!("{MODEL_ID}: {id}"),
        code: file(format!("tools/{id}.py"))?,
        intent: file(format!("intents/{id}.py"))?,
        tests: file(format!("tests/test_{id}.py"))?,
        proof: None,
    })
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
