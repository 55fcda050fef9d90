//! Types of a tool's arguments in Python's words, as clients of the original read them, and back: what a form
//! sends as text becomes a value of the declared type.

use serde_json::{Map, Value};

use crate::domain::text::shorten;

/// How much of a text is repeated when it does not fit.
const SHOWN: usize = 60;

/// The type that a JSON schema describes: `str`, `int`, `List[str]`, `Optional[int]`.
#[must_use]
pub fn word_of(schema: &Value) -> String {
    for alternatives in ["anyOf", "oneOf"] {
        if let Some(Value::Array(all)) = schema.get(alternatives) {
            return either(all.iter().map(word_of).collect());
        }
    }
    match schema.get("type") {
        Some(Value::Array(kinds)) => {
            let kinds = kinds.iter().filter_map(Value::as_str);
            either(kinds.map(|kind| plain(kind, schema)).collect())
        }
        Some(Value::String(kind)) => plain(kind, schema),
        _ => match schema.get("enum").and_then(Value::as_array) {
            Some(words) if !words.is_empty() && words.iter().all(Value::is_string) => "str".to_owned(),
            _ => "Any".to_owned(),
        },
    }
}

fn plain(kind: &str, schema: &Value) -> String {
    match (kind, schema.get("items")) {
        ("array", Some(items)) => match word_of(items).as_str() {
            "Any" => "list".to_owned(),
            of => format!("List[{of}]"),
        },
        (kind, _) => python(kind).unwrap_or(kind).to_owned(),
    }
}

/// The Python word for a JSON schema's.
fn python(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "string" => "str",
        "integer" => "int",
        "number" => "float",
        "boolean" => "bool",
        "array" => "list",
        "object" => "dict",
        "null" => "None",
        "any" => "Any",
        _ => return None,
    })
}

fn either(mut words: Vec<String>) -> String {
    let all = words.len();
    words.retain(|word| word != "None");
    let optional = words.len() < all;
    words.dedup();
    let one = match words.len() {
        0 => return if optional { "None" } else { "Any" }.to_owned(),
        1 => words.remove(0),
        _ => format!("Union[{}]", words.join(", ")),
    };
    if optional { format!("Optional[{one}]") } else { one }
}

/// A type in words, as tools tell what they give back: JSON's words become Python's, others stay.
#[must_use]
pub fn word(told: &str) -> String {
    let told = told.trim();
    if let Some(of) = told.strip_prefix("array of ") {
        return format!("List[{}]", word(of));
    }
    python(told).unwrap_or(told).to_owned()
}

/// Arguments as the tool declares them: texts of another declared type are read as that. An empty text stands
/// for an argument that was left out, unless the tool takes texts there.
///
/// # Errors
/// For people: which argument is no value of its type.
pub fn arguments(
    mut given: Map<String, Value>,
    properties: Option<&Map<String, Value>>,
    required: &[&str],
) -> Result<Map<String, Value>, String> {
    for (name, schema) in properties.into_iter().flatten() {
        let Some(value) = given.get_mut(name) else { continue };
        let left_out = matches!(value, Value::String(text) if text.trim().is_empty()) && !takes(schema, "string");
        if left_out && !required.contains(&name.as_str()) {
            given.remove(name);
            continue;
        }
        let read = read(value.take(), schema);
        *value = read.map_err(|text| {
            let (text, word) = (shorten(&text, SHOWN), word_of(schema));
            format!("the parameter `{name}` should be {word}{}, not {text:?}", example(&word))
        })?;
    }
    Ok(given)
}

fn example(word: &str) -> &'static str {
    let word = word.strip_prefix("Optional[").unwrap_or(word);
    match word {
        _ if word.starts_with("List[str") => " (as JSON: [\"a\", \"b\"])",
        _ if word.starts_with("List") || word.starts_with("list") => " (as JSON: [1, 2])",
        _ if word.starts_with("dict") => " (as JSON: {\"name\": 1})",
        _ if word.starts_with("bool") => " (true or false)",
        _ => "",
    }
}

/// Whether a schema lets this kind through.
fn takes(schema: &Value, kind: &str) -> bool {
    let nested = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    let mut nested = nested.peekable();
    if nested.peek().is_some() {
        return nested.any(|one| takes(one, kind));
    }
    match schema.get("type") {
        Some(Value::String(of)) => of == kind,
        Some(Value::Array(all)) => all.iter().any(|of| of == kind),
        _ => kind == "string",
    }
}

