//! What people read when they type nonsense: settings, arguments, ports, folders, bodies. The real binary, one snapshot.
//! Each message says what is wrong, where it stands, and what to do.

mod plugins;

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Nothing here serves, so nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of files, what is run in it, and what it says.
struct Case<'a> {
    title: &'a str,
    files: &'a [(&'a str, &'a str)],
    variables: &'a [(&'a str, &'a str)],
    arguments: &'a [&'a str],
}

const fn settings<'a>(title: &'a str, files: &'a [(&'a str, &'a str)]) -> Case<'a> {
    Case { title, files, variables: &[], arguments: &["check-config", "nexusd.toml"] }
}

const fn typed<'a>(title: &'a str, arguments: &'a [&'a str]) -> Case<'a> {
    Case { title, files: &[], variables: &[], arguments }
}

/// Runs the binary with nothing of this process's environment but where programs are.
fn nexusd(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexusd"));
    command
        .env_clear()
        .env("NEXUSD_ALLOW_ROOT", "1")
        .env("HOME", home)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .current_dir(home);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Exit code and all that was said, standard output first.
fn said(mut command: Command, title: &str) -> (i32, String) {
    let mut child = command.spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        text
    });
    let watcher = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).unwrap();
        text
    });
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{title}: it goes on:\n{}{}", reader.join().unwrap(), watcher.join().unwrap());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    (status.code().unwrap_or(-1), reader.join().unwrap() + &watcher.join().unwrap())
}

/// Where cargo puts the shared objects.
fn deps() -> std::path::PathBuf {
    Path::new(env!("CARGO_BIN_EXE_nexusd")).parent().unwrap().join("deps")
}

