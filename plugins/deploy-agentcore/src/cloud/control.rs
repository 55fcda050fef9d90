//! The control plane: runtimes and their endpoints.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Cloud, CloudError, error::Refusal, rest::Call};
use crate::settings::DEFAULT_ENDPOINT;

/// Runtimes that are asked for at a time.
const PAGE: u32 = 100;
/// Pages after which a list is no list any more.
const MOST_PAGES: usize = 100;
/// Variable of a runtime by which it is known what it was made from.
pub(crate) const FINGERPRINT: &str = "NEXUSD_DEPLOYMENT";

/// How a runtime or an endpoint is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum State {
    Creating,
    CreateFailed,
    Updating,
    UpdateFailed,
    Ready,
    Deleting,
    DeleteFailed,
    /// A word of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

impl State {
    /// The word for people.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Creating => "being created",
            Self::CreateFailed => "not created",
            Self::Updating => "being updated",
            Self::UpdateFailed => "not updated",
            Self::Ready => "ready",
            Self::Deleting => "being deleted",
            Self::DeleteFailed => "not deleted",
            Self::Unknown => "in a state that this version does not know",
        }
    }
}

/// A runtime.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Runtime {
    #[serde(rename = "agentRuntimeId")]
    pub(crate) id: String,
    #[serde(rename = "agentRuntimeArn")]
    pub(crate) arn: String,
    #[serde(rename = "agentRuntimeName", default)]
    pub(crate) name: String,
    #[serde(rename = "agentRuntimeVersion", default)]
    pub(crate) version: String,
    #[serde(rename = "status", default)]
    pub(crate) state: State,
    #[serde(rename = "failureReason", default)]
    reason: Option<String>,
    #[serde(rename = "environmentVariables", default)]
    variables: Map<String, Value>,
}

/// An endpoint of a runtime.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    #[serde(rename = "status", default)]
    pub(crate) state: State,
    #[serde(default)]
    pub(crate) live_version: Option<String>,
    #[serde(default)]
    failure_reason: Option<String>,
}

impl Runtime {
    /// What it was made from, if it is ours.
    pub(crate) fn fingerprint(&self) -> Option<&str> {
        self.variables.get(FINGERPRINT)?.as_str()
    }

    /// Why it is as it is, as AWS says.
    pub(crate) fn reason(&self) -> &str {
        said(self.reason.as_deref())
    }
}

impl Endpoint {
    pub(crate) fn reason(&self) -> &str {
        said(self.failure_reason.as_deref())
    }
}

fn said(reason: Option<&str>) -> &str {
    reason.filter(|reason| !reason.trim().is_empty()).unwrap_or("AWS gives no reason")
}

fn runtimes(id: &str) -> String {
    format!("/runtimes/{}", encoded(id))
}

fn endpoints(id: &str) -> String {
    format!("/runtimes/{}/runtime-endpoints", encoded(id))
}

/// One part of a path or a value of a query, percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn read<T: serde::de::DeserializeOwned>(operation: &'static str, answer: Value) -> Result<T, CloudError> {
    serde_json::from_value(answer)
        .map_err(|error| CloudError::Malformed { operation, why: format!("the answer is not understood: {error}") })
}

