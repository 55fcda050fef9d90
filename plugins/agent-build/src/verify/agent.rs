//! A running agent: started on a socket of its own, asked over HTTP, stopped with SIGTERM.

use std::{
    mem,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nexus_sandbox::{Confined, Profile};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::ChildStdout,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

use super::{
    Check, Finding, VerifyError, http,
    process::{self, Walled},
};

const CHECK: &str = include_str!("check_agent.py");
/// It needs no installed packages, no variables, and leaves no files.
const FLAGS: [&str; 5] = ["-S", "-E", "-B", "-X", "utf8"];
/// The folder that it may write, in the one that goes with it.
const WORK: &str = "work";
const MAX_REPORT: usize = 4 * 1024 * 1024;
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

/// What a process says of itself on its standard output. What it never said ends with it.
pub(super) struct Events {
    /// It serves.
    pub(super) listening: oneshot::Receiver<()>,
    /// The report of the checks beside it; see `check_agent.py`.
    pub(super) checked: oneshot::Receiver<String>,
}

impl RunningAgent {
    /// Starts the agent in a folder and waits until it listens.
    ///
    /// # Errors
    /// When Python cannot be run, or the agent ends or does not listen in time.
    pub async fn start(python: &str, folder: &Path, limit: Duration) -> Result<Self, VerifyError> {
        let (agent, events) = Self::spawn(python, folder, &["agent.py"], limit).await?;
        match agent.listens(events.listening).await {
            Ok(()) => Ok(agent),
            Err(VerifyError::Failed(findings)) => {
                let output = agent.kill().await;
                Err(VerifyError::Failed(findings.into_iter().map(|one| one.with_output(&output)).collect()))
            }
            Err(error) => Err(error),
        }
    }

    /// Starts the agent in a folder, and its checks beside it: one interpreter, which loads it once for both.
    pub(super) async fn examined(python: &str, folder: &Path, limit: Duration) -> Result<(Self, Events), VerifyError> {
        Self::spawn(python, folder, &["-c", CHECK], limit).await
    }

    /// Waits until it listens.
    pub(super) async fn listens(&self, listening: oneshot::Receiver<()>) -> Result<(), VerifyError> {
        let heard = timeout(self.limit, listening).await.map_err(|_| VerifyError::Timeout("starting the agent"))?;
        let failed =
            |_| Finding::new(Check::Start, "agent.py", "a line of JSON that it listens", "none before it ended").into();
        heard.map_err(failed)
    }

    async fn spawn(
        python: &str,
        folder: &Path,
        arguments: &[&str],
        limit: Duration,
    ) -> Result<(Self, Events), VerifyError> {
        let mut walled = Walled::python(python, folder, Profile::Agent).await?;
        let unusable = |source| VerifyError::Python { python: python.to_owned(), source };
        let token = nexus_sandbox::token().map_err(unusable)?;
        // Beside what it may write: not even its own socket can it replace.
        let socket = walled.scratch.path().join("agent.socket");
        let work = walled.scratch.path().join(WORK);
        std::fs::create_dir(&work).map_err(unusable)?;
        walled.sandbox = walled.sandbox.arguments(FLAGS).arguments(arguments).variable("AGENT_TOKEN", &token);
        walled.sandbox.socket = Some(socket.clone());
        walled.sandbox.writes = vec![work];
        let started = Instant::now();
        let mut confined = walled.spawn(python).await?;
        let stderr = tokio::spawn(process::read_all(confined.stderr.take()));
        let events = Events::of(confined.stdout.take());
        Ok((Self { confined, _walled: walled, socket, token, limit, stderr, started }, events))
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

    /// Ends it at once; what it wrote to its standard error.
    pub(super) async fn kill(mut self) -> String {
        let _ = self.confined.kill().await;
        timeout(STOP, &mut self.stderr).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    async fn request(&self, check: Check, head: &str, body: &str) -> Result<Value, VerifyError> {
        match http::request(&self.socket, &self.token, head, body, self.limit).await {
            Ok((200, answer)) => Ok(answer),
            Ok((status, answer)) => Err(broken(check, head, format!("{status}: {answer}"))),
            Err(error) => Err(broken(check, head, error)),
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Said {
    Listening,
    Report { part: String },
    Checked,
}

impl Events {
    /// Reads them to the end, since further output must not fill the pipe.
    fn of(stdout: Option<ChildStdout>) -> Self {
        let (listens, listening) = oneshot::channel();
        let (checks, checked) = oneshot::channel();
        tokio::spawn(async move {
            let (mut listens, mut checks) = (Some(listens), Some(checks));
            let mut report = String::new();
            let Some(mut lines) = stdout.map(|stdout| BufReader::new(stdout).lines()) else { return };
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str(&line) {
                    Ok(Said::Listening) => drop(listens.take().map(|listens| listens.send(()))),
                    Ok(Said::Report { part }) if report.len() < MAX_REPORT => report.push_str(&part),
                    Ok(Said::Report { .. }) => {}
                    Ok(Said::Checked) => drop(checks.take().map(|checks| checks.send(mem::take(&mut report)))),
                    // An agent says that it listens before anything else.
                    Err(_) => drop(listens.take()),
                }
            }
        });
        Self { listening, checked }
    }
}

fn broken(check: Check, head: &str, got: impl ToString) -> VerifyError {
    Finding::new(check, head, "an answer as the contract says", got.to_string()).into()
}
