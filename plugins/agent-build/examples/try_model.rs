//! Builds agents with a real model, straight at a server that speaks OpenAI's chat completions, and tells how many came
//! right and why the others did not. Each finished agent is asked one question that its build knew nothing of: it is
//! right when the answer holds what it should.
//!
//! ```sh
//! cargo run -p nexus-agent-build --example try_model -- http://127.0.0.1:8080/v1 NAME_OF_MODEL 3 [REQUIREMENTS.json]
//! ```
#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a tool for developers: it prints, and breaks where it is wrong"
)]

use std::{
    collections::BTreeMap,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use nexus_agent_build::{
    Settings,
    stages::{BuildStage, STAGES, Shared},
    verify::RunningAgent,
};
use nexus_plugin_api::{
    payload::{Event, ModelAccess, StageRequest},
    sdk::{StageHandler as _, testing::Recorder},
};
use serde_json::{Value, json};

nexus_sandbox::stage_before_main!();

/// Each needs a tool that no catalogue has.
const REQUIREMENTS: &str = include_str!("requirements.json");

#[derive(serde::Deserialize)]
struct Wanted {
    requirement: String,
    ask: String,
    /// What the answer holds, in small letters.
    says: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(base_url), Some(model)) = (arguments.next(), arguments.next()) else {
        return Err("usage: try_model BASE_URL MODEL [TIMES] [REQUIREMENTS.json]".into());
    };
    let times: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let own = arguments.next().map(std::fs::read_to_string).transpose()?;
    let wanted: Vec<Wanted> = serde_json::from_str(own.as_deref().unwrap_or(REQUIREMENTS))?;
    let access = ModelAccess {
        base_url,
        socket: None,
        token: std::env::var("OPENAI_API_KEY").unwrap_or_else(|_| "none".to_owned()),
        token_secs: 0,
        models: BTreeMap::from([("smart".to_owned(), model)]),
    };
    let shared = Arc::new(Shared::new(Settings { provider: "model".to_owned(), ..Settings::default() })?);
    let (mut right, mut whole) = (0, 0);
    for (number, wanted) in wanted.iter().enumerate() {
        let requirement = &wanted.requirement;
        let mut passed = 0;
        for time in 1..=times {
            let begun = Instant::now();
            let (outcome, log) = build(&shared, &access, wanted).await?;
            let is_right = outcome["right"] == true;
            passed += usize::from(is_right);
            println!(
                "{number}.{time} {} in {:.0} s: {requirement}",
                if is_right { "right" } else { "WRONG" },
                begun.elapsed().as_secs_f64()
            );
            println!("    {outcome}");
            if !is_right {
                println!("    {}", log.join("\n    "));
            }
        }
        right += passed;
        whole += usize::from(passed == times);
    }
    let all = wanted.len();
    println!("pass@1: {right} of {}; every time right: {whole} of {all} ({times} each)", all * times);
    Ok(())
}

/// What came of one build, and its log.
async fn build(
    shared: &Arc<Shared>,
    access: &ModelAccess,
    wanted: &Wanted,
) -> Result<(Value, Vec<String>), Box<dyn Error>> {
    let requirement = wanted.requirement.as_str();
    let folder = tempfile::tempdir()?;
    let (mut inputs, mut log): (BTreeMap<String, Value>, Vec<String>) = (BTreeMap::new(), Vec::new());
    let mut tokens = (0, 0);
    let mut assessed = Value::Null;
    for (stage, number) in STAGES.iter().zip(1..) {
        let request = StageRequest {
            project_id: "proj_try".to_owned(),
            project_name: requirement.chars().take(40).collect(),
            requirement: requirement.to_owned(),
            user_id: "try".to_owned(),
            tags: Vec::new(),
            stage: stage.name.to_owned(),
            stage_number: number,
            attempt: 1,
            workspace: folder.path().to_owned(),
            inputs: inputs.clone(),
            options: Value::Null,
            deployment: Value::Null,
            models: Some(access.clone()),
        };
        let (recorder, context) = Recorder::new();
        let result = BuildStage::new(stage, Arc::clone(shared)).run(request, context).await;
        for event in recorder.events() {
            match event {
                Event::Log { message, .. } => log.push(message),
                Event::Tokens { input, output } => tokens = (tokens.0 + input, tokens.1 + output),
                _ => {}
            }
        }
        let result = match result {
            Ok(result) => result,
            Err(failure) => {
                log.push(failure.details.clone().unwrap_or_default());
                let told = json!({ "right": false, "failed": stage.name, "why": failure.message, "tokens": [tokens.0, tokens.1] });
                return Ok((told, log));
            }
        };
        if let Some(assessment) = result.assessment {
            assessed = serde_json::to_value(assessment)?;
        }
        inputs.insert(stage.name.to_owned(), Value::Object(result.output));
    }
    let agent = RunningAgent::start("python3", &folder.path().join("agent"), Duration::from_secs(20)).await?;
    let answer = agent.invoke(&wanted.ask, "a-question-that-the-build-knew-nothing-of").await?;
    agent.stop().await?;
    let said = answer["output"].as_str().unwrap_or_default().to_owned();
    let acceptance = &assessed["acceptance"];
    let told = json!({
        "right": said.to_lowercase().contains(&wanted.says),
        "said": said,
        "coverage": assessed["coverage"],
        "not_served": assessed["not_served"],
        "asked": acceptance["asked"], "passed": acceptance["passed"], "failed": acceptance["failed"],
        "tools": inputs.get("tools_developer").and_then(|output| output.get("tools")).and_then(Value::as_array).map(|tools| {
            tools.iter().map(|tool| json!([tool["id"], tool["proof"]])).collect::<Vec<_>>()
        }),
        "tokens": [tokens.0, tokens.1],
    });
    Ok((told, log))
}
