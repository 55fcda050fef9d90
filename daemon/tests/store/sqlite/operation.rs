//! The file in operation: full disks, long logs, large deletions, two daemons, processes that die.

use std::{path::Path, sync::Arc, time::Duration};

use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        sqlite::{OpenError, transfer::SqliteSource},
        store::{
            MessageRange, ProjectFilter,
            prelude::*,
            transfer::{Kind, Record, Source as _, Target as _},
        },
    },
    domain::{
        ids::{AgentId, SessionId},
        queue::QueueName,
        stage::StageStatus,
        time::Timestamp,
    },
};
use rusqlite::{Connection, params};

use super::{fixture_over, new_file, open};
use crate::contract::{talk::*, world::*};

/// Waits for what a thread of the store does by itself.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn count(file: &Path, sql: &str) -> i64 {
    Connection::open(file).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn the_database_itself_is_locked_by_whatever_path() {
    let (dir, file) = new_file();
    let (store, _, _) = open(&file).unwrap();
    let (hard, soft) = (dir.path().join("hard.db"), dir.path().join("soft.db"));
    std::fs::hard_link(&file, &hard).unwrap();
    std::os::unix::fs::symlink(&file, &soft).unwrap();
    let folder = dir.path().join("folder");
    std::os::unix::fs::symlink(dir.path(), &folder).unwrap();
    std::fs::remove_file(dir.path().join("nexus.db.lock")).unwrap();
    for path in [&file, &hard, &soft, &folder.join("nexus.db")] {
        let refused = open(path).err().unwrap_or_else(|| panic!("{} was opened twice", path.display()));
        assert!(matches!(refused, OpenError::InUse { .. }), "{}: {refused:?}", path.display());
    }
    // The first one still works, and its end frees the file.
    store.ping().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let again = open(&soft).unwrap().0;
    again.close().await.unwrap();
}

/// Ends the mount with the test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(megabytes: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir.path())
            .output()
            .expect("`mount` can be run");
        let told = String::from_utf8_lossy(&mounted.stderr);
        assert!(mounted.status.success(), "this test mounts a small disk and needs root for it: {told}");
        Self(dir)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_fails_on_a_full_disk_and_recovers_by_itself() {
    let disk = SmallDisk::new(8);
    let (store, _, _) = open(&disk.0.path().join("nexus.db")).unwrap();
    store.ping().await.unwrap();
    let filler = disk.0.path().join("filler");
    // Fills the disk to its last byte.
    let mut file = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    drop(file);
    // What the log has room for already may still be written; then it must be told.
    let mut refused = None;
    for _ in 0..500 {
        let _ = store.create_project(new_project("diamond", 3)).await;
        if let Err(error) = store.ping().await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.expect("the disk is full, and the ping says so");
    assert_eq!(refused.kind(), BackendErrorKind::Unavailable);
    assert!(refused.to_string().contains("free some"), "{refused}");
    assert!(store.create_project(new_project("diamond", 3)).await.is_err(), "what it says is true");
    std::fs::remove_file(&filler).unwrap();
    store.ping().await.unwrap();
    store.create_project(new_project("diamond", 3)).await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_adds_no_commit_to_a_store_that_writes() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _, _) = open(&dir.path().join("nexus.db")).unwrap();
    store.create_project(new_project("diamond", 3)).await.unwrap();
    let commits = store.commits();
    for _ in 0..10 {
        store.ping().await.unwrap();
    }
    assert!(store.commits() - commits <= 1, "{} commits", store.commits() - commits);
    store.close().await.unwrap();
}

/// By default a short run; `NEXUS_TEST_WAL_MB` megabytes of log for a long one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_stays_short_under_readers_that_overlap() {
    let megabytes: u64 = std::env::var("NEXUS_TEST_WAL_MB").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let (dir, file) = new_file();
    let (store, _, _) = open(&file).unwrap();
    for _ in 0..200 {
        store.create_project(new_project("diamond", 3)).await.unwrap();
    }
    let ended = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..6)
        .map(|_| {
            let (store, ended) = (Arc::clone(&store), Arc::clone(&ended));
            tokio::spawn(async move {
                let filter = ProjectFilter { q: Some("nothing has this".into()), ..ProjectFilter::default() };
                while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                    store.list_projects(&filter, &page(1, 20)).await.unwrap();
                }
            })
        })
        .collect();
    let wal = dir.path().join("nexus.db-wal");
    let (mut most, mut written) = (0, 0);
    while written < megabytes << 20 {
        let text = "x".repeat(100_000);
        let writes = (0..3).map(|_| {
            let mut new = new_project("diamond", 3);
            new.project.requirement.clone_from(&text);
            store.create_project(new)
        });
        for answer in futures::future::join_all(writes).await {
            answer.unwrap();
        }
        // Text and its form for the search.
        written += 3 * 2 * 100_000;
        most = most.max(std::fs::metadata(&wal).unwrap().len());
    }
    ended.store(true, std::sync::atomic::Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(most <= 128 << 20, "the log grew to {} MB", most >> 20);
    println!("{} MB written, the log was at most {} MB", written >> 20, most >> 20);
    store.close().await.unwrap();
}

