//! What people read when a file is wrong: every message in two snapshots, one for settings and one for workflows.

use std::fmt::Write;

use nexus_plugin_api::payload::HandlerKind;

use super::*;

/// Writes the file, loads it, and gives all messages with the folder's name taken out.
fn messages(file: &str, bytes: &[u8], variables: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(file), bytes).unwrap();
    let config = dir.path().join("nexusd.toml");
    if file != "nexusd.toml" {
        std::fs::write(&config, "[workflows]\ndirs = [\".\"]").unwrap();
        // The settings themselves lie in the same folder, and a workflow folder's every *.toml is one.
        std::fs::create_dir(dir.path().join("w")).unwrap();
        std::fs::rename(dir.path().join(file), dir.path().join("w").join(file)).unwrap();
        std::fs::write(&config, "[workflows]\ndirs = [\"w\"]").unwrap();
    }
    let mut environment: Vec<(String, std::ffi::OsString)> = vec![("HOME".into(), "/home/me".into())];
    environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())));
    let inputs = Inputs { file: Some(config), environment: environment.into_iter().collect(), ..Inputs::default() };
    let problems = match load(&inputs) {
        Ok(_) => return "accepted\n".to_owned(),
        Err(problems) => problems,
    };
    let mut text = String::new();
    for problem in problems {
        writeln!(text, "error: {problem}").unwrap();
    }
    text.replace(&format!("{}/", dir.path().display()), "").replace(&dir.path().display().to_string(), "<folder>")
}

/// A title, a file, and environment variables.
type Case<'a> = (&'a str, &'a [u8], &'a [(&'a str, &'a str)]);

