//! `nexusd tools …` and `nexusd stats`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    Client,
    error::ClientError,
    find,
    http::{Result, escaped},
    show,
};
use crate::cli::print;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ToolsCommand {
    /// By name
    List {
        /// Only with this text in name or description
        #[arg(long)]
        search: Option<String>,
        /// Only from there: system, generated, imported
        #[arg(long)]
        source: Option<String>,
        /// Most rows
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
    },
    /// One tool with its parameters
    Show {
        /// Name or id
        tool: String,
    },
    /// Run a tool in the sandbox
    Test {
        /// Name or id
        tool: String,
        /// Its parameters as a JSON object
        #[arg(default_value = "{}")]
        parameters: String,
    },
}

pub(super) async fn tools(client: &Client, command: ToolsCommand) -> Result<()> {
    match command {
        ToolsCommand::List { search, source, limit } => {
            let mut path = format!("/tools?limit={limit}");
            for (name, value) in [("q", search), ("source", source)] {
                if let Some(value) = value {
                    path.push_str(&format!("&{name}={}", escaped(&value)));
                }
            }
            let listed = client.api.get(&path).await?;
            if client.json {
                show::json(&listed);
            } else {
                let columns = [
                    ("TOOL", "tool_name"),
                    ("CATEGORY", "category"),
                    ("SOURCE", "source"),
                    ("USED", "usage_count"),
                    ("WHAT", "description"),
                ];
                show::table(&find::rows(listed), &columns);
            }
            Ok(())
        }
        ToolsCommand::Show { tool } => {
            let found = one(client, &tool).await?;
            if client.json {
                show::json(&found);
                return Ok(());
            }
            show::fields(
                &found,
                &[
                    ("tool", "tool_id"),
                    ("name", "tool_name"),
                    ("category", "category"),
                    ("source", "source"),
                    ("used", "usage_count"),
                ],
            );
            print(&format!("\n{}\n", show::member(&found, "description")));
            print(&serde_json::to_string_pretty(found.get("schema").unwrap_or(&Value::Null)).unwrap_or_default());
            Ok(())
        }
        ToolsCommand::Test { tool, parameters } => {
            let parameters: Value = serde_json::from_str(&parameters).map_err(|error| {
                ClientError::Usage(format!("the parameters are no JSON: {error}; such as '{{\"value\": 12}}'"))
            })?;
            let tested = client
                .api
                .post(&format!("/tools/{}/test", escaped(&tool)), &json!({ "parameters": parameters }))
                .await?;
            if client.json {
                show::json(&tested);
            } else if tested.get("success").and_then(Value::as_bool) == Some(true) {
                print(&show::member(&tested, "output"));
            }
            match tested.get("success").and_then(Value::as_bool) {
                Some(true) => Ok(()),
                _ => Err(ClientError::Failed(show::member(&tested, "error"))),
            }
        }
    }
}

/// A tool by id, or the newest of a name.
async fn one(client: &Client, given: &str) -> Result<Value> {
    if given.starts_with("tool_") {
        return client.api.get(&format!("/tools/{}", escaped(given))).await;
    }
    let found = find::rows(client.api.get(&format!("/tools?limit=100&q={}", escaped(given))).await?);
    let newest = found
        .into_iter()
        .filter(|tool| show::member(tool, "tool_name") == given)
        .max_by_key(|tool| show::member(tool, "created_at"));
    newest.ok_or_else(|| ClientError::Missing(format!("no tool is called {given:?}: `nexusd tools list` shows them")))
}

pub(super) async fn stats(client: &Client, days: u32) -> Result<()> {
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