/// Puts rows of an agent into a closed file.
pub(crate) fn fill(file: &Path, agent: &AgentId, sessions: i64, messages: i64, invocations: i64) {
    let mut conn = Connection::open(file).unwrap();
    let tx = conn.transaction().unwrap();
    for session in 0..sessions {
        tx.execute(
            "INSERT INTO nexus_sessions (session_id, agent_id, status, message_count, created_at, last_active_at)
             VALUES (?1, ?2, 'active', ?3, '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z')",
            params![SessionId::generate().as_str(), agent.as_str(), messages],
        )
        .unwrap();
        let key = tx.last_insert_rowid();
        for message in 0..messages {
            tx.execute(
                "INSERT INTO nexus_messages (session_key, message_id, role, content, created_at)
                 VALUES (?1, ?2, 'user', ?3, '2026-01-01T00:00:00.000000Z')",
                params![key, format!("{session:08}-{message:08}"), "word ".repeat(100)],
            )
            .unwrap();
        }
    }
    for invocation in 0..invocations {
        tx.execute(
            "INSERT INTO nexus_invocations (invocation_id, agent_id, user_id, input_text, status, duration_ms,
                 input_tokens, output_tokens, created_at)
             VALUES (?1, ?2, 'anna', ?3, 'success', 5, 1, 1, '2026-01-01T00:00:00.000000Z')",
            params![format!("{agent}-{invocation}"), agent.as_str(), "word ".repeat(100)],
        )
        .unwrap();
    }
    tx.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_agent_is_gone_at_once_and_its_rows_go_in_bites() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let (project, agent) = f.completed().await;
    let (_, other) = f.completed().await;
    f.end().await;
    fill(&file, &agent, 20, 400, 12_000);
    let f = fixture_over(&file, Box::new(()));
    let kept = session_of(&other);
    f.store.create_session(kept.clone(), None).await.unwrap();
    let theirs = f.store.list_sessions(&agent, 1).await.unwrap().remove(0).session_id;
    let pages = count(&file, "PRAGMA page_count");

    let gone =
        f.store.delete_agent(&agent, nexus_daemon::domain::deletion::DeleteOrders::default()).await.unwrap().unwrap();
    assert_eq!((gone.sessions, gone.messages, gone.invocations), (20, 8_000, 12_000));
    assert!(f.store.agent(&agent).await.unwrap().is_none());
    assert!(f.store.session(&theirs).await.unwrap().is_none());
    assert!(f.store.list_sessions(&agent, 10).await.unwrap().is_empty());
    let range = MessageRange { limit: 10, before: None, after: None };
    assert!(f.store.messages(&theirs, &range).await.unwrap().is_empty());
    assert!(
        f.store.delete_agent(&agent, nexus_daemon::domain::deletion::DeleteOrders::default()).await.unwrap().is_none(),
        "it is gone"
    );
    // The project builds an agent of the same id while the rows of the first still go: what is the new one's stays.
    f.control_from(&project, nexus_daemon::domain::control::ControlAction::Restart, Some(STAGES[8])).await.unwrap();
    let (delivery, build) = f.take("w1").await;
    f.run_from(&delivery, &build.lease, 8).await;
    let reborn = session_of(&agent);
    f.store.create_session(reborn.clone(), None).await.unwrap();
    // The daemon ends in the middle of it; the next one goes on.
    f.end().await;
    assert!(count(&file, "SELECT count(*) FROM nexus_invocations") > 0, "it was not all one transaction");
    let f = fixture_over(&file, Box::new(()));
    f.store.clean(Duration::from_secs(3600)).await.unwrap();
    eventually("the rows are gone", || {
        count(
            &file,
            "SELECT (SELECT count(*) FROM nexus_invocations) + (SELECT count(*) FROM nexus_messages)
            + (SELECT count(*) FROM doomed_agents)",
        ) == 0
    })
    .await;
    assert_eq!(f.store.list_sessions(&agent, 10).await.unwrap().len(), 1, "the reborn agent's");
    assert!(f.store.session(&kept.session_id).await.unwrap().is_some());
    eventually("the file gives its pages back", || count(&file, "PRAGMA page_count") < pages / 2).await;
    f.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_session_goes_in_bites_and_its_key_is_not_given_again() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let (_, agent) = f.completed().await;
    f.end().await;
    fill(&file, &agent, 1, 5_000, 0);
    let f = fixture_over(&file, Box::new(()));
    let long = f.store.list_sessions(&agent, 1).await.unwrap().remove(0).session_id;
    assert_eq!(f.store.delete_session(&long).await.unwrap(), Some(5_000));
    assert_eq!(f.store.delete_session(&long).await.unwrap(), None);
    let new = session_of(&agent);
    f.store.create_session(new.clone(), None).await.unwrap();
    let message = message(&new.session_id, nexus_daemon::domain::session::Role::User, "still here");
    f.store.append_message(message).await.unwrap();
    eventually("the old messages are gone", || count(&file, "SELECT count(*) FROM nexus_messages") == 1).await;
    let range = MessageRange { limit: 10, before: None, after: None };
    assert_eq!(f.store.messages(&new.session_id, &range).await.unwrap().len(), 1);
    f.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cleaning_goes_on_where_it_was_and_misses_nobody() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    for _ in 0..40 {
        f.completed().await;
    }
    let (running, build) = f.start("agent_build").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(f.store.clean(Duration::from_millis(1)).await.unwrap() >= 40 * 5);
    assert_eq!(f.store.clean(Duration::from_millis(1)).await.unwrap(), 0);
    let of = |id: &str| {
        format!(
            "SELECT count(*) FROM project_events e JOIN nexus_projects p ON e.event_key >> 28 = p.project_key WHERE project_id = '{id}'"
        )
    };
    assert!(count(&file, &of(build.lease.project_id.as_str())) > 0, "one that runs keeps its events");
    // One that ends after the mark is cleaned by the next round.
    f.run_from(&running, &build.lease, 0).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(f.store.clean(Duration::from_millis(1)).await.unwrap() > 0);
    assert_eq!(count(&file, &of(build.lease.project_id.as_str())), 1, "its last number stays known");
    f.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_file_learns_to_shrink() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let id = f.create().await.project.project_id;
    f.end().await;
    Connection::open(&file).unwrap().execute_batch("PRAGMA auto_vacuum = NONE; VACUUM").unwrap();
    assert_eq!(count(&file, "PRAGMA auto_vacuum"), 0);
    let f = fixture_over(&file, Box::new(()));
    assert_eq!(count(&file, "PRAGMA auto_vacuum"), 2);
    assert!(f.store.project(&id).await.unwrap().is_some());
    f.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_takes_as_long_as_its_task() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let id = f.failed().await;
    f.end().await;
    let set = "UPDATE nexus_projects SET started_at = '2020-01-01T00:00:00.000000Z'";
    Connection::open(&file).unwrap().execute(set, []).unwrap();
    let f = fixture_over(&file, Box::new(()));
    f.control(&id, nexus_daemon::domain::control::ControlAction::Restart).await.unwrap();
    let (delivery, build) = f.take("w1").await;
    f.run_from(&delivery, &build.lease, 0).await;
    let today = f.store.build_days(1, Timestamp::now()).await.unwrap().remove(0);
    assert!(today.avg_duration_ms < 60_000.0, "{} ms", today.avg_duration_ms);
    assert!(today.avg_duration_ms > 0.0);
    f.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspects_are_given_out_one_at_a_time_until_they_are_proven() {
    let (dir, file) = new_file();
    let copy = dir.path().join("crashed/nexus.db");
    let f = fixture_over(&file, Box::new(()));
    for _ in 0..4 {
        f.start("agent_build").await;
    }
    f.create().await;
    // What the file says while they run is what a killed process leaves.
    std::fs::create_dir(dir.path().join("crashed")).unwrap();
    Connection::open(&file).unwrap().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    f.end().await;

    let f = fixture_over(&copy, Box::new(()));
    let first = f.queue.receive(QueueName::Build, 10, Duration::ZERO).await.unwrap();
    assert_eq!(first.len(), 2, "one suspect, and the one that was not begun");
    let mut builds = Vec::new();
    for delivery in &first {
        let nexus_daemon::backend::store::Claim::Claimed(build) = f.claim(delivery, "w1").await else { panic!() };
        builds.push(build);
    }
    assert!(f.receive_one(QueueName::Build).await.is_none(), "the other suspects wait");
    let suspect = builds.iter().find(|build| build.stages[0].attempt == 2).expect("the suspect is tried first");
    assert_eq!(suspect.stages[0].status, StageStatus::Running);
    // A stage that ends proves it, and whoever waits for a message hears of it.
    let waiting = Arc::clone(&f.queue);
    let next = tokio::spawn(async move { waiting.receive(QueueName::Build, 10, Duration::from_secs(30)).await });
    f.step(&suspect.lease, &[STAGES[0]], &[STAGES[1]]).await.unwrap();
    let next = tokio::time::timeout(Duration::from_secs(10), next).await.unwrap().unwrap().unwrap();
    assert_eq!(next.len(), 1, "the next one alone");
    // One that fails and is tried again has outlived its stage, too; one that is handed back has not.
    let nexus_daemon::backend::store::Claim::Claimed(build) = f.claim(&next[0], "w1").await else { panic!() };
    f.store.release_lease(&build.lease, Some(&next[0].receipt)).await.unwrap();
    let third = f.queue.receive(QueueName::Build, 10, Duration::from_secs(5)).await.unwrap();
    assert_eq!(third.len(), 1);
    f.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_started_anew_blames_nobody() {
    let (dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    for _ in 0..3 {
        f.start("agent_build").await;
    }
    let copy = dir.path().join("after.db");
    Connection::open(&file).unwrap().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    f.end().await;
    let other = "UPDATE file_notes SET value = 'another boot' WHERE name = 'boot_id'";
    assert_eq!(Connection::open(&copy).unwrap().execute(other, []).unwrap(), 1);
    let f = fixture_over(&copy, Box::new(()));
    assert_eq!(f.queue.receive(QueueName::Build, 10, Duration::ZERO).await.unwrap().len(), 3);
    f.end().await;
}

/// Every record of a kind that an export would give out.
async fn exported(file: &Path, kind: Kind) -> Vec<Record> {
    let source = SqliteSource::open(file).unwrap();
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let batch = source.batch(kind, from).await.unwrap();
        assert!(batch.unreadable.is_empty(), "{:?}", batch.unreadable);
        all.extend(batch.records);
        let Some(next) = batch.next else { return all };
        from = Some(next);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_removed_is_not_exported_and_does_not_take_along_what_is_brought_back() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let (_, agent) = f.completed().await;
    f.end().await;
    fill(&file, &agent, 5, 100, 5_000);
    let kinds = [Kind::Agents, Kind::Sessions, Kind::Messages, Kind::Invocations];
    let mut before = Vec::new();
    for kind in kinds {
        before.push((kind, exported(&file, kind).await));
    }
    let f = fixture_over(&file, Box::new(()));
    let orders = nexus_daemon::domain::deletion::DeleteOrders::default();
    f.store.delete_agent(&agent, orders).await.unwrap().unwrap();
    f.end().await;
    assert!(count(&file, "SELECT count(*) FROM nexus_invocations") > 0, "it is all removed already");
    for kind in kinds {
        let left = exported(&file, kind).await;
        assert_eq!(left.len(), 0, "{kind:?} of a deleted agent are exported");
    }
    // The export of before is imported, when nothing lies outside of the store any more.
    let store = open(&file).unwrap().0;
    let kind = nexus_daemon::domain::deletion::DeletedKind::Agent;
    store.settle_deletion(kind, agent.as_str()).await.unwrap();
    for (kind, records) in &before {
        let written = store.put(*kind, records.clone()).await.unwrap();
        assert_eq!((written.written, written.present), (records.len() as u64, 0), "{kind:?}");
    }
    store.clean(Duration::from_secs(3600)).await.unwrap();
    eventually("nothing is left to remove", || count(&file, "SELECT count(*) FROM doomed_agents") == 0).await;
    store.close().await.unwrap();
    drop(store);
    for (kind, records) in &before {
        assert_eq!(exported(&file, *kind).await.len(), records.len(), "{kind:?}");
    }
}