fn all(file: &str, cases: &[Case<'_>]) -> String {
    let mut text = String::new();
    for (title, bytes, variables) in cases {
        let messages = messages(file, bytes, variables);
        assert_ne!(messages, "accepted\n", "{title}");
        writeln!(text, "=== {title}\n{messages}").unwrap();
    }
    text
}

#[test]
fn bad_settings() {
    let long = format!("[log]\nfilter = \"{}\"\nformat = 1", "x".repeat(300));
    let cases: &[Case<'_>] = &[
        ("unknown key, mistyped", b"[server]\nlistn = \"127.0.0.1:8000\"", &[]),
        ("unknown key of another section", b"[server]\nlease_secs = 60", &[]),
        ("unknown key like no other", b"[store]\nfrobnicate = true", &[]),
        ("unknown section", b"[servers]\nlisten = \"127.0.0.1:8000\"", &[]),
        ("scalar among the plugins", b"[plugins]\nmax_job = 3", &[]),
        ("no TOML", b"[server\nlisten = 3", &[]),
        ("unquoted word", b"[log]\nformat = json", &[]),
        ("unquoted text", b"[server]\nlisten = 127.0.0.1:8000\n", &[]),
        ("duplicate key", b"[worker]\nbuilds = 1\nbuilds = 2", &[]),
        ("duplicate section", b"[worker]\nbuilds = 1\n[worker]\ndeploys = 2", &[]),
        ("text for a number", b"[worker]\nbuilds = \"16\"", &[]),
        ("duration with a unit", b"[worker]\nlease_secs = \"60s\"", &[]),
        ("fraction for a whole number", b"[worker]\nbuilds = 1.5", &[]),
        ("zero duration", b"[worker]\nheartbeat_secs = 0", &[]),
        ("negative number", b"[worker]\nbuilds = -1", &[]),
        ("huge number", b"[worker]\nbuilds = 99999999999999999999999999", &[]),
        ("number for a flag", b"[plugins]\nshipped = 1", &[]),
        ("origin with a path", b"[server]\nallowed_origins = [\"https://console.example/app\"]", &[]),
        ("host with a port", b"[server]\nallowed_hosts = [\"nexus.example:8000\"]", &[]),
        ("section written as a value", b"server = 3", &[]),
        ("listen by host name", b"[server]\nlisten = \"localhost:8000\"", &[]),
        ("listen without address", b"[server]\nlisten = \":8000\"", &[]),
        ("listen on everything", b"[server]\nlisten = \"0.0.0.0:8000\"\n[auth]\nmode = \"none\"", &[]),
        ("unknown backend", b"roles = [\"cook\"]\n[backend]\nkind = \"azure\"\nendpoint_url = \"host\"\nprefix = \"a b\"\nartifacts = \"/x\"", &[]),
        ("wrong word", b"[log]\nformat = \"jsn\"", &[]),
        ("mistyped level", b"[log]\nfilter = \"warn,nexus_daemon=inof\"", &[]),
        ("format of the future", b"version = 2", &[]),
        ("heartbeat too slow", b"[worker]\nheartbeat_secs = 45", &[]),
        ("grace beyond the deadline", b"[plugins]\ncancel_grace_secs = 30", &[]),
        ("deploy target that is not there", b"[deploy]\ndefault = \"locale\"", &[]),
        ("handler without plugin", b"[deploy.targets]\nlab = \"local\"", &[]),
        ("queues of one name", b"[queues.build]\nname = \"nexus-deploy-queue\"", &[]),
        ("no name of a queue", b"[queues.build]\nname = \"a b\"", &[]),
        ("retention beyond what queues keep", b"[queues.build]\nretention_days = 15", &[]),
        ("list in place of text, text in place of list", b"[plugins]\ndirs = \"/a\"\n[data]\ndir = [\"/b\"]", &[]),
        ("home folder", b"[data]\ndir = \"~/nexus\"", &[]),
        ("negative price", b"[pricing.\"m\"]\ninput_usd_per_million = -1", &[]),
        ("infinite price", b"[pricing.\"m\"]\ninput_usd_per_million = inf", &[]),
        ("workflow that is not there", b"[workflows]\ndefault = \"agent_biuld\"", &[]),
        ("workflow folder that is not there", b"[workflows]\ndirs = [\"nowhere\"]", &[]),
        ("not UTF-8", b"version = 1\n# \xff\n", &[]),
        ("byte order mark and CRLF", b"\xEF\xBB\xBF[server]\r\nlistn = 1\r\n", &[]),
        ("tab and wide characters", "[log]\n\tfilter = \"日本\" # ok\n\tfromat = \"json\"".as_bytes(), &[]),
        ("long line", long.as_bytes(), &[]),
        ("secret on a broken line", b"[plugins.llm]\napi_key = \"hush\n", &[]),
        ("several at once", b"version = 3\n[worker]\nbuilds = 0\nbild = 1\n[log]\nformat = \"xml\"", &[]),
        ("variable, mistyped", b"", &[("NEXUSD_WORKER__BUILD", "3")]),
        ("variable of no section", b"", &[("NEXUSD_A__B", "3")]),
        ("variable with a wrong value", b"", &[("NEXUSD_WORKER__BUILDS", "many")]),
        ("variable with a remote address", b"[auth]\nmode = \"none\"", &[("NEXUSD_LISTEN", "0.0.0.0:80")]),
        ("variable with one underscore", b"", &[("NEXUSD_WORKER_BUILDS", "3")]),
        ("variable for a whole section", b"", &[("NEXUSD_PLUGINS__LLM", "x")]),
    ];
    insta::assert_snapshot!(all("nexusd.toml", cases));
}

#[test]
fn bad_workflows() {
    let stage = |name: &str, rest: &str| format!("[[stages]]\nname = \"{name}\"\nhandler = \"p/{name}\"\n{rest}\n");
    let file = |stages: &str| format!("name = \"mine\"\n\n{stages}").into_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("unknown prerequisite", file(&(stage("plan", "") + &stage("build", "prerequisites = [\"plan\", \"pln\"]")))),
        ("unknown prerequisite like no other", file(&stage("build", "prerequisites = [\"zebra\"]"))),
        ("cycle", file(&(stage("a", "prerequisites = [\"b\"]") + &stage("b", "prerequisites = [\"a\"]")))),
        ("stage that needs itself", file(&stage("a", "prerequisites = [\"a\"]"))),
        ("duplicate stage", file(&(stage("a", "") + &stage("b", "") + &stage("a", "")))),
        ("alias that is a stage", file(&(stage("a", "") + &stage("b", "aliases = [\"c\", \"a\"]")))),
        ("stage name", file(&stage("My Stage", ""))),
        ("stage name in capitals", file(&stage("Plan", ""))),
        ("no stages", b"name = \"mine\"\nstages = []".to_vec()),
        ("stages missing", b"name = \"mine\"".to_vec()),
        ("name missing", stage("a", "").into_bytes()),
        ("handler missing", file("[[stages]]\nname = \"a\"")),
        ("handler without plugin", file("[[stages]]\nname = \"a\"\nhandler = \"orchestrator\"")),
        ("unknown key of a stage", file(&stage("a", "prerequisite = [\"b\"]"))),
        (
            "unknown key of the file",
            b"name = \"mine\"\nretries = 3\n[[stages]]\nname = \"a\"\nhandler = \"p/a\"".to_vec(),
        ),
        ("one table for the list", file("[stages]\nname = \"a\"\nhandler = \"p/a\"")),
        ("timeout zero", file(&stage("a", "timeout_secs = 0"))),
        ("options as text", file(&stage("a", "options = \"fast\""))),
        ("prerequisites as text", file(&(stage("a", "") + &stage("b", "prerequisites = \"a\"")))),
        ("empty file", Vec::new()),
        ("no TOML", b"name = \"mine\"\n[[stages]\n".to_vec()),
    ];
    let cases: Vec<Case<'_>> = cases.iter().map(|(title, bytes)| (*title, bytes.as_slice(), [].as_slice())).collect();
    insta::assert_snapshot!(all("mine.toml", &cases));
}

