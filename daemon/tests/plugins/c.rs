//! The example plugin in C, compiled with `cc` as its README says and run through the real host.

use std::path::Path;

use nexus_daemon::plugins::{JobError, check_file};
use nexus_plugin_api::payload::Event;
use serde_json::{Value, json};

use crate::place::*;

fn example(place: &Place) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/example-c/example.c");
    cc(&source, &[], &place.file("example-c.so"));
}

#[tokio::test]
async fn the_example_runs_reports_and_heeds_its_cancel() {
    let place = Place::new().setting("example-c", json!({"greeting": "Grüß \"Gott\""}));
    example(&place);
    let plugins = place.load().await;
    let handler = stage_handler(&plugins, "example-c/greet");
    let mut job = handler.start(stage(Value::Null)).await.unwrap();
    let events = within(5, events(&mut job)).await;
    assert_eq!(events.len(), 11);
    assert_eq!(events[10], Event::Progress { value: 1.0, message: "step 10".into() });
    assert_eq!(job.outcome().await.unwrap(), json!({"output": {"greeting": "Grüß \"Gott\", p!"}}));

    let mut job = handler.start(stage(Value::Null)).await.unwrap();
    let _ = within(5, job.next_event()).await;
    job.canceller().cancel();
    assert!(matches!(within(5, job.outcome()).await, Err(JobError::Cancelled)));
    assert_eq!(plugins.reports()[0].violations, 0);
}

#[tokio::test]
async fn its_settings_are_checked_and_check_describes_it() {
    let place = Place::new().setting("example-c", json!({"greeting": ""}));
    example(&place);
    let reports = place.load().await.reports();
    let reason = reports[0].reason.clone().unwrap();
    assert_eq!(reason, "`configure` refused the settings: settings: `greeting` must not be empty");
    let report = check_file(&place.file("example-c.so"));
    assert_eq!((report.name.as_str(), report.version.as_str(), report.abi), ("example-c", "1.0.0", 1));
}