/// A value of the declared type; the text itself when it is none.
fn read(value: Value, schema: &Value) -> Result<Value, String> {
    match value {
        Value::String(text) if takes(schema, "string") => Ok(Value::String(text)),
        Value::String(text) => read_text(&text, schema).ok_or(text),
        Value::Array(items) => match schema.get("items") {
            Some(of) => items.into_iter().map(|item| read(item, of)).collect::<Result<_, _>>().map(Value::Array),
            None => Ok(Value::Array(items)),
        },
        Value::Object(mut members) => {
            for (name, of) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if let Some(member) = members.get_mut(name) {
                    *member = read(member.take(), of)?;
                }
            }
            Ok(Value::Object(members))
        }
        other => Ok(other),
    }
}

fn read_text(text: &str, schema: &Value) -> Option<Value> {
    let bare = text.trim();
    if takes(schema, "null") && ["", "null", "none"].contains(&bare.to_lowercase().as_str()) {
        return Some(Value::Null);
    }
    if takes(schema, "integer")
        && let Some(number) = whole(bare)
    {
        return Some(number);
    }
    if takes(schema, "number")
        && let Some(number) = bare.parse().ok().and_then(serde_json::Number::from_f64)
    {
        return Some(whole(bare).unwrap_or(Value::Number(number)));
    }
    if takes(schema, "boolean") {
        match bare.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => return Some(Value::Bool(true)),
            "false" | "0" | "no" | "off" => return Some(Value::Bool(false)),
            _ => {}
        }
    }
    let parsed: Value = serde_json::from_str(bare).ok()?;
    let fits = (parsed.is_array() && takes(schema, "array")) || (parsed.is_object() && takes(schema, "object"));
    if fits { read(parsed, schema).ok() } else { None }
}

/// `4`, and `4.0`, as a whole number.
fn whole(text: &str) -> Option<Value> {
    let text = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    let text = text.strip_prefix('+').unwrap_or(text);
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_pythons_words() {
        for (schema, wanted) in [
            (json!({ "type": "string" }), "str"),
            (json!({ "type": "integer" }), "int"),
            (json!({ "type": "number" }), "float"),
            (json!({ "type": "boolean" }), "bool"),
            (json!({ "type": "array" }), "list"),
            (json!({ "type": "array", "items": {} }), "list"),
            (json!({ "type": "array", "items": { "type": "string" } }), "List[str]"),
            (
                json!({ "type": "array", "items": { "type": "array", "items": { "type": "number" } } }),
                "List[List[float]]",
            ),
            (json!({ "type": "object" }), "dict"),
            (json!({ "type": ["integer", "null"] }), "Optional[int]"),
            (json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }), "Optional[str]"),
            (json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }), "Union[str, int]"),
            (json!({ "enum": ["a", "b"] }), "str"),
            (json!({}), "Any"),
        ] {
            assert_eq!(word_of(&schema), wanted, "{schema}");
        }
        for (told, wanted) in
            [("object", "dict"), ("array of string", "List[str]"), ("Decimal", "Decimal"), ("str", "str")]
        {
            assert_eq!(word(told), wanted);
        }
    }

    #[test]
    fn texts_of_a_form_become_values_of_the_declared_types() {
        let schema = json!({
            "n": { "type": "integer" }, "x": { "type": "number" }, "on": { "type": "boolean" }, "s": { "type": "string" },
            "list": { "type": "array", "items": { "type": "integer" } }, "map": { "type": "object", "properties": { "k": { "type": "number" } } },
            "maybe": { "type": ["integer", "null"] }, "left": { "type": "integer" }, "any": {},
        });
        let given = json!({
            "n": "4", "x": " 2.5 ", "on": "True", "s": "5", "list": "[\"1\", 2]", "map": "{\"k\": \"1.5\"}",
            "maybe": "", "left": "", "any": "7", "unknown": "8",
        });
        let read = arguments(given.as_object().unwrap().clone(), schema.as_object(), &["n", "maybe"]).unwrap();
        let wanted = json!({
            "n": 4, "x": 2.5, "on": true, "s": "5", "list": [1, 2], "map": { "k": 1.5 },
            "maybe": null, "any": "7", "unknown": "8",
        });
        assert_eq!(Value::Object(read), wanted);
        // What is of its type already stays as it is.
        let typed = json!({ "n": 4, "x": 2, "on": false, "list": [1], "map": {} });
        let read = arguments(typed.as_object().unwrap().clone(), schema.as_object(), &[]).unwrap();
        assert_eq!(Value::Object(read), typed);
        for (name, text) in
            [("n", "four"), ("n", "2.5"), ("x", "nan"), ("on", "perhaps"), ("list", "a, b"), ("map", "[]"), ("n", "")]
        {
            let fault =
                arguments(Map::from_iter([(name.to_owned(), text.into())]), schema.as_object(), &["n"]).unwrap_err();
            assert!(fault.contains(name) && fault.contains(&word_of(&schema[name])), "{fault}");
        }
    }
}
