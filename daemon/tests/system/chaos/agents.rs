//! Clients that have agents made: they ask them, talk to them, edit them, deploy them again, and delete them.

use std::time::{Duration, Instant};

use rand::Rng as _;
use serde_json::{Value, json};

use super::{
    client::{Client, PATIENCE, delete, get, post, put},
    ledger::{Fate, Kind},
    projects, talk, workflows,
};

/// An agent as its client knows it.
pub(super) struct Mine {
    pub(super) id: String,
    pub(super) project: String,
    /// The version of its code that was sent last.
    version: u32,
    /// Questions so far.
    pub(super) asked: u32,
}

impl Mine {
    /// One that somebody else has made.
    pub(super) fn known(id: &str, project: &str) -> Self {
        Self { id: id.to_owned(), project: project.to_owned(), version: 0, asked: 0 }
    }
}

/// Lives of agents, one after the other, until the run is over.
pub(super) async fn work(mut client: Client) {
    let mut number = 0;
    while !client.world.is_over() {
        number += 1;
        let Some(project) = projects::create(&mut client, Kind::Agent, number).await else { continue };
        let Some(mut mine) = born(&mut client, &project).await else { continue };
        live(&mut client, &mut mine, 3..8).await;
        end(&mut client, mine).await;
    }
}

