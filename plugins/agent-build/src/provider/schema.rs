//! Checks a JSON value against the JSON schemas that this plugin's own types produce.
//!
//! The types are a closed set, so this is a subset of JSON Schema: a schema with a keyword that is not
//! known here is an error, never silently passed. (The crate `jsonschema` does all of it, at the price
//! of some forty more crates in a plugin.)

use serde_json::{Map, Value};

/// What is wrong with a value, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct SchemaError {
    /// JSON pointer of the place.
    pub path: String,
    /// What is wrong there.
    pub problem: String,
}

/// Keywords that say nothing about validity.
const NOTES: &[&str] = &["$schema", "title", "description", "default", "$defs", "format", "examples"];
const MAX_DEPTH: usize = 64;

/// Checks a value.
///
/// # Errors
/// The first place where the value breaks the schema, or where the schema itself cannot be followed.
pub fn check(schema: &Value, value: &Value) -> Result<(), SchemaError> {
    Checker { root: schema }.value(schema, value, "", 0)
}

struct Checker<'a> {
    root: &'a Value,
}

impl Checker<'_> {
    fn value(&self, schema: &Value, value: &Value, path: &str, depth: usize) -> Result<(), SchemaError> {
        if depth > MAX_DEPTH {
            return fail(path, "nested too deeply");
        }
        let rules = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Object(rules) => rules,
            _ => return fail(path, "the schema allows nothing here"),
        };
        for (keyword, rule) in rules {
            match keyword.as_str() {
                "$ref" => self.value(self.definition(rule, path)?, value, path, depth + 1)?,
                "type" => kind(rule, value, path)?,
                "const" if rule != value => return fail(path, format!("must be {rule}")),
                "enum" if !rule.as_array().is_some_and(|all| all.contains(value)) => {
                    return fail(path, format!("must be one of {rule}"));
                }
                "anyOf" | "oneOf" => self.one_of(rule, value, path, depth)?,
                "allOf" => rule
                    .as_array()
                    .into_iter()
                    .flatten()
                    .try_for_each(|part| self.value(part, value, path, depth + 1))?,
                "required" => required(rule, value, path)?,
                "properties" => self.properties(rule, value, path, depth)?,
                "additionalProperties" => self.additional(rules, rule, value, path, depth)?,
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.value(rule, item, &format!("{path}/{index}"), depth + 1)?;
                    }
                }
                "minItems" | "maxItems" | "minLength" | "maxLength" | "minimum" | "maximum" => {
                    limit(keyword, rule, value, path)?
                }
                "const" | "enum" => {}
                other if NOTES.contains(&other) => {}
                other => return fail(path, format!("the schema uses `{other}`, which is not understood here")),
            }
        }
        Ok(())
    }

    fn definition(&self, reference: &Value, path: &str) -> Result<&Value, SchemaError> {
        reference.as_str().and_then(|r| r.strip_prefix('#')).and_then(|pointer| self.root.pointer(pointer)).ok_or_else(
            || SchemaError {
                path: path.into(),
                problem: format!("the schema refers to {reference}, which is missing"),
            },
        )
    }

    fn one_of(&self, rule: &Value, value: &Value, path: &str, depth: usize) -> Result<(), SchemaError> {
        let mut last = SchemaError { path: path.into(), problem: "fits none of the alternatives".into() };
        for alternative in rule.as_array().into_iter().flatten() {
            match self.value(alternative, value, path, depth + 1) {
                Ok(()) => return Ok(()),
                // The alternative that got furthest explains best.
                Err(error) if error.path.len() > last.path.len() => last = error,
                Err(_) => {}
            }
        }
        Err(last)
    }

    fn properties(&self, rule: &Value, value: &Value, path: &str, depth: usize) -> Result<(), SchemaError> {
        let (Some(rules), Some(object)) = (rule.as_object(), value.as_object()) else { return Ok(()) };
        rules
            .iter()
            .filter_map(|(name, rule)| object.get(name).map(|v| (name, rule, v)))
            .try_for_each(|(name, rule, v)| self.value(rule, v, &format!("{path}/{name}"), depth + 1))
    }

    fn additional(
        &self,
        rules: &Map<String, Value>,
        rule: &Value,
        value: &Value,
        path: &str,
        depth: usize,
    ) -> Result<(), SchemaError> {
        let known = rules.get("properties").and_then(Value::as_object);
        for (name, inner) in value.as_object().into_iter().flatten() {
            if known.is_some_and(|known| known.contains_key(name)) {
                continue;
            }
            if rule == &Value::Bool(false) {
                return fail(path, format!("`{name}` is not allowed"));
            }
            self.value(rule, inner, &format!("{path}/{name}"), depth + 1)?;
        }
        Ok(())
    }
}

