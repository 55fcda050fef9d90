//! The catalogue of vetted tools, embedded in the plugin, and the template of the agent's runtime.

mod selection;
mod tokenizer;
mod tools;

use std::{collections::BTreeMap, sync::LazyLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use selection::{Choice, Selection, Uncovered, select};
pub(crate) use tools::{Module, describe, infos};

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// A text in English and Chinese.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Localized {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

impl Localized {
    /// The text in a language.
    #[must_use]
    pub fn of(&self, language: crate::requirement::language::Language) -> &str {
        language.pick(&self.en, &self.zh)
    }
}

/// Search words of a tool.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Keywords {
    /// English words and phrases.
    pub en: Vec<String>,
    /// Chinese words.
    pub zh: Vec<String>,
}

/// A question a tool answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlueprintExample {
    /// `en` or `zh`.
    pub language: String,
    /// The question.
    pub question: String,
    /// What the answer contains.
    pub contains: String,
}

/// A function of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Function {
    /// Its Python name.
    pub name: String,
    /// First line of its documentation.
    pub summary: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What it gives back, in words.
    #[serde(default)]
    pub returns: String,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type in words.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it must be given.
    pub required: bool,
    /// What it means.
    #[serde(default)]
    pub description: String,
    /// What it is when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
}

/// What the catalogue says of a tool: `blueprints/<id>.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Blueprint {
    /// Also the name of its Python modules.
    pub id: String,
    /// For grouping.
    pub category: String,
    /// For people.
    pub name: Localized,
    /// One line.
    pub summary: Localized,
    /// What it is found by.
    pub keywords: Keywords,
    /// Questions it answers.
    pub examples: Vec<BlueprintExample>,
    /// The kind of data it works on; it is used only when the requirement brings such data.
    #[serde(default)]
    pub needs: Option<String>,
    /// What it reaches beyond its arguments: `network`, `files`.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Its functions.
    pub functions: Vec<Function>,
}

/// The catalogue could not be read: a defect of the plugin's build.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the embedded catalogue is broken: {0}")]
pub struct CatalogueError(String);

/// All blueprints and template files.
#[derive(Debug)]
pub struct Catalogue {
    blueprints: Vec<Blueprint>,
    files: BTreeMap<&'static str, &'static str>,
}

impl Catalogue {
    /// The embedded catalogue.
    ///
    /// # Errors
    /// When a blueprint is not valid JSON of the right shape.
    pub fn embedded() -> Result<&'static Self, CatalogueError> {
        static CATALOGUE: LazyLock<Result<Catalogue, CatalogueError>> = LazyLock::new(Catalogue::load);
        CATALOGUE.as_ref().map_err(Clone::clone)
    }

    fn load() -> Result<Self, CatalogueError> {
        let blueprints = embedded::DESCRIPTIONS
            .iter()
            .map(|(id, text)| serde_json::from_str(text).map_err(|e| CatalogueError(format!("{id}/tool.json: {e}"))))
            .collect::<Result<Vec<Blueprint>, _>>()?;
        Ok(Self { blueprints, files: embedded::TEMPLATE.iter().chain(embedded::TOOLS).copied().collect() })
    }

    /// All blueprints, by id.
    #[must_use]
    pub fn blueprints(&self) -> &[Blueprint] {
        &self.blueprints
    }

    /// A blueprint.
    #[must_use]
    pub fn blueprint(&self, id: &str) -> Option<&Blueprint> {
        self.blueprints.iter().find(|blueprint| blueprint.id == id)
    }

    /// A file of the template or of a tool, by its path inside the agent's folder.
    #[must_use]
    pub fn agent_file(&self, path: &str) -> Option<&'static str> {
        self.files.get(path).copied()
    }

    /// The files every agent has, with their paths inside the agent's folder: server, runtime, package markers.
    pub fn common_files(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        embedded::TEMPLATE.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blueprint_has_its_three_modules() {
        let catalogue = Catalogue::embedded().unwrap();
        assert!(catalogue.blueprints().len() >= 15);
        for blueprint in catalogue.blueprints() {
            for path in [
                format!("tools/{}.py", blueprint.id),
                format!("intents/{}.py", blueprint.id),
                format!("tests/test_{}.py", blueprint.id),
            ] {
                assert!(catalogue.agent_file(&path).is_some(), "{path}");
            }
        }
        assert!(catalogue.common_files().any(|(path, _)| path == "agent.py"));
        assert!(catalogue.common_files().all(|(path, _)| !path.contains("calculator")));
    }
}
