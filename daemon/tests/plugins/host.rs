//! The plugin host with well-behaved plugins: real shared objects, loaded as the daemon loads them.

use nexus_daemon::plugins::{JobError, PluginState, ResolveError};
use nexus_plugin_api::payload::{Event, HandlerKind, InvokeRequest, LogLevel, Operation};
use serde_json::{Value, json};

use crate::place::*;

#[tokio::test]
async fn a_stage_runs_and_its_events_come_before_the_end() {
    let place = Place::new().with("noop").setting("noop", json!({"events": 1000}));
    let plugins = place.load().await;
    let mut job = stage_handler(&plugins, "noop/noop").start(stage(Value::Null)).await.unwrap();
    let events = within(5, events(&mut job)).await;
    assert_eq!(events.len(), 1000, "more than the queue holds, so the plugin waited and nothing was lost");
    assert_eq!(events[999], Event::Tokens { input: 999, output: 1 });
    assert_eq!(job.outcome().await.unwrap()["skipped"], json!(false));
    let report = &plugins.reports()[0];
    assert_eq!((report.name.as_str(), report.generation, report.state), ("noop", 1, PluginState::Loaded));
    assert_eq!((report.jobs_running, report.jobs_total, report.violations), (0, 1, 0));
}

#[tokio::test]
async fn a_deploy_handler_streams_its_answer() {
    let plugins = Place::new().with("noop").load().await;
    let handler = plugins.resolve("noop/noop-deploy", HandlerKind::Deploy).unwrap();
    let mut job = handler.start(question("to be or not")).await.unwrap();
    let told = within(5, events(&mut job)).await;
    assert_eq!(told.iter().filter(|event| matches!(event, Event::Text { .. })).count(), 4, "{told:?}");
    assert_eq!(job.outcome().await.unwrap()["output"], json!("to be or not"));
    for operation in [Operation::Deploy(agent()), Operation::Undeploy(agent()), Operation::Status(agent())] {
        within(5, handler.start(operation).await.unwrap().outcome()).await.unwrap();
    }
    let error = handler.start(stage(Value::Null)).await.unwrap_err();
    assert!(matches!(error, JobError::Unsendable { .. }), "{error}");
}

/// Answers last as long as a conversation: those that nobody reads keep neither the other jobs from their turn, nor
/// whoever asks waiting.
#[tokio::test]
async fn answers_have_a_limit_of_their_own_that_is_told_at_once() {
    let mut place = Place::new().with("noop");
    (place.options.max_jobs, place.options.max_answers) = (1, 2);
    let plugins = place.load().await;
    let handler = plugins.resolve("noop/noop-deploy", HandlerKind::Deploy).unwrap();
    // More events than the queue holds: the plugin waits for a reader.
    let long = || question(&"word ".repeat(1_000));
    let mut first = handler.start(long()).await.unwrap();
    let _second = handler.start(long()).await.unwrap();
    let error = within(1, handler.start(long())).await.unwrap_err();
    assert_eq!((error.kind(), error.retryable()), ("plugin_busy", true));
    assert!(error.to_string().contains("max_answers"), "{error}");
    for _ in 0..3 {
        within(5, handler.start(Operation::Status(agent())).await.unwrap().outcome()).await.unwrap();
    }
    assert_eq!(within(5, events(&mut first)).await.len(), 1_001);
    within(5, first.outcome()).await.unwrap();
    let third = within(1, handler.start(long())).await.unwrap();
    place.options.max_answers = 3;
    plugins.reload(place.options.clone()).await;
    within(1, handler.start(question("hello"))).await.unwrap();
    drop(third);
}

fn question(text: &str) -> Operation {
    Operation::Invoke(Box::new(InvokeRequest {
        agent: agent(),
        session_id: "s".repeat(33),
        input_text: text.into(),
        history: Vec::new(),
        enable_trace: false,
        metadata: Value::Null,
    }))
}

#[tokio::test]
async fn a_job_that_heeds_its_cancel_is_cancelled() {
    let plugins = Place::new().with("faulty").load().await;
    let mut job = faulty(&plugins, json!({"do": "wait"})).await;
    let first = within(5, job.next_event()).await.unwrap();
    assert_eq!(first, Event::Log { level: LogLevel::Info, message: "waiting".into() });
    let canceller = job.canceller();
    canceller.cancel();
    canceller.cancel();
    assert!(matches!(within(5, job.outcome()).await, Err(JobError::Cancelled)));
    assert_eq!(plugins.reports()[0].violations, 0);
}

#[tokio::test]
async fn names_that_lead_nowhere_say_what_is_there() {
    let plugins = Place::new().with("noop").load().await;
    let ask = |name: &str, kind| plugins.resolve(name, kind).unwrap_err().to_string();
    assert_eq!(ask("noop", HandlerKind::Stage), r#""noop" is no handler name: write plugin/handler"#);
    assert_eq!(ask("nop/noop", HandlerKind::Stage), r#"no plugin named "nop" is loaded; did you mean "noop"?"#);
    assert_eq!(ask("noop/nop", HandlerKind::Stage), r#"plugin "noop" has no handler "nop"; did you mean "noop"?"#);
    let wrong = plugins.resolve("noop/noop", HandlerKind::Deploy).unwrap_err();
    assert!(matches!(wrong, ResolveError::WrongKind { .. }));
    assert_eq!(wrong.to_string(), r#""noop/noop" is no deploy handler: it is a stage handler"#);
}
