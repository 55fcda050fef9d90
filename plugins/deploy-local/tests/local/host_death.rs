//! No orphan survives the daemon, however it ends.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::bench::*;

const FOLDER: &str = "DEPLOY_LOCAL_HOST_FOLDER";

/// Plays the daemon when the next test starts it in a process of its own: starts two agents, tells their pids, and
/// lives until it is killed.
#[tokio::test]
async fn host() {
    let Some(root) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let bench = bench();
    let agent = make_agent(&root, "ward", "stubborn");
    let other = make_agent(&root, "waif", "slow");
    let pid = bench.pid(&agent).await;
    let child = bench.output(&agent, "child").await;
    let apart = bench.output(&agent, "child apart").await;
    let stray = bench.output(&agent, "stray").await;
    let deployer = bench.deployer.clone();
    let request = question(&other, "hang");
    tokio::spawn(async move {
        nexus_plugin_api::DeployHandler::invoke(&*deployer, request, nexus_plugin_api::sdk::testing::Recorder::new().1)
            .await
    });
    eventually("the other is starting", async || !starts(&other).is_empty()).await;
    println!("\npids {pid} {child} {apart} {stray} {}", starts(&other)[0]);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn killing_the_host_kills_agents_and_their_children() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "host_death::host", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(host.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("pids ")).expect("the host died early");
    let pids: Vec<u32> = line.split_whitespace().skip(1).map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| is_alive(*pid)), "{pids:?}");
    kill(host.id(), "-9");
    host.wait().unwrap();
    for pid in pids {
        eventually(&format!("process {pid} is gone"), async || !is_alive(pid)).await;
    }
    // Whatever else there was, is gone: nothing works in the folders any more.
    assert!(processes_in(&folder.path().join("ward/agent")).is_empty());
}
