//! The requirement of the issue, from text to answers, and the rules every stage keeps.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod common;

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Instant};

use common::{build, converse, request, shared, stage, try_build};
use nexus_agent_build::{
    Settings,
    stages::{BuildStage, STAGES},
    verify::Check,
};
use nexus_plugin_api::{
    payload::{Event, FailureKind},
    sdk::{StageHandler as _, testing::Recorder},
};

const REQUIREMENT: &str = "Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR, plum 2.50 EUR. It should also convert kg to lb.";

#[tokio::test]
async fn builds_quickly_and_answers() {
    let started = Instant::now();
    let built = build("Fruit prices", REQUIREMENT).await;
    let took = started.elapsed();
    println!("nine stages: {took:?}");
    assert!(took.as_secs() < 10, "{took:?}");
    assert_eq!(built.agent().agent_name, "fruit_prices_agent");
    for path in [
        "docs/01_orchestrator.md",
        "docs/09_agent_deployer.md",
        "workflow_summary_report.md",
        "agent/agent.py",
        "agent/README.md",
        "agent/manifest.json",
        "agent/knowledge/prices.json",
        "agent/prompts/fruit_prices_agent.md",
        "agent/prompts/fruit_prices_agent.yaml",
        "agent/tools/price_list.py",
        "agent/tests/test_price_list.py",
        "agent/requirements.txt",
    ] {
        assert!(built.folder.path().join(path).is_file(), "{path}");
    }
    let architecture = fs::read_to_string(built.folder.path().join("docs/03_system_architecture.md")).unwrap();
    assert!(architecture.contains("```mermaid\nflowchart"));
    // The structures that programs read, each with something of this build in it.
    for (path, pointer, has) in [
        ("02_requirements_analysis", "/requirements_document/functional_requirements/0/user_story", "price"),
        ("03_system_architecture", "/system_design/interaction_flows/0/steps/0/action", ""),
        ("04_agent_design", "/agent_design/agents/0/capabilities/tools_required", "price_list"),
        ("05_tools_developer", "/tool_development/tools", "quote_items"),
        ("06_prompt_engineer", "/prompt_engineering/role", ""),
        ("07_agent_code_developer", "/agent_code_development/testing/test_scenarios/0/tool", ""),
        ("08_agent_developer_manager", "/agent_developer_manager/quality_assessment/tests_run", ""),
    ] {
        let text = fs::read_to_string(built.folder.path().join(format!("docs/{path}.json"))).expect(path);
        let structure: serde_json::Value = serde_json::from_str(&text).unwrap();
        let found = structure.pointer(pointer).map(ToString::to_string).unwrap_or_default();
        assert!(
            !["", "null", "[]", "\"\""].contains(&found.as_str()) && found.contains(has),
            "{path} {pointer}: {structure:#}"
        );
    }
    let yaml = fs::read_to_string(built.folder.path().join("agent/prompts/fruit_prices_agent.yaml")).unwrap();
    let prompt = fs::read_to_string(built.folder.path().join("agent/prompts/fruit_prices_agent.md")).unwrap();
    assert!(yaml.starts_with("agent:\n  name: \"fruit_prices_agent\"\n") && yaml.contains("production: {"), "{yaml}");
    for line in prompt.lines().filter(|line| !line.is_empty()) {
        assert!(yaml.contains(&format!("\n        {line}\n")), "{line}: {yaml}");
    }
    for stage in &STAGES {
        let result = &built.results[stage.name];
        let said =
            |file: &String| file.starts_with("docs/") || stage.writes.iter().any(|place| file.starts_with(place));
        assert!(result.files.iter().all(said), "{}: {:?}", stage.name, result.files);
        assert_eq!((result.usage.input_tokens, result.usage.model_id.as_deref()), (0, Some("offline/blueprint")));
        assert!(result.files.iter().all(|file| built.folder.path().join(file).is_file()));
        assert!(result.document.as_ref().is_some_and(|d| built.folder.path().join(&d.path).is_file()));
    }

    let agent = built.start().await;
    let session = "0123456789012345678901234567890123456789";
    converse(
        &agent,
        session,
        &[
            ("how much are 3 pears?", "quote_items", &["12 EUR"]),
            ("what is 12 kg in lb?", "convert_units", &["26.46"]),
            ("and in g?", "convert_units", &["12000 g"]),
            ("and 5 plums?", "quote_items", &["12.50 EUR"]),
            ("2 apples and 3 pears", "quote_items", &["Total: 18 EUR"]),
            ("which is the cheapest?", "compare_prices", &["plum"]),
            ("list all prices", "list_prices", &["apple: 3 EUR", "pear: 4 EUR", "plum: 2.50 EUR"]),
            ("How much are 3 pears and what is 12 kg in lb?", "quote_items+convert_units", &["12 EUR", "26.46"]),
            ("how much is a mango?", "quote_items", &["mango is not on the price list"]),
            ("who won the world cup?", "", &["cannot answer", "Price list"]),
        ],
    )
    .await;
    let call = agent.invoke("how much are 3 pears?", session).await.unwrap()["tool_calls"][0].clone();
    assert_eq!((call["name"].as_str(), call["status"].as_str()), (Some("quote_items"), Some("success")));
    assert_eq!(call["input"]["items"][0]["quantity"], 3);
    agent.stop().await.expect("it stops with exit code 0");
}

