//! What a model or its server does wrong ends in the right failure, or in an answer after all.

use std::time::{Duration, Instant};

use nexus_plugin_api::{
    payload::FailureKind,
    sdk::{StageHandler as _, testing::Recorder},
};
use serde_json::json;

use crate::{
    answers::{REQUIREMENT, good},
    build::{Build, stage},
    double::{Double, Reply, says},
};

const OVERLOADED: &str = r#"{"error":{"message":"busy","code":"overloaded"}}"#;

/// The first stage against a double that says this to its first questions, and what is right after that.
async fn first_stage(
    replies: &'static [fn() -> Reply],
) -> (Build, Double, Result<(), nexus_plugin_api::payload::Failure>) {
    let double =
        Double::start(move |object, number, _| replies.get(number).map_or_else(|| good(object), |reply| reply())).await;
    let mut build = Build::new(REQUIREMENT, Some(double.access()));
    let result = build.stage(stage("orchestrator")).await;
    (build, double, result)
}

#[tokio::test]
async fn mistakes_are_shown_once_and_mended() {
    let (build, double, result) =
        first_stage(&[|| says(&json!({ "summary": "It states the figure 4711.", "assumptions": "none" }))]).await;
    result.unwrap();
    let requests = double.requests("plan");
    let shown = requests[1]["messages"].to_string();
    // The exact mistakes, and the answer that has them.
    assert!(shown.contains("/assumptions") && shown.contains("not of type") && shown.contains("4711"), "{shown}");
    assert_eq!(build.tokens(), double.tokens());

    let (_, double, result) = first_stage(&[|| {
        Reply::Says(
            "Sure! ```json\n{\"summary\": \"A gym's helper.\", \"assumptions\": [\"People ask it.\",],}\n``` Done."
                .into(),
        )
    }])
    .await;
    result.unwrap();
    assert_eq!(double.asked().len(), 1, "wrapped and with commas too many, but right");
}

#[tokio::test]
async fn what_stays_unusable_is_a_failure_that_another_attempt_may_cure() {
    for replies in [
        &[(|| Reply::Says("{\"summary\": ".into())) as fn() -> Reply, || Reply::Says("I am not sure.".into())],
        &[|| says(&json!({ "summary": "x" })), || says(&json!({}))],
        &[|| Reply::TooLong("{\"summary\": \"A".into()), || Reply::TooLong("{\"summary\": \"B".into())],
        &[
            || says(&json!({ "summary": "It has 4711 members.", "assumptions": ["Yes, it has."] })),
            || says(&json!({ "summary": "It has 4711 members.", "assumptions": ["Yes, it has."] })),
        ],
    ] {
        let (build, double, result) = first_stage(replies).await;
        let failure = result.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
        assert!(failure.message.contains("orchestrator") && failure.details.is_some(), "{failure:?}");
        // Paid for, and told.
        assert_eq!(build.tokens(), double.tokens());
        assert!(build.tokens().0 > 0);
    }
}

#[tokio::test]
async fn a_server_that_breaks_off_is_asked_again_and_a_dead_one_is_told() {
    let (_, double, result) = first_stage(&[|| Reply::Cut("{\"summary\": \"A help".into())]).await;
    result.unwrap();
    assert_eq!(double.asked().len(), 2);
    let (_, double, result) = first_stage(&[|| match good("plan") {
        Reply::Says(text) => Reply::NoReason(text),
        other => other,
    }])
    .await;
    result.unwrap();
    assert_eq!(double.asked().len(), 2, "an answer without a reason of its end is none");

    static STORM: [fn() -> Reply; 9] = [|| Reply::Refuses(503, OVERLOADED); 9];
    let (_, _, result) = first_stage(&STORM).await;
    assert_eq!(result.unwrap_err().kind, FailureKind::Transient);
    static LIMITED: [fn() -> Reply; 9] =
        [|| Reply::Refuses(429, r#"{"error":{"message":"slow down","code":"rate_limited"}}"#); 9];
    let (_, _, result) = first_stage(&LIMITED).await;
    assert_eq!(result.unwrap_err().kind, FailureKind::Transient);
    let (_, double, result) = first_stage(&[|| Reply::Refuses(503, OVERLOADED)]).await;
    result.unwrap();
    assert_eq!(double.asked().len(), 2, "a short storm passes within the stage");
}

#[tokio::test]
async fn what_no_retry_cures_says_so() {
    let (_, double, result) = first_stage(&[|| {
        Reply::Refuses(
            402,
            r#"{"error":{"message":"budget_exhausted: the budget of the project","code":"budget_exhausted"}}"#,
        )
    }])
    .await;
    let failure = result.unwrap_err();
    assert_eq!((failure.kind, double.asked().len()), (FailureKind::BudgetExhausted, 1), "{failure}");
    assert!(failure.message.contains("the budget of the project"), "{failure}");
    let (_, _, result) =
        first_stage(&[|| Reply::Refuses(404, r#"{"error":{"message":"no model","code":"unknown_model"}}"#)]).await;
    assert_eq!(result.unwrap_err().kind, FailureKind::Permanent);
    static OVERFLOW: [fn() -> Reply; 3] =
        [|| Reply::Refuses(400, r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#); 3];
    let (_, double, result) = first_stage(&OVERFLOW).await;
    assert_eq!((result.unwrap_err().kind, double.asked().len()), (FailureKind::Permanent, 2));
    let (build, _, result) = first_stage(&OVERFLOW[..1]).await;
    result.unwrap();
    assert!(build.log().contains("too long for the model"), "{}", build.log());
}

#[tokio::test]
async fn a_stop_in_mid_stream_reaches_the_server_at_once() {
    let double = Double::start(|_, _, _| Reply::Hangs).await;
    let build = Build::new(REQUIREMENT, Some(double.access()));
    let (recorder, cx) = Recorder::new();
    let (handler, request) = (build.handler(stage("orchestrator")), build.request(stage("orchestrator")));
    let running = tokio::spawn(async move { handler.run(request, cx).await });
    let mut hanging = double.hanging.lock().await;
    hanging.recv().await.unwrap();
    let stopped = Instant::now();
    recorder.cancel();
    assert_eq!(running.await.unwrap().unwrap_err().kind, FailureKind::Cancelled);
    let left = hanging.recv().await.unwrap();
    assert!(left.duration_since(stopped) < Duration::from_millis(500), "{:?}", left.duration_since(stopped));
}
