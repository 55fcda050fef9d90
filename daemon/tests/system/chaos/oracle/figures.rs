//! Figures: what the statistics say is what is there.

use std::time::Duration;

use serde_json::Value;

use super::{Client, get, list, until};

pub(super) async fn judge(client: &mut Client) {
    // Counted once in a while, so soon true.
    until(client, Duration::from_secs(90), &[], async |client| {
        let projects = list(client, "/projects").await;
        let agents = list(client, "/agents").await;
        let said = client.insist(get("/statistics/overview")).await;
        let Some(overview) = said.data() else { return Err(format!("no overview: {}", said.brief())) };
        let of = |status: &str| projects.iter().filter(|row| row["status"] == status).count();
        let running = agents.iter().filter(|row| row["status"] == "running").count();
        for (name, right) in [
            ("total_projects", projects.len()),
            ("completed_projects", of("completed")),
            ("failed_projects", of("failed")),
            ("building_projects", of("building")),
            ("total_agents", agents.len()),
            ("running_agents", running),
        ] {
            if overview[name] != right {
                return Err(format!("the overview says {name} {}, and there are {right}", overview[name]));
            }
        }
        Ok(())
    })
    .await;
    by_day(client).await;
}

/// What is deleted later stays counted, so all answers that were ever given must be in the days.
async fn by_day(client: &mut Client) {
    let (answers, lost) = {
        let state = client.world.ledger.state();
        let answers: usize = state.agents.values().map(|agent| agent.answers.len()).sum();
        let lost: u64 = state.agents.values().map(|agent| agent.unanswered).sum();
        (answers as u64, lost)
    };
    until(client, Duration::from_secs(90), &[], async |client| {
        let said = client.insist(get("/statistics/invocations?days=7")).await;
        let days = said.data().and_then(Value::as_array).cloned().unwrap_or_default();
        let sum = |name: &str| days.iter().filter_map(|day| day[name].as_u64()).sum::<u64>();
        let total = sum("total_invocations");
        if total != sum("successful_invocations") + sum("failed_invocations") {
            return Err(format!("the days do not add up: {days:?}"));
        }
        if (answers..=answers + lost).contains(&total) {
            return Ok(());
        }
        Err(format!("the days count {total} invocations; {answers} answers were given and {lost} questions lost"))
    })
    .await;
    let said = client.insist(get("/statistics/builds?days=7")).await;
    let days = said.data().and_then(Value::as_array).cloned().unwrap_or_default();
    let builds: u64 = days.iter().filter_map(|day| day["total_builds"].as_u64()).sum();
    let completed = list(client, "/projects?status=completed").await.len() as u64;
    let ledger = &client.world.ledger;
    ledger.check(builds >= completed, &[], || format!("the days count {builds} builds, and {completed} are completed"));
    let mean = days.iter().filter_map(|day| day["avg_duration_minutes"].as_f64());
    for mean in mean {
        // No build waits for longer than a run's faults; a clock that was wrong must not show.
        ledger.check((0.0..30.0).contains(&mean), &[], || format!("a build took {mean} minutes on average"));
    }
}
