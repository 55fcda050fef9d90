//! `nexusd tools …`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    Client,
    error::ClientError,
    find,
    http::{Result, escaped},
    show,
};
use crate::terminal::print;

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

pub(super) async fn run(client: &Client, command: ToolsCommand) -> Result<()> {
    match command {
        ToolsCommand::List { search, source, limit } => {
            let columns = [
                ("TOOL", "tool_name"),
                ("CATEGORY", "category"),
                ("SOURCE", "source"),
                ("USED", "usage_count"),
                ("WHAT", "description"),
            ];
            client.list(&format!("/tools?limit={limit}"), &[("q", search), ("source", source)], &columns).await
        }
        ToolsCommand::Show { tool } => {
            let found = one(client, &tool).await?;
            client.show(&found, described);
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
            let good = tested.get("success").and_then(Value::as_bool) == Some(true);
            client.show(&tested, |tested| {
                if good {
                    print(&show::member(tested, "output"));
                }
            });
            if good { Ok(()) } else { Err(ClientError::Failed(show::member(&tested, "error"))) }
        }
    }
}

fn described(tool: &Value) {
    show::fields(
        tool,
        &[
            ("tool", "tool_id"),
            ("name", "tool_name"),
            ("category", "category"),
            ("source", "source"),
            ("used", "usage_count"),
        ],
    );
    print(&format!("\n{}\n", show::member(tool, "description")));
    print(&serde_json::to_string_pretty(tool.get("schema").unwrap_or(&Value::Null)).unwrap_or_default());
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
