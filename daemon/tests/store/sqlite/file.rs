//! The file: who may open it, what is in it, what it costs.

use std::{sync::Arc, time::Duration};

use nexus_daemon::domain::deletion::ProjectAgents;
use nexus_daemon::domain::queue::Receive;
use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        sqlite::{OpenError, SqliteOptions, SqliteStore},
        store::{ProjectFilter, prelude::*},
    },
    domain::{ids::AgentId, queue::QueueName},
};
use rusqlite::Connection;

use super::{fixture_over, new_file, open};
use crate::contract::{talk::*, world::*};

#[tokio::test]
async fn a_second_daemon_is_refused() {
    let (_dir, file) = new_file();
    let (store, _, _) = open(&file).unwrap();
    let refused = open(&file).err().unwrap();
    assert!(matches!(refused, OpenError::InUse { .. }));
    assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
    store.close().await.unwrap();
    assert_eq!(store.ping().await.unwrap_err().kind(), BackendErrorKind::Unavailable);
    assert_eq!(store.counts().await.unwrap_err().kind(), BackendErrorKind::Unavailable);
    open(&file).unwrap();
}

#[tokio::test]
async fn a_newer_file_is_refused_and_left_alone() {
    let (_dir, file) = new_file();
    open(&file).unwrap().0.close().await.unwrap();
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = open(&file).err().unwrap();
    assert!(matches!(refused, OpenError::NewerSchema { found: 99, .. }), "{refused:?}");
    assert!(refused.to_string().contains("newer nexusd"));
    assert!(matches!(open(&file).err().unwrap(), OpenError::NewerSchema { .. }), "the refusal holds no lock");
}

#[test]
fn what_is_no_database_is_named() {
    let (dir, file) = new_file();
    std::fs::write(&file, "this is not a database, whatever its name says, and it is long enough".repeat(100)).unwrap();
    let refused = open(&file).err().unwrap();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
    assert!(refused.to_string().contains("move it away"));
    let other = dir.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(open(&other).err().unwrap(), OpenError::Damaged { .. }), "another program's database");
    let refused = open(&dir.path().join("no/such/folder/nexus.db")).err().unwrap();
    assert!(matches!(refused, OpenError::Failed { .. }), "{refused:?}");
    let refused = open(dir.path()).err().unwrap();
    assert!(refused.to_string().contains("cannot be opened"), "{refused:?}");
}

#[tokio::test]
async fn a_step_of_the_schema_that_fails_says_so_and_changes_nothing() {
    let (_dir, file) = new_file();
    open(&file).unwrap().0.close().await.unwrap();
    let version = |file: &std::path::Path| -> i64 {
        Connection::open(file).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    };
    let newest = version(&file);
    // Its tables are those of the newest version already: the last step meets what is there.
    Connection::open(&file).unwrap().pragma_update(None, "user_version", newest - 1).unwrap();
    let refused = open(&file).err().unwrap();
    assert!(matches!(refused, OpenError::Step { .. }), "{refused:?}");
    let said = refused.to_string();
    for part in ["cannot be brought from version", "already exists", "nexusd restore"] {
        assert!(
            said.contains(part) || (part == "already exists" && said.contains("duplicate column")),
            "{part}: {said}"
        );
    }
    assert_eq!(version(&file), newest - 1, "the step was rolled back");
}

