//! Agents: each that was acknowledged runs, on every daemon, with the code that was deployed last; its invocations add up.

use serde_json::json;

use super::{Client, Fate, get, ledger, list, rows, until};
use crate::chaos::{
    agents::{Mine, ask},
    client::put,
    ledger::Kind,
};

pub(super) async fn judge(client: &mut Client) {
    adopt(client).await;
    let known = client.world.ledger.state().agents.clone();
    for (id, agent) in &known {
        match agent.fate {
            Fate::Here => there(client, id, agent).await,
            Fate::Gone | Fate::Unknown | Fate::Either => gone(client, id).await,
        }
    }
    let gone: Vec<&str> = known.iter().filter(|(_, one)| one.fate != Fate::Here).map(|(id, _)| id.as_str()).collect();
    super::folders_go(client, "agents", &gone).await;
    let rows = list(client, "/agents").await;
    let here = known.values().filter(|agent| agent.fate == Fate::Here).count();
    client
        .world
        .ledger
        .check(rows.len() == here, &[], || format!("{} agents are listed, {here} should be", rows.len()));
}

/// Agents whose clients did not wait for them.
async fn adopt(client: &mut Client) {
    let projects = client.world.ledger.state().projects.clone();
    for (id, _) in projects.iter().filter(|(_, project)| project.kind == Kind::Agent && project.fate == Fate::Here) {
        let said = client.insist(get(&format!("/agents?project_id={id}"))).await;
        let agent = said.data().and_then(|data| data[0]["agent_id"].as_str()).map(str::to_owned);
        let known = client.world.ledger.state().agents.values().any(|agent| agent.project == *id);
        match agent {
            Some(agent) if !known => client.world.ledger.agent(&agent, |agent| {
                agent.project = id.clone();
                agent.versions.insert(1);
            }),
            Some(_) => {}
            None => client.world.ledger.check(known, &[id], || "it is completed and made no agent".to_owned()),
        }
    }
}

async fn there(client: &mut Client, id: &str, agent: &ledger::Agent) {
    let path = format!("/agents/{id}");
    let mut failed = false;
    until(client, super::PATIENCE, &[id], async |client| {
        let said = client.insist(get(&path)).await;
        let Some(now) = said.data().cloned() else {
            return Err(format!("an acknowledged agent cannot be read: {}", said.brief()));
        };
        let status = now["status"].as_str().unwrap_or_default().to_owned();
        match status.as_str() {
            "running" => return Ok(()),
            "error" | "offline" => {
                // A deployment that found no room has a reason; whoever asks again is served.
                let reason = now["error_message"].as_str().unwrap_or_default().to_owned();
                let explained = status == "offline" || ["space", "room"].iter().any(|word| reason.contains(word));
                if !failed && !explained {
                    client.world.ledger.violation(format!("its deployment failed: {reason}"), &[id]);
                }
                if failed {
                    client.world.ledger.violation(format!("it cannot be deployed again: {reason}"), &[id]);
                    return Ok(());
                }
                failed = status == "error";
                client.insist(put(&path, &json!({ "status": "running" }))).await;
            }
            _ => {}
        }
        Err(format!("it does not come to run: {status}"))
    })
    .await;
    for task in &agent.tasks {
        let said = client.insist(get(&format!("/tasks/{task}"))).await;
        let status = said.data().map(|task| task["status"].clone()).unwrap_or_default();
        // A task goes with its project.
        let ended =
            said.status() == 404 && client.world.ledger.project(&agent.project, |project| project.fate) != Fate::Here;
        let ended = ended || ["completed", "failed", "cancelled"].iter().any(|word| status == *word);
        client.world.ledger.check(ended, &[id, task], || format!("a deployment has not ended: {}", said.brief()));
    }
    answers(client, id, agent).await;
    figures(client, id).await;
}

/// Every daemon asks the code that was deployed last.
async fn answers(client: &mut Client, id: &str, agent: &ledger::Agent) {
    let mut mine = Mine::known(id, &agent.project);
    for number in 0..client.world.slots.len() {
        let before = client.world.ledger.agent(id, |agent| agent.answers.len());
        ask(client, &mut mine, Some(number)).await;
        let after = client.world.ledger.agent(id, |agent| agent.answers.len());
        client.world.ledger.check(after > before, &[id], || {
            let kept = if agent.kept { " (its project was deleted and it was kept)" } else { "" };
            format!("it does not answer at daemon{}{kept}", number + 1)
        });
    }
}

/// Every answer that was given is recorded, and every record is counted.
async fn figures(client: &mut Client, id: &str) {
    let recorded = rows::invocations(&client.world, id).await;
    let said = client.insist(get(&format!("/agents/{id}"))).await;
    let of = |name: &str| said.data().and_then(|data| data[name].as_u64()).unwrap_or_default();
    let [total, good, bad] = ["total_invocations", "successful_invocations", "failed_invocations"].map(of);
    let agent = client.world.ledger.agent(id, |agent| agent.clone());
    let ledger = &client.world.ledger;
    let (least, most) = (agent.answers.len() as u64, agent.answers.len() as u64 + agent.unanswered);
    ledger.check((least..=most).contains(&total), &[id], || {
        format!("{total} invocations are counted; {least} answers were given, and {} questions lost", agent.unanswered)
    });
    ledger.check(total == good + bad, &[id], || format!("{total} invocations, of which {good} good and {bad} bad"));
    ledger.check(total == recorded.len() as u64, &[id], || {
        format!("{total} invocations are counted and {} recorded", recorded.len())
    });
    for (invocation, answer) in &agent.answers {
        let kept = recorded.get(invocation);
        ledger.check(kept.is_some_and(|kept| kept == answer), &[id, invocation], || {
            format!("the answer {answer:?} was given and is recorded as {kept:?}")
        });
    }
}

async fn gone(client: &mut Client, id: &str) {
    let said = client.insist(get(&format!("/agents/{id}"))).await;
    client.world.ledger.check(said.status() == 404, &[id], || format!("it was deleted and is there: {}", said.brief()));
}
