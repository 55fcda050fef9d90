//! Moving a file to another place while rows of it are still being removed.

use std::path::Path;

use nexus_daemon::domain::deletion::ProjectAgents;
use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        sqlite::transfer::SqliteSource,
        store::{
            prelude::*,
            transfer::{Kind, Record, Source, Target},
        },
    },
    domain::{
        agent::InvocationStatus,
        deletion::{DeleteOrders, DeletedKind},
        ids::{AgentId, ProjectId},
        session::Role,
    },
};
use rusqlite::{Connection, params};

use super::{
    fixture_over, new_file, open,
    operation::{self, count, eventually},
};
use crate::contract::{talk::*, world::*};

/// More than goes before the store is closed.
const MANY: i64 = 12_000;

/// All that a closed file gives out.
async fn exported(file: &Path) -> Vec<(Kind, Vec<Record>)> {
    let source = SqliteSource::open(file).unwrap();
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let (mut records, mut from) = (Vec::new(), None);
        loop {
            let batch = source.batch(kind, from).await.unwrap();
            assert_eq!(batch.unreadable, Vec::<String>::new());
            records.extend(batch.records);
            from = batch.next;
            if from.is_none() {
                break;
            }
        }
        all.push((kind, records));
    }
    all
}

fn of(all: &[(Kind, Vec<Record>)], kind: Kind) -> &[Record] {
    all.iter().find(|(found, _)| *found == kind).map(|(_, records)| records.as_slice()).unwrap()
}

/// A conversation and a question, answered.
async fn talk(f: &Fixture, agent: &AgentId) {
    let session = session_of(agent);
    f.store.create_session(session.clone(), None).await.unwrap();
    f.store.append_message(message(&session.session_id, Role::User, "hello")).await.unwrap();
    f.store.record_invocation(invocation(agent, InvocationStatus::Success, 100), None).await.unwrap();
}

