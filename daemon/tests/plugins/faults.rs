//! Plugins that do wrong while they run. Each time the daemon stays up, the job ends with an error
//! that says what happened, and other jobs of the same plugin go on.

use std::time::{Duration, Instant};

use nexus_daemon::plugins::{JobError, PluginState, Plugins};
use nexus_plugin_api::payload::{Event, FailureKind, HandlerKind, Operation};
use serde_json::{Value, json};

use crate::place::*;

/// Runs a job of the C plugin to its end.
async fn c(plugins: &Plugins, what: &str) -> Result<Value, JobError> {
    let job = stage_handler(plugins, "cfaulty/do").start(stage(json!({"do": what}))).await?;
    within(5, job.outcome()).await
}

async fn c_place() -> (Place, Plugins) {
    let place = Place::new();
    faulty_c(&place, "cfaulty", &[]);
    let plugins = place.load().await;
    (place, plugins)
}

/// The plugin still works, and has broken so many rules.
async fn goes_on(plugins: &Plugins, violations: std::ops::RangeInclusive<u64>) {
    assert_eq!(c(plugins, "nothing").await.unwrap(), json!(1));
    let report = &plugins.reports()[0];
    assert!(violations.contains(&report.violations), "{} violations, expected {violations:?}", report.violations);
    assert_eq!(report.state, PluginState::Loaded);
}

#[tokio::test]
async fn panics_in_every_entry_of_a_handler_are_failures_with_their_message() {
    let plugins = Place::new().with("faulty").load().await;
    for (what, message) in [
        ("panic", "run says no"),
        ("panic-static", "run says static"),
        ("panic-number", "panicked with a value that is no text"),
        ("panic-spiteful", "panicked with a value that is no text"),
        ("panic-in-drop", "the panic's value panics"),
    ] {
        let error = outcome(&plugins, what).await.unwrap_err();
        assert!(
            matches!(&error, JobError::Panicked { plugin, message: m } if plugin == "faulty" && m == message),
            "{error}"
        );
        assert!(!error.retryable());
    }
    assert!(matches!(outcome(&plugins, "panic-in-task").await, Err(JobError::Failed(f)) if f.message == "Err(true)"));
    let deploy = plugins.resolve("faulty/deploy", HandlerKind::Deploy).unwrap();
    for operation in [Operation::Deploy(agent()), Operation::Undeploy(agent()), Operation::Status(agent())] {
        let error = within(5, deploy.start(operation).await.unwrap().outcome()).await.unwrap_err();
        assert_eq!(error.kind(), "plugin_panicked", "{error}");
    }
    assert_eq!(plugins.reports()[0].panics, 8);
    assert!(outcome(&plugins, "nothing").await.is_ok());
}

#[tokio::test]
async fn failures_keep_their_kind_and_details() {
    let plugins = Place::new().with("faulty").load().await;
    let error = outcome(&plugins, "fail").await.unwrap_err();
    assert_eq!((error.kind(), error.retryable(), error.details()), ("transient", true, Some("the operator's part")));
    let error = outcome(&plugins, "invalid").await.unwrap_err();
    assert_eq!((error.kind(), error.retryable()), ("invalid_input", false));
    let error = outcome(&plugins, "uncancelled").await.unwrap_err();
    assert!(error.to_string().contains("nobody had asked it to"), "{error}");
}

#[tokio::test]
async fn a_job_that_ignores_its_cancel_is_stuck_after_the_grace_and_too_many_degrade_the_plugin() {
    let mut place = Place::new().with("faulty");
    place.options.max_stuck = 1;
    place.options.max_jobs = 1;
    let plugins = place.load().await;
    for stuck in 1..=2 {
        let mut job = faulty(&plugins, json!({"do": "hang"})).await;
        // A job that has not begun when it is cancelled just never begins.
        within(5, job.next_event()).await.unwrap();
        let canceller = job.canceller();
        let since = Instant::now();
        canceller.cancel();
        let error = within(5, job.outcome()).await.unwrap_err();
        assert!(matches!(error, JobError::Stuck { .. }), "{error}");
        assert!(error.to_string().contains("is stuck: it did not end after the cancel within 300ms"), "{error}");
        assert!((250..2000).contains(&since.elapsed().as_millis()));
        assert_eq!(plugins.reports()[0].jobs_stuck, stuck);
    }
    let handler = stage_handler(&plugins, "faulty/do");
    let error = handler.start(stage(Value::Null)).await.unwrap_err();
    assert_eq!((error.kind(), error.retryable()), ("plugin_degraded", true));
    let report = &plugins.reports()[0];
    assert_eq!((report.state, report.jobs_running), (PluginState::Degraded, 0));
    assert!(report.reason.as_ref().unwrap().contains("2 of its jobs are stuck"));
    // A repaired file is a new generation with a clean record.
    let place = place.setting("faulty", json!({"label": "repaired"}));
    plugins.reload(place.options.clone()).await;
    assert!(outcome(&plugins, "nothing").await.is_ok());
}

