//! A running agent: started on a free port, asked over HTTP, stopped with SIGTERM.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    task::JoinHandle,
    time::timeout,
};

use super::{
    VerifyError, http,
    process::{self, Group},
    shortened,
};

/// The contract gives an agent two seconds to finish its answers; the rest is Python ending.
const STOP: Duration = Duration::from_secs(6);

/// An agent's process.
pub struct RunningAgent {
    group: Group,
    port: u16,
    limit: Duration,
    stderr: JoinHandle<String>,
    /// When it was started.
    pub started: Instant,
}

impl RunningAgent {
    /// Starts the agent in a folder and waits until it listens.
    ///
    /// # Errors
    /// When Python cannot be run, or the agent ends or does not listen in time.
    pub async fn start(python: &str, folder: &Path, limit: Duration) -> Result<Self, VerifyError> {
        let mut command = process::python(python, folder);
        command.args(["-B", "agent.py"]).env("HOST", "127.0.0.1").env("PORT", "0");
        let started = Instant::now();
        let mut group = Group::spawn(command, python)?;
        let stderr = tokio::spawn(process::read_all(group.child.stderr.take()));
        let stdout = group.child.stdout.take();
        let mut lines =
            BufReader::new(stdout.ok_or_else(|| VerifyError::Process {
                what: "the agent has no output".into(),
                output: String::new(),
            })?)
            .lines();
        let first = timeout(limit, lines.next_line()).await.map_err(|_| VerifyError::Timeout("starting the agent"))?;
        let port = first
            .ok()
            .flatten()
            .and_then(|line| serde_json::from_str::<Value>(&line).ok())
            .and_then(|line| u16::try_from(line.get("port")?.as_u64()?).ok());
        let Some(port) = port else {
            group.signal(Signal::KILL);
            let output = timeout(STOP, stderr).await.ok().and_then(Result::ok).unwrap_or_default();
            return Err(VerifyError::Process {
                what: "the agent ended before it listened".into(),
                output: shortened(&output),
            });
        };
        // Further output must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { group, port, limit, stderr, started })
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Asks for its health.
    ///
    /// # Errors
    /// When the answer is not what the contract says.
    pub async fn ping(&self) -> Result<Value, VerifyError> {
        let ping = self.request("GET /ping", "").await?;
        match ping.get("status").and_then(Value::as_str) {
            Some("Healthy" | "HealthyBusy") => Ok(ping),
            _ => Err(contract(format!("/ping answered {ping}"))),
        }
    }

    /// Asks a question in a session.
    ///
    /// # Errors
    /// When the answer is not what the contract says.
    pub async fn invoke(&self, prompt: &str, session: &str) -> Result<Value, VerifyError> {
        let answer =
            self.request("POST /invocations", &json!({"prompt": prompt, "session_id": session}).to_string()).await?;
        let complete = answer.get("output").is_some_and(Value::is_string)
            && answer.get("tool_calls").is_some_and(Value::is_array)
            && answer.get("session_id").and_then(Value::as_str) == Some(session);
        if complete { Ok(answer) } else { Err(contract(format!("/invocations answered {answer}"))) }
    }

    /// Tells it to stop and waits for its end.
    ///
    /// # Errors
    /// When it does not end in time, or not with exit code 0.
    pub async fn stop(mut self) -> Result<(), VerifyError> {
        self.group.signal(Signal::TERM);
        let status =
            timeout(STOP, self.group.child.wait()).await.map_err(|_| VerifyError::Timeout("stopping the agent"))?;
        self.group.ended();
        match status {
            Ok(status) if status.success() => Ok(()),
            status => {
                let output = timeout(STOP, &mut self.stderr).await.ok().and_then(Result::ok).unwrap_or_default();
                Err(VerifyError::Contract {
                    what: format!("SIGTERM ended it with {status:?} instead of exit code 0"),
                    output: shortened(&output),
                })
            }
        }
    }

    async fn request(&self, head: &str, body: &str) -> Result<Value, VerifyError> {
        let (status, answer) =
            http::request(self.port, head, body, self.limit).await.map_err(|e| contract(format!("{head}: {e}")))?;
        if status == 200 { Ok(answer) } else { Err(contract(format!("{head} answered {status}: {answer}"))) }
    }
}

fn contract(what: String) -> VerifyError {
    VerifyError::Contract { what, output: String::new() }
}
