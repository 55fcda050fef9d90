//! Whether an agent wants a model: as its deployment says, else its manifest, else what its requirements name.

use nexus_plugin_api::payload::Failure;
use serde::Deserialize;
use serde_json::Value;

/// How much an agent wants a language model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// It answers without.
    #[default]
    Never,
    /// It answers better with one.
    Preferred,
    /// It is of no use without one.
    Required,
}

/// What an agent wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// How much.
    pub how: Use,
    /// A name that the gate knows; none: the one of the settings.
    pub alias: Option<String>,
}

/// `model` of the manifest.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ManifestModel {
    #[serde(default, rename = "use")]
    how: Option<Use>,
    #[serde(default)]
    id: Option<String>,
}

/// The word of a deployment for an agent that shall answer without a model.
const OFFLINE: &str = "offline";
/// Who wrote an agent that needs no model.
const WRITTEN_OFFLINE: &str = "offline/";
const LONGEST_ALIAS: usize = 200;

impl Wish {
    /// `written_by` is the manifest's `model_id`, `has_packages` whether `requirements.txt` names any.
    pub(crate) fn new(
        manifest: Option<ManifestModel>,
        written_by: Option<&str>,
        has_packages: bool,
        config: &Value,
    ) -> Result<Self, Failure> {
        let ManifestModel { how, id } = manifest.unwrap_or_default();
        let usual = if has_packages && !written_by.is_some_and(|by| by.starts_with(WRITTEN_OFFLINE)) {
            Use::Preferred
        } else {
            Use::Never
        };
        let mut wish = Self { how: how.unwrap_or(usual), alias: id };
        match config.get("model") {
            None | Some(Value::Null) => {}
            Some(Value::String(word)) if word == OFFLINE => wish = Self::default(),
            Some(Value::String(alias)) => {
                wish.alias = Some(alias.clone());
                // Who names a model wants it, and hears of it when it cannot be had.
                wish.how = Use::Required;
            }
            Some(_) => {
                return Err(Failure::invalid_input(
                    "deployment model must be a name that the model gate knows (fast, smart), or \"offline\"",
                ));
            }
        }
        match &wish.alias {
            Some(alias) if alias.is_empty() || alias.len() > LONGEST_ALIAS || alias.contains(char::is_control) => {
                Err(Failure::invalid_input(format!("{alias:?} is no name of a model")))
            }
            _ => Ok(wish),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wish(manifest: Value, written_by: &str, has_packages: bool, config: Value) -> Wish {
        let manifest = serde_json::from_value(manifest).unwrap();
        Wish::new(manifest, Some(written_by), has_packages, &config).unwrap()
    }

    #[test]
    fn the_deployment_decides_then_the_manifest_then_who_wrote_it() {
        let how = |manifest, by, packages, config| wish(manifest, by, packages, config).how;
        assert_eq!(how(Value::Null, "offline/blueprint", true, Value::Null), Use::Never);
        assert_eq!(how(Value::Null, "smart", true, Value::Null), Use::Preferred);
        assert_eq!(how(Value::Null, "smart", false, json!({})), Use::Never);
        assert_eq!(how(json!({"use": "required"}), "smart", true, json!({"model": null})), Use::Required);
        assert_eq!(how(json!({"use": "required"}), "smart", true, json!({"model": "offline"})), Use::Never);
        assert_eq!(how(Value::Null, "offline/blueprint", true, json!({"model": "fast"})), Use::Required);
        let named = wish(json!({"use": "preferred", "id": "smart"}), "smart", true, Value::Null);
        assert_eq!((named.how, named.alias.as_deref()), (Use::Preferred, Some("smart")));
    }

    #[test]
    fn what_is_no_name_of_a_model_is_refused() {
        for config in [json!({"model": 3}), json!({"model": ""}), json!({"model": "a\nb"}), json!({"model": {}})] {
            assert!(Wish::new(None, None, true, &config).is_err(), "{config}");
        }
    }
}
