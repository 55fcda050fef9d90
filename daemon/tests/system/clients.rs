//! Clients that generators make from the daemon's document. The generators come from the package index into an
//! environment below `target/`; without them the test fails and says what is missing.

use std::process::Command;

use crate::support::{Home, venv};

#[test]
fn generated_clients_read_the_answers() {
    let home = Home::new("").open_to_all();
    let daemon = home.start();
    let folder = home.path().join("clients");
    std::fs::create_dir(&folder).unwrap();
    let python = venv::bin_for("clients", "client-venv").join("python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/generated.py");
    let output = Command::new(python).args([script, &daemon.url]).arg(&folder).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("clients work"), "{said}\n{errors}");
}
