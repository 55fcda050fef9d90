//! What an agent of a language model is handed, and what becomes of one that cannot have it.

use std::{collections::HashMap, fs};

use nexus_deploy_local::Settings;
use nexus_plugin_api::payload::{AgentRef, FailureKind, ModelAccess};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bench::*;

pub(crate) fn access(port: u16) -> ModelAccess {
    ModelAccess {
        base_url: format!("http://127.0.0.1:{port}/v1"),
        socket: None,
        token: "nxm.a-token".into(),
        token_secs: 3600,
        models: [("fast".to_owned(), "p/m".to_owned()), ("smart".to_owned(), "p/n".to_owned())].into(),
    }
}

fn with_manifest(agent: &AgentRef, manifest: &Value) {
    fs::write(agent.agent_dir.join("manifest.json"), manifest.to_string()).unwrap();
}

/// The gate's address and a token, its port and no other, and nobody's key.
#[tokio::test]
async fn an_agent_of_a_model_is_handed_the_gate_and_no_key() {
    let gate = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, other_port) = (gate.local_addr().unwrap().port(), other.local_addr().unwrap().port());
    let mut settings = settings();
    // An operator's key for something else must not be taken for the model's.
    settings.env.insert("OPENAI_API_KEY".into(), "sk-operators-own".into());
    let bench = bench_with(settings);
    let mut agent = bench.agent("talker", "");
    with_manifest(&agent, &json!({"model": {"use": "preferred", "id": "smart"}}));
    agent.models = Some(access(port));
    let deployed = bench.deploy(&agent).await.unwrap();
    assert_eq!((&deployed.details["model"], deployed.details.get("degraded")), (&json!("smart"), None));
    let seen: HashMap<String, String> = serde_json::from_str(&bench.output(&agent, "env").await).unwrap();
    assert_eq!(seen["OPENAI_BASE_URL"], format!("http://127.0.0.1:{port}/v1"));
    assert_eq!(seen["OPENAI_API_KEY"], "nxm.a-token");
    assert_eq!((seen["MODEL_PROVIDER"].as_str(), seen["MODEL_ID"].as_str()), ("openai", "smart"));
    // Also what the kernel shows of it, which a variable that was set twice would be in.
    let environ = fs::read(format!("/proc/{}/environ", bench.pid(&agent).await)).unwrap();
    let environ = String::from_utf8_lossy(&environ);
    assert!(environ.contains("nxm.a-token") && !environ.contains("sk-"), "{environ}");
    let status = bench.status(&agent).await;
    assert_eq!(status.details["model"], "smart");
    assert!(!format!("{status:?}").contains("nxm."), "{status:?}");
    // A process outlives its token by no question: the next one is answered by another, with the new token.
    let before = bench.pid(&agent).await;
    let renewed = |token: &str, token_secs| ModelAccess { token: token.into(), token_secs, ..access(port) };
    agent.models = Some(renewed("nxm.short", 0));
    assert_eq!(bench.pid(&agent).await, before);
    agent.models = Some(renewed("nxm.short", 1));
    bench.deploy(&agent).await.unwrap();
    let short = bench.status(&agent).await.details["pid"].as_u64().unwrap();
    agent.models = Some(renewed("nxm.new", 3600));
    assert_ne!(u64::from(bench.pid(&agent).await), short);
    assert!(bench.output(&agent, "env").await.contains("nxm.new"));
    let reach = |port: u16| format!("try socket.create_connection(('127.0.0.1', {port}), 2).fileno() > 0");
    assert_eq!(bench.output(&agent, &reach(port)).await, "True");
    assert_eq!(bench.output(&agent, &reach(other_port)).await, "PermissionError");
}

/// Without a model, without its name, without packages: it answers offline and says so, unless it is of no use then.
#[tokio::test]
async fn what_cannot_be_had_is_told_and_only_who_needs_it_fails() {
    let bench = bench_with(Settings { model: "gone".into(), ..settings() });
    let preferred = json!({"model": {"use": "preferred"}});
    let required = json!({"model": {"use": "required", "id": "fast"}});
    let deploy = async |id: &str, manifest: &Value, packages: &str, models: Option<ModelAccess>, config: Value| {
        let mut agent = bench.agent(id, "");
        with_manifest(&agent, manifest);
        fs::write(agent.agent_dir.join("requirements.txt"), packages).unwrap();
        agent.models = models;
        agent.config = config;
        let deployed = bench.deploy(&agent).await;
        if deployed.is_ok() {
            assert!(!bench.output(&agent, "env").await.contains("MODEL_PROVIDER"), "{id}");
        }
        deployed
    };
    let unpinned = "strands-agents>=1\n";
    for (id, packages, models, why) in [
        ("no-model", "", None, "knows no language model"),
        ("no-name", "", Some(access(9)), "no model is named \"gone\""),
        ("no-packages", unpinned, Some(access(9)), "requirements.txt, line 1"),
    ] {
        let manifest =
            if id == "no-packages" { json!({"model": {"use": "preferred", "id": "fast"}}) } else { preferred.clone() };
        let deployed = deploy(id, &manifest, packages, models, Value::Null).await.unwrap();
        let degraded = deployed.details["degraded"].as_str().unwrap();
        assert!(degraded.contains(why), "{id}: {degraded}");
    }
    let failure = deploy("needs-model", &required, "", None, Value::Null).await.unwrap_err();
    assert!(failure.kind == FailureKind::Permanent && failure.message.contains("ANTHROPIC_API_KEY"), "{failure}");
    let failure = deploy("needs-packages", &required, unpinned, Some(access(9)), Value::Null).await.unwrap_err();
    assert!(failure.message.contains("needs a language model: requirements.txt, line 1"), "{failure}");
    let failure = deploy("other-name", &json!({}), "", Some(access(9)), json!({"model": "smrt"})).await.unwrap_err();
    assert!(failure.kind == FailureKind::InvalidInput && failure.message.contains("fast, smart"), "{failure}");
    // By the word of its deployment it goes without, and nothing is missing.
    let offline = deploy("offline", &required, unpinned, Some(access(9)), json!({"model": "offline"})).await.unwrap();
    assert!(!offline.details.contains_key("degraded"));
}
