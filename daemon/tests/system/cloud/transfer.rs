//! `nexusd export` and `nexusd import`: everything, there and back again.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};

use super::{
    BOTH, bucket, depth, home, ready,
    support::{Daemon, Home, events, eventually, prices::PRICES},
    with_files,
};

fn embedded() -> Home {
    Home::with_noop_workflow("", 150)
}

/// What a daemon tells of projects, an agent, a conversation and everything together.
async fn told(daemon: &Daemon, projects: &[&str], agent: &str, session: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for project in projects {
        for path in ["", "/stages", "/files"] {
            let (status, answer) = daemon.get(&format!("/projects/{project}{path}")).await;
            assert_eq!(status, 200, "{project}{path}: {answer}");
            all.push(answer["data"].clone());
        }
        all.push(events(daemon, project).await.into());
        let (_, tasks) = daemon.get(&format!("/tasks?project_id={project}")).await;
        all.push(tasks["data"].clone());
    }
    for path in
        [format!("/sessions/{session}"), format!("/sessions/{session}/messages"), "/tools?source=generated".to_owned()]
    {
        let (status, answer) = daemon.get(&path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        all.push(answer["data"].clone());
    }
    let (_, answer) = daemon.get(&format!("/agents/{agent}")).await;
    let mut agent = answer["data"].clone();
    // It was started anew, by another daemon.
    let moved = ["deployed_at", "updated_at", "status", "deployment_details", "error_message"];
    let used = ["total_invocations", "successful_invocations", "avg_duration_ms", "last_invoked_at"];
    for name in moved.into_iter().chain(used) {
        agent.as_object_mut().unwrap().remove(name);
    }
    all.push(agent);
    all
}

/// An export into a file of the home.
fn export(home: &Home, name: &str) -> PathBuf {
    let file = home.path().join(name);
    let (code, said) = home.run(&["export", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    file
}

fn import(home: &Home, file: &Path) -> String {
    let (code, said) = home.run(&["import", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    said
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Where two answers differ.
fn differences(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                differences(&format!("{path}/{name}"), &one[name], &other[name], found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}/{index}"), a, b, found);
            }
        }
        // DynamoDB knows no 0.0.
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        // It is used and written anew there.
        _ if one == other || path.ends_with("/usage_count") || path.ends_with("/modified_at") => {}
        _ => found.push(format!("{path}: {one} / {other}")),
    }
}

/// The records of an export without its files: those of the root where it was cut off come once more.
fn others(file: &Path) -> Vec<Value> {
    let plain = |line: &&Value| line.get("files").is_none() && line.get("end").is_none();
    lines(file)[1..].iter().filter(plain).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_moves_there_and_back() {
    let (account, cloud) = ready(BOTH, 150).await;
    let shared = bucket(&account).await;
    with_files(&cloud, &shared);

    // A life on one machine: an agent, a conversation with it, a build that is cut off.
    let here = embedded();
    let daemon = here.start();
    let (project, agent) = daemon.build_agent(PRICES).await;
    daemon.comes_to_know_prices(&agent).await;
    let (_, session) = daemon.post(&format!("/agents/{agent}/sessions"), &json!({"user_id": "anna"})).await;
    let session = session["data"]["session_id"].as_str().unwrap().to_owned();
    let said = daemon.post(&format!("/sessions/{session}/messages"), &json!({"content": "2 apples?"})).await;
    assert!(said.0 < 300, "{said:?}");
    let repeated = || {
        let request = daemon.http().post(daemon.at("/projects")).header("idempotency-key", "once");
        request.json(&json!({"requirement": "asked for twice", "workflow": "noop"})).send()
    };
    let once: Value = repeated().await.unwrap().json().await.unwrap();
    let other = once["data"]["project_id"].as_str().unwrap().to_owned();
    daemon.wait_for(&other, &["completed"]).await;
    let before = told(&daemon, &[&project, &other], &agent, &session).await;
    let cut_off = daemon.create("cut off in the middle", "noop").await;
    eventually("some stages are done", async || {
        let (_, answer) = daemon.get(&format!("/projects/{cut_off}")).await;
        let done = answer["data"]["stages"].as_array()?.iter().filter(|stage| stage["status"] == "completed").count();
        (done >= 2).then_some(())
    })
    .await;
    daemon.kill();

    // To the cloud, where it goes on.
    let file = export(&here, "there.jsonl");
    let said = import(&cloud, &file);
    assert!(said.contains("nexus_projects               3         0         0"), "{said}");
    let again = import(&cloud, &file);
    assert!(again.contains("nexus_projects               0         3         0"), "safe to repeat: {again}");
    std::fs::remove_dir_all(cloud.data().join("projects")).unwrap();
    let there = cloud.start();
    let done = there.wait_for(&cut_off, &["completed"]).await;
    let attempts = done["stages"].as_array().unwrap().iter().filter(|stage| stage["attempt"] == 1).count();
    assert!((7..=9).contains(&attempts), "what was done is not done again: {done:#}");
    there.comes_to_know_prices(&agent).await;
    let (_, asked) = there.get(&format!("/agents/{agent}")).await;
    assert_eq!(asked["data"]["total_invocations"], 2, "{asked}");
    there.terminate();
    eventually("no message is left", async || (depth(&account, "nexus-build-queue").await == (0, 0)).then_some(()))
        .await;

    // And back, on a third machine: all that was before is as it was.
    let file = export(&cloud, "back.jsonl");
    let back = embedded();
    import(&back, &file);
    let daemon = back.start();
    let after = told(&daemon, &[&project, &other], &agent, &session).await;
    assert_eq!(before.len(), after.len());
    let (mut differ, whole) = (Vec::new(), String::new());
    for (before, after) in before.iter().zip(&after) {
        differences(&whole, before, after, &mut differ);
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    // Today's figures have grown by what was done there.
    let (_, overview) = daemon.get("/statistics/overview").await;
    assert_eq!(overview["data"]["completed_projects"], 3, "{overview}");
    assert_eq!(overview["data"]["total_invocations"], 2, "{overview}");
    daemon.comes_to_know_prices(&agent).await;
    // The request that comes again is known.
    let request = daemon.http().post(daemon.at("/projects")).header("idempotency-key", "once");
    let request = request.json(&json!({"requirement": "asked for twice", "workflow": "noop"}));
    let again: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(again["data"]["project_id"], other.as_str(), "{again}");
    assert!(back.run(&["import", file.to_str().unwrap()]).1.contains("in use by another daemon"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cut_off_is_gone_on_with() {
    let (_, cloud) = ready(BOTH, 1).await;
    let here = Home::with_noop_workflow("", 1);
    let daemon = here.start();
    let mut projects = BTreeSet::new();
    for n in 0..30 {
        projects.insert(daemon.create(&format!("moved under number {n}"), "noop").await);
    }
    for project in &projects {
        daemon.wait_for(project, &["completed"]).await;
    }
    daemon.terminate();
    // A file of more than one piece, and small ones beside it.
    let folder = here.data().join("projects").join(projects.first().unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let large: Vec<u8> = (0..1_300_000_u32).flat_map(|n| n.to_le_bytes()).take(1_300_000).collect();
    for (name, bytes) in [("a", &b"x"[..]), ("large", &large), ("z", b"")] {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let whole = export(&here, "whole.jsonl");
    let text = std::fs::read_to_string(&whole).unwrap();
    assert_eq!(lines(&whole).iter().filter(|line| line.get("nexus_stages").is_some()).count(), 270);

    // An export that ends anywhere is gone on with, and is the same in the end.
    let part = here.path().join("part.jsonl");
    let named = part.to_str().unwrap();
    for end in [0, 10, text.len() / 7, text.len() / 3, text.len() / 2, text.len() * 9 / 10, text.len() - 2] {
        std::fs::write(&part, &text[..end]).unwrap();
        let (code, said) = here.run(&["export", "--resume", named]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(others(&whole), others(&part), "cut off at {end}");
    }
    let (code, said) = here.run(&["export", named]);
    assert!(code == Some(1) && said.contains("--resume"), "{said}");
    let (code, said) = here.run(&["export", "--resume", named]);
    assert!(code == Some(1) && said.contains("whole"), "{said}");

    // Cut off between two pieces of a file, and gone on with: the pieces come twice, the file once.
    let second = text.match_indices("\"path\":\"large\"").nth(1).unwrap().0;
    let end = text[..second].rfind('\n').unwrap() + 1;
    std::fs::write(&part, &text[..end]).unwrap();
    assert_eq!(here.run(&["export", "--resume", named]).0, Some(0));
    let third = embedded();
    import(&third, &part);
    let moved = third.data().join("projects").join(projects.first().unwrap());
    assert_eq!(std::fs::read(moved.join("large")).unwrap(), large);
    assert_eq!(std::fs::read(moved.join("z")).unwrap(), b"");
    assert_eq!(std::fs::read_dir(&moved).unwrap().count(), 3);
    std::fs::write(&part, &text).unwrap();

    // An import that is killed is begun again.
    for _ in 0..3 {
        let mut child = cloud.command(&["import"]).arg(&whole).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(rand::random_range(100..400))).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Half of it says what it is.
    std::fs::write(&part, &text[..text.len() / 2]).unwrap();
    let (code, said) = cloud.run(&["import", named]);
    assert!(code == Some(1) && said.contains("cut off") && said.contains("line "), "{said}");
    // Through a pipe, as from one machine to another.
    let mut from = here.command(&["export"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let pipe = from.stdout.take().unwrap();
    let output = cloud.command(&["import"]).stdin(pipe).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(from.wait().unwrap().success());
    let there = cloud.start();
    for project in &projects {
        let done = there.wait_for(project, &["completed"]).await;
        assert_eq!(done["stages"].as_array().unwrap().len(), 9);
        super::check_events(&there, project).await;
    }
    assert_eq!(there.get("/statistics/overview").await.1["data"]["completed_projects"], 30);
    // The other way: cut off between any two of its lines.
    let all = export(&cloud, "all.jsonl");
    let text = std::fs::read_to_string(&all).unwrap();
    let part = cloud.path().join("part.jsonl");
    for end in [text.len() / 5, text.len() / 2, text.len() - 2] {
        std::fs::write(&part, &text[..end]).unwrap();
        let (code, said) = cloud.run(&["export", "--resume", part.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{said}");
        let sorted = |file: &Path| others(file).iter().map(Value::to_string).collect::<BTreeSet<_>>();
        assert_eq!(sorted(&all), sorted(&part), "cut off at {end}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projects_and_letters_of_the_original_move_too() {
    use aws_sdk_dynamodb::types::AttributeValue as Text;
    let (account, cloud) = ready(BOTH, 1).await;
    let text = |text: &str| Text::S(text.to_owned());
    let item = [
        ("project_id", "proj_00000000000a"),
        ("project_name", "of old"),
        ("status", "queued"),
        ("requirement", "do nothing nine times"),
        ("user_id", "anna"),
        ("created_at", "2026-01-27T09:14:29.123456"),
        ("workflow", "noop"),
        ("an_attribute_of_its_own", "kept"),
    ];
    let mut put = account.dynamodb.put_item().table_name("nexus_projects");
    for (name, value) in item {
        put = put.item(name, text(value));
    }
    put.send().await.unwrap();
    let orphan = account.dynamodb.put_item().table_name("nexus_stages");
    let orphan = orphan.item("project_id", text("proj_00000000000b")).item("stage_name", text("lost"));
    orphan.item("stage_number", Text::N("1".into())).send().await.unwrap();
    let unnumbered = account.dynamodb.put_item().table_name("nexus_stages");
    let unnumbered = unnumbered.item("project_id", text("proj_00000000000b")).item("stage_name", text("unnumbered"));
    unnumbered.send().await.unwrap();
    let broken = account.dynamodb.put_item().table_name("nexus_tasks");
    broken.item("task_id", text("not an id!")).send().await.unwrap();
    // Exported while somebody worked: its task is over, and it waits.
    let torn = account.dynamodb.put_item().table_name("nexus_projects").item("status", text("building"));
    let torn = torn.item("project_id", text("proj_00000000000c")).item("task_id", text("task_over"));
    let torn = torn.item("requirement", text("do nothing nine times")).item("workflow", text("noop"));
    torn.item("created_at", text("2026-01-27T09:14:29.123456")).send().await.unwrap();
    let over = account.dynamodb.put_item().table_name("nexus_tasks").item("task_id", text("task_over"));
    let over = over.item("project_id", text("proj_00000000000c")).item("status", text("completed"));
    over.item("task_type", text("build_agent")).send().await.unwrap();
    let dlq = account.sqs.get_queue_url().queue_name("nexus-build-dlq").send().await.unwrap().queue_url.unwrap();
    account.sqs.send_message().queue_url(&dlq).message_body("poison").send().await.unwrap();

    let file = cloud.path().join("old.jsonl");
    let (code, said) = cloud.run(&["export", file.to_str().unwrap()]);
    assert!(code == Some(1) && said.contains("left out") && said.contains("not an id!"), "{said}");
    assert!(said.contains("proj_00000000000b/unnumbered: stage_number is missing"), "{said}");
    let here = Home::with_noop_workflow("", 1);
    for letters in ["         1         0         0", "         0         1         0"] {
        let said = import(&here, &file);
        assert!(said.contains(&format!("dead_letters        {letters}")), "{said}");
        assert!(said.contains("nexus_stages                 0         0         1"), "{said}");
    }
    let daemon = here.start();
    let done = daemon.wait_for("proj_00000000000a", &["completed"]).await;
    assert_eq!((done["stages"].as_array().unwrap().len(), done["user_id"].as_str()), (9, Some("anna")), "{done:#}");
    daemon.wait_for("proj_00000000000c", &["completed"]).await;
    let metrics = daemon.text("//metrics").await;
    assert!(metrics.contains("nexus_queue_dead_letters{queue=\"nexus-build-dlq\"} 1"), "{metrics}");
    daemon.terminate();
    // Into tables of another name: also the letter, and the attribute that only the original knows.
    let other = home(&account, &account.url, BOTH, 1);
    let settings = std::fs::read_to_string(other.config()).unwrap();
    other.configure(&settings.replace("[worker]", "prefix = \"two-\"\n[worker]"));
    assert_eq!(other.run(&["resources", "init"]).0, Some(0));
    for letters in ["         1         0         0", "         0         1         0"] {
        let said = import(&other, &file);
        assert!(said.contains(&format!("dead_letters        {letters}")), "{said}");
    }
    let key = text("proj_00000000000a");
    let item =
        account.dynamodb.get_item().table_name("two-nexus_projects").key("project_id", key).send().await.unwrap();
    assert_eq!(item.item.unwrap()["an_attribute_of_its_own"], text("kept"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_export_is_refused_by_its_line() {
    let here = embedded();
    let (file, head) = (here.path().join("bad.jsonl"), "{\"nexusd_export\": 1}");
    let piece = |path: &str| json!({"files": {"root": "projects/proj_1", "path": path, "size": 1, "offset": 0, "executable": false, "data": "eA=="}});
    let cases = [
        (String::new(), "line 0: the export ends here"),
        ("no json".to_owned(), "line 1: this is no JSON object"),
        ("{\"nexusd_export\": 2}".to_owned(), "line 1: this export has form 2"),
        ("{\"nexus_projects\": {}}".to_owned(), "line 1: this is not the first line"),
        (format!("{head}\n{head}"), "line 2: a second export"),
        (format!("{head}\n{{\"nexus_cats\": {{}}}}"), "line 2: there are no records named \"nexus_cats\""),
        (format!("{head}\n{{\"nexus_projects\": 3}}"), "line 2: \"nexus_projects\" is no object"),
        (format!("{head}\n{{\"nexus_projects\": {{}}}}"), "line 2: project_id \"\": not an identifier"),
        (format!("{head}\n{{\"nexus_agents\": {{\"agent_id\": \"../x\"}}}}"), "line 2: nexus_agents: agent_id"),
        (
            format!(
                "{head}\n{}\n{{\"nexus_invocations\": {{}}}}",
                json!({"nexus_invocations": {"invocation_id": "inv_1", "agent_id": "agent_1"}})
            ),
            "line 3: nexus_invocations: invocation_id",
        ),
        (format!("{head}\n{}", piece("../../x")), "does not belong into the data folder"),
        (format!("{head}\n{}", piece("/etc/x")), "does not belong into the data folder"),
        (format!("{head}\n{}", piece("a").to_string().replace("proj_1", "..")), "does not belong into the data folder"),
        (format!("{head}\n{}", piece("a").to_string().replace("eA==", "?")), "data is missing or not of its form"),
        (format!("{head}\n{{\"end\": {{\"nexus_tasks\": 1}}}}"), "line 2: the file lacks lines"),
        (format!("{head}\n{{\"end\": {{}}}}\n{head}"), "line 3: something comes behind the last line"),
    ];
    for (text, wanted) in cases {
        std::fs::write(&file, format!("{text}\n").trim_start_matches('\n')).unwrap();
        let (code, said) = here.run(&["import", file.to_str().unwrap()]);
        assert!(code == Some(1) && said.contains(wanted), "{text}\n→ {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    // What counts invocations is still there, although one was refused.
    let file = rusqlite::Connection::open(here.data().join("nexus.db")).unwrap();
    let count = "SELECT count(*) FROM sqlite_schema WHERE name = 'invocation_recorded'";
    assert_eq!(file.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    let (code, said) = embedded().run(&["export"]);
    assert!(code == Some(1) && said.contains("nexus.db"), "nothing to export: {said}");
}
