//! Agents that crash, hang, answer garbage or too much.

use std::time::{Duration, Instant};

use nexus_deploy_local::Settings;
use nexus_plugin_api::{
    DeployHandler,
    payload::{AgentState, FailureKind},
    sdk::testing::Recorder,
};

use crate::bench::*;

#[tokio::test]
async fn a_crash_at_start_is_reported_with_its_output() {
    let bench = bench();
    let agent = bench.agent("stillborn", "crash");
    let failure = bench.deploy(&agent).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert!(failure.message.contains("crashed while starting: exit status: 7"), "{failure}");
    assert!(failure.message.contains("no module named wisdom"), "{failure}");
    let status = bench.status(&agent).await;
    assert_eq!(status.state, AgentState::Error);
    assert!(status.message.contains("no module named wisdom"), "{status:?}");
}

#[tokio::test]
async fn a_hang_at_start_is_ended() {
    let bench = bench_with(Settings { ready_timeout_secs: 3, ..settings() });
    for (start, says) in [("hang", "listens on no port"), ("deaf", "/ping"), ("unhealthy", "HTTP status 500")] {
        let agent = bench.agent(start, start);
        let failure = bench.deploy(&agent).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient);
        assert!(failure.message.contains("not ready within 3 seconds"), "{failure}");
        if start != "deaf" {
            assert!(failure.message.contains(says), "{failure}");
        }
        eventually("no process is left", async || starts(&agent).iter().all(|pid| !is_alive(*pid))).await;
    }
}

#[tokio::test]
async fn a_missing_agent_or_interpreter_is_permanent() {
    let bench = bench();
    let mut agent = bench.agent("missing", "");
    agent.agent_dir = "/nowhere".into();
    let failure = bench.deploy(&agent).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert!(failure.message.contains("/nowhere does not exist"), "{failure}");

    let bench = bench_with(Settings { python: "/no/python".into(), ..settings() });
    let failure = bench.deploy(&bench.agent("nothing", "")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert!(failure.message.contains("/no/python"), "{failure}");
}

#[tokio::test]
async fn a_crash_in_mid_answer_is_told_apart_from_an_answer() {
    let bench = bench();
    let agent = bench.agent("breaks", "");
    let (recorder, cx) = Recorder::new();
    let failure = bench.deployer.invoke(question(&agent, "crash"), cx).await.unwrap_err();
    assert_eq!(recorder.text(), "so far ");
    assert_eq!(failure.kind, FailureKind::Transient);
    assert!(failure.message.contains("crashed while answering: exit status: 3"), "{failure}");
    // What it printed may be another session's: it is for the log, and not for who asked.
    assert!(!failure.message.contains("the puppet breaks"), "{failure}");
    assert!(failure.details.as_deref().is_some_and(|details| details.contains("the puppet breaks")), "{failure:?}");
    // The next request waits for the restart and is answered.
    assert_eq!(bench.output(&agent, "plain again").await, "again");
    assert_eq!(starts(&agent).len(), 2);
}

#[tokio::test]
async fn a_silent_agent_is_given_up() {
    let bench = bench_with(Settings { idle_timeout_secs: 2, ..settings() });
    let agent = bench.agent("silent", "");
    for prompt in ["hang", "stall"] {
        let failure = bench.ask(&agent, prompt).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient);
        assert!(failure.message.contains("was silent for 2 seconds"), "{failure}");
    }
    // It still answers others, so it was left alone.
    assert_eq!(bench.output(&agent, "plain well").await, "well");
    assert_eq!(starts(&agent).len(), 1);
}

#[tokio::test]
async fn a_frozen_agent_is_restarted() {
    let bench = bench_with(Settings { idle_timeout_secs: 2, ..settings() });
    let agent = bench.agent("frozen", "");
    let failure = bench.ask(&agent, "freeze").await.unwrap_err();
    assert!(failure.message.contains("is restarted"), "{failure}");
    assert_eq!(bench.output(&agent, "plain well").await, "well");
    assert!(!is_alive(starts(&agent)[0]));
}

