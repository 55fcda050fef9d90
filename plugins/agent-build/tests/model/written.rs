//! Tools that a model writes badly: each mistake is caught, named, and mended or left out.

use nexus_plugin_api::payload::FailureKind;
use serde_json::{Value, json};

use crate::{
    answers::{CODE, REQUIREMENT, TESTS, good, module},
    build::{Build, stage},
    double::{Double, Reply, says},
};

/// The stage that writes tools, against a double that gives these modules first.
async fn writes(
    requirement: &str,
    modules: &'static [&'static str],
) -> (Build, Double, Result<(), nexus_plugin_api::payload::Failure>) {
    let double = Double::start(move |object, number, _| match object {
        "python_module" => module(modules.get(number).copied().unwrap_or(CODE)),
        other => good(other),
    })
    .await;
    let mut build = Build::new(requirement, Some(double.access()));
    build.until("tools_developer").await.unwrap();
    let result = build.stage(stage("tools_developer")).await;
    (build, double, result)
}

fn wrong(body: &str) -> &'static str {
    let code =
        format!("def body_mass_index(weight: float, height: float) -> float:\n    \"\"\"Compute it.\"\"\"\n{body}\n");
    Box::leak(code.into_boxed_str())
}

#[tokio::test]
async fn each_mistake_goes_back_to_the_model_as_it_is() {
    let modules: &'static [&'static str] = Box::leak(Box::new([
        "def body_mass_index(weight: float, height: float) -> float:\n    return weight / (height ** 2\n",
        "import os\n\n\ndef body_mass_index(weight: float, height: float) -> float:\n    return float(os.environ['KEY'])\n",
        wrong("    return round(weight / height, 2)"),
    ]));
    let (build, double, result) = writes(REQUIREMENT, modules).await;
    result.unwrap();
    let asked = double.requests("python_module");
    assert_eq!(asked.len(), 4);
    for (request, says) in asked.iter().skip(1).zip(["SyntaxError", "imports `os`", "expected 22.857"]) {
        let messages = request["messages"].as_array().unwrap();
        // System, the question, the last answer, what is wrong with it.
        assert_eq!(messages.len(), 4);
        assert!(messages[3]["content"].as_str().unwrap().contains(says), "{says}: {}", messages[3]);
    }
    let record = &build.results["tools_developer"].output["tools"];
    let written = record.as_array().unwrap().iter().find(|tool| tool["id"] == "body_mass_index").unwrap();
    assert_eq!((written["proof"]["repairs"].as_u64(), written["proof"]["examples"].as_u64()), (Some(3), Some(2)));
    assert_eq!(written["proof"]["noticed"], written["proof"]["mutants"], "{written}");
}

#[tokio::test]
async fn a_tool_that_stays_wrong_is_left_out_and_the_agent_says_so() {
    let modules: &'static [&'static str] = Box::leak(Box::new([wrong("    return weight * height"); 9]));
    let (mut build, double, result) = writes(REQUIREMENT, modules).await;
    result.unwrap();
    assert_eq!(double.requests("python_module").len(), 4, "one, and three repairs");
    for name in ["prompt_engineer", "agent_code_developer", "agent_developer_manager", "agent_deployer"] {
        build.stage(stage(name)).await.unwrap_or_else(|failure| panic!("{name}: {failure} {:?}", failure.details));
    }
    let manager = &build.results["agent_developer_manager"].output;
    assert_eq!(manager["coverage"], "partial");
    assert!(manager["not_served"].to_string().contains("worked examples"), "{manager:#?}");
    let manifest: Value = serde_json::from_str(&build.read("agent/manifest.json")).unwrap();
    assert!(!manifest["tools"].to_string().contains("body_mass_index"), "{manifest:#}");
    assert!(!build.folder.path().join("agent/tools/body_mass_index.py").exists());
}

#[tokio::test]
async fn an_agent_of_that_tool_alone_fails_with_everything_shown() {
    let modules: &'static [&'static str] = Box::leak(Box::new([wrong("    while True:\n        pass"); 9]));
    let double = Double::start(move |object, number, _| match object {
        "python_module" => module(modules[number]),
        other => good(other),
    })
    .await;
    let settings = nexus_agent_build::Settings { tool_timeout_secs: 1, tool_repairs: 1, ..Default::default() };
    let mut build = Build::with("Work out the body mass index of a member.", Some(double.access()), settings);
    build.until("tools_developer").await.unwrap();
    let failure = build.stage(stage("tools_developer")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert!(failure.message.contains("body_mass_index") && failure.message.contains("did not end"), "{failure}");
    let details = failure.details.unwrap();
    assert!(
        details.contains("Attempt 1:") && details.contains("Attempt 2:") && details.contains("while True"),
        "{details}"
    );
}

#[tokio::test]
async fn a_models_own_tests_are_one_voice() {
    // Its first test is wrong, its second one notices nothing: the tool is right all the same.
    let double = Double::start(|object, number, _| match (object, number) {
        ("unit_tests", 0) => says(&json!({ "python_tests": TESTS.replace("25)", "26)") })),
        ("unit_tests", _) => Reply::Says("no".into()),
        (other, _) => good(other),
    })
    .await;
    let mut build = Build::new(REQUIREMENT, Some(double.access()));
    build.until("prompt_engineer").await.unwrap();
    let asked = double.requests("unit_tests");
    assert!(asked[1]["messages"].to_string().contains("25.0 != 26"), "{}", asked[1]["messages"]);
    let tests = build.read("agent/tests/test_body_mass_index.py");
    assert!(tests.contains("test_example_2") && !tests.contains("26"), "{tests}");
    assert!(build.log().contains("a test of its author fails"), "{}", build.log());
}
