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

/// Its code to read, its home to write, no port and no other process, unless it was given.
#[tokio::test]
async fn an_agent_reaches_what_it_was_given_and_nothing_else() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let bench = bench();
    let secret = bench.folder.path().join("secret");
    std::fs::write(&secret, "hunter2").unwrap();
    let agent = bench.agent("walled", "");
    let attempts = [
        (format!("open({secret:?}).read()"), "PermissionError"),
        ("open('agent.py', 'a')".to_owned(), "PermissionError"),
        ("open('agent.py').readline() != ''".to_owned(), "True"),
        ("open(os.path.join(os.environ['HOME'], 'note'), 'w').write('x')".to_owned(), "1"),
        (format!("open('/proc/{}/environ', 'rb')", std::process::id()), "PermissionError"),
        ("os.kill(os.getppid(), 9)".to_owned(), "PermissionError"),
        ("mmap.mmap(-1, 4096)".to_owned(), "PermissionError"),
        ("socket.socket(socket.AF_UNIX)".to_owned(), "PermissionError"),
        (format!("socket.create_connection(('127.0.0.1', {port}))"), "PermissionError"),
    ];
    for (attempt, outcome) in &attempts {
        assert_eq!(&bench.output(&agent, &format!("try {attempt}")).await, outcome, "{attempt}");
    }
    let status = bench.status(&agent).await;
    for wall in ["landlock", "seccomp", "subreaper"] {
        assert!(status.details["guards"].as_array().unwrap().iter().any(|guard| guard == wall), "{status:?}");
    }
    assert!(!status.details.contains_key("without"), "{status:?}");

    std::fs::write(agent.agent_dir.join("manifest.json"), format!(r#"{{"connect": [{port}]}}"#)).unwrap();
    bench.deploy(&agent).await.unwrap();
    let given =
        bench.output(&agent, &format!("try socket.create_connection(('127.0.0.1', {port})).fileno() > 0")).await;
    assert_eq!(given, "True");
}

#[tokio::test]
async fn an_agent_on_a_socket_answers_who_knows_its_token() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let bench = bench();
    let agent = bench.agent("handed", "");
    std::fs::write(agent.agent_dir.join("manifest.json"), r#"{"listen": "socket"}"#).unwrap();
    let endpoint = bench.deploy(&agent).await.unwrap().endpoint.unwrap();
    let socket = agent.state_dir.join("agent.socket");
    assert_eq!(endpoint, format!("unix:{}", socket.display()));
    assert_eq!(bench.output(&agent, "plain well").await, "well");
    assert_eq!(bench.output(&agent, "try socket.socket()").await, "PermissionError");
    // Somebody else of this user, who does not know it.
    let mut stranger = nexus_sandbox::connect(&socket).await.unwrap();
    stranger.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let _ = stranger.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let first = bench.pid(&agent).await;
    kill(first, "-9");
    eventually("it is restarted", async || starts(&agent).len() == 2).await;
    assert_ne!(bench.pid(&agent).await, first);
    bench.undeploy(&agent).await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn what_all_processes_of_an_agent_take_is_bounded() {
    let bench = bench_with(Settings { memory_limit_mb: 200, disk_limit_mb: 8, max_processes: 40, ..settings() });
    let agent = bench.agent("greedy", "");
    for (attempt, why) in [
        ("try [subprocess.Popen(['sleep', '100']) for _ in range(60)] and time.sleep(60)", "more processes"),
        (
            "try [subprocess.Popen([sys.executable, '-c', 'b = b\"x\" * (120 << 20); input()'], stdin=subprocess.PIPE) for _ in range(3)] and time.sleep(60)",
            "more memory",
        ),
        (
            "try [open(os.environ['HOME'] + '/%d' % n, 'wb').write(b'x' * (1 << 20)) for n in range(64)] and time.sleep(60)",
            "wrote more",
        ),
    ] {
        let failure = bench.ask(&agent, attempt).await.unwrap_err();
        assert!(failure.message.contains(why), "{attempt}: {failure}");
        let _ = std::fs::remove_dir_all(agent.state_dir.join("home"));
        bench.deploy(&agent).await.unwrap();
    }
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
