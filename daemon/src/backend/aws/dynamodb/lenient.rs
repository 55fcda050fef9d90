//! Documents as the original's services and people's scripts leave them: what can be read of them is.

use serde_json::{Map, Value};

use crate::domain::{
    failure::{ErrorInfo, FailureKind},
    project::AggregatedMetrics,
    stage::GeneratedFile,
    time::Timestamp,
};

/// Seconds since 1970; milliseconds where the number is too large for seconds.
pub(crate) fn seconds(number: f64) -> Option<Timestamp> {
    let micros = if number.abs() > 1e11 { number * 1e3 } else { number * 1e6 };
    #[allow(clippy::cast_possible_truncation)] // bounded
    (micros.is_finite() && micros > 0.0 && micros < 9e15).then(|| Timestamp::from_micros(micros as i64))
}

/// A number, also as text.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

fn count(value: &Value) -> Option<u64> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
    let rounded = |number: f64| number.max(0.0) as u64;
    value.as_u64().or_else(|| number(value).map(rounded))
}

fn first<'v>(document: Option<&'v Value>, names: &[&str]) -> impl Iterator<Item = &'v Value> {
    let found: Vec<&Value> = names.iter().filter_map(|name| document?.get(*name)).collect();
    found.into_iter()
}

/// The first of these members that is a count.
pub(crate) fn count_in(document: Option<&Value>, names: &[&str]) -> Option<u64> {
    first(document, names).find_map(count)
}

/// The first of these members that is a number.
pub(crate) fn number_in(document: Option<&Value>, names: &[&str]) -> Option<f64> {
    first(document, names).find_map(number)
}

/// A member that is a text.
pub(crate) fn text_in<'v>(document: Option<&'v Value>, name: &str) -> Option<&'v str> {
    document?.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Why a build failed: the daemon's own form, `{message, failed_stage}` or `{message, traceback}` of the original, or a
/// bare text. What has no place in it stays readable in `details`.
pub(crate) fn error_info(info: &Value) -> Option<ErrorInfo> {
    let map = match info {
        Value::Object(map) if !map.is_empty() => map,
        Value::String(text) if !text.is_empty() => {
            return Some(ErrorInfo::outside(FailureKind::Permanent, text));
        }
        _ => return None,
    };
    let info = Some(info);
    let text = |names: &[&str]| names.iter().find_map(|name| text_in(info, name)).map(str::to_owned);
    let known =
        ["stage", "failed_stage", "kind", "message", "error_message", "error", "details", "traceback", "attempt"];
    let others: Map<String, Value> = map
        .iter()
        .filter(|(name, value)| !known.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let others = (!others.is_empty()).then(|| Value::Object(others).to_string());
    let message = text(&["message", "error_message", "error"]);
    Some(ErrorInfo {
        stage: text(&["stage", "failed_stage"]),
        kind: text(&["kind"]).and_then(|word| word.parse().ok()).unwrap_or(FailureKind::Permanent),
        message: message.unwrap_or_else(|| Value::Object(map.clone()).to_string()),
        details: text(&["details", "traceback"]).or(others),
        attempt: count_in(info, &["attempt"]).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
    })
}

/// Files of a stage: entries of the original's may lack everything but the path, or be only that.
pub(crate) fn files(list: Value) -> Vec<GeneratedFile> {
    let Value::Array(entries) = list else { return Vec::new() };
    let file = |entry: Value| {
        let path = match &entry {
            Value::String(path) => path.as_str(),
            entry => ["path", "file_path", "name"].iter().find_map(|name| text_in(Some(entry), name))?,
        };
        let entry = Some(&entry);
        let modified = text_in(entry, "last_modified").and_then(|text| text.parse().ok());
        Some(GeneratedFile {
            path: path.to_owned(),
            size: count_in(entry, &["size"]).unwrap_or(0),
            checksum: text_in(entry, "checksum").unwrap_or_default().to_owned(),
            last_modified: modified
                .or_else(|| seconds(number_in(entry, &["last_modified"])?))
                .unwrap_or(Timestamp::from_micros(0)),
        })
    };
    entries.into_iter().filter(|entry| *entry != "").filter_map(file).collect()
}

/// The sums over the stages, and the members that only others know.
pub(crate) fn sums(document: Value) -> (AggregatedMetrics, Map<String, Value>) {
    let of = |name: &str| count_in(Some(&document), &[name]).unwrap_or(0);
    let real = |name: &str| number_in(Some(&document), &[name]).unwrap_or(0.0);
    let sums = AggregatedMetrics {
        total_input_tokens: of("total_input_tokens"),
        total_output_tokens: of("total_output_tokens"),
        total_tokens: of("total_tokens"),
        total_cost: real("total_cost"),
        total_execution_time: real("total_execution_time"),
        total_tool_calls: of("total_tool_calls"),
    };
    let known = |name: &String| {
        let own = ["input_tokens", "output_tokens", "tokens", "cost", "execution_time", "tool_calls"];
        name.strip_prefix("total_").is_some_and(|name| own.contains(&name))
    };
    let others = match document {
        Value::Object(map) => map.into_iter().filter(|(name, _)| !known(name)).collect(),
        _ => Map::new(),
    };
    (sums, others)
}
