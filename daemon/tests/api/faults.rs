//! The faults of the original (section 5 of the wire contract) that must not come back, and the tests that prove each is
//! not here. The table is held against the tests, so that none is renamed or removed without a look at it.

use std::{fs, path::Path, time::Duration};

use nexus_plugin_api::payload::Event;
use serde_json::json;

use crate::support::api::{Api, Script};

/// Fault, and where it is tried: file and test.
const FAULTS: [(&str, &[(&str, &str)]); 18] = [
    (
        "cancel or pause of a queued project undone by its message",
        &[
            ("store/contract/controls.rs", "a_paused_message_does_nothing"),
            ("system/stop.rs", "control_requests_hold_whatever_the_queue_delivers"),
        ],
    ),
    (
        "stop ending as failed and then rebuilt by redelivery",
        &[
            ("store/contract/controls.rs", "a_stopped_build_refuses_its_late_step"),
            ("tree/main.rs", "stop_cancels_the_running_stage_and_restart_goes_on_from_it"),
        ],
    ),
    (
        "failed builds retried an hour apart without a word",
        &[
            ("store/contract/failures.rs", "a_failed_stage_fails_the_build"),
            ("tree/main.rs", "a_failure_that_stays_fails_the_project_with_its_reason"),
        ],
    ),
    (
        "two workers on one project",
        &[
            ("store/contract/builds.rs", "a_held_lease_keeps_others_off"),
            ("store/contract/builds.rs", "an_old_lease_is_refused"),
        ],
    ),
    (
        "SIGTERM waiting for the whole build",
        &[("system/stop.rs", "a_loaded_daemon_stops_in_time_and_goes_on_after_the_restart")],
    ),
    ("zombie rows after delete", &[("store/sqlite/file.rs", "deleting_leaves_no_row_in_any_table")]),
    (
        "half-written projects after a kill",
        &[
            ("store/contract/builds.rs", "a_create_that_fails_halfway_leaves_nothing"),
            ("system/crash.rs", "two_hundred_builds_survive_ten_kills"),
        ],
    ),
    (
        "`queued` for ever when the queue was away",
        &[
            ("store/contract/builds.rs", "a_lapsed_lease_is_found_and_queued_again"),
            ("tree/main.rs", "a_receiver_that_goes_away_takes_no_message_along"),
        ],
    ),
    (
        "running stages shown as pending, progress 0 until 100, null durations and tokens",
        &[
            ("api/contract.rs", "the_dashboard_has_real_figures_while_it_runs_and_after"),
            ("api/flat.rs", "workflow_paths_show_what_a_build_did"),
        ],
    ),
    (
        "lists that are one scan page with filters after the limit",
        &[
            ("api/contract.rs", "pages_are_true_and_filters_apply_before_them"),
            ("store/contract/figures.rs", "every_page_is_its_slice_of_the_whole"),
        ],
    ),
    (
        "one bad row that makes every list a 500",
        &[("api/contract.rs", "one_bad_row_does_not_make_every_list_an_error")],
    ),
    ("`/health` healthy with the store down", &[("api/agents.rs", "health_tells_the_truth_when_the_store_is_away")]),
    (
        "a blocking call that freezes every stream",
        &[
            ("api/faults.rs", "an_agent_that_hangs_freezes_no_stream"),
            ("plugins/faults.rs", "a_plugin_that_blocks_all_its_threads_blocks_nobody_else"),
        ],
    ),
    ("random numbers as statistics", &[("api/flat.rs", "statistics_are_counted_and_every_day_is_there")]),
    (
        "invoke answering without invoking",
        &[
            ("api/agents.rs", "agents_are_shown_asked_and_deleted_for_good"),
            ("system/main_job.rs", "a_sentence_becomes_an_agent_that_answers"),
        ],
    ),
    ("path traversal by project name", &[("api/contract.rs", "a_name_that_is_a_path_names_no_folder")]),
    ("agent deletion leaving messages", &[("store/contract/records.rs", "an_agent_goes_with_its_conversations")]),
    (
        "answers leaking exception texts",
        &[
            ("api/agents.rs", "an_agent_that_cannot_be_asked_says_why"),
            ("api/bad_input.rs", "malformed_requests_are_answered_in_the_envelope"),
        ],
    ),
];

#[test]
fn every_fault_has_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for (fault, places) in FAULTS {
        for (file, name) in places {
            let text = fs::read_to_string(tests.join(file)).unwrap_or_else(|error| panic!("{fault}: {file}: {error}"));
            assert!(text.contains(&format!("fn {name}(")), "{fault}: there is no {name} in {file}");
        }
    }
}

/// Twenty agents that never answer, and a build that is watched meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_hangs_freezes_no_stream() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let said = Event::Text { delta: "never".to_owned() };
    *api.agents.script.lock().unwrap() = Script { events: vec![said], gate: Some(gate.clone()), ..Script::default() };
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let request = api.client.post(api.url(&format!("/api/v2/agents/{agent}/invoke")));
        waiting.push(tokio::spawn(request.json(&json!({ "input_text": "q" })).send()));
    }
    let project = api.project().await;
    let mut events = api.events(&format!("/api/v2/projects/{project}/events"), None).await;
    assert_eq!(events.next().await.unwrap().event, "project");
    api.post(&format!("/api/v2/projects/{project}/control"), json!({ "action": "cancel" })).await;
    let told = tokio::time::timeout(Duration::from_secs(2), events.next()).await.expect("told at once").unwrap();
    assert_eq!(told.data["status"], "cancelled");
    gate.add_permits(20);
    for answer in waiting {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
}
