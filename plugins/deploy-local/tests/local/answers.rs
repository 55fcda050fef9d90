//! What agents answer, and how it reaches the daemon.

use std::time::{Duration, Instant};

use nexus_plugin_api::{DeployHandler, payload::Event, sdk::testing::Recorder};
use serde_json::{Value, json};

use crate::bench::*;

#[tokio::test]
async fn a_stream_is_told_as_it_comes_and_whole() {
    let bench = bench();
    let agent = bench.agent("streams", "");
    let (recorder, cx) = Recorder::new();
    let mut request = question(&agent, "stream");
    request.enable_trace = true;
    let result = bench.deployer.invoke(request, cx).await.unwrap();
    assert_eq!(result.output, "two and two is 4");
    assert_eq!((result.usage.input_tokens, result.usage.output_tokens), (7, 9));
    assert_eq!(result.usage.model_id.as_deref(), Some("puppet"));
    assert_eq!(result.tool_calls.len(), 1);
    assert_eq!((result.tool_calls[0].name.as_str(), result.tool_calls[0].status.as_str()), ("add", "success"));
    assert_eq!(result.trace.unwrap()["steps"][0]["name"], "add");
    let id = || "t1".to_owned();
    let input = json!({"a": 2, "b": 2});
    assert_eq!(
        recorder.events(),
        [
            Event::Text { delta: "two and two ".into() },
            Event::ToolStart { id: id(), name: "add".into() },
            Event::ToolInput { id: id(), delta: "{\"a\": 2, \"b\": 2}".into() },
            Event::ToolEnd { id: id(), name: "add".into(), input, result: "4".into(), failed: false },
            Event::Text { delta: "is 4".into() },
        ]
    );
}

#[tokio::test]
async fn other_forms_of_answers_are_understood() {
    let bench = bench();
    let agent = bench.agent("forms", "");
    let (recorder, cx) = Recorder::new();
    let result = bench.deployer.invoke(question(&agent, "json"), cx).await.unwrap();
    assert_eq!((result.output.as_str(), recorder.text().as_str()), ("plain", "plain"));
    assert_eq!((result.usage.output_tokens, result.tool_calls[0].status.as_str()), (2, "error"));
    assert_eq!(bench.output(&agent, "strings").await, "one two three");
    assert_eq!(bench.output(&agent, "plain grüße").await, "grüße");
}

#[tokio::test]
async fn the_agent_gets_prompt_session_and_history() {
    let bench = bench();
    let agent = bench.agent("echo", "");
    let mut request = question(&agent, "echo \"quoted\"\nline");
    request.history = serde_json::from_value(json!([{"role": "user", "content": "before"}])).unwrap();
    let output = bench.deployer.invoke(request.clone(), Recorder::new().1).await.unwrap().output;
    let echoed: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(echoed["session"], request.session_id);
    assert_eq!(
        echoed["body"],
        json!({"prompt": request.input_text, "session_id": request.session_id, "history": request.history})
    );
}

#[tokio::test]
async fn a_slow_stream_arrives_piece_by_piece() {
    let bench = bench();
    let agent = bench.agent("drips", "");
    bench.deploy(&agent).await.unwrap();
    let (recorder, cx) = Recorder::new();
    let begin = Instant::now();
    let deployer = bench.deployer.clone();
    let answer = tokio::spawn(async move { deployer.invoke(question(&agent, "drip 5"), cx).await });
    for count in 1..=3 {
        eventually("a piece", async || recorder.events().len() >= count).await;
        assert!(!answer.is_finished(), "the pieces came only with the end");
    }
    assert_eq!(answer.await.unwrap().unwrap().output, "0 1 2 3 4 ");
    assert!(begin.elapsed() >= Duration::from_millis(600));
}

#[tokio::test]
async fn a_heap_of_small_frames_is_few_events() {
    let bench = bench();
    let agent = bench.agent("letters", "");
    let (recorder, cx) = Recorder::new();
    let result = bench.deployer.invoke(question(&agent, "letters 100000"), cx).await.unwrap();
    assert_eq!((result.output.len(), recorder.text().len()), (100_000, 100_000));
    assert!(recorder.events().len() < 2000, "{}", recorder.events().len());
}

#[tokio::test]
async fn a_cancelled_request_leaves_the_agent_at_once() {
    let bench = bench();
    let agent = bench.agent("left", "");
    let note = agent.state_dir.join("home/gone");
    let (recorder, cx) = Recorder::new();
    let (deployer, request) = (bench.deployer.clone(), question(&agent, &format!("notice {}", note.display())));
    let answer = tokio::spawn(async move { deployer.invoke(request, cx).await });
    eventually("text", async || !recorder.text().is_empty()).await;
    let begin = Instant::now();
    recorder.cancel();
    let failure = answer.await.unwrap().unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(2));
    assert_eq!(failure, nexus_plugin_api::payload::Failure::cancelled());
    eventually("the agent sees its client leave", async || note.exists()).await;
    assert_eq!(bench.status(&agent).await.details["requests_running"], 0);
}

#[tokio::test]
async fn many_requests_run_at_once() {
    let bench = bench();
    let agent = bench.agent("crowd", "");
    bench.deploy(&agent).await.unwrap();
    let begin = Instant::now();
    let mut asks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (deployer, request) = (bench.deployer.clone(), question(&agent, "pid 0.5"));
        asks.spawn(async move { deployer.invoke(request, Recorder::new().1).await.unwrap().output });
    }
    let pids = asks.join_all().await;
    assert!(begin.elapsed() < Duration::from_secs(8), "they ran one after the other");
    assert!(pids.iter().all(|pid| *pid == pids[0]));
}
