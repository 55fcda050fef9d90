//! A client written from the contract alone follows a build and a chat to their ends, against the real daemon.

use std::process::Command;

use crate::support::Home;

#[test]
fn a_client_written_from_the_contract_follows_a_build_and_a_chat() {
    let home = Home::new("").open_to_all();
    let daemon = home.start();
    let output = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/follow.py"))
        .arg(daemon.at("//").trim_end_matches('/'))
        .arg(crate::support::prices::PRICES)
        .arg("how much are 3 pears?")
        .output()
        .expect("python3");
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{wrong}{said}");
    assert!(said.contains("12") && said.contains("EUR"), "{said}");
}
