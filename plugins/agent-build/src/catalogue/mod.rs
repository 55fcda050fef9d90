//! The catalogue of vetted tools, embedded from `catalogue/<tool>/`. Any author may take a tool from it.
//!
//! A new tool is a new folder with its four files and nothing else: `catalogue/describe.py` writes the functions of
//! its `tool.json`, `python3 -m unittest discover -s catalogue/tests` judges it.

mod describe;

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

pub(crate) use describe::describe;

use crate::{
    embedded,
    spec::{Localized, Tool},
};

/// A tool as its `tool.json` describes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CatalogueTool {
    #[serde(flatten)]
    pub(crate) about: Tool,
    /// What it does, as people ask for it.
    pub(crate) does: Vec<Does>,
    pub(crate) examples: Vec<CatalogueExample>,
    /// The kind of data it works on; it is used only when the requirement brings such data.
    #[serde(default)]
    pub(crate) needs: Option<String>,
}

/// A clause asks for the tool when it has one of the verbs and one of the objects, English or Chinese.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Does {
    /// None when an object alone names the ability ("word count").
    pub(crate) verbs: Vec<String>,
    pub(crate) objects: Vec<String>,
    /// A kind of data with which another tool does this.
    #[serde(default)]
    pub(crate) unless: Option<String>,
    /// Counts only when no tool has a better match.
    #[serde(default)]
    pub(crate) weak: bool,
    /// How many different objects the clause must have: "miles to km" has two units.
    #[serde(default = "one")]
    pub(crate) at_least: usize,
}

fn one() -> usize {
    1
}

/// A question the tool answers.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CatalogueExample {
    /// `en` or `zh`.
    pub(crate) language: String,
    pub(crate) question: String,
    /// What the answer contains.
    pub(crate) contains: String,
}

impl CatalogueTool {
    pub(crate) fn id(&self) -> &str {
        &self.about.id
    }

    pub(crate) fn name(&self) -> &Localized {
        &self.about.name
    }

    pub(crate) fn summary(&self) -> &Localized {
        &self.about.summary
    }
}

/// The catalogue could not be read: a defect of the plugin's build.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the embedded catalogue is broken: {0}")]
pub(crate) struct CatalogueError(String);

#[derive(Debug)]
pub(crate) struct Catalogue {
    tools: Vec<CatalogueTool>,
    files: BTreeMap<&'static str, &'static str>,
}

impl Catalogue {
    pub(crate) fn embedded() -> Result<&'static Self, CatalogueError> {
        static CATALOGUE: LazyLock<Result<Catalogue, CatalogueError>> = LazyLock::new(Catalogue::load);
        CATALOGUE.as_ref().map_err(Clone::clone)
    }

    fn load() -> Result<Self, CatalogueError> {
        let tools = embedded::DESCRIPTIONS
            .iter()
            .map(|(id, text)| serde_json::from_str(text).map_err(|e| CatalogueError(format!("{id}/tool.json: {e}"))))
            .collect::<Result<_, _>>()?;
        Ok(Self { tools, files: embedded::TEMPLATE.iter().chain(embedded::TOOLS).copied().collect() })
    }

    /// All tools, by id.
    pub(crate) fn tools(&self) -> &[CatalogueTool] {
        &self.tools
    }

    pub(crate) fn tool(&self, id: &str) -> Option<&CatalogueTool> {
        self.tools.iter().find(|tool| tool.id() == id)
    }

    /// A file of the template or of a tool, by its path inside the agent's folder.
    pub(crate) fn file(&self, path: &str) -> Option<&'static str> {
        self.files.get(path).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_its_three_modules_and_none_is_in_the_template() {
        let catalogue = Catalogue::embedded().unwrap();
        assert!(catalogue.tools().len() >= 15);
        for id in catalogue.tools().iter().map(CatalogueTool::id) {
            for path in [format!("tools/{id}.py"), format!("intents/{id}.py"), format!("tests/test_{id}.py")] {
                assert!(catalogue.file(&path).is_some(), "{path}");
                assert!(embedded::TEMPLATE.iter().all(|(common, _)| *common != path), "{path}");
            }
        }
        assert!(embedded::TEMPLATE.iter().any(|(path, _)| *path == "agent.py"));
    }
}
