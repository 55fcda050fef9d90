//! A daemon reached over its public API.

use std::time::Duration;

use nexus_evaluation::{Answer, Call};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    cli::client::{Api, ClientError, Credential, Follow},
    evaluation::{Built, Interrupted, Subject},
};

/// How long a deployment may take.
const DEPLOY: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How often a daemon that says it is busy is asked again.
const BUSY: usize = 20;

pub(super) struct HttpSubject {
    api: Api,
    discards: bool,
}

impl HttpSubject {
    pub(super) fn new(url: &str, credential: Credential, discards: bool) -> Result<Self, ClientError> {
        Ok(Self { api: Api::new(url, credential)?, discards })
    }

    /// Asks again while the daemon is busy.
    async fn patient(&self, method: Method, path: &str, body: &Value) -> Result<Value, ClientError> {
        let mut tries = 0;
        loop {
            let answer = self.api.whole(method.clone(), path, Some(body)).await;
            match answer {
                Err(ClientError::Refused { status: 429 | 503, .. }) if tries < BUSY => {
                    tries += 1;
                    tokio::time::sleep(LOOK_AGAIN * 5).await;
                }
                answer => return answer.map(|answer| answer.get("data").cloned().unwrap_or_default()),
            }
        }
    }

    async fn agent(&self, project: &str) -> Result<Option<Value>, ClientError> {
        let begun = tokio::time::Instant::now();
        loop {
            let agents = self.api.get(&format!("/agents?project_id={project}&limit=1")).await?;
            let agent = agents.get(0).cloned();
            let status = agent.as_ref().map(|agent| text(agent, "status")).unwrap_or_default();
            if !matches!(status.as_str(), "deploying" | "building") || begun.elapsed() > DEPLOY {
                return Ok(agent);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn built(&self, requirement: &str) -> Result<Built, ClientError> {
        let made = self.api.create("/projects", &json!({ "requirement": requirement })).await?;
        let id = text(&made, "project_id");
        let mut follow = Follow::project(&self.api, &id);
        while let Some(event) = follow.next().await? {
            if event.get("type").and_then(Value::as_str) == Some("end") {
                break;
            }
        }
        let project = self.api.get(&format!("/projects/{id}")).await?;
        if text(&project, "status") != "completed" {
            let message = project.pointer("/error_info/message").and_then(Value::as_str).unwrap_or_default();
            return Ok(Built::Failed { project: id, reason: format!("{}: {message}", text(&project, "status")) });
        }
        let said = |name: &str| project.get(name).cloned().unwrap_or_default();
        Ok(match self.agent(&id).await? {
            Some(agent) if text(&agent, "status") == "running" => Built::Agent {
                id: text(&agent, "agent_id"),
                project: id,
                said: json!({
                    "coverage": said("coverage"), "not_served": said("not_served"), "acceptance": counts(&said("acceptance")),
                }),
            },
            Some(agent) => Built::Failed { project: id, reason: format!("the agent is {}", text(&agent, "status")) },
            None => Built::Failed { project: id, reason: "completed without an agent".to_owned() },
        })
    }
}

impl Subject for HttpSubject {
    async fn build(&self, requirement: &str) -> Result<Built, Interrupted> {
        match self.built(requirement).await {
            // The requirement itself was refused.
            Err(ClientError::Refused { status: 400..=422, message, .. }) => {
                Ok(Built::Failed { project: String::new(), reason: message })
            }
            built => built.map_err(interrupted),
        }
    }

    async fn open(&self, agent: &str) -> Result<String, Interrupted> {
        let session = self.api.create(&format!("/agents/{agent}/sessions"), &json!({})).await.map_err(interrupted)?;
        Ok(text(&session, "session_id"))
    }

    async fn ask(&self, agent: &str, session: &str, question: &str) -> Result<Result<Answer, String>, Interrupted> {
        let body = json!({ "input_text": question, "session_id": session, "enable_trace": true });
        match self.patient(Method::POST, &format!("/agents/{agent}/invoke"), &body).await {
            Ok(data) => {
                let steps = data.pointer("/trace/steps").and_then(Value::as_array).cloned().unwrap_or_default();
                let calls =
                    steps.iter().map(|step| Call { name: text(step, "name"), ok: text(step, "status") == "success" });
                Ok(Ok(Answer { text: text(&data, "output"), calls: calls.collect() }))
            }
            // The agent's own failure; anything else says nothing of it.
            Err(ClientError::Refused { status: 500 | 502 | 504, code, message, .. }) => {
                Ok(Err(format!("{code}: {message}")))
            }
            Err(error) => Err(interrupted(error)),
        }
    }

    async fn discard(&self, project: &str) {
        if self.discards && !project.is_empty() {
            // Left behind, it is in nobody's way.
            let _ = self.api.delete(&format!("/projects/{project}?delete_agents=true")).await;
        }
    }
}

fn interrupted(error: ClientError) -> Interrupted {
    Interrupted(error.to_string())
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The score without the cases.
fn counts(acceptance: &Value) -> Value {
    let mut acceptance = acceptance.clone();
    if let Some(object) = acceptance.as_object_mut() {
        object.remove("items");
    }
    acceptance
}