/// What is not there is no fault where it may be missing.
fn if_there<T>(result: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is(Refusal::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Cloud {
    /// Makes a runtime. `None`: there is one of this name, or is just being made.
    pub(crate) async fn create_runtime(&self, wanted: Value) -> Result<Option<String>, CloudError> {
        const OPERATION: &str = "CreateAgentRuntime";
        let call = Call { operation: OPERATION, method: Method::PUT, path: "/runtimes".into(), body: Some(wanted) };
        match self.ask(&call).await {
            Ok(answer) => read::<Runtime>(OPERATION, answer).map(|made| Some(made.id)),
            Err(error) if error.is(Refusal::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a new version of a runtime. False: something else changes it just now.
    pub(crate) async fn update_runtime(&self, id: &str, wanted: Value) -> Result<bool, CloudError> {
        let call =
            Call { operation: "UpdateAgentRuntime", method: Method::PUT, path: runtimes(id), body: Some(wanted) };
        match self.ask(&call).await {
            Ok(_) => Ok(true),
            Err(error) if error.is(Refusal::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A runtime by its id.
    pub(crate) async fn runtime(&self, id: &str) -> Result<Option<Runtime>, CloudError> {
        const OPERATION: &str = "GetAgentRuntime";
        let call = Call { operation: OPERATION, method: Method::GET, path: runtimes(id), body: None };
        if_there(self.ask(&call).await)?.map(|answer| read(OPERATION, answer)).transpose()
    }

    /// The id of the runtime of this name.
    pub(crate) async fn find_runtime(&self, name: &str) -> Result<Option<String>, CloudError> {
        const OPERATION: &str = "ListAgentRuntimes";
        let mut page = format!("/runtimes?maxResults={PAGE}");
        for _ in 0..MOST_PAGES {
            let call = Call { operation: OPERATION, method: Method::POST, path: page, body: None };
            let answer = self.ask(&call).await?;
            let listed = answer.get("agentRuntimes").cloned().unwrap_or_default();
            let listed: Vec<Runtime> = if listed.is_null() { Vec::new() } else { read(OPERATION, listed)? };
            if let Some(found) = listed.into_iter().find(|runtime| runtime.name == name) {
                return Ok(Some(found.id));
            }
            let Some(next) = answer.get("nextToken").and_then(Value::as_str) else { return Ok(None) };
            page = format!("/runtimes?maxResults={PAGE}&nextToken={}", encoded(next));
        }
        Err(CloudError::Malformed { operation: OPERATION, why: format!("more than {MOST_PAGES} pages") })
    }

    /// Begins to delete a runtime. Safe to repeat.
    pub(crate) async fn delete_runtime(&self, id: &str) -> Result<(), CloudError> {
        let call = Call { operation: "DeleteAgentRuntime", method: Method::DELETE, path: runtimes(id), body: None };
        if_there(self.ask(&call).await).map(drop)
    }

    /// An endpoint of a runtime.
    pub(crate) async fn endpoint(&self, id: &str, name: &str) -> Result<Option<Endpoint>, CloudError> {
        const OPERATION: &str = "GetAgentRuntimeEndpoint";
        let path = format!("{}/{}", endpoints(id), encoded(name));
        let call = Call { operation: OPERATION, method: Method::GET, path, body: None };
        if_there(self.ask(&call).await)?.map(|answer| read(OPERATION, answer)).transpose()
    }

    /// Points an endpoint at a version, and makes it if need be. False: something else changes it just now.
    pub(crate) async fn point_endpoint(
        &self,
        id: &str,
        name: &str,
        version: &str,
        is_there: bool,
        token: &str,
    ) -> Result<bool, CloudError> {
        let (operation, path, body) = if is_there {
            let body = json!({"agentRuntimeVersion": version, "clientToken": token});
            ("UpdateAgentRuntimeEndpoint", format!("{}/{}", endpoints(id), encoded(name)), body)
        } else {
            let body = json!({"name": name, "agentRuntimeVersion": version, "clientToken": token});
            ("CreateAgentRuntimeEndpoint", endpoints(id), body)
        };
        match self.ask(&Call { operation, method: Method::PUT, path, body: Some(body) }).await {
            Ok(_) => Ok(true),
            Err(error) if error.is(Refusal::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes all endpoints of a runtime but the one that every runtime has.
    pub(crate) async fn delete_endpoints(&self, id: &str) -> Result<(), CloudError> {
        const OPERATION: &str = "ListAgentRuntimeEndpoints";
        let call = Call {
            operation: OPERATION,
            method: Method::POST,
            // A runtime has ten at most.
            path: format!("{}?maxResults=100", endpoints(id)),
            body: None,
        };
        let Some(answer) = if_there(self.ask(&call).await)? else { return Ok(()) };
        let listed = answer.get("runtimeEndpoints").cloned().unwrap_or_else(|| json!([]));
        let listed: Vec<Endpoint> = read(OPERATION, listed)?;
        for endpoint in listed.iter().filter(|endpoint| endpoint.name != DEFAULT_ENDPOINT) {
            let path = format!("{}/{}", endpoints(id), encoded(&endpoint.name));
            let call = Call { operation: "DeleteAgentRuntimeEndpoint", method: Method::DELETE, path, body: None };
            match self.ask(&call).await {
                Err(error) if error.is(Refusal::NotFound) || error.is(Refusal::Conflict) => {}
                answer => drop(answer?),
            }
        }
        Ok(())
    }
}
