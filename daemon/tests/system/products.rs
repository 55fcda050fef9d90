//! What a real build leaves behind: a document of each stage, and an agent that people can tell from others.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::support::{Daemon, Home};

const PRICES: &str =
    "Build an agent that answers questions about this price list: apple 3 EUR, pear 4 EUR, plum 2.50 EUR.";

/// Every stage: its name, the root of its document's structure, and what programs look for there.
const DOCUMENTS: [(&str, &str, &[&str]); 9] = [
    ("orchestrator", "orchestrator", &["/project_name", "/summary", "/stages/0/goal"]),
    (
        "requirements_analysis",
        "requirements_document",
        &[
            "/feature_name",
            "/functional_requirements/0/id",
            "/functional_requirements/0/title",
            "/functional_requirements/0/user_story",
            "/functional_requirements/0/dependencies",
            "/non_functional_requirements",
            "/constraints",
            "/scope/included/0",
            "/scope/excluded",
        ],
    ),
    (
        "system_architecture",
        "system_design",
        &[
            "/design_overview/project_name",
            "/agents/0/name",
            "/agents/0/purpose",
            "/agents/0/responsibilities",
            "/agents/0/dependencies",
            "/data_models",
            "/interaction_flows/0/name",
            "/interaction_flows/0/description",
            "/interaction_flows/0/steps/0/step",
            "/interaction_flows/0/steps/0/action",
        ],
    ),
    (
        "agent_design",
        "agent_design",
        &[
            "/design_overview/project_name",
            "/design_overview/key_design_decisions/0/decision",
            "/design_overview/key_design_decisions/0/rationale",
            "/agents/0/name",
            "/agents/0/purpose",
            "/agents/0/capabilities/core_functions/0",
            "/agents/0/capabilities/tools_required",
            "/agents/0/knowledge_domain/primary_domains",
        ],
    ),
    ("tools_developer", "tool_development", &["/development_overview/project_name", "/tools/0"]),
    ("prompt_engineer", "prompt_engineering", &[]),
    (
        "agent_code_developer",
        "agent_code_development",
        &[
            "/development_overview",
            "/agent_implementation",
            "/core_functions/0",
            "/tool_integration",
            "/testing/test_scenarios/0",
        ],
    ),
    (
        "agent_developer_manager",
        "agent_developer_manager",
        &["/project_name", "/verification_summary", "/quality_assessment", "/functional_verification"],
    ),
    ("agent_deployer", "agent_deployer", &["/project_name", "/agent_name", "/entry_point"]),
];

async fn agent_of(daemon: &Daemon, project: &str) -> Value {
    daemon.wait_for(project, &["completed"]).await;
    let (_, agents) = daemon.get(&format!("/agents?project_id={project}")).await;
    agents["data"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_the_nine_stages_has_a_document_for_programs() {
    let home = Home::new("");
    let daemon = home.start();
    let project = daemon.create(PRICES, "agent_build").await;
    let done = daemon.wait_for(&project, &["completed"]).await;
    let stages: Vec<&str> =
        done["stages"].as_array().unwrap().iter().filter_map(|s| s["stage_name"].as_str()).collect();
    assert_eq!(stages.iter().copied().collect::<BTreeSet<_>>(), DOCUMENTS.iter().map(|(name, ..)| *name).collect());
    for (stage, root, members) in DOCUMENTS {
        let (status, document) = daemon.get(&format!("/projects/{project}/stage-docs/{stage}")).await;
        assert_eq!((status, &document["data"]["exists"]), (200, &json!(true)), "{document:#}");
        let (text, parsed) = (&document["data"]["content"], &document["data"]["parsed_content"]);
        assert!(text.as_str().is_some_and(|text| text.starts_with("# ")), "{stage}: {text}");
        let roots: Vec<&String> = parsed.as_object().unwrap_or_else(|| panic!("{document:#}")).keys().collect();
        assert_eq!(roots, [root], "{stage}");
        assert!(parsed[root].as_object().is_some_and(|inner| !inner.is_empty()), "{stage}: {parsed:#}");
        for member in members {
            assert!(parsed[root].pointer(member).is_some_and(|value| !value.is_null()), "{stage} {member}: {parsed:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_of_one_sentence_are_told_apart_by_people() {
    let home = Home::new("");
    let daemon = home.start();
    let mut agents = Vec::new();
    for _ in 0..3 {
        let project = daemon.create(PRICES, "agent_build").await;
        agents.push(agent_of(&daemon, &project).await);
    }
    // The design's title, which its manifest says, too; then with a number.
    let (_, manifest) =
        daemon.get(&format!("/projects/{}/stage-docs/agent_design", agents[0]["project_id"].as_str().unwrap())).await;
    let name = agents[0]["display_name"].as_str().unwrap().to_owned();
    assert!(manifest["data"]["content"].to_string().contains(&name) && !name.contains('_'), "{name}: {manifest:#}");
    let names: Vec<&str> = agents.iter().filter_map(|agent| agent["display_name"].as_str()).collect();
    assert_eq!(names, [name.clone(), format!("{name} 2"), format!("{name} 3")], "{agents:#?}");
    assert!(agents.iter().all(|agent| agent["agent_name"] == agents[0]["agent_name"]), "the identifier is one");
    // The dashboard names it and its tools; the agent itself, too.
    let project = agents[1]["project_id"].as_str().unwrap();
    let (_, board) = daemon.get(&format!("/projects/{project}/build")).await;
    let (_, detail) = daemon.get(&format!("/agents/{}", agents[1]["agent_id"].as_str().unwrap())).await;
    let (made, tools) = (board["data"]["resources"].as_array().unwrap(), detail["data"]["tools"].as_array().unwrap());
    assert_eq!((&made[0]["label"], &detail["data"]["display_name"]), (&json!(names[1]), &json!(names[1])), "{board:#}");
    assert_eq!(made.len(), 1 + tools.len(), "{board:#}");
    assert!(!tools.is_empty() && made[1..].iter().all(|tool| tool["owner"] == names[1]), "{board:#}");
    // One is gone: nobody else is called otherwise, nor as it was.
    let (status, _) = daemon.delete(&format!("/agents/{}", agents[1]["agent_id"].as_str().unwrap())).await;
    assert_eq!(status, 200);
    let project = daemon.create(PRICES, "agent_build").await;
    assert_eq!(agent_of(&daemon, &project).await["display_name"], json!(format!("{name} 4")));
    let (_, third) = daemon.get(&format!("/agents/{}", agents[2]["agent_id"].as_str().unwrap())).await;
    assert_eq!(third["data"]["display_name"], json!(format!("{name} 3")));
}