/// Without what differs between two runs and two machines.
fn settled(text: &str, home: &Path) -> String {
    let text = text.replace(home.to_str().unwrap(), "<home>").replace(deps().to_str().unwrap(), "<plugins>");
    let lines = text.lines().map(|line| {
        // Lines of the log begin with the time.
        let line = line.split_once("Z ").filter(|(time, _)| time.starts_with("20")).map_or(line, |(_, rest)| rest);
        line.trim_end().to_owned()
    });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn run(case: &Case<'_>) -> String {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in case.files {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    let mut command = nexusd(home.path());
    command.args(case.arguments).envs(case.variables.iter().copied());
    let (code, text) = said(command, case.title);
    assert_ne!(code, 0, "{}: accepted:\n{text}", case.title);
    assert_ne!(code, 101, "{}: panicked:\n{text}", case.title);
    let typed = case.arguments.join(" ");
    format!("=== {}\n$ nexusd {typed}\n{}\n[exit code {code}]\n\n", case.title, settled(&text, home.path()))
}

const GOOD: &str = "";

#[test]
fn of_settings() {
    let cases = [
        settings("a key that is no key", &[("nexusd.toml", "[server]\nlistn = \"127.0.0.1:1\"")]),
        settings("a key in the wrong section", &[("nexusd.toml", "[server]\nbuilds = 3")]),
        settings("no TOML", &[("nexusd.toml", "{\"server\": {\"listen\": 1}}")]),
        settings("a value of the wrong type", &[("nexusd.toml", "[worker]\nbuilds = \"many\"")]),
        settings("a duration with its unit", &[("nexusd.toml", "[worker]\nlease_secs = \"60s\"")]),
        settings("a port for an address", &[("nexusd.toml", "[server]\nlisten = \"8000\"")]),
        settings("a port that is none", &[("nexusd.toml", "[server]\nlisten = \"127.0.0.1:99999\"")]),
        settings("a filter that is none", &[("nexusd.toml", "[log]\nfilter = \"inof\"")]),
        settings("a backend that is none", &[("nexusd.toml", "[backend]\nkind = \"postgres\"")]),
        settings("no file", &[]),
        Case { arguments: &["check-config", "etc"], ..settings("a folder for a file", &[("etc/x", "")]) },
        settings("a key of a plugin, mistyped", &[("nexusd.toml", "[plugins.agent-build]\npyton = \"x\"")]),
        settings("a key that no plugin has", &[("nexusd.toml", "[plugins.agent-build]\nmodel = \"hush\"")]),
        settings(
            "a plugin's value of the wrong type",
            &[("nexusd.toml", "[plugins.deploy-local]\nmax_agents = \"hush\"")],
        ),
        settings("a plugin's value out of range", &[("nexusd.toml", "[plugins.deploy-local]\nlog_files = 0")]),
        settings("a plugin's choice that is none", &[("nexusd.toml", "[plugins.agent-build]\nprovider = \"hush\"")]),
        settings("what only the plugin knows", &[("nexusd.toml", "[plugins.deploy-local]\nmemory_limit_mb = 3")]),
        settings("a list that is none", &[("nexusd.toml", "[plugins.deploy-local]\nenv_allow = \"PATH\"")]),
        settings("a list with a number", &[("nexusd.toml", "[plugins.deploy-local]\nenv_allow = [\"PATH\", 3]")]),
        settings("a table with a number", &[("nexusd.toml", "[plugins.deploy-local]\nenv = { A = 3 }")]),
        settings("a plugin that is none, mistyped", &[("nexusd.toml", "[plugins.deploy_local]\nmax_agents = 3")]),
        settings("a plugin that is none", &[("nexusd.toml", "[plugins.slack]\ntoken = \"hush\"")]),
        Case {
            variables: &[("NEXUSD_PLUGINS__AGENT_BUILD__PYTON", "hush")],
            ..settings("a plugin's variable, mistyped", &[("nexusd.toml", GOOD)])
        },
        Case {
            variables: &[("NEXUSD_WORKER_BUILDS", "3")],
            ..settings("a variable with one underscore", &[("nexusd.toml", GOOD)])
        },
        settings("a Python that is not there", &[("nexusd.toml", "[plugins.agent-build]\npython = \"python9\"")]),
        settings("a path to no Python", &[("nexusd.toml", "[plugins.deploy-local]\npython = \".venv/bin/python\"")]),
        settings(
            "a Python that is too old",
            &[("nexusd.toml", "[tools]\npython = \"./old\""), ("old", "#!/bin/sh\necho 3.6\n")],
        ),
        settings("no Python", &[("nexusd.toml", "[tools]\npython = \"./no\""), ("no", "#!/bin/sh\necho hello\n")]),
        Case { variables: &[("PATH", "/nowhere")], ..settings("no Python at all", &[("nexusd.toml", GOOD)]) },
        settings("a plugin folder that is not there", &[("nexusd.toml", "[plugins]\ndirs = [\"mine\"]")]),
        settings("a plugin folder that is a file", &[("nexusd.toml", "[plugins]\ndirs = [\"mine\"]"), ("mine", "")]),
        settings("without the shipped plugins", &[("nexusd.toml", "[plugins]\nshipped = false")]),
        settings("a data folder that is a file", &[("nexusd.toml", "[data]\ndir = \"data\""), ("data", "")]),
        settings("a data folder below a file", &[("nexusd.toml", "[data]\ndir = \"data/x\""), ("data", "")]),
        settings(
            "a plugin that is damaged",
            &[("nexusd.toml", "[plugins]\ndirs = [\"mine\"]"), ("mine/a.so", "\u{7f}ELF")],
        ),
        settings("a workflow folder that is not there", &[("nexusd.toml", "[workflows]\ndirs = [\"flows\"]")]),
        settings(
            "a workflow that wants what is not there",
            &[
                ("nexusd.toml", "[workflows]\ndirs = [\"flows\"]"),
                ("flows/a.toml", "name = \"a\"\n[[stages]]\nname = \"s\"\nhandler = \"agent-buld/orchestrator\""),
            ],
        ),
        settings("a workflow that is not there", &[("nexusd.toml", "[workflows]\ndefault = \"agent_bild\"")]),
    ];
    let told: String = cases.iter().map(run).collect();
    assert!(!told.contains("hush"), "a value of a plugin is told:\n{told}");
    insta::assert_snapshot!("settings", told);
}

#[test]
fn of_arguments_ports_and_folders() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    const PLAIN: (&str, &str) = ("NEXUSD_LOG__FORMAT", "pretty");
    const QUIET: (&str, &str) = ("RUST_LOG", "error");
    let serve = |title, arguments| Case { title, files: &[("data", "a file")], variables: &[PLAIN, QUIET], arguments };
    let at_port = ["--listen", port.as_str(), "--data-dir", "d"];
    let cases = [
        typed("a command that is none", &["chek-config"]),
        typed("half a command", &["plugins"]),
        typed("an option that is none", &["--prot", "8000"]),
        typed("an address without its value", &["--listen"]),
        typed("a port alone", &["--listen", "8000"]),
        typed("a name for an address", &["--listen", "localhost:8000"]),
        Case {
            variables: &[PLAIN, QUIET, ("NEXUSD_AUTH__MODE", "none")],
            ..typed("an address that others reach", &["--listen", "0.0.0.0:8000"])
        },
        typed("a file of settings that is not there", &["--config", "nowhere.toml"]),
        serve("a port that is taken", &at_port),
        serve("an address of another machine", &["--listen", "192.0.2.1:8000", "--data-dir", "d"]),
        serve("a data folder that is a file", &["--listen", "127.0.0.1:0", "--data-dir", "data"]),
        serve("a data folder below a file", &["--listen", "127.0.0.1:0", "--data-dir", "data/x"]),
        serve("a data folder that nobody can make", &["--listen", "127.0.0.1:0", "--data-dir", "/proc/nexusd"]),
        Case {
            variables: &[PLAIN, QUIET, ("NEXUSD_PLUGINS__AGENT_BUILD__PYTON", "x")],
            ..serve("a start with a plugin's key mistyped", &["--listen", "127.0.0.1:0", "--data-dir", "d"])
        },
        Case {
            variables: &[PLAIN, QUIET, ("NEXUSD_PLUGINS__SHIPPED", "false")],
            ..serve("a start without plugins", &["--listen", "127.0.0.1:0", "--data-dir", "d"])
        },
        typed("a plugin file that is not there", &["plugins", "check", "nowhere.so"]),
        typed("settings of a plugin that is none", &["plugins", "settings", "slack"]),
        typed("no daemon", &["--url", "http://127.0.0.1:1", "projects", "list"]),
        typed("an address that is none", &["--url", "nonsense", "agents", "list"]),
        typed("an agent without a name", &["chat"]),
        typed("a sentence without words", &["--url", "http://127.0.0.1:1", "new", ""]),
        typed("dead letters without a daemon and a store", &["--data-dir", "nowhere", "dlq", "list"]),
        typed("a backup without a store", &["--data-dir", "nowhere", "backup", "b.tar"]),
        typed("a restore from nothing", &["--data-dir", "d", "restore", "b.tar"]),
        typed("a shell that is none", &["completions", "tcsh9"]),
    ];
    let told: String = cases.iter().map(run).collect();
    insta::assert_snapshot!("arguments", told.replace(&port, "127.0.0.1:<port>"));
}

/// Ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn of_requests() {
    let home = tempfile::tempdir().unwrap();
    let mut command = nexusd(home.path());
    command.args(["--listen", "127.0.0.1:0", "--data-dir", "d"]).env("NEXUSD_AUTH__MODE", "none").stderr(Stdio::null());
    let mut child = Running(command.spawn().unwrap());
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let url = lines
        .find_map(|line| line.ok()?.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned));
    let url = url.expect("it comes up");
    let json = Some("application/json");
    let cases = [
        ("POST", "/api/v2/projects", json, "{\"requirement\": "),
        ("POST", "/api/v2/projects", json, ""),
        ("POST", "/api/v2/projects", json, "[]"),
        ("POST", "/api/v2/projects", json, "{}"),
        ("POST", "/api/v2/projects", json, "{\"requirment\": \"x\"}"),
        ("POST", "/api/v2/projects", json, "{\"requirement\": 3}"),
        ("POST", "/api/v2/projects", json, "{\"requirement\": \"\"}"),
        ("POST", "/api/v2/projects", json, "{\"requirement\": \"Build an agent.\", \"workflow\": \"agent_bild\"}"),
        ("POST", "/api/v2/projects", Some("text/plain"), "Build an agent."),
        ("POST", "/api/v2/projects", None, "{\"requirement\": \"x\"}"),
        ("GET", "/api/v2/projects/nonsense", None, ""),
        ("GET", "/api/v2/projects?limit=many", None, ""),
        ("GET", "/api/v2/project", None, ""),
        ("PUT", "/api/v2/projects", json, "{}"),
        ("GET", "/api/v2/agents/nonsense", None, ""),
    ];
    let client = reqwest::Client::new();
    let mut told = String::new();
    for (method, path, kind, body) in cases {
        let mut request = client.request(method.parse().unwrap(), format!("{url}{path}")).body(body);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert!(status.is_client_error(), "{method} {path} {body}: {status}");
        let mut value: serde_json::Value = answer.json().await.unwrap();
        value.as_object_mut().unwrap().retain(|key, _| !["request_id", "timestamp"].contains(&key.as_str()));
        writeln!(told, "=== {method} {path} {body}\n{status}\n{}\n", serde_json::to_string_pretty(&value).unwrap())
            .unwrap();
    }
    insta::assert_snapshot!("requests", told);
}
