//! The main job, on whatever backend a home has.

use std::time::Instant;

use serde_json::{Value, json};

use super::support::{Daemon, Home, prices::PRICES_AND_UNITS, sse::Stream};

struct Answer {
    text: String,
    tools: Vec<Value>,
}

/// Opens a session and asks, one question after the other, over the stream.
async fn ask(daemon: &Daemon, agent: &str, questions: &[&str]) -> Vec<Answer> {
    let (status, session) = daemon.post(&format!("/agents/{agent}/sessions"), &json!({})).await;
    assert_eq!(status, 201, "{session}");
    let session = session["data"]["session_id"].as_str().expect("an id").to_owned();
    let mut answers = Vec::new();
    for question in questions {
        let request = daemon.http().post(daemon.at(&format!("/sessions/{session}/stream")));
        let response = request.json(&json!({"content": question})).send().await.expect("an answer");
        let frames = Stream::new(response).all().await;
        assert_eq!(frames.first().map(|f| &f.data["event"]), Some(&json!("connected")));
        assert_eq!(frames.last().map(|f| &f.data["event"]), Some(&json!("done")));
        let of =
            |kind: &str| frames.iter().filter(|f| f.data["type"] == kind).map(|f| f.data.clone()).collect::<Vec<_>>();
        let text = of("text").iter().filter_map(|data| data["data"].as_str()).collect::<String>();
        answers.push(Answer { text, tools: of("tool_end") });
    }
    let (_, messages) = daemon.get(&format!("/sessions/{session}/messages")).await;
    let stored = messages["data"].as_array().map_or(0, Vec::len);
    assert_eq!(stored, 2 * questions.len(), "every question and answer is stored: {messages:#}");
    answers
}

/// A sentence becomes an agent that answers.
pub(crate) async fn one_agent(home: &Home) {
    let daemon = home.start();
    let begun = Instant::now();
    let project = daemon.create(PRICES_AND_UNITS, "agent_build").await;

    let events = daemon.http().get(daemon.at(&format!("/projects/{project}/events"))).send().await.expect("a stream");
    let frames = Stream::new(events).all().await;
    assert_eq!(frames.last().and_then(|f| f.event.clone()).as_deref(), Some("end"), "{frames:#?}");
    let done = daemon.wait_for(&project, &["completed"]).await;
    let built = begun.elapsed();
    assert!(built.as_secs() < 30, "nine stages took {built:?}");

    // Every stage was seen running and completed, in order, numbered without a gap.
    let seqs: Vec<u64> =
        frames.iter().filter(|f| f.event.as_deref() != Some("end")).filter_map(|f| f.data["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    let stages = done["stages"].as_array().expect("stages");
    assert_eq!(stages.len(), 9);
    for stage in stages {
        assert_eq!(stage["status"], "completed", "{stage:#}");
        assert!(stage["duration_seconds"].as_f64().is_some_and(|s| s > 0.0), "{stage:#}");
        assert_eq!(stage["attempt"], 1);
        let name = &stage["stage_name"];
        for status in ["running", "completed"] {
            let seen = frames.iter().any(|f| {
                f.event.as_deref() == Some("stage") && f.data["stage_name"] == *name && f.data["status"] == status
            });
            assert!(seen, "{name} was never seen {status}");
        }
    }
    let progress: Vec<f64> = frames
        .iter()
        .filter(|f| f.event.as_deref() == Some("project"))
        .filter_map(|f| f.data["progress"].as_f64())
        .collect();
    assert!(progress.len() >= 9 && progress.windows(2).all(|w| w[0] <= w[1]), "{progress:?}");

    let agent = daemon.wait_for_agent(&project).await;
    let agent = agent["agent_id"].as_str().expect("an id");
    let answers = ask(&daemon, agent, &["how much are 3 pears?", "what is 12 kg in lb?", "and 2 plums?"]).await;
    assert!(answers[0].text.contains("12") && answers[0].text.contains("EUR"), "{}", answers[0].text);
    assert!(answers[1].text.contains("26.46"), "{}", answers[1].text);
    assert!(answers[2].text.contains('5') && answers[2].text.contains("EUR"), "{}", answers[2].text);
    assert!(answers.iter().all(|answer| !answer.tools.is_empty()), "every answer shows its tool");

    // What was made can be read.
    let (_, report) = daemon.get(&format!("/projects/{project}/workflow-report")).await;
    assert_eq!(report["data"]["exists"], true, "{report}");
    assert!(
        report["data"]["content"].as_str().is_some_and(|text| text.contains(PRICES_AND_UNITS)),
        "the whole requirement: {report}"
    );
    let (_, document) = daemon.get(&format!("/projects/{project}/stage-docs/system_architecture")).await;
    assert!(document["data"]["content"].as_str().is_some_and(|c| c.contains("mermaid")), "{document}");
    let (_, files) = daemon.get(&format!("/projects/{project}/files")).await;
    assert!(files["data"]["files"].to_string().contains("agent/agent.py"), "{files}");
    assert_eq!(done["stages"][0]["metrics"]["model_id"], "offline/blueprint");

    // Invoking is real and recorded.
    let (status, invoked) =
        daemon.post(&format!("/agents/{agent}/invoke"), &json!({"input_text": "how much is an apple?"})).await;
    assert_eq!(status, 200, "{invoked}");
    assert!(invoked["data"]["output"].as_str().is_some_and(|o| o.contains('3')), "{invoked:#}");
    let (_, detail) = daemon.get(&format!("/agents/{agent}")).await;
    assert!(detail["data"]["total_invocations"].as_u64().is_some_and(|n| n >= 1), "{detail:#}");
}

/// Ten requirements become ten different agents.
pub(crate) async fn ten_agents(home: &Home) {
    let requirements = [
        "A helper that computes with dates: days between two dates, weekdays, adding days.",
        "I paste CSV tables and want to filter, sum and average their columns.",
        "Summarise long texts and count words, sentences and reading time.",
        "Extract all e-mail addresses, links and phone numbers from text that I paste.",
        "Compute SHA-256 and MD5 hashes and encode or decode base64.",
        "Answer from this FAQ. Q: When are you open? A: Monday to Friday, 9 to 17. Q: Do you ship abroad? A: Yes, to all of Europe.",
        "A calculator for percentages, tips and general arithmetic.",
        "构建一个价格助手，回答下面价目表的问题：苹果 3元，梨 4元，李子 2.5元。",
        "构建一个单位换算助手，支持公斤与磅、公里与英里、摄氏与华氏温度的换算。",
        "Query JSON documents that I paste: look up keys, count items, list values.",
    ];
    let daemon = home.start();
    let mut projects = Vec::new();
    for requirement in requirements {
        projects.push(daemon.create(requirement, "agent_build").await);
    }
    let mut tools = Vec::new();
    for (project, requirement) in projects.iter().zip(requirements) {
        let done = daemon.wait_for(project, &["completed"]).await;
        let (_, agents) = daemon.get(&format!("/agents?project_id={project}")).await;
        let agent =
            agents["data"][0]["agent_id"].as_str().unwrap_or_else(|| panic!("no agent for {requirement}: {done:#}"));
        let (_, agent) = daemon.get(&format!("/agents/{agent}")).await;
        tools.push((agent["data"]["tools"].to_string(), agent["data"]["description"].to_string()));
    }
    let mut different = tools.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), requirements.len(), "{tools:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_becomes_an_agent_that_answers() {
    one_agent(&Home::new("")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_requirements_give_ten_different_agents() {
    ten_agents(&Home::new("")).await;
}
