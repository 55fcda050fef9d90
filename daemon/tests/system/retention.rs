//! `[retention]`: shown, then applied by the daemon; what is in use stays.

use std::fs;

use serde_json::json;

use super::support::{Home, eventually, prices::PRICES};

fn shown(home: &Home) -> String {
    let (code, said) = home.run(&["retention", "--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_past_its_time_is_shown_first_and_then_deleted() {
    let home = Home::with_noop_workflow("", 1);
    let daemon = home.start();
    let (made, agent) = daemon.build_agent(PRICES).await;
    daemon.comes_to_know_prices(&agent).await;
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let (_, session) = daemon.post(&format!("/agents/{agent}/sessions"), &json!({"user_id": "anna"})).await;
        sessions.push(session["data"]["session_id"].as_str().unwrap().to_owned());
        let path = format!("/sessions/{}/messages", sessions.last().unwrap());
        assert!(daemon.post(&path, &json!({"content": "2 apples?"})).await.0 < 300);
    }
    let (old, young) = (daemon.create("an old project", "noop").await, daemon.create("a young project", "noop").await);
    daemon.wait_for(&old, &["completed"]).await;
    daemon.wait_for(&young, &["completed"]).await;
    fs::create_dir_all(home.data().join("projects").join(&old)).unwrap();
    fs::write(home.data().join("projects").join(&old).join("report.md"), "of old").unwrap();
    daemon.terminate();
    // Years pass.
    let file = rusqlite::Connection::open(home.data().join("nexus.db")).unwrap();
    let then = "2020-01-27T09:14:29.123456Z";
    for id in [&old, &made] {
        let sql = "UPDATE nexus_projects SET completed_at = ?2, updated_at = ?2, created_at = ?2 WHERE project_id = ?1";
        assert_eq!(file.execute(sql, [id.as_str(), then]).unwrap(), 1);
    }
    let sql = "UPDATE nexus_sessions SET last_active_at = ?2 WHERE session_id = ?1";
    assert_eq!(file.execute(sql, [sessions[0].as_str(), then]).unwrap(), 1);
    let asked = file.execute("UPDATE nexus_invocations SET created_at = ?1", [then]).unwrap();
    assert!(asked > 0);
    drop(file);
    let versions = home.data().join("agents").join(&agent).join("versions/agent.py");
    fs::create_dir_all(&versions).unwrap();
    for at in [1_000_000_u64, 2_000_000, 3_000_000] {
        fs::write(versions.join(format!("{at:020}")), "old").unwrap();
    }

    assert!(shown(&home).contains("Retention is off"), "{}", shown(&home));
    let daemon = home.start();
    assert_eq!(daemon.get(&format!("/projects/{old}")).await.0, 200, "off by default");
    daemon.terminate();

    let settings = fs::read_to_string(home.config()).unwrap();
    let days =
        "[retention]\nprojects_days = 365\nsessions_days = 30\ninvocations_days = 30\nagent_versions_days = 30\n";
    home.configure(&format!("{days}{settings}"));
    let told = shown(&home);
    let invocations = format!("invocations     {asked} past 30 days");
    for line in [
        "projects        1 past 365 days, the oldest of 2020-01-27",
        "sessions        1 past 30 days",
        invocations.as_str(),
        "agent versions  2 past 30 days",
        "Nothing was deleted",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert_eq!(shown(&home), told, "it only shows");

    let daemon = home.start();
    eventually("the old ones go", async || {
        let gone = daemon.get(&format!("/projects/{old}")).await.0 == 404;
        (gone && daemon.get(&format!("/sessions/{}", sessions[0])).await.0 == 404).then_some(())
    })
    .await;
    eventually("the round ends", async || daemon.log().contains("retention deleted").then_some(())).await;
    for (path, why) in [
        (format!("/projects/{young}"), "it is young"),
        (format!("/projects/{made}"), "its agent is made of it"),
        (format!("/agents/{agent}"), "agents have no retention"),
        (format!("/sessions/{}", sessions[1]), "it was used lately"),
    ] {
        assert_eq!(daemon.get(&path).await.0, 200, "{path}: {why}");
    }
    let (_, messages) = daemon.get(&format!("/sessions/{}/messages", sessions[1])).await;
    assert!(!messages["data"].as_array().unwrap().is_empty(), "{messages}");
    assert!(!home.data().join("projects").join(&old).exists());
    let in_trash = fs::read_dir(home.data().join("trash")).unwrap().count();
    assert!(in_trash > 0, "its folder went through the trash");
    let left: Vec<_> = fs::read_dir(&versions).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1, "the newest version stays: {left:?}");
    let log = daemon.log();
    let (before, after) = (log.find("retention deletes what is past"), log.find("retention deleted what was past"));
    assert!(before.is_some() && before < after, "it said so before: {log}");
    daemon.terminate();
    let told = shown(&home);
    assert!(told.contains("projects        0 past 365 days") && told.contains("sessions        0 past"), "{told}");
}
