//! Folders and files when things are deleted, lost or refused: nothing goes that no record names, and what is committed
//! is done in the end.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::support::{Daemon, Home, eventually, noop_workflow, plugin_dir, prices::PRICES};
use serde_json::{Value, json};

/// The files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.file_type().expect("a kind").is_dir() {
                true => open.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// A project with files, on disk and in the store.
pub(crate) async fn project_with_files(home: &Home, daemon: &Daemon) -> String {
    let project = daemon.create("something with files", "noop").await;
    daemon.wait_for(&project, &["completed"]).await;
    let folder = home.data().join("projects").join(&project).join("docs");
    std::fs::create_dir_all(&folder).expect("a folder");
    for name in ["a.md", "b.md"] {
        std::fs::write(folder.join(name), "text").expect("a file");
    }
    project
}

/// Makes the folders of a home old, so that youth protects none of them.
fn age(home: &Home) {
    let parents = ["projects", "agents"].map(|name| home.data().join(name));
    let folders = parents.iter().flat_map(|parent| std::fs::read_dir(parent).into_iter().flatten().flatten());
    for folder in folders {
        let done = Command::new("touch").args(["-d", "3 hours ago"]).arg(folder.path()).status();
        assert!(done.expect("touch can be run").success());
    }
}

async fn metric(daemon: &Daemon, line: &str) -> Option<f64> {
    let text = daemon.text("//metrics").await;
    text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
}

