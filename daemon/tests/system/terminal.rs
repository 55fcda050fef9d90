//! The terminal client as a person and a script use it: against a real daemon, by its output and its exit codes.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use super::support::{Daemon, Home, plugin_dir, prices::PRICES_AND_UNITS};

/// Runs a command of the client; what it reads from standard input is `typed`.
fn nexusd(url: &str, typed: &str, arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_nexusd"))
        .env_clear()
        .env("NEXUSD_ALLOW_ROOT", "1")
        .env("HOME", home.path())
        .env("NEXUSD_URL", url)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Standard output of a command that must do well.
fn said(daemon: &Daemon, arguments: &[&str]) -> String {
    let output = nexusd(&daemon.url, "", arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(daemon: &Daemon, arguments: &[&str]) -> Value {
    serde_json::from_str(&said(daemon, arguments)).unwrap()
}

/// Exit code and standard error of a command that must not do well.
fn refused(url: &str, arguments: &[&str]) -> (i32, String) {
    let output = nexusd(url, "", arguments);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_sentence_to_an_answer_in_two_commands() {
    let home = Home::new("").open_to_all();
    let daemon = home.start();
    let built = said(&daemon, &["new", PRICES_AND_UNITS, "--wait"]);
    assert!(built.contains("running") && built.contains("apple: 3 EUR"), "{built}");
    let chat = nexusd(&daemon.url, "how much are 3 pears?\n\nand 2 plums?\n", &["chat"]);
    let (answers, aside) = (String::from_utf8(chat.stdout).unwrap(), String::from_utf8(chat.stderr).unwrap());
    assert!(answers.contains("= 12 EUR") && answers.contains("= 5 EUR"), "{answers}");
    assert!(aside.contains("[quote_items ") && aside.contains("nexusd chat --session sess-"), "{aside}");

    // The session goes on where it was, with what was said.
    let session = aside.split("--session ").nth(1).unwrap().trim();
    let again = nexusd(&daemon.url, "12 kg in lb\n", &["chat", "--session", session, "--no-tools"]);
    let again = String::from_utf8(again.stdout).unwrap();
    assert!(again.contains("> how much are 3 pears?") && again.contains("26.46"), "{again}");

    let projects = json(&daemon, &["--json", "projects", "list"]);
    let id = projects[0]["project_id"].as_str().unwrap().to_owned();
    assert_eq!(projects[0]["status"], "completed");
    // By name, by id, and the newest.
    for given in [vec!["price list"], vec![id.as_str()], vec![]] {
        let shown = json(&daemon, &[vec!["--json", "projects", "show"], given].concat());
        assert_eq!(shown["project_id"], id.as_str());
    }
    assert!(said(&daemon, &["projects", "show"]).contains("orchestrator"));
    let logs = said(&daemon, &["logs"]);
    assert!(logs.contains("stage orchestrator  completed") && logs.contains("file  "), "{logs}");
    let agent = json(&daemon, &["--json", "agents", "show", "price_list_agent"]);
    assert_eq!(agent["status"], "running");
    let answer = said(&daemon, &["invoke", "price_list_agent", "12 kg in lb"]);
    assert!(answer.contains("26.46"), "{answer}");
    let tested =
        said(&daemon, &["tools", "test", "convert_units", r#"{"value": 12, "from_unit": "kg", "to_unit": "lb"}"#]);
    assert!(tested.contains("26.45"), "{tested}");
    let stats = json(&daemon, &["--json", "stats"]);
    assert_eq!(stats["overview"]["completed_projects"], 1);
    // What has ended is told to its end, and at once.
    assert!(said(&daemon, &["watch"]).contains("running"));
    let lines = said(&daemon, &["--json", "watch"]);
    for line in lines.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    assert!(said(&daemon, &["projects", "delete", &id]).contains("is deleted"));
    assert_eq!(json(&daemon, &["--json", "agents", "list"]), serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_say_what_kind_of_no_it_was() {
    let home = Home::new("").open_to_all();
    let (workflows, plugins) = (home.path().join("workflows"), home.path().join("plugins"));
    std::fs::create_dir(&workflows).unwrap();
    std::fs::create_dir(&plugins).unwrap();
    let bundled = plugin_dir();
    std::fs::copy(bundled.join("libnexus_fixture_faulty.so"), plugins.join("libfaulty.so"))
        .expect("the fixture is built");
    let breaks = "name = \"breaks\"\nmax_retries = 0\n[[stages]]\nname = \"first\"\nhandler = \"faulty/do\"\noptions = { do = \"invalid\" }\n";
    std::fs::write(workflows.join("breaks.toml"), breaks).unwrap();
    home.configure(&format!("[workflows]\ndirs = [{workflows:?}]\n[plugins]\ndirs = [{bundled:?}, {plugins:?}]\n"));
    let daemon = home.start();

    let (code, told) =
        refused(&daemon.url, &["new", "something that cannot be built", "--workflow", "breaks", "--wait"]);
    assert_eq!(code, 5, "{told}");
    assert!(
        told.contains("failed at first") && told.contains("ask otherwise") && told.contains("nexusd restart"),
        "{told}"
    );
    let cases: [(&[&str], i32, &str); 8] = [
        (&["new", "short"], 1, "at least 10 characters"),
        (&["new", "a long enough sentence", "--workflow", "none"], 1, "breaks"),
        (&["pause"], 1, "possible now: restart"),
        (&["projects", "show", "nothing of that name"], 4, "nexusd projects list"),
        (&["agents", "show", "agent_000000000000"], 4, "agents list"),
        (&["chat"], 4, "nexusd new"),
        (&["tools", "test", "convert_units", "{value}"], 2, "no JSON"),
        (&["stats", "--days", "0"], 2, "1..=90"),
    ];
    for (arguments, code, part) in cases {
        let (got, told) = refused(&daemon.url, arguments);
        assert!(got == code && told.contains(part), "{arguments:?}: {got} {told}");
    }
    // Nobody there, somebody else there, and no address at all.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, told) = refused(&format!("http://{nobody}"), &["projects", "list"]);
    assert!(code == 3 && told.contains("nexusd serve") && told.contains("--url"), "{code} {told}");
    let (code, told) = refused("localhost:8000", &["projects", "list"]);
    assert!(code == 2 && told.contains("http://"), "{code} {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_is_steered_from_the_terminal() {
    let home = Home::with_noop_workflow("", 300).open_to_all();
    let daemon = home.start();
    let id = said(&daemon, &["new", "a build that takes a while", "--workflow", "noop"]).trim().to_owned();
    assert!(id.starts_with("proj_"), "{id}");
    assert!(said(&daemon, &["pause", &id, "--reason", "lunch"]).contains("paused"));
    daemon.wait_for(&id, &["paused"]).await;
    assert!(said(&daemon, &["resume", &id]).contains("queued"));
    assert!(said(&daemon, &["stop", &id]).contains("cancelled"));
    let (code, told) = refused(&daemon.url, &["watch", &id]);
    assert!(code == 5 && told.contains("cancelled"), "{code} {told}");
    assert!(said(&daemon, &["restart", &id, "--from", "s8"]).contains("queued"));
    said(&daemon, &["watch", &id]);
    let shown = json(&daemon, &["--json", "projects", "show", &id]);
    assert_eq!(shown["status"], "completed");
}

#[test]
fn shells_and_manuals_are_served() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_nexusd")).args(arguments).current_dir(home.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).contains("nexusd"), "{shell}");
    }
    assert!(run(&["man"]).starts_with(".ie") || run(&["man"]).contains(".TH nexusd 1"));
    run(&["man", "pages"]);
    for page in ["nexusd.1", "nexusd-new.1", "nexusd-chat.1"] {
        assert!(home.path().join("pages").join(page).exists(), "{page}");
    }
    assert!(run(&["help", "new"]).contains("SENTENCE"));
}