#[tokio::test]
async fn an_endless_answer_ends() {
    let bench = bench_with(Settings { invoke_timeout_secs: 1, ..settings() });
    let agent = bench.agent("endless", "");
    let begin = Instant::now();
    let failure = bench.ask(&agent, "forever").await.unwrap_err();
    assert!(failure.message.contains("did not finish its answer within 1 seconds"), "{failure}");
    assert!(begin.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn garbage_is_called_garbage() {
    let bench = bench();
    let agent = bench.agent("garbage", "");
    for kind in ["http", "json", "binary", "frame", "head"] {
        let failure = bench.ask(&agent, &format!("garbage {kind}")).await.unwrap_err();
        assert!(failure.message.contains("answered garbage"), "{kind}: {failure}");
        assert_eq!(failure.kind, FailureKind::Permanent);
        assert!(failure.message.len() < 4000);
    }
    let failure = bench.ask(&agent, "garbage length").await.unwrap_err();
    assert!(failure.message.contains("broke off its answer"), "{failure}");
    let failure = bench.ask(&agent, "cut").await.unwrap_err();
    assert!(failure.message.contains("broke off its answer"), "{failure}");
    assert_eq!(starts(&agent).len(), 1);
}

#[tokio::test]
async fn too_much_is_cut_off() {
    let bench = bench_with(Settings { max_answer_bytes: 3 * 1024 * 1024, ..settings() });
    let agent = bench.agent("floods", "");
    for kind in ["text", "line", "frames"] {
        let failure = bench.ask(&agent, &format!("flood {kind}")).await.unwrap_err();
        assert!(failure.message.contains("answered more than"), "{kind}: {failure}");
    }
    assert_eq!(bench.output(&agent, "plain calm").await, "calm");
}

#[tokio::test]
async fn the_agents_own_failures_come_through() {
    let bench = bench();
    let agent = bench.agent("reports", "");
    let failure = bench.ask(&agent, "report ValueError").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert!(failure.message.contains("reported ValueError: it went wrong"), "{failure}");
    assert_eq!(bench.ask(&agent, "report ThrottlingException").await.unwrap_err().kind, FailureKind::Transient);
    let failure = bench.ask(&agent, "status 400").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidInput);
    assert!(failure.message.contains("HTTP status 400: BadRequest: not like this"), "{failure}");
    assert_eq!(bench.ask(&agent, "status 503").await.unwrap_err().kind, FailureKind::Transient);
    assert_eq!(bench.ask(&agent, "status 500").await.unwrap_err().kind, FailureKind::Permanent);
    let mut odd = question(&agent, "plain x");
    odd.session_id = "line\nbreak".into();
    let failure = bench.deployer.invoke(odd, Recorder::new().1).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::InvalidInput);
}

#[tokio::test]
async fn too_many_crashes_end_in_error_until_the_cool_down_is_over() {
    let bench = bench_with(Settings { crash_budget: 2, cool_down_secs: 1, ..settings() });
    let agent = bench.agent("hopeless", "");
    for _ in 0..2 {
        bench.ask(&agent, "crash").await.unwrap_err();
    }
    eventually("state error", async || bench.status(&agent).await.state == AgentState::Error).await;
    let status = bench.status(&agent).await;
    assert!(status.message.contains("too many crashes") && status.message.contains("the puppet breaks"), "{status:?}");
    let refused = bench.ask(&agent, "plain x").await.unwrap_err();
    assert!(refused.message.contains("tried again after"), "{refused}");
    assert_eq!(starts(&agent).len(), 2);
    eventually("the cool-down ends", async || bench.ask(&agent, "plain x").await.is_ok()).await;
    assert_eq!(bench.status(&agent).await.state, AgentState::Running);
}
