//! Holds the daemons to what they acknowledged, once everything has come to rest.

mod agents;
mod figures;
mod journal;
mod processes;
mod projects;
mod rows;
mod sessions;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    client::{Client, Said, delete, get, post},
    faults,
    ledger::{self, Fate, Kind},
    support, watch, workflows,
    world::{Backend, World},
};

/// How long anything may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long folders of what was deleted may stay in peace.
const FOLDERS: Duration = Duration::from_secs(30);

/// See the module.
pub(super) async fn judge(world: &Arc<World>, seed: u64) {
    let mut client = Client::new(world, "oracle", seed ^ 5005);
    healthy(&mut client).await;
    settle(&mut client).await;
    projects::judge(&mut client).await;
    agents::judge(&mut client).await;
    sessions::judge(&mut client).await;
    figures::judge(&mut client).await;
    rows::queues(&client).await;
    processes::while_up(&mut client).await;
    journal::judge(world);
    for slot in &world.slots {
        faults::terminate(world, slot);
    }
    processes::when_down(world).await;
    rows::integrity(world);
}

/// Waits until `check` is content; else what it said last is a violation.
async fn until(
    client: &mut Client,
    patience: Duration,
    ids: &[&str],
    mut check: impl AsyncFnMut(&mut Client) -> Result<(), String>,
) {
    let begun = Instant::now();
    loop {
        let said = check(client).await;
        let Err(why) = said else { return };
        if begun.elapsed() > patience {
            return client.world.ledger.violation(format!("{why} (waited {:?})", begun.elapsed()), ids);
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

/// Every daemon is healthy when nothing ails it.
async fn healthy(client: &mut Client) {
    for number in 0..client.world.slots.len() {
        until(client, Duration::from_secs(90), &["fault"], async |client| {
            let mut ask = get("//health");
            ask.at = Some(number);
            let said = client.once(&ask).await.1;
            let is = said.as_ref().is_ok_and(|(_, body)| body["status"] == "healthy");
            is.then_some(()).ok_or_else(|| format!("daemon{} is not healthy in peace: {said:?}", number + 1))
        })
        .await;
    }
}

/// What was left open is brought to an end: paused projects go on, deletions without an answer are asked for again.
async fn settle(client: &mut Client) {
    let (projects, agents) = {
        let state = client.world.ledger.state();
        (state.projects.clone(), state.agents.clone())
    };
    for (id, agent) in &agents {
        if agent.fate == Fate::Either {
            let fate = whole_or_gone(client, &format!("/agents/{id}")).await;
            client.world.ledger.agent(id, |agent| agent.fate = fate);
        }
        if agent.fate == Fate::Unknown {
            let said = client.insist(delete(&format!("/agents/{id}"))).await;
            is_gone(client, id, &said);
            client.world.ledger.agent(id, |agent| agent.fate = Fate::Gone);
        }
    }
    for (id, project) in &projects {
        match project.fate {
            Fate::Unknown => {
                let said = client.insist(delete(&format!("/projects/{id}"))).await;
                is_gone(client, id, &said);
                client.world.ledger.project(id, |project| project.fate = Fate::Gone);
            }
            Fate::Either => {
                let fate = whole_or_gone(client, &format!("/projects/{id}")).await;
                client.world.ledger.project(id, |project| project.fate = fate);
                if fate == Fate::Here {
                    rest(client, id).await;
                }
            }
            Fate::Here => rest(client, id).await,
            Fate::Gone => {}
        }
    }
}

/// What was perhaps deleted is judged by what is there now.
async fn whole_or_gone(client: &mut Client, path: &str) -> Fate {
    let said = client.insist(get(path)).await;
    client.say(format!("{path} was perhaps deleted: {}", said.brief()));
    if said.status() == 404 { Fate::Gone } else { Fate::Here }
}

/// Folders of what was deleted are gone everywhere before long.
async fn folders_go(client: &mut Client, kind: &str, ids: &[&str]) {
    let begun = Instant::now();
    for number in 0..client.world.slots.len() {
        for id in ids {
            let folder = client.world.slots[number].data().join(kind).join(id);
            while folder.exists() {
                if begun.elapsed() > FOLDERS {
                    let what = format!("it was deleted and daemon{} keeps its folder in {kind}/", number + 1);
                    client.world.ledger.violation(what, &[id]);
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_gone(client: &Client, id: &str, said: &Said) {
    let done = matches!(said.status(), 200 | 404);
    client.world.ledger.check(done, &[id], || format!("it cannot be deleted in peace: {}", said.brief()));
}

/// Has a project go on that is paused, and waits for its end.
async fn rest(client: &mut Client, id: &str) {
    let path = format!("/projects/{id}");
    until(client, PATIENCE, &[id], async |client| {
        let said = client.insist(get(&path)).await;
        let Some(project) = said.data() else {
            return Err(format!("an acknowledged project cannot be read: {}", said.brief()));
        };
        match project["status"].as_str().unwrap_or_default() {
            "completed" | "cancelled" | "failed" => Ok(()),
            "paused" => {
                let body = serde_json::json!({ "action": "resume" });
                client.insist(post(&format!("{path}/control"), &body, None)).await;
                Err("a project stays paused".to_owned())
            }
            other => Err(format!("a project does not end: {other}, control {}", project["control_status"])),
        }
    })
    .await;
}

/// All rows of a list, page after page.
async fn list(client: &mut Client, path: &str) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let join = if path.contains('?') { '&' } else { '?' };
        let said = client.insist(get(&format!("{path}{join}limit=100{cursor}"))).await;
        let Some((200, body)) = said.answer else {
            client.world.ledger.violation(format!("{path} cannot be listed: {}", said.brief()), &[]);
            return rows;
        };
        rows.extend(body["data"].as_array().cloned().unwrap_or_default());
        match body["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rows,
        }
    }
}
