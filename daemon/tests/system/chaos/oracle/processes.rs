//! Processes: no zombie, no stray agent, no panic.

use std::{
    collections::HashSet,
    path::Path,
    time::{Duration, Instant},
};

use super::{Client, Fate, World, until};

/// Processes other than the daemon that were started on behalf of a home: id and environment.
fn started_for(home: &Path, daemon: Option<u32>) -> Vec<(u32, String)> {
    let mark = format!("NEXUS_CHAOS={}", home.display());
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let marked = pids.filter(|pid| Some(*pid) != daemon).filter_map(|pid| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let text = String::from_utf8_lossy(&environment).into_owned();
        let below = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(home));
        (below || text.split('\0').any(|variable| variable == mark)).then_some((pid, text))
    });
    marked.collect()
}

/// Children of a process that have ended and that it has not waited for.
fn zombies_of(daemon: u32) -> HashSet<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name, which may hold anything: state and parent.
        let mut behind = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        behind.next() == Some("Z") && behind.next() == Some(daemon.to_string().as_str())
    };
    pids.filter(is).collect()
}

pub(super) async fn while_up(client: &mut Client) {
    let gone: Vec<String> = {
        let state = client.world.ledger.state();
        state.agents.iter().filter(|(_, agent)| agent.fate != Fate::Here).map(|(id, _)| id.clone()).collect()
    };
    for number in 0..client.world.slots.len() {
        until(client, Duration::from_secs(20), &["fault"], async |client| {
            let slot = &client.world.slots[number];
            let Some(daemon) = slot.pid() else { return Ok(()) };
            let zombies = zombies_of(daemon);
            if !zombies.is_empty() {
                return Err(format!("{} does not wait for its children {zombies:?}", slot.name));
            }
            for (pid, environment) in started_for(slot.home.path(), Some(daemon)) {
                if let Some(agent) = gone.iter().find(|agent| environment.contains(agent.as_str())) {
                    return Err(format!("process {pid} of the deleted {agent} runs at {}", slot.name));
                }
            }
            Ok(())
        })
        .await;
    }
    for slot in &client.world.slots {
        let agents = started_for(slot.home.path(), slot.pid()).len();
        client.world.say("oracle", format!("{} has {agents} processes", slot.name));
    }
}

pub(super) async fn when_down(world: &World) {
    for slot in &world.slots {
        let begun = Instant::now();
        loop {
            let left: Vec<u32> = started_for(slot.home.path(), None).into_iter().map(|(pid, _)| pid).collect();
            if left.is_empty() {
                break;
            }
            if begun.elapsed() > Duration::from_secs(20) {
                world.ledger.violation(format!("processes outlive {}: {left:?}", slot.name), &["fault"]);
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = slot.log();
        for line in log.lines().filter(|line| line.contains("panicked at")).take(5) {
            world.ledger.violation(format!("{} panicked: {line}", slot.name), &["fault"]);
        }
    }
}
