//! The catalogue's own Python tests: every tool's unit tests, every example question with all tools loaded, and every
//! tool that computes against Python's own arithmetic and calendar, conversations over data of many kinds, and what
//! agents of a model need beside the model.
#![allow(clippy::expect_used)]

use std::{path::Path, process::Command};

fn unittest(file: &str) {
    let output = Command::new("python3")
        .args(["-B", "-m", "unittest", "discover", "-s", "catalogue/tests", "-p", file])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("Ran 0 tests"), "{said}");
}

#[test]
fn every_example_reaches_its_tool() {
    unittest("test_catalogue.py");
}

#[test]
fn every_tool_passes_its_unit_tests() {
    unittest("test_tools.py");
    unittest("test_written.py");
}

#[test]
fn every_figure_is_what_decimal_and_datetime_say() {
    unittest("test_figures.py");
}

#[test]
fn conversations_in_both_languages_hold() {
    unittest("test_conversations.py");
}

#[test]
fn agents_of_a_model_share_nothing_between_sessions_and_say_why_they_fail() {
    unittest("test_model.py");
}
