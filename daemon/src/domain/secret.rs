//! A text that nobody may see: it prints as `***`, wherever it is printed.

use std::fmt;

use serde_json::Value;

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// See the module.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Objects of these names hold variables, whose values are keys as often as not.
const VARIABLES: [&str; 4] = ["env", "environment", "variables", "headers"];
/// What is called so is a secret, whatever holds it.
const NAMES: [&str; 7] = ["secret", "password", "token", "api_key", "apikey", "credential", "private_key"];

/// What was said of a deployment as it may be shown, and as a build is told it: the values of variables are for the agent
/// alone.
#[must_use]
pub fn without_secrets(value: &Value) -> Value {
    let hidden = |value: &Value| match value {
        Value::Object(entries) => entries.keys().map(|name| (name.clone(), Value::from(HIDDEN))).collect(),
        Value::Null => Value::Null,
        _ => HIDDEN.into(),
    };
    match value {
        Value::Object(entries) => entries
            .iter()
            .map(|(name, value)| {
                let word = name.to_ascii_lowercase();
                let hide = VARIABLES.contains(&word.as_str()) || NAMES.iter().any(|secret| word.contains(secret));
                (name.clone(), if hide { hidden(value) } else { without_secrets(value) })
            })
            .collect(),
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        other => other.clone(),
    }
}

/// An address as it may be shown: without user, password, query and fragment, any of which may hold a key.
#[must_use]
pub fn shown_url(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (bare, rest) = url.split_at_checked(end).unwrap_or((url, ""));
    let hidden = if rest.is_empty() { "" } else { "?***" };
    let Some((scheme, after)) = bare.split_once("://") else {
        // Without a scheme the part before an `@` may still be a password.
        return match bare.rsplit_once('@') {
            Some((_, host)) => format!("***@{host}{hidden}"),
            None => format!("{bare}{hidden}"),
        };
    };
    let (authority, path) = after.find('/').and_then(|at| after.split_at_checked(at)).unwrap_or((after, ""));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}{hidden}"),
        None => format!("{scheme}://{authority}{path}{hidden}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_nothing() {
        let secret = Secret::new("sesame".to_owned());
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.reveal(), "sesame");
    }

    #[test]
    fn variables_of_a_deployment_are_shown_by_their_names() {
        let given = serde_json::json!({
            "target": "local", "memory": 512, "env": { "API_KEY": "sesame", "N": 3 }, "Env": ["A=sesame"],
            "runtimes": [{ "environment": { "A": { "B": "sesame" } }, "apiKey": "sesame", "auth_token": null }],
        });
        let shown = serde_json::json!({
            "target": "local", "memory": 512, "env": { "API_KEY": "***", "N": "***" }, "Env": "***",
            "runtimes": [{ "environment": { "A": "***" }, "apiKey": "***", "auth_token": null }],
        });
        assert_eq!(without_secrets(&given), shown);
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_a_key() {
        for (url, shown) in [
            ("http://localhost:8000", "http://localhost:8000"),
            ("https://user:pass@host:1/path", "https://***@host:1/path"),
            ("https://user:p@ss@host/a@b", "https://***@host/a@b"),
            ("https://host/x?key=sesame#t", "https://host/x?***"),
            ("user:pass@host", "***@host"),
            ("", ""),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }
}
