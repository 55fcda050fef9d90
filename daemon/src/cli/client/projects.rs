//! `nexusd projects …`, the control verbs, and `nexusd logs`.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Client, complain, events::Follow, find, http::Result, show};
use crate::terminal::print;

/// A stream that says nothing for so long has told what there is so far.
const CAUGHT_UP: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ProjectsCommand {
    /// The newest first
    List {
        /// Only in this state: queued, building, completed, failed, paused, cancelled
        #[arg(long)]
        status: Option<String>,
        /// Only with this text in name or requirement
        #[arg(long)]
        search: Option<String>,
        /// Most rows
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// Which page
        #[arg(long, default_value_t = 1)]
        page: u32,
    },
    /// One project with its stages
    Show {
        /// Id or name [default: the newest]
        project: Option<String>,
    },
    /// Delete a project with its files and agents
    Delete {
        /// Id or name
        project: String,
        /// Its agents stay
        #[arg(long)]
        keep_agents: bool,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ControlArgs {
    /// Id or name of the project [default: the newest]
    project: Option<String>,
    /// From this stage on (resume and restart)
    #[arg(long = "from", value_name = "STAGE")]
    from_stage: Option<String>,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
}

pub(super) async fn run(client: &Client, command: ProjectsCommand) -> Result<()> {
    match command {
        ProjectsCommand::List { status, search, limit, page } => {
            let columns = [
                ("PROJECT", "project_id"),
                ("STATUS", "status"),
                ("%", "progress"),
                ("CREATED", "created_at"),
                ("NAME", "project_name"),
            ];
            client
                .list(&format!("/projects?limit={limit}&page={page}"), &[("status", status), ("q", search)], &columns)
                .await
        }
        ProjectsCommand::Show { project } => {
            let found = find::project(&client.api, project.as_deref()).await?;
            let whole = client.api.get(&format!("/projects/{}", show::member(&found, "project_id"))).await?;
            client.show(&whole, one);
            Ok(())
        }
        ProjectsCommand::Delete { project, keep_agents } => {
            let found = find::project(&client.api, Some(&project)).await?;
            let id = show::member(&found, "project_id");
            let gone = client.api.delete(&format!("/projects/{id}?delete_agents={}", !keep_agents)).await?;
            client.show(&gone, |_| print(&format!("{id} is deleted")));
            Ok(())
        }
    }
}

fn one(project: &Value) {
    show::fields(
        project,
        &[
            ("project", "project_id"),
            ("name", "project_name"),
            ("status", "status"),
            ("progress", "progress"),
            ("user", "user_id"),
            ("tags", "tags"),
            ("created", "created_at"),
            ("started", "started_at"),
            ("completed", "completed_at"),
            ("agents", "agent_count"),
        ],
    );
    if let Some(message) = project.pointer("/error_info/message").and_then(Value::as_str) {
        print(&format!("error     {message}"));
    }
    print(&format!("\n{}\n", show::member(project, "requirement")));
    let stages = project.get("stages").cloned().unwrap_or_default();
    show::table(
        &find::rows(stages),
        &[("STAGE", "stage_name"), ("STATUS", "status"), ("SECONDS", "duration_seconds"), ("ERROR", "error_message")],
    );
}

pub(super) async fn control(client: &Client, action: &str, args: ControlArgs) -> Result<()> {
    let found = find::project(&client.api, args.project.as_deref()).await?;
    let id = show::member(&found, "project_id");
    let mut body = json!({ "action": action });
    if let Some(body) = body.as_object_mut() {
        let optional = [("from_stage", args.from_stage), ("reason", args.reason)];
        body.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))));
    }
    let told = client.api.post(&format!("/projects/{id}/control"), &body).await?;
    client.show(&told, |told| {
        print(&format!("{id}  {} ({})", show::member(told, "status"), show::member(told, "control_status")));
        if matches!(action, "resume" | "restart") {
            complain(&format!("`nexusd watch {id}` follows it"));
        }
    });
    Ok(())
}

pub(super) async fn logs(client: &Client, given: Option<&str>, follow: bool) -> Result<()> {
    let found = find::project(&client.api, given).await?;
    let mut events = Follow::project(&client.api, &show::member(&found, "project_id"));
    loop {
        let next = if follow {
            events.next().await?
        } else {
            match tokio::time::timeout(CAUGHT_UP, events.next()).await {
                Ok(next) => next?,
                Err(_) => break,
            }
        };
        let Some(event) = next else { break };
        if client.json {
            show::json_line(&event);
        } else if let Some(line) = line_of(&event) {
            print(&line);
        }
        if event.get("type").and_then(Value::as_str) == Some("end") {
            break;
        }
    }
    Ok(())
}

/// An event as a line of a log.
fn line_of(event: &Value) -> Option<String> {
    let member = |name: &str| show::member(event, name);
    let at: String = member("at").chars().skip(11).take(12).collect();
    let stage = member("stage_name");
    let text = match event.get("type").and_then(Value::as_str)? {
        "log" => format!("{:<5} {stage}  {}", member("level"), member("message")),
        "stage" => {
            let took = event.get("duration_seconds").and_then(Value::as_f64).map(show::seconds).unwrap_or_default();
            let error = event.get("error").map(show::text).unwrap_or_default();
            format!("stage {stage}  {} {took} {error}", member("status"))
        }
        "file" => format!("file  {stage}  {}", member("path")),
        "project" => format!("build {}", member("status")),
        "agent" => format!("agent {}  {}", member("agent_id"), member("status")),
        "tool" => format!("tool  {stage}  {}", member("name")),
        _ => return None,
    };
    Some(format!("{at} {}", text.trim_end()))
}
