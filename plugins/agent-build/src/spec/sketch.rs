//! A tool that no catalogue has: its signature and worked examples. They are made from the requirement alone, before
//! any code, so that whoever writes the code does not write what it is judged by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Function, Language, LeftOut, Localized, Parameter, Tool, Uncovered};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ToolSketch {
    /// Name of its module and of its one function.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) name: String,
    /// What it does, in one sentence.
    pub(crate) summary: String,
    /// The words of the requirement that ask for it.
    pub(crate) wish: String,
    pub(crate) parameters: Vec<SketchParameter>,
    pub(crate) result: SketchResult,
    /// Words by which people ask for it.
    pub(crate) keywords: Vec<String>,
    pub(crate) examples: Vec<WorkedExample>,
    /// Rules chose a vetted tool for the same words, which stands beside it.
    #[serde(default)]
    pub(crate) beside_vetted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SketchParameter {
    pub(crate) name: String,
    pub(crate) kind: ValueKind,
    /// The unit of a number; empty for none.
    #[serde(default)]
    pub(crate) unit: String,
    pub(crate) meaning: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SketchResult {
    pub(crate) kind: ValueKind,
    #[serde(default)]
    pub(crate) unit: String,
    pub(crate) meaning: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ValueKind {
    Number,
    WholeNumber,
    Text,
    YesNo,
    ListOfNumbers,
    ListOfTexts,
}

/// A question, the call that answers it, and its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct WorkedExample {
    pub(crate) question: String,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) result: Value,
    pub(crate) origin: Origin,
}

/// Where the result of a worked example comes from, and so how much it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// It stands in the requirement.
    Requirement,
    /// A model said how it is calculated, rules calculated it.
    Calculated,
    /// A model's word.
    Model,
}

impl ValueKind {
    /// As tools of the catalogue name it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::WholeNumber => "integer",
            Self::Text => "string",
            Self::YesNo => "boolean",
            Self::ListOfNumbers => "array of number",
            Self::ListOfTexts => "array of string",
        }
    }

    /// As Python names it.
    pub(crate) fn python(self) -> &'static str {
        match self {
            Self::Number => "float",
            Self::WholeNumber => "int",
            Self::Text => "str",
            Self::YesNo => "bool",
            Self::ListOfNumbers => "List[float]",
            Self::ListOfTexts => "List[str]",
        }
    }

    /// The schema of such a value.
    pub(crate) fn schema(self) -> Value {
        match self {
            Self::ListOfNumbers => serde_json::json!({ "type": "array", "items": { "type": "number" } }),
            Self::ListOfTexts => serde_json::json!({ "type": "array", "items": { "type": "string" } }),
            one => serde_json::json!({ "type": one.word() }),
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Number | Self::WholeNumber)
    }
}

impl ToolSketch {
    /// The first line of its code: `def body_mass_index(weight: float, height: float) -> float:`.
    pub(crate) fn signature(&self) -> String {
        let of = |parameter: &SketchParameter| format!("{}: {}", parameter.name, parameter.kind.python());
        let parameters = self.parameters.iter().map(of).collect::<Vec<_>>().join(", ");
        format!("def {}({parameters}) -> {}:", self.id, self.result.kind.python())
    }

    /// What is not served when it cannot be written.
    pub(crate) fn left_out(&self, reason: &str) -> LeftOut {
        let uncovered = || Uncovered {
            text: self.wish.clone(),
            reason: reason.to_owned(),
            ability: "unknown".into(),
            needs: "model".into(),
        };
        LeftOut { tool: self.id.clone(), uncovered: (!self.beside_vetted).then(uncovered) }
    }

    /// The tool as it is listed.
    pub(crate) fn tool(&self, language: Language) -> Tool {
        let text = |own: &str, other: &str| match language {
            Language::En => Localized { en: own.to_owned(), zh: own.to_owned() },
            Language::Zh => Localized { en: other.to_owned(), zh: own.to_owned() },
        };
        let words = self.id.replace('_', " ");
        let parameter = |one: &SketchParameter| Parameter {
            name: one.name.clone(),
            kind: one.kind.word().to_owned(),
            required: true,
            description: described(&one.meaning, &one.unit),
            default: None,
        };
        Tool {
            id: self.id.clone(),
            category: "written".to_owned(),
            name: text(&self.name, &words),
            summary: text(&self.summary, &self.summary),
            permissions: Vec::new(),
            functions: vec![Function {
                name: self.id.clone(),
                summary: self.summary.clone(),
                parameters: self.parameters.iter().map(parameter).collect(),
                returns: described(&self.result.meaning, &self.result.unit),
            }],
        }
    }
}

/// What a value means, with its unit.
pub(crate) fn described(meaning: &str, unit: &str) -> String {
    if unit.is_empty() || meaning.contains(unit) { meaning.to_owned() } else { format!("{meaning}, in {unit}") }
}
