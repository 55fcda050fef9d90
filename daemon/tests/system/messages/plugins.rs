//! The settings of plugins: shown, checked and resolved by what the plugins tell, with what they do to a process kept away.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Running, deps, nexusd, said, settled};

fn shipped() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/nexusd.toml")).unwrap()
}

fn run(home: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = nexusd(home);
    command.args(arguments);
    let (code, text) = said(command, &arguments.join(" "));
    (code, settled(&text, home))
}

/// Copies the plugin that does wrong into a folder of its own.
fn faulty(home: &Path) {
    std::fs::create_dir(home.join("mine")).unwrap();
    std::fs::copy(deps().join("libnexus_fixture_faulty.so"), home.join("mine/libfaulty.so")).unwrap();
}

#[test]
fn the_shipped_file_shows_every_key_of_the_shipped_plugins() {
    let home = tempfile::tempdir().unwrap();
    let mut command = nexusd(home.path());
    command.args(["plugins", "settings"]);
    let (code, text) = said(command, "plugins settings");
    assert_eq!(code, 0, "{text}");
    assert!(text.matches(" = ").count() >= 26, "{text}");
    assert!(
        shipped().contains(text.trim_end()),
        "config/nexusd.toml lacks what `nexusd plugins settings` prints:\n{text}"
    );
}

#[test]
fn what_the_shipped_file_shows_works_when_it_is_written() {
    let home = tempfile::tempdir().unwrap();
    let text = shipped();
    let shown = text.split_once("# [plugins.agent-build]").unwrap().1.split_once("\n[agents]").unwrap().0;
    let written: Vec<&str> =
        shown.lines().filter_map(|line| line.strip_prefix("# ").filter(|rest| !rest.starts_with(' '))).collect();
    assert!(written.iter().filter(|line| line.contains(" = ")).count() >= 26, "{written:?}");
    std::fs::write(home.path().join("all.toml"), format!("[plugins.agent-build]\n{}", written.join("\n"))).unwrap();
    let (code, told) = run(home.path(), &["check-config", "all.toml"]);
    assert_eq!(code, 0, "{told}");
    let (code, dumped) = run(home.path(), &["--config", "all.toml", "dump-config"]);
    assert_eq!(code, 0, "{dumped}");
    let (_, bare) = run(home.path(), &["dump-config"]);
    assert_eq!(dumped, bare, "the defaults that are shown are the defaults");
}

#[test]
fn a_path_counts_from_the_file_and_a_name_is_looked_up() {
    let home = tempfile::tempdir().unwrap();
    let etc = home.path().join("etc");
    std::fs::create_dir_all(etc.join(".venv/bin")).unwrap();
    let python =
        ["/usr/local/bin/python3", "/usr/bin/python3"].into_iter().find(|path| Path::new(path).exists()).unwrap();
    symlink(python, etc.join(".venv/bin/python")).unwrap();
    let text = "[tools]\npython = \"./.venv/bin/python\"\n[plugins.deploy-local]\npython = \".venv/bin/python\"\n\
                env = { HUSH = \"hush\" }\n[plugins.agent-build]\npython = \"python3\"\n";
    std::fs::write(etc.join("nexusd.toml"), text).unwrap();
    // From another folder than the file's.
    let (code, told) = run(home.path(), &["check-config", "etc/nexusd.toml"]);
    assert_eq!(code, 0, "{told}");
    let (code, dumped) = run(home.path(), &["--config", "etc/nexusd.toml", "dump-config"]);
    assert_eq!(code, 0, "{dumped}");
    assert_eq!(dumped.matches("python = \"<home>/etc/.venv/bin/python\"").count(), 2, "{dumped}");
    assert!(dumped.contains("python = \"python3\"") && dumped.contains("HUSH = \"***\""), "{dumped}");
    assert!(!dumped.contains("\"hush\""), "{dumped}");
}

#[test]
fn plugin_folders_add_to_the_shipped_ones_unless_they_are_to_replace_them() {
    let home = tempfile::tempdir().unwrap();
    faulty(home.path());
    // The folder of the shipped ones once more, as a copy: still one plugin each.
    std::fs::copy(deps().join("libnexus_deploy_local.so"), home.path().join("mine/libmine.so")).unwrap();
    let file = |text: &str| std::fs::write(home.path().join("nexusd.toml"), text).unwrap();
    let names = || {
        let (code, text) = run(home.path(), &["--config", "nexusd.toml", "plugins", "list", "--json"]);
        assert_eq!(code, 0, "{text}");
        let listed = text.split_once("\nsearched:").map_or(text.as_str(), |(json, _)| json);
        let listed: serde_json::Value = serde_json::from_str(listed).unwrap();
        let mut names: Vec<String> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|one| format!("{} {}", one["name"].as_str().unwrap(), one["state"].as_str().unwrap()))
            .collect();
        names.sort();
        names
    };
    file("[plugins]\ndirs = [\"mine\"]");
    assert_eq!(names(), ["agent-build loaded", "deploy-agentcore loaded", "deploy-local loaded", "faulty loaded"]);
    assert_eq!(run(home.path(), &["check-config", "nexusd.toml"]).0, 0);
    file("[plugins]\ndirs = [\"mine\"]\nshipped = false");
    assert_eq!(names(), ["deploy-local loaded", "faulty loaded"]);
}

#[test]
fn a_plugin_that_ends_its_process_or_never_returns_is_told() {
    for (fault, words) in [
        ("crash", "it ended the process that tried it, in `configure`: signal"),
        ("hang", "`configure` did not return within"),
        ("panic", "`configure` panicked: configure says no"),
        ("fail", "the key is missing"),
    ] {
        let home = tempfile::tempdir().unwrap();
        faulty(home.path());
        let text = format!("[plugins]\ndirs = [\"mine\"]\n[plugins.faulty]\nconfigure = \"{fault}\"");
        std::fs::write(home.path().join("nexusd.toml"), text).unwrap();
        let (code, told) = run(home.path(), &["check-config", "nexusd.toml"]);
        assert_eq!(code, 1, "{fault}: {told}");
        assert!(told.contains("the plugin `faulty` is refused") && told.contains(words), "{fault}: {told}");
        assert!(
            told.contains("nexusd.toml:3:1") && told.contains("help:") && told.contains("1 problem"),
            "{fault}: {told}"
        );
    }
}

#[tokio::test]
async fn without_python_it_is_told_at_the_start_and_by_health_until_it_is_there() {
    let home = tempfile::tempdir().unwrap();
    let mut command = nexusd(home.path());
    command.env("PATH", "/nowhere").args(["--listen", "127.0.0.1:0", "--data-dir", "d"]);
    command.stderr(Stdio::piped()).env("NEXUSD_LOG__FORMAT", "pretty").env("NO_COLOR", "1");
    let mut child = Running(command.spawn().unwrap());
    let mut err = child.0.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = err.read_to_string(&mut text);
        text
    });
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let url = lines
        .find_map(|line| line.ok()?.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned));
    let url = url.expect("it comes up");
    let begun = Instant::now();
    let reason = loop {
        let health: serde_json::Value = reqwest::get(format!("{url}/health")).await.unwrap().json().await.unwrap();
        if let Some(reason) = health["reasons"]["plugins"].as_str() {
            assert_eq!(health["checks"]["plugins"], "degraded", "{health}");
            break reason.to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{health}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    for part in [
        "there is no `python3` in PATH",
        "plugins.agent-build.python",
        "plugins.deploy-local.python",
        "install Python 3.9",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
    drop(child);
    let log = log.join().unwrap();
    assert_eq!(log.matches("Python is missing").count(), 1, "{log}");
}
