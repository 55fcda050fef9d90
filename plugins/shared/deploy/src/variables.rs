//! Variables of an agent's environment that its deployment names.

use nexus_plugin_api::payload::Failure;
use serde_json::Value;

/// As many as AgentCore takes.
const MAX_OWN_VARIABLES: usize = 50;

/// Whether a name can stand in an environment: no `=`, no NUL, not empty.
#[must_use]
pub fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b'=')
}

/// `config.env`: `{"NAME": "value"}`; numbers and booleans are taken as text.
///
/// # Errors
/// What is no name, no value, or too much.
pub fn own_variables(config: &Value) -> Result<Vec<(String, String)>, Failure> {
    let Some(given) = config.get("env").filter(|env| !env.is_null()) else { return Ok(Vec::new()) };
    let Some(given) = given.as_object().filter(|env| env.len() <= MAX_OWN_VARIABLES) else {
        return Err(Failure::invalid_input(format!(
            "deployment env must be an object of at most {MAX_OWN_VARIABLES} names and values"
        )));
    };
    given
        .iter()
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
                _ => None,
            };
            text.filter(|text| is_variable_name(name) && !text.contains('\0'))
                .map(|text| (name.clone(), text))
                .ok_or_else(|| Failure::invalid_input(format!("deployment env: {name:?} is not usable")))
        })
        .collect()
}