#[tokio::test]
async fn a_plugin_that_blocks_all_its_threads_blocks_nobody_else() {
    let plugins = Place::new().with("faulty").with("noop").load().await;
    let mut stuck = Vec::new();
    for _ in 0..4 {
        stuck.push(faulty(&plugins, json!({"do": "block"})).await);
    }
    let noop = stage_handler(&plugins, "noop/noop");
    for _ in 0..100 {
        within(5, noop.start(stage(Value::Null)).await.unwrap().outcome()).await.unwrap();
    }
    for job in stuck {
        job.canceller().cancel();
        assert!(matches!(within(5, job.outcome()).await, Err(JobError::Stuck { .. })));
    }
}

#[tokio::test]
async fn a_stuck_job_that_ends_after_all_is_no_longer_counted() {
    let (_place, plugins) = c_place().await;
    let mut job = stage_handler(&plugins, "cfaulty/do").start(stage(json!({"do": "done-late"}))).await.unwrap();
    within(5, job.next_event()).await.unwrap();
    job.canceller().cancel();
    assert!(matches!(within(5, job.outcome()).await, Err(JobError::Stuck { .. })));
    assert_eq!(plugins.reports()[0].jobs_stuck, 1);
    until("the late `done`", || plugins.reports()[0].jobs_stuck == 0).await;
    goes_on(&plugins, 0..=0).await;
    assert_eq!(c(&plugins, "counts").await.unwrap()["twice"], json!(0));
}

#[tokio::test]
async fn floods_wait_for_their_reader_and_end_when_nobody_reads() {
    let plugins = Place::new().with("faulty").load().await;
    let mut job = faulty(&plugins, json!({"do": "flood", "events": 50_000})).await;
    let events = within(20, events(&mut job)).await;
    assert_eq!(events.len(), 50_000);
    assert!(job.outcome().await.is_ok());
    // Eight threads against a reader that goes away: dropping the job releases them all.
    for _ in 0..20 {
        let mut job = faulty(&plugins, json!({"do": "flood-threads"})).await;
        let _ = within(5, job.next_event()).await;
    }
    until("the jobs are over", || plugins.reports()[0].jobs_running == 0).await;
    assert!(outcome(&plugins, "nothing").await.is_ok());
}

