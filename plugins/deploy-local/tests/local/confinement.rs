//! What an agent can see and take.

use std::collections::HashMap;

use nexus_deploy_local::Settings;

use crate::bench::*;

/// The next test starts it in a process of its own, whose environment holds secrets.
#[tokio::test]
async fn host_with_secrets() {
    if std::env::var("AWS_SECRET_ACCESS_KEY").as_deref() != Ok("hunter2") {
        return;
    }
    let mut config = settings();
    config.env.insert("EXTRA".into(), "yes".into());
    config.env_allow.push("LET_THROUGH".into());
    let bench = bench_with(config);
    let agent = bench.agent("curious", "");
    let seen: HashMap<String, String> = serde_json::from_str(&bench.output(&agent, "env").await).unwrap();
    let allowed = ["PATH", "LANG", "LC_ALL", "TZ", "LET_THROUGH"];
    // Set anew by the plugin, or by the shell of a pyenv shim.
    let own =
        |name: &str| name.contains("PYENV") || name.starts_with("PYTHON") || ["SHLVL", "PWD", "_"].contains(&name);
    let leaked: Vec<String> = std::env::vars()
        .filter(|(name, value)| seen.get(name) == Some(value) && !allowed.contains(&name.as_str()) && !own(name))
        .map(|(name, _)| name)
        .collect();
    assert!(leaked.is_empty(), "{leaked:?}");
    assert!(!seen.values().any(|value| value.contains("hunter2")), "{seen:?}");
    assert_eq!((seen["EXTRA"].as_str(), seen["LET_THROUGH"].as_str()), ("yes", "through"));
    assert_eq!((seen["PORT"].as_str(), seen["HOST"].as_str()), ("0", "127.0.0.1"));
    assert!(seen["HOME"].starts_with(agent.state_dir.to_str().unwrap()), "{}", seen["HOME"]);
    // The next test wants to see that this was not passed over.
    println!("looked at {} variables", seen.len());
}

#[test]
fn the_daemons_environment_stays_with_the_daemon() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "confinement::host_with_secrets", "--nocapture"])
        .env("AWS_SECRET_ACCESS_KEY", "hunter2")
        .env("LET_THROUGH", "through")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed") && text.contains("looked at"), "{text}");
}

#[tokio::test]
async fn no_descriptor_is_inherited() {
    // Stands for a socket that some C library opened without close-on-exec.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).unwrap();
    let bench = bench();
    let output = bench.output(&bench.agent("heir", ""), "descriptors").await;
    let inherited: Vec<String> = serde_json::from_str(&output).unwrap();
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&socket));
    let socket = std::fs::read_link(link).unwrap().display().to_string();
    assert!(socket.starts_with("socket:") && !inherited.is_empty());
    assert!(!inherited.contains(&socket), "{inherited:?}");
}

#[tokio::test]
async fn limits_hold() {
    let bench = bench_with(Settings { memory_limit_mb: 200, max_open_files: 100, cpu_limit_secs: 77, ..settings() });
    let agent = bench.agent("hungry", "");
    let limits: HashMap<String, [i64; 2]> = serde_json::from_str(&bench.output(&agent, "limits").await).unwrap();
    assert_eq!(limits["RLIMIT_DATA"], [200 << 20; 2]);
    assert_eq!(limits["RLIMIT_NOFILE"], [100; 2]);
    assert_eq!(limits["RLIMIT_CPU"], [77, 78]);
    assert_eq!(limits["RLIMIT_CORE"], [0; 2]);
    assert_eq!(bench.output(&agent, "memory 300").await, "refused");
    assert_eq!(bench.output(&agent, "memory 20").await, format!("got {}", 20 << 20));
}

#[tokio::test]
async fn the_log_is_rotated_and_bounded() {
    let bench = bench_with(Settings { log_max_bytes: 64 * 1024, log_files: 3, ..settings() });
    let agent = bench.agent("loud", "");
    assert_eq!(bench.output(&agent, "shout 10000").await, "hoarse");
    let last = || std::fs::read_to_string(agent.state_dir.join("agent.log")).unwrap_or_default();
    eventually("the last line is written", async || last().contains("line 009999")).await;
    let logs: Vec<u64> = std::fs::read_dir(&agent.state_dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_str().unwrap().starts_with("agent.log"))
        .map(|entry| entry.metadata().unwrap().len())
        .collect();
    assert_eq!(logs.len(), 3);
    assert!(logs.iter().all(|size| *size <= 64 * 1024 + 100), "{logs:?}");
}

#[test]
fn settings_are_checked() {
    let parse = |json: &str| serde_json::from_str::<Settings>(json);
    assert!(parse("{}").unwrap().validate().is_ok());
    assert!(parse(r#"{"pyhton": "x"}"#).unwrap_err().to_string().contains("pyhton"));
    for bad in [r#"{"python": ""}"#, r#"{"max_agents": 0}"#, r#"{"env_allow": ["A=B"]}"#, r#"{"log_files": 0}"#] {
        assert!(parse(bad).unwrap().validate().is_err(), "{bad}");
    }
}