/// Puts events of a project and questions to an agent into a closed file.
fn fill(file: &Path, project: &ProjectId, agent: &AgentId) {
    operation::fill(file, agent, 0, 0, MANY);
    let mut conn = Connection::open(file).unwrap();
    let tx = conn.transaction().unwrap();
    let last = "SELECT max(event_key) FROM project_events WHERE event_key >> 28 =
        (SELECT project_key FROM nexus_projects WHERE project_id = ?1)";
    let last: i64 = tx.query_row(last, [project.as_str()], |row| row.get(0)).unwrap();
    let events = r#"[{"type":"log","at":"2026-01-01T00:00:00.000000Z","fields":{"message":"one of many"}}]"#;
    for n in 1..=MANY {
        let insert = "INSERT INTO project_events (event_key, at, events) VALUES (?1, 1, ?2)";
        tx.execute(insert, params![last + n, events]).unwrap();
    }
    tx.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_to_go_does_not_move_and_what_comes_back_stays() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let (stays, its_agent) = f.completed().await;
    talk(&f, &its_agent).await;
    let (goes, agent) = f.completed().await;
    talk(&f, &agent).await;
    f.end().await;
    fill(&file, &goes, &agent);
    let before = exported(&file).await;
    let events = of(&before, Kind::Events).iter().filter(|event| event["project_id"] == goes.as_str()).count();
    assert!(events as i64 > MANY && of(&before, Kind::Invocations).len() as i64 == MANY + 2);

    // The daemon ends in the middle of the removal.
    let f = fixture_over(&file, Box::new(()));
    let gone = f.store.delete_project(&goes, ProjectAgents::Delete).await.unwrap().unwrap();
    assert_eq!(gone.agents.len(), 1);
    f.end().await;
    let marks = "SELECT (SELECT count(*) FROM doomed_projects) + (SELECT count(*) FROM doomed_agents)";
    assert_eq!(count(&file, marks), 2, "it was not all one transaction");
    assert!(count(&file, "SELECT count(*) FROM project_events") > MANY / 2);

    let after = exported(&file).await;
    for (kind, records) in &after {
        let told = serde_json::to_string(records).unwrap();
        assert!(!told.contains(agent.as_str()) && !told.contains(goes.as_str()), "{kind:?}: {told}");
    }
    for kind in [Kind::Projects, Kind::Agents, Kind::Sessions, Kind::Messages, Kind::Invocations] {
        assert_eq!(of(&after, kind).len(), 1, "{kind:?}");
    }
    assert!(of(&after, Kind::Events).iter().all(|event| event["project_id"] == stays.as_str()));

    // The same records come back while the rows of the first ones are still there.
    let (store, _, _) = open(&file).unwrap();
    // Nobody has removed yet what lies outside of the store: first that, then what comes back.
    for (kind, of, id) in
        [(Kind::Projects, DeletedKind::Project, goes.as_str()), (Kind::Agents, DeletedKind::Agent, agent.as_str())]
    {
        let records = before.iter().find(|(found, _)| *found == kind).unwrap().1.clone();
        let refused = store.put(kind, records.clone()).await.unwrap_err();
        assert!(refused.kind() == BackendErrorKind::Conflict && refused.to_string().contains(id), "{refused}");
        assert!(refused.to_string().contains("nexusd doctor"), "{refused}");
        store.settle_deletion(of, id).await.unwrap();
    }
    for (kind, records) in before {
        for part in records.chunks(500) {
            store.put(kind, part.to_vec()).await.unwrap();
        }
    }
    store.finish().await.unwrap();
    assert_eq!(store.list_sessions(&agent, 10).await.unwrap().len(), 1);
    store.close().await.unwrap();
    assert_eq!(count(&file, marks), 0);
    let again = exported(&file).await;
    assert_eq!(of(&again, Kind::Invocations).len() as i64, MANY + 2);
    assert_eq!(of(&again, Kind::Events).iter().filter(|event| event["project_id"] == goes.as_str()).count(), events);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_a_large_project_go_in_bites_and_its_key_is_not_given_again() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let (project, agent) = f.completed().await;
    f.end().await;
    fill(&file, &project, &agent);
    let f = fixture_over(&file, Box::new(()));
    f.store.delete_project(&project, ProjectAgents::Keep).await.unwrap().unwrap();
    assert!(f.store.project(&project).await.unwrap().is_none());
    assert!(f.store.events_after(&project, 0, 10).await.map_or(true, |events| events.is_empty()));
    let new = f.create().await.project.project_id;
    f.end().await;
    assert!(count(&file, "SELECT count(*) FROM project_events") > MANY / 2, "it was not all one transaction");

    let f = fixture_over(&file, Box::new(()));
    f.store.clean(std::time::Duration::from_secs(3600)).await.unwrap();
    eventually("the events are gone", || count(&file, "SELECT count(*) FROM doomed_projects") == 0).await;
    let events = f.store.events_after(&new, 0, 10).await.unwrap();
    assert_eq!(events.first().map(|event| event.seq), Some(1));
    assert_eq!(count(&file, "SELECT count(DISTINCT event_key >> 28) FROM project_events"), 1);
    assert!(f.store.agent(&agent).await.unwrap().is_some());
    f.store.delete_agent(&agent, DeleteOrders::default()).await.unwrap().unwrap();
    f.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deletion_of_an_agent_counts_nothing_of_an_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nexus.db");
    let f = fixture_over(&file, Box::new(()));
    let (project, agent) = f.completed().await;
    talk(&f, &agent).await;
    f.end().await;
    fill(&file, &project, &agent);
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE kept AS SELECT * FROM nexus_agents").unwrap();
    // The daemon ends in the middle of the removal.
    let f = fixture_over(&file, Box::new(()));
    let gone = f.store.delete_agent(&agent, DeleteOrders::default()).await.unwrap().unwrap();
    assert_eq!((gone.sessions, gone.messages, gone.invocations as i64), (1, 1, MANY + 1));
    f.end().await;
    assert_eq!(count(&file, "SELECT count(*) FROM doomed_agents"), 1, "it was not all one transaction");
    assert!(count(&file, "SELECT count(*) FROM nexus_invocations") > MANY / 2);
    // One of its id again, with a conversation of its own, and then that one goes, too.
    let conn = Connection::open(&file).unwrap();
    conn.execute_batch("INSERT INTO nexus_agents SELECT * FROM kept; DROP TABLE kept").unwrap();
    drop(conn);
    let f = fixture_over(&file, Box::new(()));
    talk(&f, &agent).await;
    let gone = f.store.delete_agent(&agent, DeleteOrders::default()).await.unwrap().unwrap();
    assert_eq!((gone.sessions, gone.messages, gone.invocations), (1, 1, 1));
    f.store.clean(std::time::Duration::from_secs(3600)).await.unwrap();
    eventually("all of it is gone", || count(&file, "SELECT count(*) FROM nexus_invocations") == 0).await;
    f.end().await;
}
