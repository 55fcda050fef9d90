//! Projects: each that was acknowledged is there, ended, committed once, with all its files; what was deleted is gone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Client, Fate, Kind, get, ledger, list, support::sse, until, watch, workflows};

pub(super) async fn judge(client: &mut Client) {
    let known = client.world.ledger.state().projects.clone();
    for (id, project) in &known {
        match project.fate {
            Fate::Here => there(client, id, project).await,
            Fate::Gone | Fate::Unknown | Fate::Either => gone(client, id).await,
        }
    }
    let gone: Vec<&str> = known.iter().filter(|(_, one)| one.fate != Fate::Here).map(|(id, _)| id.as_str()).collect();
    super::folders_go(client, "projects", &gone).await;
    once_each(client, &known).await;
    no_open_tasks(client).await;
}

async fn there(client: &mut Client, id: &str, project: &ledger::Project) {
    let said = client.insist(get(&format!("/projects/{id}"))).await;
    let Some(detail) = said.data() else {
        return client.world.ledger.violation(format!("an acknowledged project is lost: {}", said.brief()), &[id]);
    };
    let status = detail["status"].as_str().unwrap_or_default();
    let ledger = &client.world.ledger;
    ledger.check(status == "completed" || (status == "cancelled" && project.stopped), &[id], || {
        format!("it is {status}, and nobody asked for that: {}", detail["error_info"])
    });
    let names: &[&str] = if project.kind == Kind::Agent { &workflows::AGENT_STAGES } else { &workflows::STAGES };
    let stages = detail["stages"].as_array().cloned().unwrap_or_default();
    let told: Vec<&str> = stages.iter().filter_map(|stage| stage["stage_name"].as_str()).collect();
    ledger.check(told == names, &[id], || format!("its stages are {told:?}"));
    for stage in &stages {
        let took = stage["duration_seconds"].as_f64();
        // The longest stage takes 0.7 s; the longest a daemon is held up is a fault of 8 s.
        ledger.check(took.is_none_or(|took| (0.0..300.0).contains(&took)), &[id], || {
            format!("a stage took {took:?} s: {}", stage["stage_name"])
        });
        ledger.check(status != "completed" || stage["status"] == "completed", &[id], || {
            format!("it is completed and a stage is not: {stage}")
        });
    }
    if let Some(frames) = super::super::projects::events(client, id).await {
        events(client, id, project, &frames, status == "completed", names);
    } else {
        client.world.ledger.violation("its events cannot be read to the end", &[id]);
    }
    if status == "completed" {
        files(client, id, project, &stages).await;
    }
}

/// Numbered without gap, the same as was told while it happened, each stage committed once.
fn events(client: &Client, id: &str, project: &ledger::Project, frames: &[sse::Frame], whole: bool, names: &[&str]) {
    let ledger = &client.world.ledger;
    let numbers: Vec<u64> = frames.iter().filter_map(|frame| frame.data["seq"].as_u64()).collect();
    let right = numbers.iter().zip(1..).all(|(number, right)| *number == right);
    ledger.check(right, &[id], || format!("its events have the numbers {numbers:?}"));
    let kept: BTreeMap<u64, String> =
        frames.iter().filter_map(|frame| Some((frame.data["seq"].as_u64()?, watch::gist(frame)))).collect();
    for (number, told) in &project.told {
        ledger.check(kept.get(number) == Some(told), &[id], || {
            format!("event {number} was told as {told:?} and is kept as {:?}", kept.get(number))
        });
    }
    for name in names {
        let ends = |frame: &&sse::Frame| {
            frame.event.as_deref() == Some("stage")
                && frame.data["stage_name"] == *name
                && frame.data["status"] == "completed"
        };
        let ends = frames.iter().filter(ends).count() as u64;
        let least = u64::from(whole);
        ledger.check((least..=1 + project.restarts).contains(&ends), &[id], || {
            format!("stage {name} was committed {ends} times, restarted {} times", project.restarts)
        });
    }
}

/// All files of its manifest are there as they were made.
async fn files(client: &mut Client, id: &str, project: &ledger::Project, stages: &[Value]) {
    let made: Vec<&Value> = stages.iter().filter_map(|stage| stage["generated_files"].as_array()).flatten().collect();
    let right = if project.kind == Kind::Agent { 2 } else { 6 };
    client
        .world
        .ledger
        .check(made.len() == right, &[id], || format!("its stages name {} files, not {right}", made.len()));
    for file in made {
        let path = file["path"].as_str().unwrap_or_default();
        let said = client.insist(get(&format!("/projects/{id}/files/{path}"))).await;
        let Some(content) = said.data().and_then(|data| data["content"].as_str()) else {
            client.world.ledger.violation(format!("its file {path} is lost: {}", said.brief()), &[id]);
            continue;
        };
        let sum: String = Sha256::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        // An agent's code is changed by its clients.
        let same = path == "agent/agent.py" || file["checksum"] == sum.as_str();
        client.world.ledger.check(same, &[id], || format!("its file {path} is another: {file}"));
    }
}

async fn gone(client: &mut Client, id: &str) {
    let said = client.insist(get(&format!("/projects/{id}"))).await;
    client.world.ledger.check(said.status() == 404, &[id], || format!("it was deleted and is there: {}", said.brief()));
}

/// The list has what was acknowledged, and nothing that nobody asked for.
async fn once_each(client: &mut Client, known: &BTreeMap<String, ledger::Project>) {
    let rows = list(client, "/projects").await;
    let listed: Vec<&str> = rows.iter().filter_map(|row| row["project_id"].as_str()).collect();
    let set: BTreeSet<&str> = listed.iter().copied().collect();
    client.world.ledger.check(set.len() == listed.len(), &[], || "the list of projects has one twice".to_owned());
    for (id, project) in known {
        let right = (project.fate == Fate::Here) == set.contains(id.as_str());
        client.world.ledger.check(right, &[id], || format!("it is {:?}, but the list does not say so", project.fate));
    }
    let mut perhaps = client.world.ledger.state().perhaps.clone();
    for id in set.into_iter().filter(|id| !known.contains_key(*id)) {
        let said = client.insist(get(&format!("/projects/{id}"))).await;
        let key = said.data().and_then(|data| data["tags"][0].as_str()).unwrap_or_default().to_owned();
        let asked = perhaps.iter().position(|other| *other == key);
        client
            .world
            .ledger
            .check(asked.is_some(), &[id, &key], || format!("a project that nobody asked for, or once more: {key}"));
        asked.map(|at| perhaps.swap_remove(at));
    }
}

async fn no_open_tasks(client: &mut Client) {
    for status in ["pending", "queued", "running"] {
        until(client, std::time::Duration::from_secs(60), &[], async |client| {
            let rows = list(client, &format!("/tasks?status={status}")).await;
            // What nobody acknowledged may be under way; it ends like the rest.
            if rows.is_empty() { Ok(()) } else { Err(format!("tasks stay {status}: {rows:?}")) }
        })
        .await;
    }
}