/// Waits until the daemon counts so many folders of projects that no record knows.
async fn unknown_projects(daemon: &Daemon, wanted: f64) {
    let name = "nexus_unknown_folders{kind=\"project\"} ";
    eventually("unknown folders are counted", async || metric(daemon, name).await.filter(|count| *count == wanted))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_database_takes_no_files_along() {
    let home = Home::with_noop_workflow("[worker]\nreconcile_secs = 1\n", 0);
    let daemon = home.start();
    let (first, second) = (project_with_files(&home, &daemon).await, project_with_files(&home, &daemon).await);
    let _ = daemon.terminate();
    age(&home);
    let (projects, before) = (home.data().join("projects"), files(&home.data().join("projects")));
    assert_eq!(before.len(), 4);

    // As the advice for a damaged file was: moved away.
    let (database, aside) = (home.data().join("nexus.db"), home.path().join("moved.db"));
    std::fs::rename(&database, &aside).expect("the database moves");
    let refused = home.try_start().err().expect("a new database is not taken for the old one");
    assert!(refused.contains("adopt-folder") && refused.contains("2 folders of projects"), "{refused}");
    assert!(!database.exists(), "and none is made");
    assert_eq!(files(&projects), before);
    let (code, said) = home.run(&["doctor"]);
    assert_eq!(code, Some(1), "{said}");

    // Another database in its place is refused, too; the right one is taken again.
    let other = Home::new("");
    let _ = other.start().terminate();
    std::fs::copy(other.data().join("nexus.db"), &database).expect("a copy");
    let refused = home.try_start().err().expect("another database is refused");
    assert!(refused.contains("belongs to store") && refused.contains("adopt-folder"), "{refused}");
    let (code, said) = home.run(&["doctor"]);
    assert!(code == Some(1) && said.contains("MISMATCH") && said.contains(&first), "{said}");
    assert_eq!(files(&projects), before);
    std::fs::rename(&aside, &database).expect("the database comes back");
    let daemon = home.start();
    assert_eq!(daemon.get(&format!("/projects/{first}")).await.0, 200);
    let _ = daemon.terminate();

    // Who has looked may go on without it: the files stay, and are told.
    std::fs::rename(&database, &aside).expect("the database moves");
    let (code, said) = home.run(&["adopt-folder"]);
    assert!(code == Some(0) && said.contains(&first) && said.contains(&second), "{said}");
    let daemon = home.start();
    unknown_projects(&daemon, 2.0).await;
    assert_eq!(files(&projects), before);
    let (code, said) = home.run(&["doctor"]);
    assert!(code == Some(1) && said.contains(&second), "beside the daemon: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_backup_removes_nothing_that_came_after_it() {
    let home = Home::with_noop_workflow("[worker]\nreconcile_secs = 1\n", 0);
    let daemon = home.start();
    let kept = project_with_files(&home, &daemon).await;
    let _ = daemon.terminate();
    let (database, backup) = (home.data().join("nexus.db"), home.path().join("backup.db"));
    std::fs::copy(&database, &backup).expect("a copy");
    let daemon = home.start();
    let later = project_with_files(&home, &daemon).await;
    let _ = daemon.terminate();
    age(&home);
    std::fs::copy(&backup, &database).expect("the backup is put back");
    let daemon = home.start();
    unknown_projects(&daemon, 1.0).await;
    assert_eq!(daemon.get(&format!("/projects/{later}")).await.0, 404);
    for project in [kept, later] {
        assert_eq!(files(&home.data().join("projects").join(project)).len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_of_a_daemon_of_before_is_taken_when_the_store_knows_it() {
    let home = Home::with_noop_workflow("", 0);
    let daemon = home.start();
    let project = project_with_files(&home, &daemon).await;
    let _ = daemon.terminate();
    let id = home.data().join("store-id");
    let bound = std::fs::read_to_string(&id).expect("the folder has an id");
    std::fs::remove_file(&id).expect("it goes");
    // Beside what is known there is a stray.
    let stray = home.data().join("projects/proj_000000000bad");
    std::fs::create_dir(&stray).expect("a folder");
    std::fs::write(stray.join("x"), "x").expect("a file");
    let daemon = home.start();
    assert_eq!(std::fs::read_to_string(&id).expect("an id again"), bound);
    assert_eq!(daemon.get(&format!("/projects/{project}")).await.0, 200);
    assert!(stray.join("x").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_lies_in_the_trash_for_its_time() {
    let home = Home::with_noop_workflow("[worker]\nreconcile_secs = 1\n", 0);
    let daemon = home.start();
    let project = project_with_files(&home, &daemon).await;
    let (status, gone) = daemon.delete(&format!("/projects/{project}")).await;
    assert_eq!((status, &gone["data"]["errors"]), (200, &json!([])), "{gone}");
    assert!(!home.data().join("projects").join(&project).exists());
    let in_trash = || files(&home.data().join("trash")).len();
    assert_eq!(in_trash(), 2);
    let (code, said) = home.run(&["doctor"]);
    assert!(code == Some(0) && said.contains(&project), "{said}");

    // What a killed daemon left: the record is there, the folder, too. The next start does the rest.
    let again = project_with_files(&home, &daemon).await;
    daemon.kill();
    let folder = home.data().join("projects").join(&again);
    let database = rusqlite::Connection::open(home.data().join("nexus.db")).expect("the database");
    let sql = "INSERT INTO deletions (kind, subject_id, name, deleted_at, owned)
               VALUES ('project', ?1, 'n', '2026-01-01T00:00:00.000000Z', '{}')";
    database.execute(sql, [&again]).expect("a record");
    // A thing that is there is not what the record is of.
    let daemon = home.start();
    let open = "SELECT count(*) FROM deletions WHERE settled_at IS NULL";
    let settled = || database.query_row(open, [], |row| row.get::<_, i64>(0)).expect("a count") == 0;
    eventually("the record is looked at", async || settled().then_some(())).await;
    assert_eq!(files(&folder).len(), 2);
    daemon.kill();
    database.execute("DELETE FROM nexus_projects WHERE project_id = ?1", [&again]).expect("it goes");
    database.execute("UPDATE deletions SET settled_at = NULL WHERE subject_id = ?1", [&again]).expect("open again");
    let daemon = home.start();
    eventually("the deletion is finished", async || (!folder.exists()).then_some(())).await;
    eventually("and noted", async || settled().then_some(())).await;
    assert_eq!(in_trash(), 4);
    let _ = daemon.terminate();

    // Without days the trash is emptied, and of nothing else.
    std::fs::create_dir(home.data().join("trash/mine")).expect("a folder");
    let settings = std::fs::read_to_string(home.config()).expect("settings");
    home.configure(&format!("{settings}\n[data]\ntrash_days = 0\n"));
    let _daemon = home.start();
    eventually("the trash is emptied", async || (in_trash() == 0).then_some(())).await;
    assert!(home.data().join("trash/mine").exists());
}

/// What an agent answers to a question about a price.
async fn ask(daemon: &Daemon, agent: &str) -> (u16, Value) {
    let question = json!({ "input_text": "how much is an apple?" });
    daemon.post(&format!("/agents/{agent}/invoke"), &question).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_stays_keeps_its_code_and_newer_code_wins() {
    let home = Home::new("[worker]\nreconcile_secs = 1\n");
    let daemon = home.start();
    let (project, agent) = daemon.build_agent(PRICES).await;
    let (own, kept) =
        (home.data().join("projects").join(&project).join("agent"), home.data().join("agents").join(&agent));
    let kept = kept.join("package");

    // A daemon of before left this while the project stayed: what the build made wins for every reader.
    std::fs::create_dir_all(&kept).expect("a folder");
    std::fs::write(kept.join("agent.py"), "raise SystemExit('old code')").expect("a file");
    let (_, code) = daemon.get(&format!("/agents/{agent}/files")).await;
    assert!(!code.to_string().contains("old code"), "{code:#}");
    let (status, answered) = ask(&daemon, &agent).await;
    assert_eq!(status, 200, "{answered:#}");
    std::fs::remove_dir_all(&kept).expect("it goes");

    // Something stands where the files go: the deletion is told, the files stay where they are, and follow later.
    let tools = files(&own).len();
    assert!(tools > 3);
    let state = kept.parent().expect("a folder").to_owned();
    let aside = home.path().join("state");
    std::fs::rename(&state, &aside).expect("it moves");
    std::fs::write(&state, "in the way").expect("a file");
    let (status, gone) = daemon.delete(&format!("/projects/{project}?delete_agents=false")).await;
    assert_eq!(status, 200, "{gone}");
    assert!(gone["data"]["errors"][0].as_str().is_some_and(|error| !error.contains("/")), "{gone}");
    assert_eq!(files(&own).len(), tools, "nothing is lost");
    std::fs::remove_file(&state).expect("it goes");
    std::fs::rename(&aside, &state).expect("it comes back");
    let _ = daemon.terminate();
    let daemon = home.start();
    eventually("the files follow", async || kept.join("agent.py").exists().then_some(())).await;
    assert!(!own.exists());
    // What was started from the folder before is ended by the move: who asks in that moment is told to come again.
    let (status, answered) =
        eventually("an answer", async || Some(ask(&daemon, &agent).await).filter(|answer| answer.0 != 503)).await;
    assert!(
        status == 200 && answered["data"]["output"].as_str().is_some_and(|text| text.contains('3')),
        "{answered:#}"
    );

    // Its tools can be tried out where they lie now.
    let (_, tools) = daemon.get("/tools?source=generated").await;
    let tool = tools["data"][0]["tool_id"].as_str().expect("a tool").to_owned();
    let (status, tried) = daemon.post(&format!("/tools/{tool}/test"), &json!({})).await;
    assert_eq!(status, 200, "{tried}");

    let (status, gone) = daemon.delete(&format!("/agents/{agent}")).await;
    assert_eq!((status, &gone["data"]["errors"]), (200, &json!([])), "{gone}");
    assert!(!state.exists());
}

/// A folder of a few megabytes of its own.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Self {
        std::fs::create_dir_all(at).expect("a folder");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=192m", "tmpfs"]).arg(at).output();
        let done = done.expect("mount can be run");
        assert!(done.status.success(), "this test mounts a small tmpfs and so must run as root: {done:?}");
        Self(at.to_owned())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_a_deletion_whole() {
    let home = Home::new("");
    let _small = Small::mount(&home.data());
    let daemon = home.start();
    let (project, agent) = daemon.build_agent(PRICES).await;
    let own = home.data().join("projects").join(&project).join("agent");
    let before = files(&own);
    let filling = home.data().join("filling");
    let filled = Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", filling.display())).output();
    assert!(!filled.expect("dd can be run").status.success(), "the disk is full");
    let mut refused = 0;
    // What is free of the log is used up first.
    for _ in 0..3_000 {
        let (status, answer) =
            daemon.post("/projects", &json!({ "requirement": "x".repeat(9_000), "workflow": "agent_build" })).await;
        if status == 503 {
            refused = 1;
            break;
        }
        assert_eq!(status, 201, "{answer}");
    }
    assert_eq!(refused, 1, "the store is full");
    let (status, answer) = daemon.delete(&format!("/projects/{project}?delete_agents=false")).await;
    assert_eq!(status, 503, "{answer}");
    assert_eq!(files(&own), before, "nothing has moved");
    std::fs::remove_file(&filling).expect("there is room again");
    let (status, _) = ask(&daemon, &agent).await;
    assert_eq!(status, 200);
    eventually("the deletion is taken", async || {
        (daemon.delete(&format!("/projects/{project}?delete_agents=false")).await.0 == 200).then_some(())
    })
    .await;
    let kept = home.data().join("agents").join(&agent).join("package");
    assert_eq!(files(&kept).len(), before.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_reload_changes_nothing_and_tools_keep_their_use() {
    let home = Home::new("");
    let (workflows, plugins) = (home.path().join("workflows"), home.path().join("plugins"));
    for folder in [&workflows, &plugins] {
        std::fs::create_dir(folder).expect("a folder");
    }
    let (build, deploy, noop) = ("libnexus_agent_build.so", "libnexus_deploy_local.so", "libnexus_fixture_noop.so");
    for (from, to) in [(build, build), (deploy, deploy), (noop, "libnoop.so")] {
        std::fs::copy(plugin_dir().join(from), plugins.join(to)).expect("the plugin is built");
    }
    std::fs::write(workflows.join("noop.toml"), noop_workflow(2, 0)).expect("a workflow");
    home.configure(&format!("[workflows]\ndirs = [{workflows:?}]\n[plugins]\nshipped = false\ndirs = [{plugins:?}]\n"));
    let daemon = home.start();
    let tools =
        async || daemon.get("/tools?source=system&limit=100").await.1["data"].as_array().expect("tools").clone();
    let before = tools().await;
    assert!(before.len() > 3);
    let database = rusqlite::Connection::open(home.data().join("nexus.db")).expect("the database");
    database.execute("UPDATE nexus_tools SET usage_count = 3 WHERE source = 'system'", []).expect("use");

    // The plugin that workflows need is away: refused, and everything is as before, the plugin included.
    let (file, aside) = (plugins.join("libnexus_agent_build.so"), home.path().join("away.so"));
    std::fs::rename(&file, &aside).expect("it moves");
    let (status, refused) = daemon.post("/plugins/reload", &json!({})).await;
    assert!(status == 409 && refused.to_string().contains("agent-build"), "{refused}");
    let after = tools().await;
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|tool| tool["usage_count"] == 3), "{after:#?}");
    let (_, listed) = daemon.get("/plugins").await;
    let of = |name: &str| listed["data"].as_array().expect("plugins").iter().find(|p| p["name"] == name).cloned();
    assert_eq!(of("agent-build").map(|plugin| plugin["state"].clone()), Some(json!("loaded")), "{listed:#}");
    let project = daemon.create("still built", "noop").await;
    daemon.wait_for(&project, &["completed"]).await;

    // An accepted reload without a plugin takes its tools off the list; when it is back, so is their use.
    std::fs::rename(&aside, &file).expect("it comes back");
    let noop = plugins.join("libnoop.so");
    std::fs::rename(&noop, &aside).expect("it moves");
    std::fs::remove_file(workflows.join("noop.toml")).expect("its workflow goes");
    assert_eq!(daemon.post("/plugins/reload", &json!({})).await.0, 200);
    assert_eq!(tools().await.len(), before.len() - 2);
    std::fs::rename(&aside, &noop).expect("it comes back");
    assert_eq!(daemon.post("/plugins/reload", &json!({})).await.0, 200);
    let back = tools().await;
    assert_eq!(back.len(), before.len());
    assert!(back.iter().all(|tool| tool["usage_count"] == 3), "{back:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_workflow_never_becomes_the_version_before() {
    let home = Home::with_noop_workflow("", 0);
    let daemon = home.start();
    let put = async |text: String| {
        let body = json!({ "raw_content": text });
        let answer = daemon.http().put(daemon.at("/config/mine.toml")).json(&body).send().await.expect("an answer");
        answer.status().as_u16()
    };
    let text = |stages: usize| noop_workflow(stages, 0).replace("name = \"noop\"", "name = \"mine\"");
    let stages = async || {
        let (_, file) = daemon.get("/config/mine.toml").await;
        file["data"]["content"]["stages"].as_array().map(Vec::len)
    };
    assert_eq!((put(text(1)).await, put(text(2)).await), (200, 200));
    assert_eq!(put(text(3).replace("noop/noop", "nobody/noop")).await, 409);
    assert_eq!(stages().await, Some(2), "as before");
    let (status, restored) = daemon.post("/config/mine.toml/restore", &json!({})).await;
    assert_eq!((status, stages().await), (200, Some(1)), "the last accepted one: {restored}");
    let (status, _) = daemon.post("/config/mine.toml/restore", &json!({})).await;
    assert_eq!((status, stages().await), (200, Some(2)));
}
