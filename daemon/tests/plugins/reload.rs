//! Reload: new generations beside running jobs, rollback, and reloads in a loop under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use nexus_daemon::plugins::{JobError, PluginState, Plugins};
use nexus_plugin_api::payload::HandlerKind;
use serde_json::{Value, json};

use crate::{alone::alone, place::*};

async fn label(plugins: &Plugins) -> Value {
    outcome(plugins, "nothing").await.unwrap()["output"]["label"].clone()
}

#[tokio::test]
async fn changed_settings_make_a_new_generation_and_running_jobs_keep_theirs() {
    let place = Place::new().with("faulty").with("noop");
    let marker = place.root.path().join("marker");
    let place = place.setting("faulty", json!({"label": "one", "shutdown_marker": marker}));
    let plugins = place.load().await;
    let old = faulty(&plugins, json!({"do": "late", "ms": 400})).await;
    assert_eq!(old.generation(), 1);

    let place = place.setting("faulty", json!({"label": "two"}));
    plugins.reload(place.options.clone()).await;
    assert_eq!(label(&plugins).await, json!("two"));
    let states: Vec<_> = plugins.reports().into_iter().map(|r| (r.name, r.generation, r.state)).collect();
    assert_eq!(
        states,
        [
            ("faulty".into(), 2, PluginState::Loaded),
            ("faulty".into(), 1, PluginState::Retired),
            ("noop".into(), 1, PluginState::Loaded),
        ],
        "noop was not touched"
    );
    assert!(!marker.exists(), "not shut down while a job runs");
    assert_eq!(within(5, old.outcome()).await.unwrap()["output"]["label"], json!("one"));
    until("shutdown of the old generation", || marker.exists()).await;
    until("the old generation leaves the list", || plugins.reports().len() == 2).await;

    plugins.reload(place.options.clone()).await;
    assert_eq!(plugins.reports()[0].generation, 2, "nothing changed, nothing loaded");
    let copies = std::fs::read_dir(place.options.runtime_dir.join("plugins")).unwrap().flatten();
    let mut names: Vec<String> = copies.map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    let ends: Vec<_> = names.iter().map(|n| n.rsplit_once('-').unwrap().1).collect();
    assert_eq!(ends, ["g1.so", "g2.so", "g1.so"], "{names:?}");
}

#[tokio::test]
async fn changed_content_is_noticed_and_a_bad_file_leaves_the_old_generation_in_place() {
    let place = Place::new();
    faulty_c(&place, "p", &["NAME=\"p\""]);
    let plugins = place.load().await;
    let run = async || {
        let job = stage_handler(&plugins, "p/do").start(stage(json!({"do": "nothing"}))).await.unwrap();
        let generation = job.generation();
        assert_eq!(within(5, job.outcome()).await.unwrap(), json!(1));
        generation
    };
    assert_eq!(run().await, 1);
    faulty_c(&place, "p", &["NAME=\"p\"", "SHUTDOWN_HANGS"]);
    plugins.reload(place.options.clone()).await;
    assert_eq!(run().await, 2);
    for bad in ["TABLE_HASH=1", "CONFIGURE_FAILS"] {
        faulty_c(&place, "p", &["NAME=\"p\"", bad]);
        let reports = plugins.reload(place.options.clone()).await;
        assert!(reports.iter().any(|r| r.state == PluginState::Loaded && r.generation == 2), "{reports:#?}");
        assert!(reports.iter().any(|r| r.state == PluginState::Refused && r.name == "p"), "{reports:#?}");
        assert_eq!(run().await, 2);
    }
    // Cut off in the middle of a copy, though the name was right before.
    std::fs::write(place.file("p.so"), b"\x7fELF").unwrap();
    plugins.reload(place.options.clone()).await;
    assert_eq!(run().await, 2);
    // Gone on purpose: retired, with a clear error for whoever still holds the handler.
    let handler = stage_handler(&plugins, "p/do");
    std::fs::remove_file(place.file("p.so")).unwrap();
    plugins.reload(place.options.clone()).await;
    let error = handler.start(stage(Value::Null)).await.unwrap_err();
    assert!(matches!(&error, JobError::Gone(_)) && error.retryable(), "{error}");
    assert!(plugins.resolve("p/do", HandlerKind::Stage).is_err());
    // And back again.
    faulty_c(&place, "p", &["NAME=\"p\""]);
    plugins.reload(place.options.clone()).await;
    assert_eq!(run().await, 3);
    assert_eq!(within(5, handler.start(stage(Value::Null)).await.unwrap().outcome()).await.unwrap(), json!(1));
}

