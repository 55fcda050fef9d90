//! What a plugin answers to `describe`: read and judged.

use std::collections::HashSet;

use nexus_plugin_api::payload::{Description, Failure};

use super::{refusal::Refusal, tools};

/// Reads and validates the answer of `describe`.
pub(super) fn read(answer: &[u8]) -> Result<Description, Refusal> {
    if answer.is_empty() {
        return Err(Refusal::Describe("it is empty (did `describe` panic?)".into()));
    }
    let description: Description = serde_json::from_slice(answer).map_err(|e| {
        // The SDK reports a panic in `describe` as a failure.
        match serde_json::from_slice::<Failure>(answer) {
            Ok(failure) => Refusal::Describe(failure.message),
            Err(_) => Refusal::Describe(format!("{e}, in {}", excerpt(answer))),
        }
    })?;
    let bad = |what: String| Err(Refusal::Describe(what));
    if !is_name(&description.name, b"-") {
        return bad(format!("the name {:?} is not of the form [a-z][a-z0-9-]{{0,63}}", description.name));
    }
    if description.version.is_empty() || description.version.len() > 64 {
        return bad("the version must have 1 to 64 bytes".into());
    }
    if description.handlers.is_empty() {
        return bad("there is no handler".into());
    }
    let mut seen = HashSet::new();
    for handler in &description.handlers {
        if !is_name(&handler.name, b"-_") {
            return bad(format!("the handler name {:?} is not of the form [a-z][a-z0-9_-]{{0,63}}", handler.name));
        }
        if !seen.insert(&handler.name) {
            return bad(format!("handler {:?} is described twice", handler.name));
        }
    }
    tools::check(&description).map_err(Refusal::Describe)?;
    Ok(description)
}

/// `[a-z][a-z0-9…]{0,63}` with the bytes of `more`.
fn is_name(name: &str, more: &[u8]) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.len() <= 64
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || more.contains(b))
}

/// The beginning of foreign bytes, fit for a log line.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 120;
    let shown = String::from_utf8_lossy(bytes.get(..SHOWN).unwrap_or(bytes));
    format!("{shown:?}{}", if bytes.len() > SHOWN { " …" } else { "" })
}
