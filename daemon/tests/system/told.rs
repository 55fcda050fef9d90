//! The log as an operator reads it: one line for each thing that happened, one WARN for each failure, JSON to the last line.

use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::support::{Daemon, Home, events, eventually, plugin_dir};

/// Settings with the fixture plugin as a deploy target beside the local one.
fn home(format: &str) -> Home {
    let home = Home::new("");
    let (workflows, plugins) = (home.path().join("workflows"), home.path().join("plugins"));
    for folder in [&workflows, &plugins] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::copy(plugin_dir().join("libnexus_fixture_noop.so"), plugins.join("libnoop.so")).unwrap();
    let stage = |name: &str, retries: u32, options: &str| {
        format!(
            "name = \"{name}\"\nretry_base_delay_secs = 1\n[[stages]]\nname = \"only\"\ndisplay_name = \"only\"\n\
             handler = \"noop/noop\"\nprerequisites = []\nmax_retries = {retries}\noptions = {{ {options} }}\n"
        )
    };
    for (name, retries, options) in [
        ("agent", 0, "agent = \"print(1)\""),
        ("broken", 0, "fail = \"permanent\""),
        ("away", 1, "fail = \"transient\""),
        ("panics", 0, "fail = \"panic\""),
        ("task", 0, "fail = \"task\""),
        ("names", 0, "names = [\"../../../etc/passwd\", \"/etc/passwd\", \"a/../../b\", \"made/fine.txt\"]"),
    ] {
        std::fs::write(workflows.join(format!("{name}.toml")), stage(name, retries, options)).unwrap();
    }
    let bundled = plugin_dir();
    home.configure(&format!(
        "[log]\nformat = \"{format}\"\n[workflows]\ndirs = [{workflows:?}]\n[plugins]\ndirs = [{bundled:?}, {plugins:?}]\n\
         [deploy.targets]\nnoop = \"noop/noop-deploy\"\n"
    ));
    home
}

/// The members of an object as they stand, those of one name too.
struct Members(Vec<String>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> serde::de::Visitor<'de> for Reader {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut names = Vec::new();
                while let Some((name, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                    names.push(name);
                }
                Ok(Members(names))
            }
        }
        from.deserialize_map(Reader)
    }
}

/// The lines of a log of JSON; every one must be, and say nothing twice.
fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| {
            let Ok(Members(mut names)) = serde_json::from_str(line) else { panic!("no JSON: {line}\nin\n{log}") };
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "a member stands twice: {line}");
            let parsed = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}\nin\n{log}"));
            assert!(matches!(parsed, Value::Object(_)), "{line}");
            parsed
        })
        .collect()
}

/// Those that say `message` of what has this id.
fn saying(daemon: &Daemon, message: &str, id: &str) -> Vec<Value> {
    let about = |line: &Value| ["project_id", "agent_id"].iter().any(|key| line[*key] == id);
    lines(&daemon.log()).into_iter().filter(|line| line["message"] == message && about(line)).collect()
}

