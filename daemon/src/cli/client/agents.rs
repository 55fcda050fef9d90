//! `nexusd agents …` and `nexusd invoke`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Client, complain, error::ClientError, find, http::Result, show};
use crate::terminal::print;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AgentsCommand {
    /// The newest first
    List {
        /// Only in this state: running, deploying, offline, error
        #[arg(long)]
        status: Option<String>,
        /// Most rows
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
        /// Which page
        #[arg(long, default_value_t = 1)]
        page: u32,
    },
    /// One agent
    Show {
        /// Id or name [default: the newest]
        agent: Option<String>,
    },
    /// Register an AgentCore runtime that others deployed, as an agent that can be asked here
    Adopt {
        /// ARN of the runtime
        arn: String,
        /// Its endpoint [default: DEFAULT]
        #[arg(long)]
        alias: Option<String>,
        /// How it is to be called [default: as its ARN says]
        #[arg(long)]
        name: Option<String>,
    },
    /// Deploy an agent again, or somewhere else; it keeps its sessions
    Deploy {
        /// Id or name
        agent: String,
        /// The deploy target, such as local or agentcore [default: where it is]
        target: Option<String>,
    },
    /// Take an agent out of service and delete it with its sessions
    Delete {
        /// Id or name
        agent: String,
        /// Its files in its project's folder, too
        #[arg(long)]
        files: bool,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct InvokeArgs {
    /// Id or name
    agent: String,
    /// The question
    text: String,
    /// In this session; else in one of its own
    #[arg(long)]
    session: Option<String>,
}

pub(super) async fn run(client: &Client, command: AgentsCommand) -> Result<()> {
    match command {
        AgentsCommand::List { status, limit, page } => {
            let columns = [
                ("AGENT", "agent_id"),
                ("STATUS", "status"),
                ("ASKED", "total_invocations"),
                ("CREATED", "created_at"),
                ("NAME", "agent_name"),
            ];
            client.list(&format!("/agents?limit={limit}&page={page}"), &[("status", status)], &columns).await
        }
        AgentsCommand::Show { agent } => {
            let found = find::agent(&client.api, agent.as_deref()).await?;
            let whole = client.api.get(&format!("/agents/{}", show::member(&found, "agent_id"))).await?;
            client.show(&whole, one);
            Ok(())
        }
        AgentsCommand::Adopt { arn, alias, name } => {
            let body = json!({ "runtime_arn": arn, "runtime_alias": alias, "agent_name": name });
            let adopted = client.api.create("/agents", &body).await?;
            client.show(&adopted, |adopted| print(&format!("{} can be asked", show::member(adopted, "agent_id"))));
            Ok(())
        }
        AgentsCommand::Deploy { agent, target } => {
            let found = find::agent(&client.api, Some(&agent)).await?;
            let id = show::member(&found, "agent_id");
            let body = target.map_or_else(|| json!({}), |target| json!({ "deployment": { "type": target } }));
            let agent = client.api.create(&format!("/agents/{id}/deploy"), &body).await?;
            client.show(&agent, |agent| {
                let place = show::member(agent, "deployment_type");
                print(&format!("{id} is {} on {place}", show::member(agent, "status")));
            });
            Ok(())
        }
        AgentsCommand::Delete { agent, files } => {
            let found = find::agent(&client.api, Some(&agent)).await?;
            let id = show::member(&found, "agent_id");
            let gone = client.api.delete(&format!("/agents/{id}?delete_local_files={files}")).await?;
            client.show(&gone, |gone| {
                print(&format!("{id} is deleted"));
                for error in find::rows(gone.get("errors").cloned().unwrap_or_default()) {
                    complain(&format!("warning: {}", show::text(&error)));
                }
            });
            Ok(())
        }
    }
}

fn one(agent: &Value) {
    show::fields(
        agent,
        &[
            ("agent", "agent_id"),
            ("name", "agent_name"),
            ("status", "status"),
            ("error", "error_message"),
            ("project", "project_id"),
            ("runs on", "deployment_type"),
            ("category", "category"),
            ("version", "version"),
            ("tools", "tools"),
            ("asked", "total_invocations"),
            ("failed", "failed_invocations"),
            ("mean ms", "avg_duration_ms"),
            ("created", "created_at"),
            ("deployed", "deployed_at"),
            ("last asked", "last_invoked_at"),
        ],
    );
    print(&format!("\n{}", show::member(agent, "description")));
    for can in find::rows(agent.get("capabilities").cloned().unwrap_or_default()) {
        print(&format!("  - {}", show::text(&can)));
    }
}

pub(super) async fn invoke(client: &Client, args: InvokeArgs) -> Result<()> {
    let agent = find::agent(&client.api, Some(&args.agent)).await?;
    let mut body = json!({ "input_text": args.text });
    if let (Some(session), Some(body)) = (args.session, body.as_object_mut()) {
        body.insert("session_id".to_owned(), session.into());
    }
    let answer = client.api.create(&format!("/agents/{}/invoke", show::member(&agent, "agent_id")), &body).await?;
    client.show(&answer, |answer| print(&show::member(answer, "output")));
    match answer.get("status").and_then(Value::as_str) {
        Some("failed") => Err(ClientError::Failed("the agent failed".to_owned())),
        _ => Ok(()),
    }
}
