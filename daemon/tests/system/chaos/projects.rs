//! Clients that have files built: they post, watch, pause, resume, stop, restart and delete.

use std::time::{Duration, Instant};

use rand::Rng as _;
use serde_json::{Value, json};

use super::{
    client::{Client, Said, delete, get, post},
    ledger::{Fate, Kind},
    support::sse,
    watch,
};

const ENDED: [&str; 3] = ["completed", "failed", "cancelled"];

/// How long a client waits for one project before it turns to the next; the oracle waits longer.
const WAIT: Duration = Duration::from_secs(40);

/// Lives of projects, one after the other, until the run is over.
pub(super) async fn work(mut client: Client) {
    let mut number = 0;
    while !client.world.is_over() {
        number += 1;
        life(&mut client, number).await;
    }
}

/// Posts a project, and now and then the same request again; answers its id.
pub(super) async fn create(client: &mut Client, kind: Kind, number: u32) -> Option<String> {
    let key = format!("{}-{number}", client.name);
    let workflow = if kind == Kind::Agent { "agent" } else { "files" };
    let body =
        json!({ "requirement": format!("built in spite of it all: {key}"), "workflow": workflow, "tags": [key] });
    let ask = post("/projects", &body, Some(&key));
    let said = if client.chance(20) {
        // At the same time, by way of another connection.
        let seed = client.rng.random();
        let mut other = Client::new(&client.world, &format!("{}'", client.name), seed);
        let (said, second) = tokio::join!(client.insist(ask.clone()), other.insist(ask.clone()));
        same(client, &said, &second);
        if said.data().is_some() { said } else { second }
    } else {
        client.insist(ask.clone()).await
    };
    let Some(id) = said.data().and_then(|data| data["project_id"].as_str()).map(str::to_owned) else {
        client.world.ledger.check(said.answer.is_none() || said.status() >= 500, &[&key], || {
            format!("a project was not taken: {}", said.brief())
        });
        client.world.ledger.state().perhaps.push(key);
        return None;
    };
    client.world.ledger.project(&id, |project| project.kind = kind);
    client.say(format!("{key} is {id}"));
    if client.chance(20) {
        let again = client.insist(ask).await;
        same(client, &said, &again);
    }
    Some(id)
}

fn same(client: &Client, one: &Said, two: &Said) {
    if let (Some(one), Some(two)) = (one.data(), two.data()) {
        let ids = [&one["project_id"], &two["project_id"]].map(|id| id.as_str().unwrap_or_default());
        client.world.ledger.check(ids[0] == ids[1], &ids, || "one key made two projects".to_owned());
    }
}

/// The project, while it must be there.
pub(super) async fn see(client: &mut Client, id: &str) -> Option<Value> {
    let path = format!("/projects/{id}");
    let said = client.insist(get(&path)).await;
    if said.status() == 404 {
        let fate = client.world.ledger.project(id, |project| project.fate);
        client.world.ledger.check(fate != Fate::Here, &[id], || "an acknowledged project is not there".to_owned());
    }
    said.data().cloned()
}

pub(super) fn status(project: &Value) -> &str {
    project["status"].as_str().unwrap_or_default()
}

/// Waits until a project rests; its state.
async fn wait(client: &mut Client, id: &str) -> String {
    let begun = Instant::now();
    while let Some(project) = see(client, id).await {
        let status = status(&project).to_owned();
        let rests = ENDED.contains(&status.as_str()) || status == "paused";
        if rests || client.world.is_over() || begun.elapsed() > WAIT {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
    "gone".to_owned()
}

async fn control(client: &mut Client, id: &str, action: &str) {
    let stops = ["stop", "cancel"].contains(&action);
    let before = client.world.ledger.project(id, |project| {
        let before = project.stopped;
        project.stopped |= stops;
        before
    });
    let path = format!("/projects/{id}/control");
    let body = json!({ "action": action });
    let said = client.insist(post(&path, &body, None)).await;
    client.world.ledger.project(id, |project| {
        if action == "restart" {
            project.restarts += said.lost + u64::from(said.data().is_some());
        }
        if said.status() == 409 && said.lost == 0 {
            project.stopped = before;
        }
    });
    let fine = matches!(said.status(), 0 | 200 | 409 | 429 | 500..);
    let gone = said.status() == 404 && client.world.ledger.project(id, |project| project.fate) != Fate::Here;
    client.world.ledger.check(fine || gone, &[id], || format!("{action} was answered {}", said.brief()));
}

/// Deletes a project; now and then the client tries only once and leaves it at that. Whether it is gone for certain.
pub(super) async fn remove(client: &mut Client, id: &str, with_agents: bool) -> bool {
    client.world.ledger.project(id, |project| project.fate = Fate::Unknown);
    let path = format!("/projects/{id}?delete_agents={with_agents}");
    let once = client.chance(40);
    let said = if once { client.try_once(delete(&path)).await } else { client.insist(delete(&path)).await };
    let gone = matches!(said.status(), 200 | 404);
    client.world.ledger.project(id, |project| match (gone, once) {
        (true, _) => project.fate = Fate::Gone,
        (false, true) => project.fate = Fate::Either,
        (false, false) => {}
    });
    gone
}

async fn life(client: &mut Client, number: u32) {
    let Some(id) = create(client, Kind::Files, number).await else { return };
    let watcher = client.chance(60).then(|| {
        let seed = client.rng.random();
        let other = Client::new(&client.world, &format!("{}-watch", client.name), seed);
        tokio::spawn(watch::project(other, id.clone()))
    });
    tokio::time::sleep(Duration::from_millis(client.rng.random_range(0..700))).await;
    match client.rng.random_range(0..100) {
        0..20 => {
            control(client, &id, "pause").await;
            if client.chance(70) {
                wait(client, &id).await;
                control(client, &id, "resume").await;
            }
        }
        20..32 => control(client, &id, "stop").await,
        32..37 => control(client, &id, "cancel").await,
        37..45 => {
            wait(client, &id).await;
            control(client, &id, "restart").await;
        }
        45..52 => drop(remove(client, &id, true).await),
        _ => {}
    }
    let state = wait(client, &id).await;
    client.say(format!("{id} is {state}"));
    // One that is paused rests until the end of the run.
    if client.chance(15) && state != "paused" {
        remove(client, &id, true).await;
    }
    if let Some(watcher) = watcher {
        watcher.abort();
    }
}

/// All events of a project that has ended; none when they cannot be had.
pub(super) async fn events(client: &mut Client, id: &str) -> Option<Vec<sse::Frame>> {
    let mut frames = Vec::new();
    let patience = Duration::from_secs(60);
    let whole = watch::stream(client, id, 0, |frame| frames.push(frame.clone()));
    tokio::time::timeout(patience, whole).await.ok()?.then_some(frames)
}