#[tokio::test]
async fn the_bound_on_jobs_holds_and_can_be_changed() {
    let mut place = Place::new().with("faulty");
    place.options.max_jobs_by_plugin.insert("faulty".into(), 2);
    let plugins = place.load().await;
    let handler = stage_handler(&plugins, "faulty/do");
    let wait = || async { handler.start(stage(json!({"do": "wait"}))).await.unwrap() };
    let (one, two) = (wait().await, wait().await);
    let third = tokio::time::timeout(Duration::from_millis(100), wait()).await;
    assert!(third.is_err(), "the third waits, and giving up the wait leaves nothing behind");
    assert_eq!(plugins.reports()[0].jobs_running, 2);
    place.options.max_jobs_by_plugin.insert("faulty".into(), 3);
    plugins.reload(place.options.clone()).await;
    let three = within(1, wait()).await;
    place.options.max_jobs_by_plugin.insert("faulty".into(), 1);
    plugins.reload(place.options.clone()).await;
    drop((one, two));
    until("two jobs have ended", || plugins.reports()[0].jobs_running == 1).await;
    assert!(tokio::time::timeout(Duration::from_millis(100), wait()).await.is_err(), "one runs, one may");
    drop(three);
    let last = within(1, wait()).await;
    last.canceller().cancel();
    assert!(matches!(within(1, last.outcome()).await, Err(JobError::Cancelled)));
}

/// Reloads as fast as they go while jobs run, are cancelled and dropped: none is lost, each ends in
/// the generation it began in, every one of its handles is destroyed once. The threads of the process are counted.
#[test]
fn reload_in_a_loop_under_load() {
    alone("reload::reload_in_a_loop_under_load", reloads_in_a_loop_under_load());
}

async fn reloads_in_a_loop_under_load() {
    let mut place = Place::new().with("faulty").with("noop").setting("faulty", json!({"label": "0"}));
    faulty_c(&place, "cfaulty", &[]);
    place.options.max_jobs = 16;
    place.options.max_stuck = 0;
    let plugins = place.load().await;
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::new();
    for n in 0..12u64 {
        let (plugins, stop, done) = (plugins.clone(), Arc::clone(&stop), Arc::clone(&done));
        workers.push(tokio::spawn(async move {
            let mut round = n;
            while !stop.load(Ordering::Relaxed) {
                round += 1;
                let (name, what) = match round % 4 {
                    0 => ("faulty/do", "nothing"),
                    1 => ("cfaulty/do", "race-cancel"),
                    2 => ("faulty/do", "wait-ok"),
                    _ => ("cfaulty/do", "done-in-start"),
                };
                let job = stage_handler(&plugins, name).start(stage(json!({"do": what}))).await.unwrap();
                let canceller = job.canceller();
                if what == "race-cancel" || what == "wait-ok" {
                    if round % 3 == 0 {
                        tokio::task::yield_now().await;
                    }
                    canceller.cancel();
                }
                if round % 5 == 0 {
                    drop(job); // in whatever state it is
                } else {
                    let outcome = within(10, job.outcome()).await;
                    assert!(matches!(outcome, Ok(_) | Err(JobError::Cancelled)), "{outcome:?}");
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for n in 1..=25 {
        place.options.settings.insert("faulty".into(), json!({"label": n.to_string()}));
        place.options.settings.insert("cfaulty".into(), json!({"n": n}));
        place.options.max_jobs = 8 + n % 16;
        let reports = plugins.reload(place.options.clone()).await;
        assert!(reports.iter().all(|r| r.state != PluginState::Refused), "{reports:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        within(20, worker).await.unwrap();
    }
    assert!(done.load(Ordering::Relaxed) > 200, "only {} jobs ran", done.load(Ordering::Relaxed));
    until("all jobs are over", || plugins.reports().iter().all(|r| r.jobs_running == 0 && r.jobs_stuck == 0)).await;
    until("all old generations are gone", || plugins.reports().len() == 3).await;
    for report in plugins.reports() {
        assert_eq!(report.violations, 0, "{report:#?}");
        assert_eq!(report.generation, if report.name == "noop" { 1 } else { 26 });
    }
    let counts = stage_handler(&plugins, "cfaulty/do").start(stage(json!({"do": "counts"}))).await.unwrap();
    let counts = within(5, counts.outcome()).await.unwrap();
    assert_eq!(counts["twice"], json!(0), "{counts}");
    until("old generations keep no threads", || {
        // Two of each Rust plugin's runtime, one lane each, the watch, and the test's own.
        std::fs::read_dir("/proc/self/task").unwrap().count() < 40
    })
    .await;
}
