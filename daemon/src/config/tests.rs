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
    let text = "[worker]\nbuilds = 2\ndeploys = 3\n[queues.build]\nretention_days = 2\n[plugins.my_llm]\nurl = \"u\"\nmax_jobs = 5";
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
    assert_eq!((config.queues.build.retention_days, config.queues.deploy.retention_days), (Days(2), Days(3)));
    assert_eq!(config.plugins.settings_json("my_llm"), serde_json::json!({"url": "v"}));
    assert_eq!(config.plugins.settings_json("agent-build"), serde_json::json!({"dry": true}));
    assert_eq!((config.plugins.max_jobs_of("my_llm"), config.plugins.max_jobs_of("agent-build")), (5, 256));
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
    for broken in [
        "[plugins.x]\napi_key = \"hush-hush\nother = 1",
        "[plugins.x.y]\nurl = \"\"\"https://a:hush\n",
        "[plugins.x]\nlist = [\n [\"hush\"]\n \"hush,\n]",
        "[plugins]\nx.url = \"hush\n",
        "plugins = {x = {url = \"hush\" , }\n",
        "plugins.x.url = \"hush\n",
        "[ plugins . x ]\nurl = \"hush\n",
        "[log]\nmy_password = \"hush\"",
    ] {
        let problems = load_text(broken, &[]).unwrap_err();
        assert!(!problems.iter().any(|problem| problem.to_string().contains("hush")), "{broken}: {problems:?}");
    }
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

#[test]
fn the_shipped_file_names_every_key_with_its_default() {
    fn leaves(value: &toml::Value, path: &str, found: &mut Vec<(String, toml::Value)>) {
        match value {
            toml::Value::Table(table) if !table.is_empty() => {
                table.iter().for_each(|(key, value)| leaves(value, &format!("{path}.{key}"), found));
            }
            toml::Value::Table(_) => {}
            leaf => found.push((path.to_owned(), leaf.clone())),
        }
    }
    let shipped: toml::Value = toml::from_str(include_str!("../../../config/nexusd.toml")).unwrap();
    let (mut written, mut known) = (Vec::new(), Vec::new());
    leaves(&shipped, "", &mut written);
    leaves(&toml::Value::try_from(Config::default()).unwrap(), "", &mut known);
    known.sort_by(|a, b| a.0.cmp(&b.0));
    written.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(written, known);
}

#[test]
fn the_commented_keys_of_the_shipped_file_are_right_too() {
    let text = include_str!("../../../config/nexusd.toml");
    let bare: Vec<&str> = text
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| !rest.starts_with(' ') && (rest.contains(" = ") || rest.starts_with('[')))
                .unwrap_or(line)
        })
        .filter(|line| !line.starts_with("Target name"))
        .collect();
    let config = load_text(&bare.join("\n"), &[]).unwrap().config;
    assert_eq!((config.pricing.len(), config.plugins.settings.len()), (1, 3));
}

#[test]
fn every_short_name_of_a_variable_is_taken() {
    for (name, _) in super::environment::SHORT {
        let value = match name {
            "NEXUSD_LISTEN" => "127.0.0.1:1",
            "NEXUSD_DATA_DIR" => "/a/folder",
            "RUST_LOG" => "info",
            "AWS_REGION" => "eu-central-1",
            _ => "http://127.0.0.1:1",
        };
        let loaded = load_text("", &[(name, value)]);
        let config = loaded.unwrap_or_else(|error| panic!("{name}: {error:?}")).config;
        let known = toml::Value::try_from(&config).unwrap().to_string();
        assert!(known.contains(value), "{name} is not heeded: {known}");
    }
}

#[test]
fn a_change_that_needs_a_restart_is_told() {
    let old = Config::default();
    let mut new = old.clone();
    new.server.max_connections = 1;
    new.log.filter = "debug".into();
    new.plugins.max_stuck = 1;
    new.plugins.settings.insert("x".into(), toml::Table::new());
    new.queues.build.retention_days = Days(1);
    let change = |key: &str, needs_restart| Change { key: key.into(), needs_restart };
    let wanted = [
        change("log.filter", false),
        change("plugins.max_stuck", false),
        change("plugins.x", false),
        change("queues.build.retention_days", true),
        change("server.max_connections", true),
    ];
    assert_eq!(diff(&old, &new), wanted);
    // Of these only the first three come into force, and the others are told again at the next reload.
    let now = applicable(&old, new.clone());
    assert!(diff(&old, &now).iter().all(|change| !change.needs_restart));
    assert!(diff(&now, &new).iter().all(|change| change.needs_restart));
    assert!(diff(&old, &old).is_empty());
}

#[test]
fn the_shipped_workflow_is_the_contract() {
    let loaded = load_text("", &[]).unwrap();
    let workflow = loaded.workflows.get("agent_build").unwrap();
    let names: Vec<&str> = workflow.stages().iter().map(|stage| stage.display_name.as_str()).collect();
    assert_eq!(
        names,
        [
            "工作流编排",
            "需求分析",
            "系统架构设计",
            "Agent设计",
            "工具开发",
            "提示词工程",
            "代码开发",
            "开发管理",
            "Agent部署"
        ]
    );
    let optional: Vec<bool> = workflow.stages().iter().map(|stage| stage.optional).collect();
    assert_eq!(optional, [false, false, false, false, false, false, false, false, true]);
    for (alias, name) in [
        ("requirements_analyzer", "requirements_analysis"),
        ("system_architect", "system_architecture"),
        ("agent_designer", "agent_design"),
        ("tool_developer", "tools_developer"),
    ] {
        assert_eq!(workflow.index_of(alias), workflow.index_of(name));
    }
    let known: Vec<KnownHandler> =
        loaded.handlers.iter().map(|wish| KnownHandler { name: wish.handler.clone(), kind: wish.kind }).collect();
    assert!(unknown_handlers(&loaded.handlers, &known, &[]).is_empty());
    let problems = unknown_handlers(&loaded.handlers, &[], &[]);
    assert_eq!(problems.len(), 2, "one for each missing plugin: {problems:?}");
}

#[test]
fn tokens_cost_what_the_price_list_says() {
    let price = super::Price { input_usd_per_million: 3.0, output_usd_per_million: 15.0, ..super::Price::default() };
    assert!((price.cost(2_000_000, 100_000) - 7.5).abs() < 1e-9);
    assert!(super::Price::default().cost(1_000_000, 1_000_000).abs() < f64::EPSILON);
}
