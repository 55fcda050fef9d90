//! Events of projects.

use nexus_daemon::{
    domain::{
        event::{EventType, NewEvent},
        ids::ProjectId,
    },
    store::{Origin, StoreErrorKind},
};
use serde_json::json;

use super::world::*;

fn log(n: usize) -> NewEvent {
    NewEvent::new(EventType::Log, json!({"line": n}))
}

async fn heard(f: &Fixture, id: &ProjectId, count: usize) {
    for _ in 0..200 {
        if f.events.of(id).len() >= count {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("{} of {count} events were told", f.events.of(id).len());
}

pub async fn events_are_numbered_without_a_gap(f: &Fixture) {
    let (_, build) = f.start("agent_build").await;
    let id = &build.lease.project_id;
    let writers: Vec<_> = (0..20)
        .map(|_| {
            let (store, id) = (f.store.clone(), id.clone());
            tokio::spawn(async move {
                for n in 0..10 {
                    store.append_events(&id, Origin::Daemon, vec![log(n), log(n + 1)]).await.unwrap();
                }
            })
        })
        .collect();
    for i in 0..8 {
        f.step(&build.lease, &[STAGES[i]], &[STAGES[i + 1]]).await.unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let count = 3 - 1 + 8 * 3 + 400 + 1;
    heard(f, id, count).await;
    let stored = f.store.events_after(id, 0, 10_000).await.unwrap();
    assert_eq!(stored.len(), count);
    assert_eq!(stored.iter().map(|e| e.seq).collect::<Vec<_>>(), (1..=count as u64).collect::<Vec<_>>());
    assert_eq!(stored, f.events.of(id));
    // From the middle of a row of events, and with a limit.
    let some = f.store.events_after(id, 7, 5).await.unwrap();
    assert_eq!(some.iter().map(|e| e.seq).collect::<Vec<_>>(), [8, 9, 10, 11, 12]);
    assert!(f.store.events_after(id, count as u64, 10).await.unwrap().is_empty());
    assert!(f.store.events_after(id, u64::MAX, 10).await.unwrap().is_empty());
}

pub async fn the_sink_hears_in_the_order_of_the_commits(f: &Fixture) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(f.create().await.project.project_id);
    }
    let writers: Vec<_> = (0..50)
        .map(|n: usize| {
            let (store, id) = (f.store.clone(), ids[n % 5].clone());
            tokio::spawn(async move { store.append_events(&id, Origin::Daemon, vec![log(n)]).await.unwrap() })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for id in &ids {
        heard(f, id, 11).await;
        let seqs: Vec<u64> = f.events.of(id).iter().map(|e| e.seq).collect();
        assert_eq!(seqs, (1..=11).collect::<Vec<_>>());
    }
    // An answered durable write was told of before it was answered.
    let new = f.create().await;
    assert_eq!(f.events.of(&new.project.project_id).len(), 1);
}

pub async fn events_of_an_unknown_project_are_refused(f: &Fixture) {
    let unknown = ProjectId::generate();
    let refused = f.store.append_events(&unknown, Origin::Daemon, vec![log(1)]).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::NotFound);
    assert!(f.store.events_after(&unknown, 0, 10).await.unwrap().is_empty());
    let new = f.create().await;
    f.store.append_events(&new.project.project_id, Origin::Daemon, Vec::new()).await.unwrap();
    assert_eq!(f.store.events_after(&new.project.project_id, 0, 10).await.unwrap().len(), 1);
}
