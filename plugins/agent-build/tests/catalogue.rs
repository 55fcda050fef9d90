//! The catalogue's own Python tests: every tool's unit tests, and every example question with all tools loaded.
#![allow(clippy::expect_used)]

use std::{path::Path, process::Command};

fn unittest(folder: &str, arguments: &[&str]) {
    let output = Command::new("python3")
        .args(["-B", "-m", "unittest"])
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .output()
        .expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_example_reaches_its_tool() {
    unittest("catalogue", &["discover", "-s", "tests"]);
}

#[test]
fn every_tool_passes_its_unit_tests() {
    // Not tests/test_agent.py: it needs the manifest of a finished agent.
    unittest("catalogue/agent", &["discover", "-s", "tests", "-t", ".", "-p", "test_[!a]*.py"]);
}