fn kind(rule: &Value, value: &Value, path: &str) -> Result<(), SchemaError> {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    };
    let fits = match rule {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => false,
    };
    if fits { Ok(()) } else { fail(path, format!("must be of type {rule}")) }
}

fn required(rule: &Value, value: &Value, path: &str) -> Result<(), SchemaError> {
    let Some(object) = value.as_object() else { return Ok(()) };
    match rule.as_array().into_iter().flatten().filter_map(Value::as_str).find(|name| !object.contains_key(*name)) {
        Some(missing) => fail(path, format!("`{missing}` is missing")),
        None => Ok(()),
    }
}

fn limit(keyword: &str, rule: &Value, value: &Value, path: &str) -> Result<(), SchemaError> {
    let bound = rule.as_f64().unwrap_or_default();
    #[allow(clippy::cast_precision_loss)]
    let size = match (keyword, value) {
        ("minItems" | "maxItems", Value::Array(items)) => items.len() as f64,
        ("minLength" | "maxLength", Value::String(text)) => text.chars().count() as f64,
        ("minimum" | "maximum", Value::Number(number)) => number.as_f64().unwrap_or_default(),
        _ => return Ok(()),
    };
    let fits = if keyword.starts_with("min") { size >= bound } else { size <= bound };
    if fits { Ok(()) } else { fail(path, format!("breaks {keyword} {rule}")) }
}

fn fail<T>(path: &str, problem: impl Into<String>) -> Result<T, SchemaError> {
    Err(SchemaError { path: if path.is_empty() { "/".into() } else { path.into() }, problem: problem.into() })
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, schema_for};
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Sample {
        name: String,
        #[schemars(range(min = 1, max = 3))]
        count: u8,
        kind: Option<Kind>,
        rest: Vec<Inner>,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Small,
        Large,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Inner {
        value: f32,
    }

    #[test]
    fn schemas_of_types_are_enforced() {
        let schema = schema_for!(Sample).to_value();
        let ok = |value: Value| check(&schema, &value);
        assert_eq!(ok(json!({"name": "a", "count": 2, "kind": "small", "rest": [{"value": 1.5}]})), Ok(()));
        assert_eq!(ok(json!({"name": "a", "count": 2, "kind": null, "rest": []})), Ok(()));
        for (value, place) in [
            (json!({"count": 2, "rest": []}), "/"),
            (json!({"name": 1, "count": 2, "rest": []}), "/name"),
            (json!({"name": "a", "count": 9, "rest": []}), "/count"),
            (json!({"name": "a", "count": 2, "kind": "huge", "rest": []}), "/kind"),
            (json!({"name": "a", "count": 2, "rest": [{"value": 1}, {}]}), "/rest/1"),
            (json!([]), "/"),
        ] {
            assert_eq!(ok(value.clone()).unwrap_err().path, place, "{value}");
        }
    }

    #[test]
    fn unknown_keywords_are_refused() {
        assert!(check(&json!({"pattern": "^a"}), &json!("b")).unwrap_err().problem.contains("pattern"));
        assert!(check(&json!({"$ref": "#/$defs/none"}), &json!(1)).is_err());
    }
}
