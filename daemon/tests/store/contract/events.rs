//! Events of projects.

use nexus_daemon::{
    backend::{error::BackendErrorKind, store::Origin},
    domain::{
        event::{EventType, NewEvent},
        ids::ProjectId,
        project::ProjectStatus,
    },
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
    assert_eq!(refused.kind(), BackendErrorKind::NotFound);
    assert!(f.store.events_after(&unknown, 0, 10).await.unwrap().is_empty());
    let new = f.create().await;
    f.store.append_events(&new.project.project_id, Origin::Daemon, Vec::new()).await.unwrap();
    assert_eq!(f.store.events_after(&new.project.project_id, 0, 10).await.unwrap().len(), 1);
}

/// What an owner that was overtaken still wanted to say is refused, and so is what comes behind the end of its build.
pub async fn events_of_an_old_lease_are_refused(f: &Fixture) {
    let (_, first) = f.start("agent_build").await;
    let id = &first.lease.project_id;
    let say = async |lease: &nexus_daemon::domain::task::Lease, n| {
        f.store.append_events(&lease.project_id, Origin::Lease(lease), vec![log(n)]).await
    };
    say(&first.lease, 1).await.unwrap();
    f.lapse(&first.lease).await;
    // Nobody holds it, then another does: of both the first has nothing to say any more.
    assert_eq!(say(&first.lease, 2).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    let (delivery, second) = f.take("w2").await;
    assert_eq!(say(&first.lease, 3).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    say(&second.lease, 4).await.unwrap();
    // A lease of another project is none of this one.
    let other = f.create().await.project.project_id;
    let refused = f.store.append_events(&other, Origin::Lease(&second.lease), vec![log(5)]).await.unwrap_err();
    assert_eq!(refused.kind(), BackendErrorKind::Fenced);
    f.run_from(&delivery, &second.lease, 0).await;
    assert_eq!(f.status(id).await.0, ProjectStatus::Completed);
    let end = f.store.events_after(id, 0, 10_000).await.unwrap();
    for lease in [&first.lease, &second.lease] {
        assert_eq!(say(lease, 6).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    }
    assert_eq!(f.store.events_after(id, 0, 10_000).await.unwrap(), end, "nothing stands behind its end");
    let lines: Vec<_> = end.iter().filter_map(|event| event.fields.get("line")?.as_u64()).collect();
    assert_eq!(lines, [1, 4]);
}

/// More than one transaction takes, and one event that is more than one item takes.
pub async fn large_events_are_all_there(f: &Fixture) {
    let (_, build) = f.start("agent_build").await;
    let (id, origin) = (&build.lease.project_id, Origin::Lease(&build.lease));
    let before = f.store.events_after(id, 0, 10_000).await.unwrap().len();
    let text = |n: usize| format!("{n} {}", "\"ä".repeat(25_000));
    let many = (0..60).map(|n| NewEvent::new(EventType::Text, json!({"text": text(n), "stage_name": "a"})));
    f.store.append_events(id, origin, many.collect()).await.unwrap();
    heard(f, id, before + 60).await;
    let stored = f.store.events_after(id, before as u64, 10_000).await.unwrap();
    assert_eq!(stored.len(), 60);
    for (n, event) in stored.iter().enumerate() {
        assert_eq!(event.fields["text"], text(n));
        assert_eq!(event.seq, (before + n + 1) as u64);
    }
    // Those before and behind it come whole, and it says what it lacks.
    let long = NewEvent::new(EventType::Tool, json!({"data": "x".repeat(1_000_000), "stage_name": "a"}));
    f.store.append_events(id, origin, vec![log(1), long, log(2)]).await.unwrap();
    heard(f, id, before + 63).await;
    let stored = f.store.events_after(id, before as u64 + 60, 10).await.unwrap();
    assert_eq!(stored.len(), 3);
    assert_eq!((&stored[0].fields["line"], &stored[2].fields["line"]), (&json!(1), &json!(2)));
    assert_eq!(stored[1].fields["truncated"], json!({"data": 1_000_000}));
    let kept = stored[1].fields["data"].as_str().unwrap();
    assert!(kept.starts_with("xxx") && kept.ends_with("bytes left out]") && kept.len() > 50_000, "{}", kept.len());
    assert_eq!(f.events.of(id), f.store.events_after(id, 0, 10_000).await.unwrap(), "told as it is stored");
}
