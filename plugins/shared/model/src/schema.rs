//! A JSON schema as it was written, and its validator.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use serde_json::value::RawValue;

/// A schema that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the schema `{name}` {problem}")]
pub struct SchemaError {
    name: String,
    problem: String,
}

/// A named JSON schema. Its text reaches the model unchanged, with its fields in the order they were written:
/// a model fills them in that order, so what explains must stand before what follows from it.
#[derive(Clone)]
pub struct OutputSchema {
    name: Arc<str>,
    text: Arc<RawValue>,
    /// Made when it is first needed: who only passes a schema on never pays for it.
    validator: Arc<OnceLock<Result<jsonschema::Validator, String>>>,
}

impl OutputSchema {
    /// Names are made of letters, digits, `_` and `-`, at most 64: the smallest set that every provider takes.
    pub fn parse(name: &str, text: &str) -> Result<Self, SchemaError> {
        let failed = |problem: String| SchemaError { name: name.to_owned(), problem };
        let legal = |sign: char| sign.is_ascii_alphanumeric() || sign == '_' || sign == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
            return Err(failed("needs a name of 1 to 64 letters, digits, `_` or `-`".to_owned()));
        }
        let value: Value = serde_json::from_str(text).map_err(|error| failed(format!("is no JSON: {error}")))?;
        if !value.is_object() {
            return Err(failed("is no JSON object".to_owned()));
        }
        let text = RawValue::from_string(text.to_owned()).map_err(|error| failed(format!("is no JSON: {error}")))?;
        let schema = Self::passed_on(name, text);
        schema.validator().map_err(|problem| failed(format!("is no valid JSON schema: {problem}")))?;
        Ok(schema)
    }

    /// A schema that somebody else wrote and the provider judges.
    #[must_use]
    pub fn passed_on(name: &str, text: Box<RawValue>) -> Self {
        Self { name: name.into(), text: text.into(), validator: Arc::default() }
    }

    fn validator(&self) -> Result<&jsonschema::Validator, String> {
        let compile = || {
            let value: Value = serde_json::from_str(self.text.get()).map_err(|error| error.to_string())?;
            jsonschema::validator_for(&value).map_err(|error| error.to_string())
        };
        self.validator.get_or_init(compile).as_ref().map_err(String::clone)
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The schema's text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.text.get()
    }

    /// The schema for a request body, written there as it is.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.text
    }

    /// Everything that is wrong with the value, each with its place: what a model needs to mend it. Empty if it is valid.
    #[must_use]
    pub fn problems(&self, value: &Value) -> Vec<String> {
        // More than a screenful helps neither a person nor a model.
        const MOST: usize = 20;
        let validator = match self.validator() {
            Ok(validator) => validator,
            Err(problem) => return vec![format!("the schema `{}` is no valid JSON schema: {problem}", self.name)],
        };
        validator
            .iter_errors(value)
            .take(MOST)
            .map(|error| {
                let place = error.instance_path().to_string();
                format!("{}: {error}", if place.is_empty() { "the object itself" } else { &place })
            })
            .collect()
    }
}

impl fmt::Debug for OutputSchema {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "OutputSchema({})", self.name)
    }
}
