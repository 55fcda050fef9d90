//! `nexusd new`: a sentence becomes a project; its build is followed to the agent's first answer.

use std::io::Read as _;

use clap::Args;
use serde_json::{Value, json};

use super::{Client, complain, error::ClientError, http::Result, show, watch};
use crate::terminal::print;

#[derive(Debug, Args)]
pub(in crate::cli) struct NewArgs {
    /// What the agent should do, in your own words; `-` reads it from standard input
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    sentence: String,
    /// Name of the project [default: made from the sentence]
    #[arg(long)]
    name: Option<String>,
    /// For whom
    #[arg(long)]
    user: Option<String>,
    /// 1 (last) to 5 (first)
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=5))]
    priority: Option<u8>,
    /// Which workflow [default: the daemon's]
    #[arg(long)]
    workflow: Option<String>,
    /// Label, may be given several times
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// Follow the build to its end, also without a terminal; exit code 5 when it fails
    #[arg(long, conflicts_with = "no_wait")]
    wait: bool,
    /// Return when the build is queued
    #[arg(long)]
    no_wait: bool,
}

pub(super) async fn new(client: &Client, args: NewArgs) -> Result<()> {
    let requirement = match args.sentence.as_str() {
        "-" => {
            let mut text = String::new();
            let read = std::io::stdin().take(1 << 20).read_to_string(&mut text);
            read.map_err(|error| ClientError::Usage(format!("standard input: {error}")))?;
            text
        }
        _ => args.sentence,
    };
    let mut body = json!({ "requirement": requirement });
    let optional = [
        ("project_name", args.name.map(Value::from)),
        ("user_id", args.user.map(Value::from)),
        ("priority", args.priority.map(Value::from)),
        ("workflow", args.workflow.map(Value::from)),
        ("tags", (!args.tags.is_empty()).then(|| json!(args.tags))),
    ];
    if let Some(body) = body.as_object_mut() {
        body.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    let made = client.api.create("/projects", &body).await?;
    let id = show::member(&made, "project_id");
    let follow = args.wait || (!args.no_wait && !client.json && show::is_watched());
    if !follow {
        client.show(&made, |made| {
            print(&id);
            complain(&format!("queued as {:?}; `nexusd watch {id}` follows it", show::member(made, "project_name")));
        });
        return Ok(());
    }
    if !client.json {
        complain(&format!("{id}  {}", show::member(&made, "project_name")));
    }
    watch::to_the_end(client, &id).await
}
