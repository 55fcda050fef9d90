//! The API fuzzed by its own document, with every check that schemathesis knows: no 5xx, no answer that the
//! document does not describe, no valid request refused, no invalid one taken. (All checks are on unless the settings
//! say otherwise; naming them on the command line would overrule the settings.)
//!
//! The test command runs a bounded number of cases; `NEXUSD_FUZZ_CASES` asks for more, as `.ci/run` does.

use std::{fmt::Write as _, fs, process::Command};

use super::support::{Daemon, Home, prices::PRICES, venv};
use serde_json::{Value, json};

/// Cases of a run that asks for nothing else.
const FEW: usize = 1_000;

/// A built project with its running agent and a session, so that requests find something, and an agent whose code may
/// become anything: what is saved goes live, and whoever asks it then hears that it failed.
async fn seed(daemon: &Daemon) -> [(&'static str, String); 4] {
    let (project, agent) = daemon.build_agent(PRICES).await;
    let (_, edited) = daemon.build_agent(PRICES).await;
    let (status, session) = daemon.post(&format!("/agents/{agent}/sessions"), &json!({})).await;
    assert_eq!(status, 201, "{session}");
    let session = session["data"]["session_id"].as_str().unwrap().to_owned();
    [("projects", project), ("agents", agent), ("sessions", session), ("edited", edited)]
}

/// The settings, with the ids for what only reads or changes a thing; deletions find their own.
fn settings(ids: &[(&str, String)]) -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/schemathesis.toml");
    let mut text = fs::read_to_string(file).unwrap();
    for (things, id) in ids {
        text = text.replace(&format!("({things})"), id);
        if *things == "edited" {
            continue;
        }
        // Operations that have a part of their own in the file are left to it.
        write!(
            text,
            "\n[[operations]]\ninclude-path-regex = '^/api/v2/{things}/\\{{id\\}}'\nexclude-method = \"DELETE\"\n\
             exclude-operation-id = [\"putAgentCode\", \"putAgentPrompt\", \"putAgentTool\", \"uploadFiles\", \
             \"streamProjectEvents\", \"streamAnswer\", \"resumeAnswer\"]\nparameters = {{ \"path.id\" = \"{id}\" }}\n"
        )
        .unwrap();
    }
    text
}

/// A number before a word, as in `1,234 generated`.
fn count(text: &str, word: &str) -> usize {
    let line = text.lines().rfind(|line| line.contains(word)).unwrap_or_default();
    let number: Option<&str> = line.split(word).next().and_then(|before| before.split_whitespace().next_back());
    number.map(|number| number.replace(',', "")).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_holds_whatever_is_sent() {
    let programs = tokio::task::spawn_blocking(venv::bin).await.unwrap();
    let wanted: usize = std::env::var("NEXUSD_FUZZ_CASES").map_or(FEW, |text| text.parse().expect("a number of cases"));
    // With access control: whoever shows a token that is none is refused by every operation that is not open to all.
    let home = Home::new("[auth.limits]\nfailures_per_minute = 0\n");
    let daemon = home.start();
    let token = fs::read_to_string(home.data().join("admin.token")).unwrap();
    let ids = seed(&daemon).await;
    let file = home.path().join("schemathesis.toml");
    fs::write(&file, settings(&ids)).unwrap();
    let url = daemon.at("//openapi.json");

    let (mut cases, mut examples) = (0, wanted.div_ceil(112).max(4));
    let mut seed = 1;
    while cases < wanted {
        // One worker: Python 3.11 miscounts its parser's recursion when two threads parse at a time, and then fails.
        let mut command = Command::new(programs.join("schemathesis"));
        command.arg("--config-file").arg(&file).args(["run", &url, "--no-color", "--workers", "1"]);
        command.args(["--header", &format!("Authorization: Bearer {}", token.trim())]);
        command.args(["--max-examples", &examples.to_string(), "--seed", &seed.to_string()]);
        command.args(["--request-timeout", "20", "--suppress-health-check", "all"]).current_dir(home.path());
        let output = tokio::task::spawn_blocking(move || command.output().expect("schemathesis")).await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        let tested = count(&text, " generated, ");
        assert!(tested > 0, "no case was generated:\n{text}");
        cases += tested;
        (examples, seed) = (examples + examples / 2, seed + 1);
    }
    println!("{cases} cases without an issue");
    // It is as well as before.
    let health: Value = daemon.http().get(daemon.at("//health")).send().await.unwrap().json().await.unwrap();
    assert_eq!(health["status"], "healthy", "{health}");
}

/// A strict validator takes the document, and it keeps the rules of this house.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_valid_and_complete() {
    let programs = tokio::task::spawn_blocking(venv::bin).await.unwrap();
    let home = Home::new("").open_to_all();
    let daemon = home.start();
    let url = daemon.at("//openapi.json");
    let text = daemon.http().get(url).send().await.unwrap().text().await.unwrap();
    let file = home.path().join("openapi.json");
    fs::write(&file, &text).unwrap();
    let mut command = Command::new(programs.join("python"));
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/document.py")).arg(&file);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
}