/// Waits for the agent of a project.
async fn born(client: &mut Client, project: &str) -> Option<Mine> {
    let begun = Instant::now();
    let path = format!("/agents?project_id={project}");
    while begun.elapsed() < PATIENCE {
        let said = client.insist(get(&path)).await;
        let agent = said.data().and_then(|data| data.get(0)).cloned().unwrap_or_default();
        if let (Some(id), "running") = (agent["agent_id"].as_str(), projects::status(&agent)) {
            client.say(format!("{project} has made {id}"));
            client.world.ledger.agent(id, |agent| {
                agent.project = project.to_owned();
                agent.versions.insert(1);
            });
            return Some(Mine { id: id.to_owned(), project: project.to_owned(), version: 1, asked: 0 });
        }
        let failed = projects::status(&agent) == "error";
        if failed || (client.world.is_over() && begun.elapsed() > Duration::from_secs(15)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    client.say(format!("no agent of {project} runs yet"));
    None
}

async fn live(client: &mut Client, mine: &mut Mine, steps: std::ops::Range<u32>) {
    for _ in 0..client.rng.random_range(steps) {
        if client.world.is_over() {
            return;
        }
        match client.rng.random_range(0..100) {
            0..45 => ask(client, mine, None).await,
            45..70 => talk::talk(client, mine).await,
            70..95 => edit(client, mine).await,
            _ => rest(client, mine).await,
        }
    }
}

/// Asks it once, and now and then the same again.
pub(super) async fn ask(client: &mut Client, mine: &mut Mine, at: Option<usize>) {
    mine.asked += 1;
    let text = format!("{} question {}", client.name, mine.asked);
    let (path, key) = (format!("/agents/{}/invoke", mine.id), format!("{}-{}-{}", client.name, mine.id, mine.asked));
    let body = json!({ "input_text": text });
    let mut question = post(&path, &body, Some(&key));
    question.at = at;
    let said = client.insist(question.clone()).await;
    let unanswered = said.lost + said.refused.len() as u64;
    client.world.ledger.agent(&mine.id, |agent| agent.unanswered += unanswered);
    let Some(data) = said.data().cloned() else {
        let gone = client.world.ledger.agent(&mine.id, |agent| agent.fate) != Fate::Here;
        let stuck = said.code() == "IDEMPOTENCY_IN_PROGRESS";
        client.world.ledger.check(!stuck, &[&key, &mine.id], || "a key stays in progress for ever".to_owned());
        client
            .world
            .ledger
            .check(gone || said.status() != 404, &[&mine.id], || "an acknowledged agent is not there".into());
        return;
    };
    // Of an answer that is not durable yet, a kill may take the record and the key along.
    let durable = data["recorded"] != json!(false);
    let kept = if durable { &data["invocation_id"] } else { &Value::Null };
    let invocation = heard(client, mine, &data["output"], kept, &text);
    if durable && client.chance(25) {
        let again = client.insist(question).await;
        if let Some(second) = again.data() {
            let ids = [&mine.id, invocation.as_str()];
            client.world.ledger.check(second["invocation_id"] == data["invocation_id"], &ids, || {
                format!("one key asked twice: {data} and {second}")
            });
        }
    }
}

/// Judges an answer and keeps it; the invocation's id.
pub(super) fn heard(client: &Client, mine: &Mine, output: &Value, invocation: &Value, text: &str) -> String {
    let output = output.as_str().unwrap_or_default().to_owned();
    let invocation = invocation.as_str().unwrap_or_default().to_owned();
    let allowed = client.world.ledger.agent(&mine.id, |agent| {
        if invocation.is_empty() {
            agent.unanswered += 1;
        } else {
            agent.answers.insert(invocation.clone(), output.clone());
        }
        agent.versions.clone()
    });
    let version = workflows::version_of(&output);
    client.say(format!("{} {invocation}: {output}", mine.id));
    client.world.ledger.check(
        version.is_some_and(|version| allowed.contains(&version)),
        &[&mine.id, &invocation],
        || format!("{} answered {output:?}; deployed is one of {allowed:?}", mine.id),
    );
    client.world.ledger.check(output.ends_with(text), &[&mine.id, &invocation], || {
        format!("{} was asked {text:?} and answered {output:?}", mine.id)
    });
    invocation
}

/// Changes its code and deploys it again; afterwards nothing but the new code may answer.
async fn edit(client: &mut Client, mine: &mut Mine) {
    mine.version += 1;
    let (version, id) = (mine.version, mine.id.clone());
    client.world.ledger.agent(&id, |agent| agent.versions.insert(version));
    let path = format!("/agents/{id}/files/code");
    let body = json!({ "content": workflows::code(version), "redeploy": true });
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let said = client.insist(put(&path, &body)).await;
        if let Some(data) = said.data() {
            let task = data["redeploy_task_id"].as_str().map(str::to_owned);
            client.say(format!("{id} is to be version {version}, {task:?}"));
            if deployed(client, &id, task.as_deref()).await {
                client.world.ledger.agent(&id, |agent| agent.versions.retain(|known| *known == version));
                return;
            }
        } else if said.status() == 404 {
            client.world.ledger.violation("an acknowledged agent is not there", &[&id]);
            return;
        }
        // Being deployed just now, or no room: later.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    client.say(format!("{id} could not be changed"));
}

/// Waits for the end of a deployment; whether the agent runs with it.
async fn deployed(client: &mut Client, id: &str, task: Option<&str>) -> bool {
    if let Some(task) = task {
        client.world.ledger.agent(id, |agent| agent.tasks.insert(task.to_owned()));
        let (path, begun) = (format!("/tasks/{task}"), Instant::now());
        loop {
            let said = client.insist(get(&path)).await;
            let state = said.data().map_or_else(String::new, |task| projects::status(task).to_owned());
            if said.status() == 404 {
                // It went with the project; the agent says how it is.
                break;
            }
            match state.as_str() {
                "completed" => break,
                "failed" | "cancelled" => {
                    client
                        .say(format!("{id}: {task} is {state}: {:?}", said.data().map(|task| &task["error_message"])));
                    return false;
                }
                _ if begun.elapsed() > PATIENCE => {
                    client.say(format!("{id}: {task} has not ended: {}", said.brief()));
                    return false;
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
    let said = client.insist(get(&format!("/agents/{id}"))).await;
    said.data().is_some_and(|agent| projects::status(agent) == "running")
}

/// Out of service and in again.
async fn rest(client: &mut Client, mine: &Mine) {
    let path = format!("/agents/{}", mine.id);
    for status in ["offline", "running"] {
        let body = json!({ "status": status });
        client.insist(put(&path, &body)).await;
    }
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let said = client.insist(get(&path)).await;
        match said.data().map(projects::status) {
            Some("running") | None => return,
            Some("offline" | "error") => drop(client.insist(put(&path, &json!({ "status": "running" }))).await),
            Some(_) => tokio::time::sleep(Duration::from_millis(150)).await,
        }
    }
}

/// How it ends: not at all, with its project, after it, or by itself.
async fn end(client: &mut Client, mut mine: Mine) {
    let (id, project) = (mine.id.clone(), mine.project.clone());
    let choice = client.rng.random_range(0..100);
    match choice {
        0..30 => return,
        30..50 => {
            client.world.ledger.agent(&id, |agent| agent.fate = Fate::Unknown);
        }
        50..70 => {
            client.world.ledger.agent(&id, |agent| agent.fate = Fate::Unknown);
            let gone = projects::remove(client, &project, true).await;
            client.world.ledger.agent(&id, |agent| agent.fate = if gone { Fate::Gone } else { Fate::Either });
            return;
        }
        _ => {
            if projects::remove(client, &project, false).await {
                client.world.ledger.agent(&id, |agent| agent.kept = true);
            }
            live(client, &mut mine, 2..5).await;
            if choice < 85 {
                return;
            }
            client.world.ledger.agent(&id, |agent| agent.fate = Fate::Unknown);
        }
    }
    let said = client.insist(delete(&format!("/agents/{id}"))).await;
    if matches!(said.status(), 200 | 404) {
        client.world.ledger.agent(&id, |agent| agent.fate = Fate::Gone);
    }
}