#[tokio::test]
async fn a_repeated_attempt_leaves_the_same_files() {
    let built = build("Fruit prices", REQUIREMENT).await;
    let mut before = snapshot(built.folder.path());
    // The manager's stage, which does not run again here, writes its score into the manifest.
    let manifest = before.get_mut("agent/manifest.json").unwrap();
    let mut scored: serde_json::Value = serde_json::from_str(manifest).unwrap();
    scored.as_object_mut().unwrap().remove("acceptance").expect("a score");
    *manifest = serde_json::to_string_pretty(&scored).unwrap() + "\n";
    fs::write(built.folder.path().join("agent/tools/leftover.py"), "syntax error here").unwrap();
    fs::write(built.folder.path().join("agent/tools/price_list.py"), "cut o").unwrap();
    for stage in ["tools_developer", "agent_code_developer"].map(stage) {
        let (_recorder, cx) = Recorder::new();
        BuildStage::new(stage, shared(Settings::default()))
            .run(request("Fruit prices", REQUIREMENT, stage, &built.folder, &built.inputs), cx)
            .await
            .unwrap();
    }
    assert_eq!(before, snapshot(built.folder.path()));
}

fn snapshot(root: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                // Bytecode is no product: what it says is said by its source.
                if entry.file_name() != "__pycache__" {
                    folders.push(entry.path());
                }
            } else {
                files.insert(
                    entry.path().strip_prefix(root).unwrap().display().to_string(),
                    fs::read_to_string(entry.path()).unwrap(),
                );
            }
        }
    }
    files
}