/// Rows of every table.
fn rows(file: &std::path::Path) -> Vec<(String, i64)> {
    let conn = Connection::open(file).unwrap();
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let count = |t: &String| conn.query_row(&format!("SELECT count(*) FROM {t}"), [], |row| row.get(0)).unwrap();
    tables.iter().map(|table| (table.clone(), count(table))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_leaves_no_row_in_any_table() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let (delivery, build) = f.start("agent_build").await;
    f.run_from(&delivery, &build.lease, 0).await;
    let agent = AgentId::of_project(&build.lease.project_id);
    let session = session_of(&agent);
    f.store.create_session(session.clone(), None).await.unwrap();
    let message = message(&session.session_id, nexus_daemon::domain::session::Role::User, "x");
    f.store.append_message(message).await.unwrap();
    // One that is worked on, and one whose message is among the dead.
    let (_, running) = f.start("diamond").await;
    let dead = f.create().await;
    for _ in 0..4 {
        if let Some(delivery) = f.receive_one(QueueName::Build).await {
            f.queue.release(&delivery.receipt, Duration::ZERO, Receive::Counted).await.unwrap();
        }
    }
    f.store.ping().await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(f.queue.depth(QueueName::BuildDead).await.unwrap().visible, 1);
    for id in [&build.lease.project_id, &running.lease.project_id, &dead.project.project_id] {
        f.store.delete_project(id, ProjectAgents::Delete).await.unwrap().unwrap();
    }
    f.end().await;
    // That there was a build on that day stays known, how many agents had a name, what the file notes about itself,
    // and what was deleted: three projects and the agent of one.
    let mut left: Vec<_> = rows(&file)
        .into_iter()
        .filter(|(table, count)| *count > 0 && !["day_figures", "file_notes", "agent_names"].contains(&table.as_str()))
        .collect();
    left.sort();
    assert_eq!(left, [("deletions".to_owned(), 4), ("store_facts".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_row_spoils_no_list() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let bad = f.create().await;
    f.create().await;
    f.end().await;
    let spoil = Connection::open(&file).unwrap();
    let id = bad.project.project_id.as_str();
    spoil
        .execute("UPDATE nexus_projects SET status = 'wonderful', created_at = '' WHERE project_id = ?1", [id])
        .unwrap();
    drop(spoil);
    let (store, _, _) = open(&file).unwrap();
    let found = store.list_projects(&ProjectFilter::default(), &page(1, 10)).await.unwrap();
    assert_eq!(found.items.len(), 1);
    assert!(store.unreadable_rows() >= 1);
    let one = store.project(&bad.project.project_id).await.unwrap_err();
    assert_eq!(one.kind(), BackendErrorKind::Corrupt);
    assert!(!one.to_string().contains("wonderful") && !one.to_string().contains("SELECT"), "{one}");
    store.delete_project(&bad.project.project_id, ProjectAgents::Delete).await.unwrap_err();
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nine_stage_build_costs_eleven_commits() {
    let dir = tempfile::tempdir().unwrap();
    let (store, queue, events) = open(&dir.path().join("nexus.db")).unwrap();
    let commits = store.commits();
    let f = Fixture {
        store: store.clone(),
        queue,
        events,
        visibility: super::VISIBILITY,
        one_unit: true,
        crowd: 100,
        keep: Box::new(()),
    };
    let waiting = f.queue.clone();
    let receive = tokio::spawn(async move { waiting.receive(QueueName::Build, 1, Duration::from_secs(5)).await });
    f.create().await;
    let delivery = receive.await.unwrap().unwrap().pop().unwrap();
    let nexus_daemon::backend::store::Claim::Claimed(build) = f.claim(&delivery, "w1").await else { panic!() };
    f.run_from(&delivery, &build.lease, 0).await;
    assert!(store.commits() - commits <= 11, "{} commits", store.commits() - commits);
    f.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_events_go_on_after_a_start_and_a_cleaning() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let (delivery, build) = f.start("agent_build").await;
    let id = build.lease.project_id.clone();
    f.run_from(&delivery, &build.lease, 0).await;
    let before = f.store.events_after(&id, 0, 1000).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(f.store.clean(Duration::from_millis(1)).await.unwrap() > 0);
    assert_eq!(f.store.clean(Duration::from_millis(1)).await.unwrap(), 0);
    let after = f.store.events_after(&id, 0, 1000).await.unwrap();
    assert!(!after.is_empty() && after[0].seq > 1, "the gap shows");
    f.end().await;
    let f = fixture_over(&file, Box::new(()));
    f.control(&id, nexus_daemon::domain::control::ControlAction::Restart).await.unwrap();
    let told = f.events.of(&id);
    assert_eq!(told[0].seq, before.last().unwrap().seq + 1);
    f.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_wait_too_long_are_buried_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        build_retention: Duration::from_millis(1),
        dead_retention: Duration::from_secs(3600),
        ..SqliteOptions::default()
    };
    let (store, queue) =
        SqliteStore::open(dir.path().join("nexus.db"), options, Arc::new(Recorder::default())).unwrap();
    let new = new_project("diamond", 3);
    store.create_project(new.clone()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    store.clean(Duration::from_secs(3600)).await.unwrap();
    use nexus_daemon::backend::queue::Queue;
    let dead = queue.unsettled_dead_letters(QueueName::BuildDead, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].reason.contains("longer"), "{}", dead[0].reason);
    store.close().await.unwrap();
}
