//! `nexusd stats`: figures over everything.

use serde_json::json;

use super::{Client, find, http::Result, show};
use crate::terminal::print;

pub(super) async fn run(client: &Client, days: u32) -> Result<()> {
    let overview = client.api.get("/statistics/overview").await?;
    let builds = client.api.get(&format!("/statistics/builds?days={days}")).await?;
    let invocations = client.api.get(&format!("/statistics/invocations?days={days}")).await?;
    if client.json {
        show::json(&json!({ "overview": overview, "builds": builds, "invocations": invocations }));
        return Ok(());
    }
    show::fields(
        &overview,
        &[
            ("projects", "total_projects"),
            ("building", "building_projects"),
            ("completed", "completed_projects"),
            ("failed", "failed_projects"),
            ("success %", "success_rate"),
            ("mean build, minutes", "avg_build_time_minutes"),
            ("agents", "total_agents"),
            ("running agents", "running_agents"),
            ("questions", "total_invocations"),
            ("questions today", "today_invocations"),
        ],
    );
    print("");
    show::table(
        &find::rows(builds),
        &[
            ("BUILDS ON", "date"),
            ("ALL", "total_builds"),
            ("COMPLETED", "successful_builds"),
            ("FAILED", "failed_builds"),
        ],
    );
    print("");
    let columns = [
        ("QUESTIONS ON", "date"),
        ("ALL", "total_invocations"),
        ("ANSWERED", "successful_invocations"),
        ("FAILED", "failed_invocations"),
        ("MEAN MS", "avg_duration_ms"),
    ];
    show::table(&find::rows(invocations), &columns);
    Ok(())
}