/// The one line that says so, once it is there.
async fn told(daemon: &Daemon, message: &str, id: &str) -> Value {
    let found = eventually(message, async || Some(saying(daemon, message, id)).filter(|found| !found.is_empty())).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

async fn create(daemon: &Daemon, workflow: &str, deployment: Value) -> String {
    let body = json!({"requirement": "something to tell of", "workflow": workflow, "deployment": deployment});
    let (status, answer) = daemon.post("/projects", &body).await;
    assert_eq!(status, 201, "{answer}");
    answer["data"]["project_id"].as_str().unwrap().to_owned()
}

/// WARN and ERROR lines that name this id.
fn complaints(daemon: &Daemon, id: &str) -> Vec<Value> {
    let loud = |line: &Value| line["level"] == "WARN" || line["level"] == "ERROR";
    lines(&daemon.log()).into_iter().filter(|line| loud(line) && line.to_string().contains(id)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_well_is_one_line_each_with_its_figures() {
    let home = home("json");
    let daemon = home.start();
    let project = create(&daemon, "agent", json!({"target": "noop"})).await;
    daemon.wait_for_agent(&project).await;

    let created = told(&daemon, "project created, its build is queued", &project).await;
    assert_eq!((&created["level"], &created["workflow"]), (&json!("INFO"), &json!("agent")));
    assert!(created["task_id"].is_string() && created["name"].is_string(), "{created}");
    let built = told(&daemon, "build completed", &project).await;
    assert_eq!((&built["level"], &built["stages"]), (&json!("INFO"), &json!(1)), "{built}");
    assert!(built["seconds"].as_f64().is_some_and(|s| s > 0.0) && built["input_tokens"].is_u64(), "{built}");
    let agent = built["agent_id"].as_str().unwrap().to_owned();
    let (_, detail) = daemon.get(&format!("/projects/{project}")).await;
    assert_eq!(detail["data"]["agent_id"], json!(agent), "the project names its agent: {detail:#}");

    let deployed = told(&daemon, "agent deployed", &agent).await;
    assert_eq!(deployed["endpoint"], json!(format!("noop://{agent}")), "{deployed}");
    assert_eq!((&deployed["deploy_target"], &deployed["project_id"]), (&json!("noop"), &json!(project)));
    assert!(deployed["seconds"].is_f64() && deployed["tries"] == 1, "{deployed}");
    let (_, health) = daemon.get(&format!("/agents/{agent}/runtime/health")).await;
    let health = &health["data"];
    assert_eq!((&health["runtime_type"], &health["endpoint"]), (&json!("noop"), &deployed["endpoint"]), "{health:#}");
    assert_eq!(health["deploy_log"], json!(["INFO deploying small_agent"]), "{health:#}");

    // The dashboard: what nobody counted is null, and the workflow is a graph.
    let (_, board) = daemon.get(&format!("/projects/{project}/build")).await;
    let board = &board["data"];
    assert_eq!((&board["stages"][0]["input_tokens"], &board["metrics"]["output_tokens"]), (&Value::Null, &Value::Null));
    assert_eq!((&board["progress_percentage"], &board["alerts"]), (&json!(100.0), &json!([])), "{board:#}");
    assert_eq!(board["latest_task"]["task_type"], "deploy_agent", "{board:#}");
    let made = json!({"id": agent, "label": "Small agent", "owner": "noop", "status": "running", "type": "agent"});
    assert_eq!(board["resources"], json!([made]), "{board:#}");
    assert_eq!(
        (&board["workflow_graph_nodes"], &board["workflow_graph_edges"]),
        (&json!([{"id": "only", "label": "only", "type": "stage", "status": "completed"}]), &json!([])),
    );
    let (_, listed) = daemon.get("/workflows").await;
    let known = listed["data"].as_array().into_iter().flatten().find(|known| known["name"] == "agent_build");
    let known = known.unwrap_or_else(|| panic!("{listed:#}"));
    assert_eq!((&known["default"], known["stages"].as_array().map(Vec::len)), (&json!(true), Some(9)), "{known:#}");
    assert_eq!(known["stages"][0]["handler"], "agent-build/orchestrator", "{known:#}");

    // What the handler says, with its own level; a line break does not make two lines of it.
    let (status, answer) = daemon.post(&format!("/agents/{agent}/invoke"), &json!({"input_text": "hello"})).await;
    assert_eq!(status, 200, "{answer}");
    let all = lines(&daemon.log());
    let said = |level: &str, words: &str| {
        all.iter().any(|line| line["level"] == level && line["said"] == words && line["agent_id"] == json!(agent))
    };
    assert!(said("INFO", "deploying small_agent") && said("WARN", "asked\nand answered"), "{}", daemon.log());

    assert_eq!(daemon.delete(&format!("/agents/{agent}")).await.0, 200);
    told(&daemon, "agent deleted", &agent).await;
    assert_eq!(daemon.delete(&format!("/projects/{project}")).await.0, 200);
    told(&daemon, "project deleted", &project).await;
    assert!(complaints(&daemon, &project).is_empty(), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_one_warning_that_says_what_to_do() {
    let home = home("json");
    let daemon = home.start();
    let mut seen = Vec::new();
    for (workflow, kind, error) in
        [("broken", "permanent", "it fails as it was told to"), ("away", "transient", "the service is away")]
    {
        let project = create(&daemon, workflow, Value::Null).await;
        daemon.wait_for(&project, &["failed"]).await;
        let failed = told(&daemon, "build failed", &project).await;
        assert_eq!(
            (&failed["level"], &failed["kind"], &failed["stage"]),
            (&json!("WARN"), &json!(kind), &json!("only"))
        );
        assert!(failed["error"].as_str().is_some_and(|text| text.contains(error)), "{failed}");
        assert!(
            failed["remedy"].as_str().is_some_and(|text| text.contains(&format!("nexusd restart {project}"))),
            "{failed}"
        );
        assert_eq!(complaints(&daemon, &project).len(), 1, "{:#?}", complaints(&daemon, &project));
        seen.push((project, workflow));
    }
    // The retry before it is told, and is no warning.
    let (away, _) = &seen[1];
    assert_eq!(saying(&daemon, "stage failed and is tried again", away)[0]["level"], "INFO");

    // A deployment.
    let project = create(&daemon, "agent", json!({"target": "noop", "fail": true})).await;
    daemon.wait_for(&project, &["completed"]).await;
    let agent = told(&daemon, "build completed", &project).await["agent_id"].as_str().unwrap().to_owned();
    let failed = told(&daemon, "deployment failed", &agent).await;
    assert_eq!((&failed["level"], &failed["deploy_target"]), (&json!("WARN"), &json!("noop")));
    assert!(failed["error"].as_str().is_some_and(|text| text.contains("the target refuses it")), "{failed}");
    assert!(
        failed["remedy"]
            .as_str()
            .is_some_and(|text| text.contains(&format!("/api/v2/agents/{agent}/status?status=running"))),
        "{failed}"
    );
    assert_eq!(complaints(&daemon, &agent).len(), 1, "{:#?}", complaints(&daemon, &agent));
    let (_, board) = daemon.get(&format!("/projects/{project}/build")).await;
    assert!(board["data"]["alerts"].to_string().contains("the target refuses it"), "{board:#}");

    // What the remedy names is there.
    let again = daemon.http().put(daemon.at(&format!("/agents/{agent}/status?status=running"))).send().await.unwrap();
    assert_eq!(again.status(), 200);

    // Control, by whoever asks.
    let (status, _) = daemon.post(&format!("/projects/{}/control", seen[0].0), &json!({"action": "restart"})).await;
    assert_eq!(status, 200);
    let line = told(&daemon, "project restarted, its build is queued", &seen[0].0).await;
    assert_eq!((&line["level"], &line["action"]), (&json!("INFO"), &json!("restart")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_people_the_same_lines_are_text() {
    let home = home("pretty");
    let daemon = home.start();
    let project = create(&daemon, "broken", Value::Null).await;
    daemon.wait_for(&project, &["failed"]).await;
    let line = eventually("the warning", async || {
        daemon.log().lines().find(|line| line.contains("build failed")).map(str::to_owned)
    })
    .await;
    assert!(line.contains("WARN") && line.contains(&project) && line.contains("nexusd restart"), "{line}");
    assert!(!daemon.log().contains('\u{1b}'), "colours only on a terminal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panics_of_plugins_do_not_break_a_log_of_json() {
    let mut home = home("json");
    home.set("RUST_BACKTRACE", "1");
    let daemon = home.start();
    for workflow in ["panics", "task"] {
        let project = create(&daemon, workflow, Value::Null).await;
        daemon.wait_for(&project, &["failed"]).await;
        told(&daemon, "build failed", &project).await;
    }
    let all = lines(&daemon.log());
    assert!(all.iter().any(|line| line["message"] == "plugin code panicked"), "{}", daemon.log());
    let task = all.iter().find(|line| line.to_string().contains("a task panics as it was told to"));
    assert!(
        task.is_some_and(|line| line["place"].as_str().is_some_and(|place| place.contains("lib.rs"))),
        "{}",
        daemon.log()
    );
    let (_, code) = tokio::task::spawn_blocking(move || daemon.terminate()).await.unwrap();
    assert_eq!(code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_events_that_lead_out_are_told_and_not_passed_on() {
    let home = home("json");
    let daemon = home.start();
    let project = create(&daemon, "names", Value::Null).await;
    let done = daemon.wait_for(&project, &["completed"]).await;
    let events = events(&daemon, &project).await;
    let files: Vec<&Value> = events.iter().filter_map(|event| event.get("path")).collect();
    assert_eq!(files, [&json!("made/fine.txt")], "{events:#?}");
    for bad in ["../../../etc/passwd", "/etc/passwd", "a/../../b"] {
        let told = events.iter().any(|event| event["message"].as_str().is_some_and(|text| text.ends_with(bad)));
        assert!(told, "{bad} in {events:#?}");
        assert!(done["stages"][0]["logs"].to_string().contains(bad), "{done:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_says_which_plugins_were_refused() {
    let home = home("json");
    let daemon = home.start();
    let (_, answer) = daemon.post("/plugins/reload", &json!({})).await;
    assert_eq!((&answer["message"], &answer["data"]["refused"]), (&json!("reloaded"), &json!([])), "{answer:#}");
    std::fs::write(home.path().join("plugins/libwrong.so"), "no library").unwrap();
    let (status, answer) = daemon.post("/plugins/reload", &json!({})).await;
    assert_eq!(status, 200, "what can be applied is: {answer:#}");
    assert!(answer["message"].as_str().is_some_and(|text| text.contains("libwrong.so was refused")), "{answer:#}");
    assert_eq!(answer["data"]["refused"], json!(["libwrong.so"]));
    let refused = lines(&daemon.log()).into_iter().filter(|line| {
        line["level"] == "WARN" && line["message"].as_str().is_some_and(|text| text.contains("plugin refused"))
    });
    let refused: Vec<Value> = refused.collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert!(refused[0]["remedy"].is_string(), "{refused:#?}");

    // The documentation's first reader sees no warning of the framework's.
    let document = daemon.text("//openapi.json").await;
    assert!(document.contains("listWorkflows"));
    assert!(!daemon.log().contains("not exist parameters"), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_signals_at_once_are_one_request() {
    let home = Home::new("");
    let mut daemon = home.start();
    // As GNU `timeout` does: the process, then its group.
    let both = format!("kill -TERM {0}; kill -TERM {0}", daemon.pid());
    assert!(Command::new("sh").args(["-c", &both]).status().unwrap().success());
    let status = eventually("the end", async || daemon.ended()).await;
    assert_eq!(status.code(), Some(0), "{}", daemon.log());
}

/// What a start that fails says, on both outputs.
fn refused(home: &Path, format: &str, arguments: &[&str]) -> String {
    refused_with(home, &format!("[log]\nformat = \"{format}\"\n"), arguments)
}

fn refused_with(home: &Path, text: &str, arguments: &[&str]) -> String {
    let settings = home.join("nexusd.toml");
    std::fs::write(&settings, text).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_nexusd"))
        .args(["--listen", "127.0.0.1:0", "--config"])
        .arg(&settings)
        .args(arguments)
        .env_clear()
        .env("NEXUSD_ALLOW_ROOT", "1")
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    said
}

#[test]
fn a_start_that_fails_says_why_once_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "").unwrap();
    let json = refused(home.path(), "json", &["--data-dir", "file"]);
    let told = lines(&json);
    let errors: Vec<&Value> = told.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{json}");
    let text = refused(home.path(), "pretty", &["--data-dir", "file"]);
    for said in [errors[0]["error"].as_str().unwrap(), text.as_str()] {
        assert!(said.contains("is a file and no folder") && said.contains("--data-dir"), "{said}");
    }
    assert_eq!(text.matches("is a file and no folder").count(), 1, "{text}");

    // A plugin that is refused and missed is one failure: one line with what it is, and what to do.
    let plugins = home.path().join("plugins");
    std::fs::create_dir_all(home.path().join("workflows")).unwrap();
    std::fs::create_dir_all(&plugins).unwrap();
    std::fs::write(plugins.join("libbroken.so"), "no library").unwrap();
    let workflow = "name = \"w\"\n[[stages]]\nname = \"only\"\nhandler = \"broken/x\"\n";
    std::fs::write(home.path().join("workflows/w.toml"), workflow).unwrap();
    let settings = |format: &str| {
        format!("[log]\nformat = \"{format}\"\n[plugins]\ndirs = [\"plugins\"]\n[workflows]\ndirs = [\"workflows\"]\n")
    };
    let told = lines(&refused_with(home.path(), &settings("json"), &["--data-dir", "good"]));
    let of: Vec<&Value> = told.iter().filter(|line| line.to_string().contains("libbroken")).collect();
    assert_eq!(
        (of.len(), &of[0]["level"], &of[0]["message"]),
        (1, &json!("ERROR"), &json!("nexusd did not start")),
        "{told:#?}"
    );
    let said = of[0].to_string();
    assert!(said.contains("broken/x") && said.matches("libbroken.so").count() == 1, "{said}");
    let text = refused_with(home.path(), &settings("pretty"), &["--data-dir", "good"]);
    assert_eq!(
        (text.matches("plugin `broken` is refused").count(), text.matches("plugin refused").count()),
        (1, 0),
        "{text}"
    );
    assert!(text.contains("help: copy the file again"), "{text}");

    // Wrong settings, before there is a log.
    std::fs::write(home.path().join("bad.toml"), "[log]\nformat = \"json\"\n[worker]\nbuilds = 0\nx = 1\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nexusd"))
        .args(["--config", "bad.toml", "--data-dir", "d"])
        .env_clear()
        .env("NEXUSD_ALLOW_ROOT", "1")
        .current_dir(home.path())
        .output()
        .unwrap();
    let told = lines(&String::from_utf8(output.stderr).unwrap());
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told.iter().all(|line| line["error"].as_str().is_some_and(|text| text.contains("bad.toml"))), "{told:#?}");

    // A folder where the database should be.
    std::fs::create_dir_all(home.path().join("data/nexus.db")).unwrap();
    let said = refused(home.path(), "json", &["--data-dir", "data"]);
    assert!(said.contains("nexus.db is no file") || said.contains("is no file: move away"), "{said}");
}

#[test]
fn the_banner_of_a_json_log_is_json() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("nexusd.toml"), "[log]\nformat = \"json\"\n").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_nexusd"))
        .args(["--listen", "127.0.0.1:0", "--config", "nexusd.toml", "--data-dir", "data"])
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut first).unwrap();
    let up: Value = serde_json::from_str(&first).unwrap_or_else(|_| panic!("no JSON: {first}"));
    assert_eq!(up["message"], "nexusd is up");
    assert!(up["address"].as_str().is_some_and(|address| address.starts_with("http://127.0.0.1:")), "{up}");
    assert!(
        up["version"].as_str().is_some_and(|version| version.contains("build") || version.contains("commit")),
        "{up}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What a daemon says that does not start on a data folder with these mount options.
fn on_a_mount(options: &str) -> String {
    let mut home = Home::new("");
    std::fs::create_dir(home.data()).unwrap();
    let mount = format!("mount -t tmpfs -o {options} tmpfs {:?} && exec \"$@\"", home.data());
    let launcher = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &mount, "sh"];
    home.launch_by(launcher.map(str::to_owned).to_vec());
    let said = home.try_start().err().expect("it does not start");
    assert!(said.contains("did not start"), "unshare and mount must work here: {said}");
    said
}

#[test]
fn a_data_folder_without_room_or_right_to_run_has_its_own_remedy() {
    let full = on_a_mount("size=8k");
    assert!(full.contains("no space is left") || full.contains("is full"), "{full}");
    assert!(full.contains("free some") || full.contains("df -h"), "{full}");
    let noexec = on_a_mount("noexec,size=1g");
    assert!(noexec.contains("mounted noexec") && noexec.contains("[data] dir"), "{noexec}");
}
