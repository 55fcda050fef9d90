//! The environment of an agent: an allow-list, never the daemon's own.

use std::{ffi::OsString, path::Path};

use nexus_deploy::own_variables;
use nexus_plugin_api::payload::Failure;
use serde_json::Value;

use crate::Settings;

/// Builds it, weakest first: fixed helpers, what the daemon lets through, the operator's `env`, the
/// deployment's `config.env`, and last what the agent is told about itself.
pub(crate) fn environment(
    settings: &Settings,
    config: &Value,
    home: &Path,
    port: u16,
) -> Result<Vec<(OsString, OsString)>, Failure> {
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    let mut add = |name: &str, value: OsString| variables.push((name.into(), value));
    // The user's real home holds credentials (`~/.aws`) that Python libraries find without any variable.
    add("HOME", home.into());
    add("PYTHONUNBUFFERED", "1".into());
    add("PYTHONUTF8", "1".into());
    // The folder is what the user sees and may download.
    add("PYTHONDONTWRITEBYTECODE", "1".into());
    add("OTEL_SDK_DISABLED", "true".into());
    for name in &settings.env_allow {
        if let Some(value) = std::env::var_os(name) {
            add(name, value);
        }
    }
    for (name, value) in &settings.env {
        add(name, value.into());
    }
    for (name, value) in own_variables(config)? {
        add(&name, value.into());
    }
    add("HOST", "127.0.0.1".into());
    add("PORT", port.to_string().into());
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_named_variables_pass() {
        let settings = Settings { env: [("EXTRA".to_owned(), "1".to_owned())].into(), ..Settings::default() };
        let built = environment(&settings, &json!({"env": {"MODEL_ID": "m", "N": 3}}), Path::new("/home"), 0).unwrap();
        let names: Vec<_> = built.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert!(names.contains(&"PATH".into()) && names.contains(&"EXTRA".into()) && names.contains(&"N".into()));
        assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
    }

    #[test]
    fn odd_variables_are_refused() {
        for env in [json!([]), json!({"": "x"}), json!({"A=B": "x"}), json!({"A": {}}), json!({"A": "\0"})] {
            let built = environment(&Settings::default(), &json!({ "env": env }), Path::new("/"), 0);
            assert!(built.is_err(), "{env}");
        }
    }
}