#[tokio::test]
async fn readers_that_do_not_read_do_not_hold_up_the_plugin() {
    let plugins = Place::new().with("faulty").load().await;
    // More than the plugin's runtime has threads, each waiting for its reader.
    let mut slow = Vec::new();
    for _ in 0..6 {
        slow.push(faulty(&plugins, json!({"do": "flood", "events": 1000})).await);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(outcome(&plugins, "nothing").await.is_ok());
    for mut job in slow {
        assert_eq!(within(5, events(&mut job)).await.len(), 1000);
    }
}

#[tokio::test]
async fn a_failure_with_a_long_message_is_clipped() {
    let plugins = Place::new().with("faulty").load().await;
    let error = within(5, faulty(&plugins, json!({"do": "fail-long"})).await.outcome()).await.unwrap_err();
    assert!(error.to_string().len() < 5000 && error.to_string().starts_with("ööö"));
}

#[tokio::test]
async fn payloads_that_are_too_large_are_refused_without_reading_them() {
    let plugins = Place::new().with("faulty").load().await;
    let job = faulty(&plugins, json!({"do": "huge", "bytes": 100 << 20})).await;
    let error = within(30, job.outcome()).await.unwrap_err();
    assert!(
        matches!(error, JobError::Violation { .. }) && error.to_string().contains("16777216 are allowed"),
        "{error}"
    );
    let mut job = faulty(&plugins, json!({"do": "huge-event", "bytes": 100 << 20})).await;
    let events = within(30, events(&mut job)).await;
    assert!(
        matches!(&events[..], [Event::Log { message, .. }] if message.contains("1048576 are allowed")),
        "{events:?}"
    );
    assert!(job.outcome().await.is_ok());
    assert_eq!(plugins.reports()[0].violations, 2);

    let (_place, plugins) = c_place().await;
    let error = c(&plugins, "result-100mb").await.unwrap_err();
    assert!(error.to_string().contains("a result of 104857600 bytes; 16777216 are allowed"), "{error}");
    assert_eq!(c(&plugins, "result-15mb").await.unwrap().as_str().unwrap().len(), (15 << 20) - 2);
    goes_on(&plugins, 1..=1).await;
}

#[tokio::test]
async fn results_that_are_no_json_are_violations() {
    let (_place, plugins) = c_place().await;
    for what in ["result-invalid", "result-not-utf8", "result-empty", "result-deep", "status-unknown"] {
        let error = c(&plugins, what).await.unwrap_err();
        assert!(matches!(error, JobError::Violation { .. }), "{what}: {error}");
        assert!(!error.retryable() && error.to_string().len() < 400, "{error}");
    }
    let error = c(&plugins, "failed-garbage").await.unwrap_err();
    assert!(matches!(&error, JobError::Failed(f) if f.kind == FailureKind::Permanent), "{error}");
    assert_eq!(error.to_string(), "the plugin failed saying \"core dumped\"");
    assert_eq!(c(&plugins, "failed-empty").await.unwrap_err().to_string(), "the plugin failed without saying why");
    assert!(matches!(c(&plugins, "panicked").await, Err(JobError::Panicked { .. })));
    goes_on(&plugins, 5..=5).await;
}

#[tokio::test]
async fn events_that_are_no_events_are_dropped_and_said_once() {
    let (_place, plugins) = c_place().await;
    let mut job = stage_handler(&plugins, "cfaulty/do").start(stage(json!({"do": "events-bad"}))).await.unwrap();
    let events = within(5, events(&mut job)).await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(
        matches!(&events[0], Event::Log { message, .. } if message.starts_with("dropped an event that cannot be read"))
    );
    assert_eq!(events[1], Event::Text { delta: "good".into() });
    assert_eq!(job.outcome().await.unwrap(), json!(1));
    goes_on(&plugins, 1004..=1004).await;
}

#[tokio::test]
async fn done_twice_late_events_and_foreign_tokens_are_harmless() {
    let (_place, plugins) = c_place().await;
    assert_eq!(c(&plugins, "done-twice").await.unwrap(), json!(1), "the first counts");
    until("the second", || plugins.reports()[0].violations == 1).await;
    assert_eq!(c(&plugins, "late-threads").await.unwrap(), json!(1));
    until("16,000 late calls each", || plugins.reports()[0].violations > 31_000).await;
    assert_eq!(c(&plugins, "tokens-of-others").await.unwrap(), json!(1));
    goes_on(&plugins, 31_000..=33_000).await;
}

#[tokio::test]
async fn done_inside_start_and_null_handles_work() {
    let (_place, plugins) = c_place().await;
    let handler = stage_handler(&plugins, "cfaulty/do");
    let mut job = handler.start(stage(json!({"do": "done-in-start"}))).await.unwrap();
    assert_eq!(within(5, events(&mut job)).await, [Event::Text { delta: "first".into() }]);
    assert_eq!(job.outcome().await.unwrap(), json!(1));
    assert_eq!(c(&plugins, "null-handle").await.unwrap(), json!(1));
    let mut job = handler.start(stage(json!({"do": "flood-in-start"}))).await.unwrap();
    // The lane does not wait for us: another job runs meanwhile.
    assert_eq!(c(&plugins, "nothing").await.unwrap(), json!(1));
    assert_eq!(within(5, events(&mut job)).await.len(), 256);
    assert_eq!(job.outcome().await.unwrap(), json!(1));
    goes_on(&plugins, 9744..=9744).await;
    // All but the null handle and this job itself.
    until_counts(&plugins, "destroyed", 4).await;
}

async fn until_counts(plugins: &Plugins, what: &str, count: i64) {
    let mut counts = Value::Null;
    for _ in 0..100 {
        counts = c(plugins, "counts").await.unwrap();
        assert_eq!(counts["twice"], json!(0), "destroyed twice");
        if counts[what].as_i64().unwrap() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} never reached {count}: {counts}");
}

#[tokio::test]
async fn a_start_that_refuses_never_began() {
    let (_place, plugins) = c_place().await;
    let error = c(&plugins, "start-refuses").await.unwrap_err();
    assert_eq!(error.to_string(), "plugin cfaulty refused the job with code 42");
    assert_eq!(c(&plugins, "start-refuses-after-done").await.unwrap(), json!(1), "`done` came first");
    goes_on(&plugins, 1..=1).await;
}

#[tokio::test]
async fn done_never_is_ended_by_cancel_and_grace() {
    let (_place, plugins) = c_place().await;
    for what in ["done-never", "done-never-cancel-hangs"] {
        let mut job = stage_handler(&plugins, "cfaulty/do").start(stage(json!({"do": what}))).await.unwrap();
        let waited = tokio::time::timeout(Duration::from_millis(100), job.next_event()).await;
        assert!(what != "done-never" || waited.is_err(), "nothing happens by itself");
        job.canceller().cancel();
        if what == "done-never" {
            assert!(matches!(within(5, job.outcome()).await, Err(JobError::Stuck { .. })));
        }
    }
    goes_on(&plugins, 0..=0).await;
}

#[tokio::test]
async fn calls_that_hang_cost_a_thread_each_until_the_plugin_is_broken() {
    let (place, plugins) = c_place().await;
    let error = c(&plugins, "start-hangs").await.unwrap_err();
    assert!(error.to_string().contains("is stuck: `start` did not return within 1s"), "{error}");
    goes_on(&plugins, 0..=0).await;
    // Jobs that wait behind a hanging call are only late.
    let handler = stage_handler(&plugins, "cfaulty/do");
    let hanging = handler.start(stage(json!({"do": "start-hangs"}))).await.unwrap();
    let behind = handler.start(stage(json!({"do": "nothing"}))).await.unwrap();
    assert_eq!(within(5, behind.outcome()).await.unwrap(), json!(1));
    assert!(hanging.outcome().await.is_err());
    assert_eq!(c(&plugins, "destroy-hangs").await.unwrap(), json!(1), "the result is there already");
    tokio::time::sleep(Duration::from_millis(1300)).await;
    goes_on(&plugins, 0..=0).await;
    // The fourth lost thread is the last.
    let hanging = handler.start(stage(json!({"do": "start-hangs"}))).await.unwrap();
    let behind = handler.start(stage(json!({"do": "nothing"}))).await.unwrap();
    assert_eq!(within(5, behind.outcome()).await.unwrap_err().kind(), "plugin_broken");
    assert!(matches!(hanging.outcome().await, Err(JobError::Stuck { .. })));
    let since = Instant::now();
    assert_eq!(c(&plugins, "nothing").await.unwrap_err().kind(), "plugin_broken");
    assert!(since.elapsed() < Duration::from_millis(100), "fails fast");
    let report = &plugins.reports()[0];
    assert_eq!(report.state, PluginState::Broken);
    assert!(report.reason.as_ref().unwrap().contains("4 calls into it never returned"));
    // A repaired file works at once.
    faulty_c(&place, "cfaulty", &["REPAIRED=1", "CONFIGURED"]);
    let place = place.setting("cfaulty", json!({"new": 1}));
    plugins.reload(place.options.clone()).await;
    assert_eq!(c(&plugins, "nothing").await.unwrap(), json!(1));
}

#[tokio::test]
async fn a_slow_start_that_comes_back_is_cleaned_up() {
    let (_place, plugins) = c_place().await;
    let error = c(&plugins, "start-slow").await.unwrap_err();
    assert!(matches!(error, JobError::Stuck { .. }), "{error}");
    until("the job ends after all", || plugins.reports()[0].jobs_stuck == 0).await;
    until_counts(&plugins, "destroyed", 1).await;
}

#[tokio::test]
async fn shutdown_calls_every_plugin_and_waits_no_longer_than_it_may() {
    let place = Place::new().with("faulty").with("noop");
    let marker = place.root.path().join("marker");
    let place = place.setting("faulty", json!({"shutdown_marker": marker, "shutdown": "panic"}));
    let plugins = place.load().await;
    let mut job = faulty(&plugins, json!({"do": "wait"})).await;
    within(5, job.next_event()).await.unwrap();
    let mut hung = faulty(&plugins, json!({"do": "hang"})).await;
    within(5, hung.next_event()).await.unwrap();
    let since = Instant::now();
    within(5, plugins.shutdown(Duration::from_secs(2))).await;
    assert!(since.elapsed() < Duration::from_millis(2500));
    assert!(matches!(within(1, job.outcome()).await, Err(JobError::Cancelled)));
    assert!(matches!(within(1, hung.outcome()).await, Err(JobError::Stuck { .. })));
    assert_eq!(std::fs::read_to_string(&marker).unwrap(), "shut down");
    let handler = stage_handler(&plugins, "noop/noop");
    assert!(matches!(handler.start(stage(Value::Null)).await, Err(JobError::ShuttingDown)));

    let place = Place::new().with("faulty").setting("faulty", json!({"shutdown": "hang"}));
    let plugins = place.load().await;
    let since = Instant::now();
    within(5, plugins.shutdown(Duration::from_millis(600))).await;
    assert!((500..1500).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
}
