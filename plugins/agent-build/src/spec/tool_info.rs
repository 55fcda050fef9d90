//! A tool as the daemon lists it: one entry per function, with the schema of its arguments.

use nexus_plugin_api::payload::ToolInfo;
use serde_json::{Map, Value, json};

use super::{Function, Parameter, Tool};

impl Tool {
    pub(crate) fn infos(&self, version: &str, code_path: &str) -> Vec<ToolInfo> {
        let one = |function: &Function| ToolInfo {
            display_name: match self.functions.as_slice() {
                [_] => self.name.en.clone(),
                _ => format!("{}: {}", self.name.en, function.name.replace('_', " ")),
            },
            description: format!("{} ({})", function.summary, self.summary.en.trim_end_matches('.')),
            category: self.category.clone(),
            version: version.to_owned(),
            package: self.id.clone(),
            parameters: parameters(&function.parameters),
            return_type: Some("object".to_owned()),
            ..ToolInfo::python(&function.name, code_path)
        };
        self.functions.iter().map(one).collect()
    }
}

/// The JSON Schema of the arguments.
fn parameters(parameters: &[Parameter]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in parameters {
        let mut schema = kind(&parameter.kind);
        if !parameter.description.is_empty() {
            schema.insert("description".to_owned(), parameter.description.clone().into());
        }
        if let Some(default) = &parameter.default {
            schema.insert("default".to_owned(), default.clone());
        }
        if parameter.required {
            required.push(parameter.name.as_str());
        }
        properties.insert(parameter.name.clone(), schema.into());
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// The schema of a type in the catalogue's words: `string`, `array of string`.
fn kind(words: &str) -> Map<String, Value> {
    let mut schema = Map::new();
    match words.strip_prefix("array of ") {
        Some(items) => {
            schema.insert("type".to_owned(), "array".into());
            schema.insert("items".to_owned(), kind(items).into());
        }
        None => {
            schema.insert("type".to_owned(), words.into());
        }
    }
    schema
}
