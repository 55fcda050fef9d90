//! Follows a build: a bar on a terminal, a line a stage elsewhere; then the agent, and what it says to its first question.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{Client, complain, error::ClientError, events::Follow, find::rows, http::Result, show};
use crate::terminal::print;

/// How long a deployment may take before one is told that it goes on by itself.
const DEPLOY: Duration = Duration::from_secs(60);
/// Columns of the longest usual name of a stage.
const NAMES: usize = 22;
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What a person sees of the build.
struct Progress {
    bar: Option<ProgressBar>,
    done: Vec<String>,
    quiet: bool,
}

impl Progress {
    fn new(stages: usize, quiet: bool) -> Self {
        let bar = (!quiet && show::is_watched()).then(|| {
            let style = ProgressStyle::with_template("{spinner} [{bar:27}] {pos}/{len}  {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
            let bar = ProgressBar::new(stages as u64).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, done: Vec::new(), quiet }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None if !self.quiet => complain(line),
            None => {}
        }
    }

    fn stage(&mut self, event: &Value, names: &dyn Fn(&str) -> String) {
        let name = show::member(event, "stage_name");
        let (shown, status) = (names(&name), show::member(event, "status"));
        match status.as_str() {
            "running" => {
                let attempt = event.get("attempt").and_then(Value::as_u64).filter(|attempt| *attempt > 1);
                let again = attempt.map(|attempt| format!(" (attempt {attempt})")).unwrap_or_default();
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("{shown}{again}"));
                }
            }
            "completed" | "skipped" => {
                let took = event.get("duration_seconds").and_then(Value::as_f64).map(show::seconds);
                if !self.done.contains(&name) {
                    self.done.push(name);
                }
                if let Some(bar) = &self.bar {
                    bar.set_position(self.done.len() as u64);
                }
                let pad = " ".repeat(NAMES.saturating_sub(show::columns_of(&shown)));
                self.say(&format!("  {status:<9}  {shown}{pad}  {}", took.unwrap_or_default()));
            }
            _ => {
                let error = event.get("error").map(show::text).unwrap_or_default();
                self.say(&format!("  {status:<9}  {shown}  {error}"));
            }
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Follows a project until its build ends.
///
/// # Errors
/// It ended otherwise than by completing, or cannot be followed.
pub(super) async fn to_the_end(client: &Client, id: &str) -> Result<()> {
    let project = client.api.get(&format!("/projects/{id}")).await?;
    let stages = project.get("stages").and_then(Value::as_array).cloned().unwrap_or_default();
    let names = |name: &str| {
        let stage = stages.iter().find(|stage| stage.get("stage_name").and_then(Value::as_str) == Some(name));
        stage
            .map(|stage| show::member(stage, "display_name_en"))
            .filter(|shown| shown != "-")
            .unwrap_or_else(|| name.to_owned())
    };
    let mut progress = Progress::new(stages.len(), client.json);
    let mut follow = Follow::project(&client.api, id);
    loop {
        let event = tokio::select! {
            event = follow.next() => event?,
            _ = tokio::signal::ctrl_c() => {
                progress.end();
                complain(&format!("the build goes on: `nexusd watch {id}` comes back, `nexusd stop {id}` ends it"));
                return Err(ClientError::Failed("left before the end".to_owned()));
            }
        };
        let Some(event) = event else { break };
        if client.json {
            show::json_line(&event);
        }
        match event.get("type").and_then(Value::as_str) {
            Some("stage") => progress.stage(&event, &names),
            Some("log")
                if event
                    .get("level")
                    .and_then(Value::as_str)
                    .is_some_and(|level| level != "info" && level != "debug") =>
            {
                progress.say(&format!("  {}: {}", show::member(&event, "level"), show::member(&event, "message")));
            }
            Some("end") => break,
            _ => {}
        }
    }
    progress.end();
    outcome(client, id).await
}

async fn outcome(client: &Client, id: &str) -> Result<()> {
    let project = client.api.get(&format!("/projects/{id}")).await?;
    match show::member(&project, "status").as_str() {
        "completed" => {}
        "failed" => {
            let info = project.get("error_info").cloned().unwrap_or_default();
            let stage =
                info.get("stage").and_then(Value::as_str).map(|stage| format!(" at {stage}")).unwrap_or_default();
            let why = show::member(&info, "message");
            return Err(ClientError::Failed(format!(
                "the build failed{stage}: {why}\n  `nexusd logs {id}` says more, `nexusd restart {id}` begins again where it failed"
            )));
        }
        "paused" => {
            complain(&format!("the build is paused: `nexusd resume {id}` goes on"));
            return Ok(());
        }
        status => return Err(ClientError::Failed(format!("the build is {status}"))),
    }
    let Some(agent) = deployed(client, id).await? else {
        if !client.json {
            complain("the build is completed; no agent came out of it");
        }
        return Ok(());
    };
    let (agent_id, status) = (show::member(&agent, "agent_id"), show::member(&agent, "status"));
    if client.json {
        show::json_line(&json!({ "type": "result", "project": project, "agent": agent }));
        return if status == "error" {
            Err(ClientError::Failed("the agent could not be deployed".to_owned()))
        } else {
            Ok(())
        };
    }
    let name = ["display_name", "agent_name"].iter().map(|name| show::member(&agent, name)).find(|name| name != "-");
    print(&format!("{agent_id}  {}  {status}", name.unwrap_or_default()));
    match status.as_str() {
        "running" => {
            first_question(client, id, &agent_id).await?;
            complain(&format!("talk to it: nexusd chat {agent_id}"));
            Ok(())
        }
        "error" => {
            let why = show::member(&client.api.get(&format!("/agents/{agent_id}")).await?, "error_message");
            Err(ClientError::Failed(format!("the agent could not be deployed: {why}")))
        }
        _ => Ok(()),
    }
}

/// The agent of a project, once its deployment has ended.
async fn deployed(client: &Client, id: &str) -> Result<Option<Value>> {
    let begun = tokio::time::Instant::now();
    loop {
        let found = rows(client.api.get(&format!("/agents?project_id={id}&limit=1")).await?).into_iter().next();
        let under_way = found
            .as_ref()
            .is_some_and(|agent| matches!(show::member(agent, "status").as_str(), "deploying" | "building"));
        if !under_way || begun.elapsed() > DEPLOY {
            return Ok(found);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Asks what the agent says it can answer. An agent that tells no example is not asked.
async fn first_question(client: &Client, project: &str, agent: &str) -> Result<()> {
    let Ok(manifest) = client.api.get(&format!("/projects/{project}/files/agent/manifest.json")).await else {
        return Ok(());
    };
    let Some(question) = manifest.pointer("/parsed_content/examples/0/question").and_then(Value::as_str) else {
        return Ok(());
    };
    let answer = client.api.create(&format!("/agents/{agent}/invoke"), &json!({ "input_text": question })).await?;
    print(&format!("\n  you    {question}"));
    print(&format!("  agent  {}\n", show::member(&answer, "output").replace('\n', "\n         ")));
    Ok(())
}
