//! Reading loosely formed JSON answers.

use serde_json::Value;

use super::error::AskError;

/// Under which names agents put their answer, the likeliest first.
const ANSWER_KEYS: [&str; 9] =
    ["output", "result", "response", "message", "text", "content", "answer", "completion", "data"];
const MAX_DEPTH: usize = 4;
const EXCERPT_CHARS: usize = 600;

/// The text of an answer in whatever form it came; the JSON itself when no text is found in it.
pub(crate) fn text_of(value: &Value) -> String {
    find_text(value, MAX_DEPTH).unwrap_or_else(|| value.to_string())
}

fn find_text(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) if depth > 0 => {
            ANSWER_KEYS.iter().filter_map(|key| fields.get(*key)).find_map(|inner| find_text(inner, depth - 1))
        }
        // The content blocks of a model's message: `[{"text": …}, {"toolUse": …}]`.
        Value::Array(blocks) if depth > 0 => {
            let texts: Vec<String> =
                blocks.iter().filter_map(|block| find_text(block.get("text")?, depth - 1)).collect();
            (!texts.is_empty()).then(|| texts.concat())
        }
        _ => None,
    }
}

/// The failure that an object reports, if it reports one and no answer beside it.
pub(crate) fn reported_error(value: &Value) -> Option<AskError> {
    let error = value.get("error").filter(|error| !matches!(error, Value::Null | Value::Bool(false)))?;
    if ["output", "result", "response"].iter().any(|key| value.get(*key).is_some_and(|v| !v.is_null())) {
        return None;
    }
    let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let message = text("message").map_or_else(|| text_of(error), str::to_owned);
    Some(AskError::Reported {
        error_type: excerpt(text("error_type").unwrap_or("an error")),
        message: excerpt(&message),
    })
}

/// A piece of foreign text that is fit for a failure message: one line, bounded.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return "(nothing)".to_owned();
    }
    let mut chars = line.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    let mut short: String = chars.by_ref().take(EXCERPT_CHARS).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_the_text_of_many_forms() {
        for form in [
            json!("hi"),
            json!({"output": "hi", "usage": {}}),
            json!({"result": {"role": "assistant", "content": [{"text": "h"}, {"toolUse": {}}, {"text": "i"}]}}),
            json!({"response": "hi"}),
            json!({"message": {"content": "hi"}}),
        ] {
            assert_eq!(text_of(&form), "hi", "{form}");
        }
        assert_eq!(text_of(&json!({"temperature": 3})), r#"{"temperature":3}"#);
    }

    #[test]
    fn tells_errors_from_answers() {
        assert!(reported_error(&json!({"output": "x", "error": null})).is_none());
        assert!(reported_error(&json!({"output": "x", "error": "half"})).is_none());
        let error = reported_error(&json!({"error": "e", "error_type": "ValueError", "message": "no"})).unwrap();
        assert_eq!(error.to_string(), "reported ValueError: no");
        assert_eq!(
            reported_error(&json!({"error": {"message": "deep"}})).unwrap().to_string(),
            "reported an error: deep"
        );
    }

    #[test]
    fn excerpts_are_short_single_lines() {
        assert_eq!(excerpt("a\n  b\u{7}"), "a b\u{fffd}");
        assert_eq!(excerpt(&"ä".repeat(5000)).chars().count(), EXCERPT_CHARS + 1);
    }
}
