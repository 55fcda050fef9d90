//! The settings as a whole: order of the sources, and model, schema and shipped file in step.

use super::schema::{CONFIG, Shape};
use super::*;

/// Settings from a text, with a data folder given.
fn load_text(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Vec<Problem>> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nexusd.toml");
    std::fs::write(&file, text).unwrap();
    let mut environment: Vec<(String, std::ffi::OsString)> = vec![("HOME".into(), "/home/me".into())];
    environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())));
    load(&Inputs { file: Some(file), environment: environment.into_iter().collect(), ..Inputs::default() })
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let loaded = load_text("", &[]).unwrap();
    let mut wanted = Config::default();
    wanted.data.dir = "/home/me/.local/share/nexusd".into();
    assert_eq!(loaded.config, wanted);
}

#[test]
fn later_sources_win() {
    let text =
        "[worker]\nbuilds = 2\ndeploys = 3\n[queues.build]\nname = \"q\"\n[plugins.my_llm]\nurl = \"u\"\nmax_jobs = 5";
    let variables = [
        ("NEXUSD_WORKER__BUILDS", "7"),
        ("NEXUSD_PLUGINS__MY_LLM__URL", "v"),
        ("NEXUSD_PLUGINS__AGENT_BUILD__DRY", "true"),
        ("NEXUSD_LISTEN", "127.0.0.1:1"),
        ("NEXUSD_SERVER__LISTEN", "127.0.0.1:2"),
        ("NEXUSD_WORKER__DEPLOYS", ""),
        ("NEXUSD_PLUGINS__DIRS", "[\"/a\"]"),
        ("RUST_LOG", "debug"),
    ];
    let config = load_text(text, &variables).unwrap().config;
    assert_eq!((config.worker.builds, config.worker.deploys), (7, 3));
    assert_eq!(
        (config.queues.build.name.as_str(), config.queues.build.dead_letters.as_str()),
        ("q", "nexus-build-dlq")
    );
    assert_eq!(config.plugins.settings_json("my_llm"), serde_json::json!({"url": "v"}));
    assert_eq!(config.plugins.settings_json("agent-build"), serde_json::json!({"dry": true}));
    assert_eq!((config.plugins.max_jobs_of("my_llm"), config.plugins.max_jobs_of("agent-build")), (5, 32));
    assert_eq!(config.plugins.dirs, [std::path::PathBuf::from("/a")]);
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.log.filter, "debug");
}

#[test]
fn paths_count_from_the_file() {
    let loaded = load_text("[data]\ndir = \"d\"\n[plugins]\ndirs = [\"./p\", \"/q\"]", &[]).unwrap();
    let base = loaded.file.as_deref().and_then(std::path::Path::parent).unwrap();
    assert_eq!(loaded.config.data.dir, base.join("d"));
    assert_eq!(loaded.config.plugins.dirs, [base.join("p"), "/q".into()]);
}

#[test]
fn secrets_of_plugins_do_not_show() {
    let config = load_text("[plugins.x]\napi_key = \"hush-hush\"", &[]).unwrap().config;
    assert!(!format!("{config:?}").contains("hush"));
    let problems = load_text("[plugins.x]\napi_key = \"hush-hush\nother = 1", &[]).unwrap_err();
    assert!(!problems.iter().any(|problem| problem.to_string().contains("hush")), "{problems:?}");
}

#[test]
fn schema_and_model_have_the_same_keys() {
    fn compare(shape: &Shape, value: &toml::Value, path: &str) {
        match (shape, value) {
            (Shape::Table(fields) | Shape::Open(fields), toml::Value::Table(table)) => {
                let known: Vec<&str> = fields.iter().map(|field| field.key).collect();
                for key in table.keys() {
                    assert!(known.contains(&key.as_str()), "the schema lacks {path}{key}");
                }
                for field in *fields {
                    let value = table.get(field.key).unwrap_or_else(|| panic!("the model lacks {path}{}", field.key));
                    compare(&field.shape, value, &format!("{path}{}.", field.key));
                }
            }
            (Shape::Table(_) | Shape::Open(_), _) | (_, toml::Value::Table(_)) if !matches!(shape, Shape::Map(..)) => {
                panic!("{path} is a table on one side only")
            }
            (Shape::Integer(min, max, _), value) => {
                assert!((*min..=*max).contains(&value.as_integer().unwrap()), "the default of {path} is out of range");
            }
            _ => {}
        }
    }
    compare(&CONFIG, &toml::Value::try_from(Config::default()).unwrap(), "");
}