#[test]
fn two_workflows_of_one_name_and_unknown_handlers() {
    let dir = tempfile::tempdir().unwrap();
    let text = "name = \"mine\"\n[[stages]]\nname = \"a\"\nhandler = \"agent-build/orchestratr\"\n\
                [[stages]]\nname = \"b\"\nhandler = \"agent-biuld/b\"\n[[stages]]\nname = \"c\"\nhandler = \"deploy-local/local\"";
    std::fs::create_dir(dir.path().join("w")).unwrap();
    std::fs::write(dir.path().join("w/one.toml"), text).unwrap();
    let config = dir.path().join("nexusd.toml");
    std::fs::write(&config, "[workflows]\ndirs = [\"w\"]\n[deploy.targets]\nlab = \"deploy-local/remote\"").unwrap();
    let environment: Environment = [("HOME".to_owned(), "/home/me".into())].into_iter().collect();
    let inputs = Inputs { file: Some(config), environment, ..Inputs::default() };
    let loaded = load(&inputs).unwrap();
    let mut known = vec![KnownHandler { name: "deploy-local/local".into(), kind: HandlerKind::Deploy }];
    for stage in loaded.workflows.get("agent_build").unwrap().stages() {
        known.push(KnownHandler { name: stage.handler.clone(), kind: HandlerKind::Stage });
    }
    let mut text = String::new();
    for problem in unknown_handlers(&loaded.handlers, &known, &[]) {
        writeln!(text, "error: {problem}").unwrap();
    }
    std::fs::copy(dir.path().join("w/one.toml"), dir.path().join("w/two.toml")).unwrap();
    for problem in load(&inputs).unwrap_err() {
        writeln!(text, "error: {problem}").unwrap();
    }
    insta::assert_snapshot!(text.replace(&format!("{}/", dir.path().display()), ""));
}

#[test]
fn files_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("long.toml");
    std::fs::write(&long, "#".repeat(2 << 20)).unwrap();
    let mut text = String::new();
    for file in [dir.path().to_path_buf(), dir.path().join("missing.toml"), long, "/dev/null/x".into()] {
        for problem in load(&Inputs { file: Some(file), ..Inputs::default() }).unwrap_err() {
            writeln!(text, "error: {problem}").unwrap();
        }
    }
    // Without a home there is no place for data; HOME is absent from this environment.
    let empty = dir.path().join("empty.toml");
    std::fs::write(&empty, "").unwrap();
    for problem in load(&Inputs { file: Some(empty), ..Inputs::default() }).unwrap_err() {
        writeln!(text, "error: {problem}").unwrap();
    }
    let text = text.replace(&format!("{}/", dir.path().display()), "");
    insta::assert_snapshot!(text.replace(&dir.path().display().to_string(), "<folder>"));
}
