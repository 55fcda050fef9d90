//! `kill -9` at random moments: nothing is lost, nothing is done twice.

use std::time::{Duration, Instant};

use super::support::{Daemon, Home, eventually};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

const BUILDS: usize = 200;
const KILLS: u32 = 10;

fn open(home: &Home) -> Connection {
    let file = home.data().join("nexus.db");
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the database opens")
}

fn count(home: &Home, sql: &str) -> i64 {
    open(home).query_row(sql, [], |row| row.get(0)).expect("the query runs")
}

/// Stages completed so far, from the file itself.
fn completed(home: &Home) -> i64 {
    count(home, "SELECT COUNT(*) FROM nexus_stages WHERE status = 'completed'")
}

async fn is_up(daemon: &Daemon) -> bool {
    daemon.get("/projects?limit=1").await.0 == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_builds_survive_ten_kills() {
    let home = Home::with_noop_workflow("[worker]\nbuilds = 256\n", 150);
    let mut daemon = home.start();
    let mut projects = Vec::new();
    for i in 0..BUILDS {
        projects.push(daemon.create(&format!("survive number {i} of the kills"), "noop").await);
    }
    let mut slowest = Duration::ZERO;
    for kill in 0..KILLS {
        // A moment that differs from round to round and from run to run.
        let moment = Duration::from_millis(20 + u64::from(rand::random::<u16>() % 200));
        tokio::time::sleep(moment).await;
        daemon.kill();
        let before = completed(&home);
        daemon = home.start();
        assert!(is_up(&daemon).await);
        let up = Instant::now();
        if before < (BUILDS * 9) as i64 {
            eventually("work goes on", async || (completed(&home) > before).then_some(())).await;
            slowest = slowest.max(up.elapsed());
        }
        eprintln!("kill {kill}: {before} stages were done, the next after {:?}", up.elapsed());
    }
    for project in &projects {
        daemon.wait_for(project, &["completed"]).await;
    }
    // A stage takes 150 ms; the rest is the way back to work. The aim is 0.5 s, on a machine with nothing else to do.
    eprintln!("the next stage was done at most {slowest:?} after the restarted daemon was up");
    // Far below a lease or a time limit: nothing was waited for.
    assert!(slowest < Duration::from_secs(10), "work went on only after {slowest:?}");

    assert_eq!(count(&home, "SELECT COUNT(*) FROM nexus_projects WHERE status = 'completed'"), BUILDS as i64);
    assert_eq!(completed(&home), (BUILDS * 9) as i64);
    assert_eq!(count(&home, "SELECT COUNT(*) FROM nexus_tasks WHERE status <> 'completed'"), 0);
    let left = "SELECT COUNT(*) FROM queue_messages";
    eventually("no message is left", async || (count(&home, left) == 0).then_some(())).await;

    // Exactly one commit per stage: the events are written in the commit they tell of.
    for project in &projects {
        let events = super::support::events(&daemon, project).await;
        for stage in 0..9 {
            let name = format!("s{stage}");
            let ends: Vec<_> = events
                .iter()
                .filter(|e| e["type"] == "stage" && e["stage_name"] == *name && e["status"] == "completed")
                .collect();
            assert_eq!(ends.len(), 1, "{project} {name}: {ends:?}");
        }
        let seqs: Vec<u64> = events.iter().filter_map(|e| e["seq"].as_u64()).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "{project}");
    }
    daemon.kill();
    let check: String =
        open(&home).query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("it can be checked");
    assert_eq!(check, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_agent_outlives_a_killed_daemon_and_it_starts_again_on_first_use() {
    let home = Home::new("");
    let daemon = home.start();
    let (_, agent) = daemon.build_agent("Answer from this price list: tea 2 EUR, cake 3 EUR.").await;
    let ask = json!({"input_text": "how much is tea?"});
    assert_eq!(daemon.post(&format!("/agents/{agent}/invoke"), &ask).await.0, 200);
    let folder = home.data();
    assert!(!processes_in(&folder).is_empty(), "the agent runs");
    daemon.kill();
    eventually("the agent dies with its daemon", async || processes_in(&folder).is_empty().then_some(())).await;

    let daemon = home.start();
    let (status, answer) = daemon.post(&format!("/agents/{agent}/invoke"), &ask).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["data"]["output"].as_str().is_some_and(|o| o.contains('2')), "{answer:#}");
    daemon.terminate();
    eventually("the agent ends with its daemon", async || processes_in(&folder).is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_verifies_an_agent_dies_with_the_daemon() {
    let home = Home::new("");
    let daemon = home.start();
    let project = daemon.create("Answer from this price list: tea 2 EUR, cake 3 EUR.", "agent_build").await;
    let folder = home.data();
    eventually("Python verifies the agent", async || (processes_in(&folder).len() >= 2).then_some(())).await;
    let (_, answer) = daemon.get(&format!("/projects/{project}")).await;
    assert_eq!(answer["data"]["current_stage"], "agent_developer_manager", "{answer:#}");
    daemon.kill();
    eventually("nobody is left", async || processes_in(&folder).is_empty().then_some(())).await;
    let daemon = home.start();
    daemon.wait_for(&project, &["completed"]).await;
}

/// Processes whose working folder is below `folder`.
fn processes_in(folder: &std::path::Path) -> Vec<u32> {
    let folder = folder.canonicalize().expect("the folder is there");
    let entries = std::fs::read_dir("/proc").expect("a proc file system").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let inside = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
    pids.filter(inside).collect()
}
