//! Asking a runtime: what it says comes as it comes, and what goes wrong is told in words.

use std::time::Duration;

use nexus_plugin_api::{
    DeployHandler as _,
    payload::{Failure, FailureKind, InvokeRequest, InvokeResult},
    sdk::testing::Recorder,
};
use serde_json::{Value, json};

use super::World;

const SESSION: &str = "sess_0123456789abcdef0000000000000000";

async fn deployed() -> World {
    let mut world = World::new().await;
    world.deploy().await.unwrap();
    world
}

fn request(world: &World, session: &str) -> InvokeRequest {
    serde_json::from_value(json!({"agent": world.agent(), "session_id": session, "input_text": "hello"})).unwrap()
}

async fn ask(world: &World) -> (Result<InvokeResult, Failure>, Recorder) {
    let (recorder, cx) = Recorder::new();
    (world.deployer().invoke(request(world, SESSION), cx).await, recorder)
}

fn text(text: &str) -> Value {
    json!({"event": "message", "type": "text", "data": text})
}

#[tokio::test]
async fn an_answer_comes_piece_by_piece() {
    let world = deployed().await;
    let metrics = json!({"event": "metrics", "data": {"input_tokens": 3, "output_tokens": 5, "model_id": "m"}});
    world.double.lock().answer = vec![text("one "), 200.into(), text("two"), metrics, json!({"event": "done"})];
    let (answer, recorder) = ask(&world).await;
    let answer = answer.unwrap();
    assert_eq!((answer.output.as_str(), answer.usage.output_tokens), ("one two", 5));
    assert_eq!(recorder.events().len(), 2, "{:?}", recorder.events());
    let state = world.double.lock();
    let (heads, body) = &state.asked[0];
    assert_eq!(heads["x-amzn-bedrock-agentcore-runtime-session-id"], SESSION);
    assert!(
        heads["uri"].ends_with("/invocations?qualifier=DEFAULT") && heads["uri"].contains("arn%3Aaws%3A"),
        "{heads:?}"
    );
    assert!(heads["authorization"].starts_with("AWS4-HMAC-SHA256 Credential=123456789012/"), "{heads:?}");
    assert_eq!(body["prompt"], "hello");
}

#[tokio::test]
async fn silence_is_borne_as_long_as_the_settings_say() {
    let mut world = deployed().await;
    world.set("idle_timeout_secs", 1);
    world.double.lock().answer = vec![text("one"), 400.into(), text(" two"), 400.into(), json!({"event": "done"})];
    assert_eq!(ask(&world).await.0.unwrap().output, "one two");
    world.double.lock().answer = vec![text("one"), 60_000.into()];
    let failure = ask(&world).await.0.unwrap_err();
    assert!(failure.kind == FailureKind::Transient && failure.message.contains("idle_timeout_secs"), "{failure}");
}

#[tokio::test]
async fn a_connection_that_is_lost_in_mid_answer_is_told_with_what_was_said() {
    let world = deployed().await;
    world.double.lock().answer = vec![text("one"), 50.into(), Value::Null];
    let (answer, recorder) = ask(&world).await;
    let failure = answer.unwrap_err();
    assert!(failure.kind == FailureKind::Transient && failure.message.contains("broke off its answer"), "{failure}");
    assert_eq!(recorder.text(), "one");
    // Also where the stream just ends.
    world.double.lock().answer = vec![text("one")];
    assert!(ask(&world).await.0.unwrap_err().message.contains("without its last frame"));
    // And what the agent itself reports in the stream.
    world.double.lock().answer = vec![json!({"error": "no", "error_type": "ValueError", "message": "no such thing"})];
    assert!(ask(&world).await.0.unwrap_err().message.contains("reported ValueError: no such thing"));
}

#[tokio::test]
async fn every_refusal_is_told_and_those_that_pass_are_tried_again() {
    let world = deployed().await;
    world.double.lock().answer = vec![text("one"), json!({"event": "done"})];
    for (status, code) in [(409, "RetryableConflictException"), (429, "ThrottlingException")] {
        world.double.lock().faults.extend([("POST /runtimes/arn", status, code); 2]);
        assert_eq!(ask(&world).await.0.unwrap().output, "one", "{code}");
    }
    for (status, code, kind, told) in [
        (402, "ServiceQuotaExceededException", FailureKind::Permanent, "quota"),
        (403, "AccessDeniedException", FailureKind::Permanent, "resources policy"),
        (404, "ResourceNotFoundException", FailureKind::Permanent, "deploy the agent again"),
        (424, "RuntimeClientError", FailureKind::Permanent, "CloudWatch"),
        (400, "ValidationException", FailureKind::Permanent, "as the test wants"),
        (500, "InternalServerException", FailureKind::Transient, "later"),
    ] {
        world.double.lock().faults.push_back(("POST /runtimes/arn", status, code));
        let failure = ask(&world).await.0.unwrap_err();
        assert!(failure.kind == kind && failure.message.contains(told), "{code}: {failure}");
    }
}

#[tokio::test]
async fn a_runtime_that_wants_tokens_gets_one_and_no_signature() {
    let mut world = deployed().await;
    let file = world.path().join("token");
    std::fs::write(&file, "eyJ.one.x\n").unwrap();
    world.set("bearer_file", file.to_str().unwrap());
    world.double.lock().answer = vec![json!({"event": "done"})];
    ask(&world).await.0.unwrap();
    std::fs::write(&file, "eyJ.two.x").unwrap();
    ask(&world).await.0.unwrap();
    {
        let state = world.double.lock();
        let sent: Vec<&str> = state.asked.iter().map(|(heads, _)| heads["authorization"].as_str()).collect();
        assert_eq!(sent, ["Bearer eyJ.one.x", "Bearer eyJ.two.x"]);
    }
    std::fs::write(&file, "no\ntoken").unwrap();
    assert!(ask(&world).await.0.unwrap_err().message.contains("bearer_file"));
}

#[tokio::test]
async fn sessions_are_as_long_as_agentcore_wants_them_and_stay_the_same() {
    let world = deployed().await;
    world.double.lock().answer = vec![json!({"event": "done"})];
    for session in ["s1", "s1", "s2"] {
        let (_recorder, cx) = Recorder::new();
        world.deployer().invoke(request(&world, session), cx).await.unwrap();
    }
    let state = world.double.lock();
    let ids: Vec<&String> =
        state.asked.iter().map(|(heads, _)| &heads["x-amzn-bedrock-agentcore-runtime-session-id"]).collect();
    assert!(ids[0].len() >= 33 && ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[tokio::test]
async fn a_cancelled_question_closes_the_connection() {
    let world = deployed().await;
    world.double.lock().answer = vec![text("one"), 60_000.into()];
    let (recorder, cx) = Recorder::new();
    let deployer = world.deployer();
    let asking = deployer.invoke(request(&world, SESSION), cx);
    tokio::pin!(asking);
    let ended = loop {
        tokio::select! {
            result = &mut asking => break result,
            () = tokio::time::sleep(Duration::from_millis(5)), if !recorder.text().is_empty() => recorder.cancel(),
            () = tokio::task::yield_now() => {}
        }
    };
    assert_eq!(ended.unwrap_err().kind, FailureKind::Cancelled);
}

#[tokio::test]
async fn an_agent_without_a_runtime_says_so() {
    let world = World::new().await;
    assert!(ask(&world).await.0.unwrap_err().message.contains("deploy it"));
}
