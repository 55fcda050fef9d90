//! Nine stages with good answers: what comes out works with and without a model, and every token is told.

use std::time::Duration;

use nexus_agent_build::{Settings, verify::RunningAgent};
use serde_json::{Value, json};

use crate::{
    answers::{REQUIREMENT, good},
    build::{Build, stage},
    common::converse,
    double::Double,
};

#[tokio::test]
async fn a_model_builds_an_agent_that_runs_without_one() {
    let double = Double::start(|object, _, _| good(object)).await;
    let mut build = Build::new(REQUIREMENT, Some(double.access()));
    build.run().await.unwrap_or_else(|(stage, failure)| {
        panic!("{stage}: {}\n{}\n{}", failure.message, failure.details.unwrap_or_default(), build.log())
    });
    assert_eq!(
        double.asked(),
        [
            "plan",
            "understanding",
            "tool_signature",
            "worked_examples",
            "architecture",
            "agent_design",
            "python_module",
            "unit_tests",
            "agent_prompt",
            "introduction",
        ]
    );
    assert_eq!(build.tokens(), double.tokens(), "to the token");
    for result in build.results.values() {
        assert_eq!((result.usage.input_tokens, result.usage.output_tokens), (0, 0), "told by events");
        assert_eq!(result.usage.model_id.as_deref(), Some("double/clever-1"));
    }
    let manager = &build.results["agent_developer_manager"].output;
    assert_eq!(
        (manager["coverage"].as_str(), manager["acceptance"]["failed"].as_u64()),
        (Some("full"), Some(0)),
        "{manager:#?}"
    );
    // The worked examples were frozen before there was any code, and asked of the finished agent.
    let cases = build.read("acceptance/cases.json");
    assert!(cases.contains("What is the BMI of 70 kg and 1.75 m?") && cases.contains("22.857"), "{cases}");

    let tools = build.read("docs/05_tools_developer.md");
    assert!(
        tools.contains("2 worked examples and 4 tests pass") && tools.contains("double/clever-1: written"),
        "{tools}"
    );
    let agent = build.results["agent_deployer"].agent.as_ref().unwrap();
    assert!(build.read(&agent.prompt_path).contains("- Give no medical advice."));
    let readme = build.read("agent/README.md");
    assert!(
        readme.contains("Ask it for prices and the body mass index.") && readme.contains("the tools `body_mass_index`"),
        "{readme}"
    );
    let report = build.read("workflow_summary_report.md");
    assert!(report.contains("`double/clever-1`") && !report.contains("offline, 0 tokens"), "{report}");
    let manifest: Value = serde_json::from_str(&build.read("agent/manifest.json")).unwrap();
    assert_eq!(
        (manifest["written_by"].as_str(), manifest["model_id"].as_str()),
        (Some("double/clever-1"), Some("offline/blueprint"))
    );

    // Nothing of the access is left in any file.
    let secret = std::process::Command::new("grep")
        .args(["-rl", "secret-of-the-test"])
        .arg(build.folder.path())
        .output()
        .unwrap();
    assert!(secret.stdout.is_empty(), "{}", String::from_utf8_lossy(&secret.stdout));
    assert!(!build.log().contains("secret-of-the-test"));

    let agent =
        RunningAgent::start("python3", &build.folder.path().join("agent"), Duration::from_secs(20)).await.unwrap();
    converse(
        &agent,
        "0123456789012345678901234567890123456789",
        &[
            ("What is the BMI of 81 kg and 1.8 m?", "body_mass_index", &["Body mass index: 25"]),
            ("BMI at a height of 180 cm and 81 kg please", "body_mass_index", &["Body mass index: 25"]),
            ("bmi for 178.5745 lb and 1.8 m", "body_mass_index", &["Body mass index: 25"]),
            // What is missing is asked for, never guessed.
            ("What is my BMI?", "", &["weight of the person (kg)", "height of the person (m)"]),
            ("BMI with 80 and 2", "", &["weight of the person"]),
            ("how much is a month pass?", "quote_items", &["39 EUR"]),
        ],
    )
    .await;
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn the_author_is_chosen_for_every_build() {
    let double = Double::start(|object, _, _| good(object)).await;
    let settings = |provider: &str| Settings { provider: provider.into(), ..Settings::default() };
    let orchestrator = stage("orchestrator");
    let mut blueprint = Build::with(REQUIREMENT, Some(double.access()), settings("blueprint"));
    blueprint.stage(orchestrator).await.unwrap();
    let mut offline = Build::with(REQUIREMENT, None, settings("auto"));
    offline.stage(orchestrator).await.unwrap();
    assert_eq!(double.asked(), Vec::<String>::new());
    for build in [&blueprint, &offline] {
        assert_eq!(build.results["orchestrator"].usage.model_id.as_deref(), Some("offline/blueprint"));
    }
    let mut none = Build::with(REQUIREMENT, None, settings("model"));
    let failure = none.stage(orchestrator).await.unwrap_err();
    assert!(failure.message.contains("no language model") && failure.message.contains("[models]"), "{failure}");
    let unknown = nexus_agent_build::stages::Shared::new(settings("gpt")).err().unwrap();
    assert!(unknown.message.contains("\"gpt\"") && unknown.message.contains("\"auto\""), "{unknown}");
}

#[tokio::test]
async fn a_build_goes_on_offline_with_what_a_model_designed() {
    let double = Double::start(|object, _, _| good(object)).await;
    let mut build = Build::new(REQUIREMENT, Some(double.access()));
    build.until("tools_developer").await.unwrap();
    let inputs = build.inputs.clone();
    // The daemon lost its model.
    let mut offline = Build::new(REQUIREMENT, None);
    std::fs::create_dir(offline.folder.path().join("acceptance")).unwrap();
    std::fs::write(offline.folder.path().join("acceptance/cases.json"), build.read("acceptance/cases.json")).unwrap();
    offline.inputs = inputs;
    for name in
        ["tools_developer", "prompt_engineer", "agent_code_developer", "agent_developer_manager", "agent_deployer"]
    {
        offline.stage(stage(name)).await.unwrap_or_else(|failure| panic!("{name}: {failure} {:?}", failure.details));
    }
    let manager = &offline.results["agent_developer_manager"].output;
    assert_eq!(manager["coverage"], "partial");
    assert!(manager["not_served"].to_string().contains("language model"), "{manager:#?}");
}

/// Rules take a unit converter for whatever names units. The model may doubt it; what rules chose stays beside.
#[tokio::test]
async fn a_tool_that_rules_chose_by_words_alone_can_be_doubted() {
    let double = Double::start(|object, _, _| good(object)).await;
    let requirement = "Work out the body mass index from the weight in kg and the height in m.";
    let mut build = Build::new(requirement, Some(double.access()));
    build.until("system_architecture").await.unwrap();
    let asked = double.requests("understanding")[0]["messages"].to_string();
    assert!(asked.contains("perhaps by the vetted tool unit_converter"), "{asked}");
    let output = &build.results["requirements_analysis"].output;
    assert_eq!(
        output["reading"]["tasks"][0]["clauses"][0]["served_by"],
        json!(["unit_converter", "body_mass_index"]),
        "{output:#?}"
    );
    assert_eq!(
        (output["to_write"][0]["beside_vetted"].as_bool(), output["coverage"].as_str()),
        (Some(true), Some("full"))
    );
}
