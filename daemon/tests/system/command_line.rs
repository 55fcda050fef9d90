//! The command line as people and scripts use it: what it prints where, and its exit codes.

use std::path::Path;
use std::process::{Command, Output};

/// Runs the binary with nothing of this process's environment but a home.
fn nexusd(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexusd"));
    command
        .env_clear()
        .env("NEXUSD_ALLOW_ROOT", "1")
        .env("HOME", home)
        .current_dir(home)
        .args(arguments)
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn good_settings_are_0_bad_ones_1_wrong_usage_2() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    file("good.toml", "[worker]\nbuilds = 2");
    file("bad.toml", "[worker]\nbuilds = 0\ndeploi = 1\n[log]\nformat = \"xml\"");

    let good = nexusd(home.path(), &["check-config", "--no-plugins", "good.toml"]);
    assert_eq!(code(&good), 0, "{}", stderr(&good));
    assert!(stdout(&good).contains("settings are good: good.toml; workflows: agent_build (9 stages)"));
    assert_eq!(code(&nexusd(home.path(), &["--config", "good.toml", "check-config", "--no-plugins"])), 0);

    let bad = nexusd(home.path(), &["check-config", "bad.toml"]);
    assert_eq!((code(&bad), stdout(&bad).as_str()), (1, ""));
    let told = stderr(&bad);
    for part in ["bad.toml:2:10", "bad.toml:3:1", "did you mean `deploys`?", "bad.toml:5:10", "3 problems"] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    // The daemon refuses the same file before it touches anything.
    let served = nexusd(home.path(), &["--config", "bad.toml", "--data-dir", "data"]);
    assert_eq!((code(&served), stderr(&served)), (1, told));
    assert!(!home.path().join("data").exists());

    assert_eq!(code(&nexusd(home.path(), &["chek-config"])), 2);
    assert_eq!(code(&nexusd(home.path(), &["plugins"])), 2);
}

/// A group of commands alone says what there is in it; what the program asks of itself is in no list.
#[test]
fn a_group_of_commands_shows_its_help() {
    let home = tempfile::tempdir().unwrap();
    let text = stdout(&nexusd(home.path(), &["--help"]));
    let groups = ["plugins", "dlq", "keys", "users", "audit"];
    for group in groups {
        assert!(text.contains(&format!("\n  {group} ")), "{group} is missing in {text}");
        let output = nexusd(home.path(), &[group]);
        let help = stderr(&output);
        assert!(code(&output) == 2 && help.contains("Commands:") && !help.contains("error"), "{group}: {help}");
        for line in help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty()) {
            assert!(!line.contains("probe") && !line.trim_start().starts_with("try"), "{group}: {line}");
        }
    }
    for arguments in [&["completions", "bash"][..], &["completions", "zsh"], &["man"], &["plugins", "--help"]] {
        let text = stdout(&nexusd(home.path(), arguments));
        assert!(
            !text.contains("probe") && !text.contains("plugin-try"),
            "{arguments:?} tell of what is nobody's to ask for"
        );
    }
}

#[test]
fn an_address_that_others_reach_needs_access_control() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("none.toml"), "[auth]\nmode = \"none\"").unwrap();
    for arguments in [
        ["--config", "none.toml", "--listen", "0.0.0.0:0", "serve"],
        ["--config", "none.toml", "--listen", "[::]:0", "check-config"],
    ] {
        let refused = nexusd(home.path(), &arguments);
        assert_eq!(code(&refused), 1);
        assert!(stderr(&refused).contains("makes everybody an admin"), "{}", stderr(&refused));
    }
    std::fs::write(home.path().join("open.toml"), "[auth]\nmode = \"token\"").unwrap();
    let allowed = nexusd(home.path(), &["--listen", "0.0.0.0:0", "check-config", "--no-plugins", "open.toml"]);
    assert_eq!(code(&allowed), 0, "{}", stderr(&allowed));
}

#[test]
fn a_workflow_with_a_handler_nobody_has_is_refused_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("flows")).unwrap();
    let flow = "name = \"mine\"\n\n[[stages]]\nname = \"plan\"\nhandler = \"deploy-local/plan\"\n";
    std::fs::write(home.path().join("flows/mine.toml"), flow).unwrap();
    std::fs::write(home.path().join("nexusd.toml"), "[workflows]\ndirs = [\"flows\"]").unwrap();
    let refused = nexusd(home.path(), &["check-config", "nexusd.toml"]);
    assert_eq!(code(&refused), 1);
    let told = stderr(&refused);
    assert!(told.contains("flows/mine.toml:5:11"), "{told}");
    assert!(told.contains("`deploy-local` has no such stage handler"), "{told}");
    assert_eq!(code(&nexusd(home.path(), &["check-config", "--no-plugins", "nexusd.toml"])), 0);
}

#[test]
fn plugins_are_listed_and_judged_without_a_daemon() {
    let home = tempfile::tempdir().unwrap();
    let listed = nexusd(home.path(), &["plugins", "list", "--json"]);
    assert_eq!(code(&listed), 0);
    let plugins: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let names: Vec<&str> = plugins.as_array().unwrap().iter().filter_map(|plugin| plugin["name"].as_str()).collect();
    assert!(names.contains(&"deploy-local"), "{names:?}");
    let file = plugins[0]["file"].as_str().unwrap();
    assert_eq!(code(&nexusd(home.path(), &["plugins", "check", file])), 0);

    std::fs::write(home.path().join("not.so"), "nothing").unwrap();
    let refused = nexusd(home.path(), &["plugins", "check", "not.so"]);
    assert_eq!(code(&refused), 1);
    assert!(stdout(&refused).contains("remedy:"), "{}", stdout(&refused));
    // Looking changes nothing: no data folder, no copies.
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn the_dump_is_a_file_of_settings_without_secrets() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("a.toml"), "[worker]\nbuilds = 3\n[plugins.llm]\napi_key = \"hush\"").unwrap();
    let dumped = nexusd(home.path(), &["--config", "a.toml", "dump-config"]);
    assert_eq!(code(&dumped), 0);
    assert!(stdout(&dumped).contains("builds = 3") && !stdout(&dumped).contains("hush"));
    std::fs::write(home.path().join("b.toml"), &dumped.stdout).unwrap();
    let again = nexusd(home.path(), &["--config", "b.toml", "dump-config"]);
    assert_eq!(stdout(&again), stdout(&dumped));
}
