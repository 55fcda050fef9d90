//! A running agent: started on a socket of its own, asked over HTTP, stopped with SIGTERM.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nexus_sandbox::{Confined, Profile};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    task::JoinHandle,
    time::timeout,
};

use super::{
    Check, Finding, VerifyError, http,
    process::{self, Walled},
};

/// The contract gives an agent two seconds to finish its answers; the rest is Python ending.
const STOP: Duration = Duration::from_secs(6);

/// An agent's process.
pub struct RunningAgent {
    confined: Confined,
    /// Holds its socket and what it writes; dropped after it.
    _walled: Walled,
    socket: PathBuf,
    token: String,
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
        let mut walled = Walled::python(python, folder, Profile::Agent).await?;
        let unusable = |source| VerifyError::Python { python: python.to_owned(), source };
        let token = nexus_sandbox::token().map_err(unusable)?;
        // Beside what it may write: not even its own socket can it replace.
        let socket = walled.scratch.path().join("agent.socket");
        let work = walled.scratch.path().join("work");
        std::fs::create_dir(&work).map_err(unusable)?;
        walled.sandbox = walled.sandbox.arguments(["-B", "agent.py"]).variable("AGENT_TOKEN", &token);
        walled.sandbox.socket = Some(socket.clone());
        walled.sandbox.writes = vec![work];
        let started = Instant::now();
        let mut confined = walled.spawn(python).await?;
        let stderr = tokio::spawn(process::read_all(confined.stderr.take()));
        let stdout = confined.stdout.take();
        let failed = |got: &str| Finding::new(Check::Start, "agent.py", "a line of JSON that it listens", got);
        let mut lines = BufReader::new(stdout.ok_or_else(|| failed("no standard output"))?).lines();
        let first = timeout(limit, lines.next_line()).await.map_err(|_| VerifyError::Timeout("starting the agent"))?;
        let line = first.ok().flatten().and_then(|line| serde_json::from_str::<Value>(&line).ok());
        if line.is_none_or(|line| line.get("event").and_then(Value::as_str) != Some("listening")) {
            let _ = confined.kill().await;
            let output = timeout(STOP, stderr).await.ok().and_then(Result::ok).unwrap_or_default();
            return Err(failed("none before it ended").with_output(&output).into());
        }
        // Further output must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { confined, _walled: walled, socket, token, limit, stderr, started })
    }

    /// Asks for its health.
    ///
    /// # Errors
    /// When the answer is not what the contract says.
    pub async fn ping(&self) -> Result<Value, VerifyError> {
        let ping = self.request(Check::Ping, "GET /ping", "").await?;
        match ping.get("status").and_then(Value::as_str) {
            Some("Healthy" | "HealthyBusy") => Ok(ping),
            _ => Err(broken(Check::Ping, "GET /ping", ping)),
        }
    }

    /// Asks a question in a session.
    ///
    /// # Errors
    /// When the answer is not what the contract says.
    pub async fn invoke(&self, prompt: &str, session: &str) -> Result<Value, VerifyError> {
        let (head, body) = ("POST /invocations", json!({"prompt": prompt, "session_id": session}).to_string());
        let answer = self.request(Check::Invoke, head, &body).await?;
        let complete = answer.get("output").is_some_and(Value::is_string)
            && answer.get("tool_calls").is_some_and(Value::is_array)
            && answer.get("session_id").and_then(Value::as_str) == Some(session);
        if complete { Ok(answer) } else { Err(broken(Check::Invoke, head, answer)) }
    }

    /// Tells it to stop and waits for its end.
    ///
    /// # Errors
    /// When it does not end in time, or not with exit code 0.
    pub async fn stop(mut self) -> Result<(), VerifyError> {
        self.confined.terminate().await;
        let ending =
            timeout(STOP, self.confined.ended()).await.map_err(|_| VerifyError::Timeout("stopping the agent"))?;
        match ending {
            Ok(ending) if ending.status.success() => Ok(()),
            ending => {
                let output = timeout(STOP, &mut self.stderr).await.ok().and_then(Result::ok).unwrap_or_default();
                let finding = Finding::new(
                    Check::Stop,
                    "SIGTERM",
                    "exit code 0",
                    ending.map_or_else(|e| e.to_string(), |ending| ending.to_string()),
                );
                Err(finding.with_output(&output).into())
            }
        }
    }

    async fn request(&self, check: Check, head: &str, body: &str) -> Result<Value, VerifyError> {
        match http::request(&self.socket, &self.token, head, body, self.limit).await {
            Ok((200, answer)) => Ok(answer),
            Ok((status, answer)) => Err(broken(check, head, format!("{status}: {answer}"))),
            Err(error) => Err(broken(check, head, error)),
        }
    }
}

fn broken(check: Check, head: &str, got: impl ToString) -> VerifyError {
    Finding::new(check, head, "an answer as the contract says", got.to_string()).into()
}
