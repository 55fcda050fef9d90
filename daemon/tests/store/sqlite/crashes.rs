//! Processes that die: this test binary starts itself again as the one to be killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use nexus_daemon::{
    backend::{
        queue::Queue,
        store::{Claim, prelude::*},
    },
    domain::{project::ProjectStatus, queue::QueueName, stage::StageStatus},
};
use rusqlite::Connection;

use super::{fixture_hiding, fixture_over, new_file, open};
use crate::contract::world::*;

const FILE: &str = "NEXUS_TEST_CRASH_FILE";
const MODE: &str = "NEXUS_TEST_CRASH_MODE";

/// Not a test of its own: what the killed process does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Ok(file), Ok(mode)) = (std::env::var(FILE), std::env::var(MODE)) else { return };
    // Longer than this process lives, however slow the machine is: no message of a writer comes to another one.
    let f = Arc::new(fixture_hiding(Path::new(&file), Duration::from_secs(60), Box::new(())));
    if mode == "poison" {
        let (_, build) = f.take("poisoned").await;
        say(build.lease.project_id.as_str());
        std::future::pending::<()>().await;
    }
    let writers: Vec<_> = (0..8)
        .map(|number| {
            let f = f.clone();
            let name = format!("child-{number}");
            tokio::spawn(async move {
                loop {
                    let new = f.create().await;
                    say(&format!("C {}", new.project.project_id));
                    let Some(delivery) = f.receive_one(QueueName::Build).await else { continue };
                    let Claim::Claimed(build) = f.claim(&delivery, &name).await else { continue };
                    // One that an earlier process began goes on where that one died.
                    let at = build.stages.iter().position(|s| s.status == StageStatus::Running).unwrap();
                    for i in at..(at + 4).min(8) {
                        f.step(&build.lease, &[STAGES[i]], &[STAGES[i + 1]]).await.unwrap();
                        say(&format!("S {} {i}", build.lease.project_id));
                    }
                    // Whoever took it and does nothing with it would be at work in every crash, and in the end blamed.
                    if at + 4 < 8 {
                        f.store.release_lease(&build.lease, Some(&delivery.receipt)).await.unwrap();
                    } else {
                        f.run_from(&delivery, &build.lease, 8).await;
                        say(&format!("S {} 8", build.lease.project_id));
                    }
                }
            })
        })
        .collect();
    // They go on until this process is killed.
    futures::future::join_all(writers).await;
}

/// To the parent, past the test harness's capture. In one write, which a pipe takes whole: the kill may come in
/// the middle of anything.
fn say(text: &str) {
    use std::io::Write;
    std::io::stderr().lock().write_all(format!("@{text}\n").as_bytes()).unwrap();
}

fn start(file: &Path, mode: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["sqlite::crashes::child", "--exact", "--nocapture"])
        .env(FILE, file)
        .env(MODE, mode)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the child after `lines` answered writes; answers all that it said.
fn kill_after(mut child: Child, lines: usize) -> Vec<String> {
    let mut said = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
        if let Some(text) = line.strip_prefix('@') {
            said.push(text.to_owned());
        }
        if said.len() == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(said.len() >= lines, "the child ended by itself after {} lines", said.len());
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_kill_minus_nine() {
    let (_dir, file) = new_file();
    let mut said = Vec::new();
    for round in 1..=4 {
        said.extend(kill_after(start(&file, "work"), 60 * round));
    }
    let check = Connection::open(&file).unwrap();
    let fine: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(fine, "ok");
    drop(check);
    let f = fixture_over(&file, Box::new(()));
    for line in &said {
        let mut words = line.split(' ');
        let (what, id) = (words.next().unwrap(), words.next().unwrap().parse().unwrap());
        let detail = f.store.project_detail(&id).await.unwrap().expect("the project was answered");
        assert_eq!(detail.stages.len(), 9);
        if what == "S" {
            let stage: usize = words.next().unwrap().parse().unwrap();
            assert_eq!(detail.stages[stage].status, StageStatus::Completed, "{line}");
        }
        let events = f.store.events_after(&id, 0, 10_000).await.unwrap();
        assert!(events.iter().map(|e| e.seq).eq(1..=events.len() as u64), "{line}");
    }
    // Every build that is not done goes on at once.
    let depth = f.queue.depth(QueueName::Build).await.unwrap();
    let open = f.store.counts().await.unwrap();
    let open: u64 = open
        .projects
        .iter()
        .filter(|(s, _)| matches!(s, ProjectStatus::Queued | ProjectStatus::Building))
        .map(|(_, n)| n)
        .sum();
    assert_eq!((depth.visible, depth.in_flight), (open, 0));
    let (delivery, build) = f.take("after").await;
    assert_eq!(delivery.receive_count, 1, "a kill is not the build's failure");
    let at = build.stages.iter().position(|s| s.status == StageStatus::Running).unwrap();
    assert_eq!(f.run_from(&delivery, &build.lease, at).await.status, ProjectStatus::Completed);
    f.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_kills_the_daemon_ends_among_the_dead() {
    let (dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let poison = f.create().await;
    f.end().await;
    // Three kills from outside give nobody up; three processes that broke by their own word do.
    for _ in 0..3 {
        kill_after(start(&file, "poison"), 1);
    }
    for _ in 0..3 {
        kill_after(start(&file, "poison"), 1);
        std::fs::write(dir.path().join("nexus.db.ending"), "SIGSEGV\n").unwrap();
    }
    let (store, queue, _) = open(&file).unwrap();
    assert!(queue.receive(QueueName::Build, 1, Duration::ZERO).await.unwrap().is_empty());
    let dead = queue.unsettled_dead_letters(QueueName::BuildDead, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].reason.contains("died"), "{}", dead[0].reason);
    assert!(dead[0].body.contains(poison.project.project_id.as_str()));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_frees_what_the_last_process_held() {
    let (_dir, file) = new_file();
    let f = fixture_over(&file, Box::new(()));
    let (_, build) = f.start("agent_build").await;
    f.step(&build.lease, &[STAGES[0]], &[STAGES[1]]).await.unwrap();
    f.create().await;
    f.receive_one(QueueName::Build).await.unwrap();
    f.end().await;
    let f = fixture_over(&file, Box::new(()));
    let refused = f.step(&build.lease, &[STAGES[1]], &[]).await.unwrap_err();
    assert_eq!(refused.kind(), nexus_daemon::backend::error::BackendErrorKind::Fenced);
    let (delivery, again) = f.take("w2").await;
    assert_eq!((again.lease.project_id, delivery.receive_count), (build.lease.project_id, 1));
    assert_eq!((again.stages[1].status, again.stages[1].attempt), (StageStatus::Running, 2));
    let (delivery, _) = f.take("w2").await;
    assert_eq!(delivery.receive_count, 1);
    f.end().await;
}
