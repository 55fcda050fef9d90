//! `nexusd chat`: a conversation at the keyboard, or questions from standard input, a line each.

use std::io::{IsTerminal as _, Write as _};

use clap::Args;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{
    Client, complain,
    error::ClientError,
    events::Frames,
    find,
    http::{Result, escaped},
    show,
};
use crate::terminal::print;

/// Messages of a session that are shown when it is taken up again.
const SHOWN: usize = 20;
/// Characters of a tool's result that are shown.
const RESULT: usize = 160;

#[derive(Debug, Args)]
pub(in crate::cli) struct ChatArgs {
    /// Id or name of the agent [default: the newest]
    agent: Option<String>,
    /// Go on in this session
    #[arg(long)]
    session: Option<String>,
    /// Leave out which tools were used
    #[arg(long)]
    no_tools: bool,
}

pub(super) async fn run(client: &Client, args: ChatArgs) -> Result<()> {
    let session = match &args.session {
        Some(id) => client.api.get(&format!("/sessions/{}", escaped(id))).await?,
        None => {
            let agent = find::agent(&client.api, args.agent.as_deref()).await?;
            let id = show::member(&agent, "agent_id");
            if !client.json {
                complain(&format!("{id}  {}", show::member(&agent, "agent_name")));
            }
            client.api.create(&format!("/agents/{id}/sessions"), &json!({})).await?
        }
    };
    let id = show::member(&session, "session_id");
    if args.session.is_some() && !client.json {
        history(client, &id).await?;
    }
    let typed = std::io::stdin().is_terminal();
    if typed {
        complain("type a question; an empty line or Ctrl-D ends");
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        if typed {
            let _ = write!(std::io::stderr().lock(), "> ").and_then(|()| std::io::stderr().flush());
        }
        let line = lines.next_line().await.map_err(|error| ClientError::Usage(format!("standard input: {error}")))?;
        let Some(question) = line.map(|line| line.trim().to_owned()) else { break };
        if question.is_empty() {
            if typed {
                break;
            }
            continue;
        }
        ask(client, &id, &question, !args.no_tools).await?;
    }
    if !client.json {
        complain(&format!("go on with: nexusd chat --session {id}"));
    }
    Ok(())
}

async fn history(client: &Client, session: &str) -> Result<()> {
    for message in find::rows(client.api.get(&format!("/sessions/{session}/messages?limit={SHOWN}")).await?) {
        let who = if show::member(&message, "role") == "user" { "> " } else { "" };
        print(&format!("{who}{}", show::member(&message, "content")));
    }
    Ok(())
}

async fn ask(client: &Client, session: &str, question: &str, tools: bool) -> Result<()> {
    let body = json!({ "content": question });
    let Some(response) = client.api.stream(&format!("/sessions/{session}/stream"), Some(&body), None).await? else {
        return Ok(());
    };
    let mut frames = Frames::new(response);
    let (mut begun, mut done, mut failure) = (false, false, None);
    while let Some(event) = frames.next().await? {
        let event = event.data;
        if client.json {
            show::json_line(&event);
        }
        let kind = (event.get("event").and_then(Value::as_str), event.get("type").and_then(Value::as_str));
        match kind {
            (Some("message"), Some("text")) if !client.json => {
                let piece = event.get("data").and_then(Value::as_str).unwrap_or_default();
                // A reader that has left ends the command with its pipe, not with a message.
                let _ = write!(std::io::stdout().lock(), "{piece}").and_then(|()| std::io::stdout().flush());
                begun = true;
            }
            (Some("message"), Some("tool_end")) if tools && !client.json => {
                if begun {
                    print("");
                    begun = false;
                }
                let shown: String = show::member(&event, "tool_result").chars().take(RESULT).collect();
                complain(&format!(
                    "  [{} {} = {shown}]",
                    show::member(&event, "tool_name"),
                    show::member(&event, "tool_input")
                ));
            }
            (Some("error"), _) => failure = Some(show::member(&event, "error")),
            (Some("done"), _) => {
                done = true;
                break;
            }
            _ => {}
        }
    }
    if begun {
        print("");
    }
    match failure {
        Some(why) => Err(ClientError::Failed(format!("the agent did not answer: {why}"))),
        None if !done => Err(ClientError::Broken("the answer broke off".to_owned())),
        None => Ok(()),
    }
}