/// Breaks a file of a built agent, runs the manager stage again, and returns its failure.
async fn manager_failure(file: &str, content: &str, settings: Settings) -> nexus_plugin_api::payload::Failure {
    let built = build("Broken", REQUIREMENT).await;
    if !file.is_empty() {
        fs::write(built.folder.path().join(file), content).unwrap();
    }
    let (_recorder, cx) = Recorder::new();
    let stage = stage("agent_developer_manager");
    BuildStage::new(stage, shared(settings))
        .run(request("Broken", REQUIREMENT, stage, &built.folder, &built.inputs), cx)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn what_does_not_work_fails_the_stage_with_its_output() {
    let failure = manager_failure("agent/tools/price_list.py", "def broken(:\n", Settings::default()).await;
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert!(
        failure.details.is_some_and(|d| d.contains("SyntaxError") && d.contains("tools/price_list.py")),
        "{}",
        failure.message
    );

    assert!(
        failure.message.contains("tools/price_list.py: expected a file that compiles, got SyntaxError"),
        "{}",
        failure.message
    );

    let wrong =
        "import unittest\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(1, 2)\n";
    let failure = manager_failure("agent/tests/test_wrong.py", wrong, Settings::default()).await;
    assert!(
        failure.details.is_some_and(|d| d.contains("1 != 2") && d.contains(Check::UnitTest.hint())),
        "{}",
        failure.message
    );
    assert!(failure.message.contains("got AssertionError: 1 != 2"), "{}", failure.message);

    let failure = manager_failure("agent/agent.py", "raise SystemExit('no such luck')\n", Settings::default()).await;
    assert!(failure.details.is_some_and(|d| d.contains("no such luck")), "{}", failure.message);

    let failure = manager_failure("", "", Settings { python: "/nowhere/python".into(), ..Settings::default() }).await;
    assert!(
        failure.message.contains("/nowhere/python") && failure.message.contains("agent-build"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn a_hanging_agent_is_cut_off_and_cancelling_ends_its_process() {
    let started = Instant::now();
    let failure = manager_failure(
        "agent/tests/test_slow.py",
        "import time\ntime.sleep(60)\n",
        Settings { test_timeout_secs: 1, ..Settings::default() },
    )
    .await;
    assert_eq!(failure.kind, FailureKind::Transient, "{}", failure.message);
    assert!(started.elapsed().as_secs() < 30);

    let built = build("Cancelled", REQUIREMENT).await;
    fs::write(built.folder.path().join("agent/tests/test_slow.py"), "import time\ntime.sleep(60)\n").unwrap();
    let (recorder, cx) = Recorder::new();
    let stage = stage("agent_developer_manager");
    let handler = BuildStage::new(stage, shared(Settings::default()));
    let run = tokio::spawn(async move {
        let result = handler.run(request("Cancelled", REQUIREMENT, stage, &built.folder, &built.inputs), cx).await;
        (result, built)
    });
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    recorder.cancel();
    let started = Instant::now();
    let (result, _built) = run.await.unwrap();
    assert_eq!(result.unwrap_err().kind, FailureKind::Cancelled);
    assert!(started.elapsed().as_millis() < 1000);
    assert!(recorder.events().iter().any(|event| matches!(event, Event::Progress { .. })));
}

#[tokio::test]
async fn odd_requirements_either_build_or_are_refused_with_a_reason() {
    for empty in ["", "   \n", "🙂🙂", "...!?"] {
        let (stage, failure) = try_build("x", empty).await.err().expect("refused");
        assert_eq!((stage, failure.kind), ("orchestrator", FailureKind::InvalidInput), "{empty:?}");
    }
    let long = format!(
        "Convert kg to lb. {}",
        "The warehouse keeps many boxes of blue bolts on its third floor. ".repeat(170)
    );
    let many: String = (0..400).map(|i| format!("- item {i}: {i}.50 EUR\n")).collect();
    let many = format!("Price list agent:\n{many}");
    for odd in [
        "x",
        "help me",
        long.as_str(),
        many.as_str(),
        "Price list \"\"\"quoted\"\"\": \"apple\" 3 EUR, pear\\n 4 EUR, '; import os; os.system('true') # 5 EUR",
        "Build \\ agent {with} %s %(x)s ${HOME} `backticks` </script> that converts kg to lb 🙂🙂",
        "Price list: apple 3 gold coins, pear 4 gold coins, apple 5 gold coins",
        "Items: sword 3 ₿, shield 4 ₿, potion ₿0.5. Convert kg to lb.",
        "Prices: A/B tester 3 EUR, C++ course 40 EUR, 50% voucher 5 EUR, iPhone 15 800 EUR",
        "价格：「特价」苹果\\ 3元，\"梨\" 4元，梨 5元",
        "| a | b |\n|---|---|\n| x | \"\"\" |\n| | |\n| \\ | ' |",
        "Q: What is \"\"\"? A: Three quotes \\ and a backslash. Q: Why? A: Because.",
        "a,b,c\n1,2,3\n\"x,y\",4,5",
    ] {
        let built = build("odd \"name\" \\ 🙂", odd).await;
        let agent = built.start().await;
        converse(&agent, "odd-requirement-session-0000000001", &[("what can you do?", "", &[])]).await;
        agent.stop().await.expect("it stops");
    }
}

#[tokio::test]
async fn stages_need_their_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let (_recorder, cx) = Recorder::new();
    let stage = stage("tools_developer");
    let failure = BuildStage::new(stage, Arc::clone(&shared(Settings::default())))
        .run(request("x", REQUIREMENT, stage, &folder, &BTreeMap::new()), cx)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert!(failure.message.contains("agent_design"), "{}", failure.message);
}
