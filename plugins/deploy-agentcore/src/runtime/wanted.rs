//! What a runtime is wanted to be: settings, deployment and archive as one request, and its fingerprint.

use std::collections::BTreeMap;

use nexus_deploy::own_variables;
use nexus_plugin_api::{
    Context,
    payload::{AgentRef, Failure},
};
use serde_json::{Map, Value, json};

use crate::{
    Settings,
    cloud::{Cloud, CloudError, FINGERPRINT},
    names, package,
};

/// As many as AgentCore takes.
const MAX_VARIABLES: usize = 50;
/// What AgentCore takes in the value of a tag.
const MAX_TAG: usize = 256;

/// A runtime as it shall be.
pub(crate) struct Wanted {
    pub(crate) name: String,
    /// The same for the same content, settings and deployment.
    pub(crate) fingerprint: String,
    body: Map<String, Value>,
}

impl Wanted {
    /// Packs the agent, unless it is a container, and puts the request together.
    pub(crate) async fn make(
        settings: &Settings,
        cloud: &Cloud,
        agent: &AgentRef,
        cx: &Context,
    ) -> Result<Self, Failure> {
        let name = names::runtime(&agent.agent_id);
        let mut variables = variables(settings, &agent.config)?;
        let artifact = match container(settings, &agent.config)? {
            Some(uri) => json!({"containerConfiguration": {"containerUri": uri}}),
            None => {
                let bucket = cloud.bucket().map_err(CloudError::into_failure)?;
                let has_model = variables.contains_key("MODEL_PROVIDER");
                let archive = package::ensure(settings, bucket, &name, agent, has_model, cx).await?;
                json!({"codeConfiguration": {
                    "code": {"s3": {"bucket": bucket.name, "prefix": archive.key}},
                    "runtime": format!("PYTHON_{}", settings.python_version.replace('.', "_")),
                    "entryPoint": archive.entry_point,
                }})
            }
        };
        let mut body = Map::new();
        body.insert("agentRuntimeArtifact".into(), artifact);
        body.insert("description".into(), "An agent of nexusd".into());
        body.extend(of_settings(settings));
        body.insert("environmentVariables".into(), json!(variables));
        let fingerprint = names::hash([Value::Object(body.clone()).to_string().as_bytes()]);
        variables.insert(FINGERPRINT.to_owned(), fingerprint.clone());
        if variables.len() > MAX_VARIABLES {
            return Err(Failure::invalid_input(format!(
                "the agent has {} environment variables; AgentCore takes {MAX_VARIABLES}",
                variables.len()
            )));
        }
        body.insert("environmentVariables".into(), json!(variables));
        Ok(Self { name, fingerprint, body })
    }

    /// The body of the request that makes it.
    pub(crate) fn to_create(&self, agent: &AgentRef) -> Value {
        let mut body = self.body.clone();
        body.insert("agentRuntimeName".into(), self.name.clone().into());
        body.insert("tags".into(), json!({"nexusd-agent": tag(&agent.agent_id)}));
        self.with_token(body, agent)
    }

    /// The body of the request that makes another runtime into it.
    pub(crate) fn to_update(&self, agent: &AgentRef) -> Value {
        self.with_token(self.body.clone(), agent)
    }

    fn with_token(&self, mut body: Map<String, Value>, agent: &AgentRef) -> Value {
        body.insert("clientToken".into(), self.token(agent).into());
        Value::Object(body)
    }

    pub(crate) fn token(&self, agent: &AgentRef) -> String {
        names::client_token(&agent.agent_id, agent.generation, &self.fingerprint)
    }
}

fn of_settings(settings: &Settings) -> Map<String, Value> {
    let mut body = Map::new();
    let mut add = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    add("roleArn", settings.role_arn.clone().into());
    let mut network = json!({"networkMode": settings.network_mode});
    if settings.network_mode == "VPC" {
        let place = json!({"subnets": settings.subnets, "securityGroups": settings.security_groups});
        network = json!({"networkMode": "VPC", "networkModeConfig": place});
    }
    add("networkConfiguration", network);
    add("protocolConfiguration", json!({"serverProtocol": "HTTP"}));
    add(
        "lifecycleConfiguration",
        json!({"idleRuntimeSessionTimeout": settings.idle_session_secs, "maxLifetime": settings.max_session_secs}),
    );
    if !settings.platform_version.is_empty() {
        add("platformVersion", settings.platform_version.clone().into());
    }
    if !settings.warmup_path.is_empty() {
        let action = json!({"httpPost": {"path": settings.warmup_path}});
        add("hooksConfiguration", json!({"build": {"warmup": {"action": action}}}));
    }
    if !settings.request_headers.is_empty() {
        add("requestHeaderConfiguration", json!({"requestHeaderAllowlist": settings.request_headers}));
    }
    if !settings.jwt_discovery_url.is_empty() {
        let mut authorizer = json!({"discoveryUrl": settings.jwt_discovery_url});
        let lists = [("allowedAudience", &settings.jwt_audiences), ("allowedClients", &settings.jwt_clients)];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            if let Some(authorizer) = authorizer.as_object_mut() {
                authorizer.insert(name.to_owned(), json!(list));
            }
        }
        add("authorizerConfiguration", json!({"customJWTAuthorizer": authorizer}));
    }
    body
}

/// What an agent's server needs to hear on AgentCore, the operator's, the deployment's: the later wins, but for the first.
fn variables(settings: &Settings, config: &Value) -> Result<BTreeMap<String, String>, Failure> {
    let mut all: BTreeMap<String, String> = settings.env.clone();
    all.extend(own_variables(config)?);
    let fixed = [("HOST", "0.0.0.0"), ("PORT", "8080"), ("PYTHONUNBUFFERED", "1")];
    all.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Ok(all)
}

fn container(settings: &Settings, config: &Value) -> Result<Option<String>, Failure> {
    let of_operator = Some(settings.container_uri.clone()).filter(|uri| !uri.is_empty());
    let uri = match config.get("container_uri") {
        None | Some(Value::Null) => of_operator,
        Some(Value::String(uri)) if settings.allow_containers => Some(uri.clone()),
        Some(Value::String(_)) => {
            let text = "deployment.container_uri is not allowed here: the operator sets allow_containers in \
                        [plugins.deploy-agentcore]";
            return Err(Failure::invalid_input(text));
        }
        Some(_) => return Err(Failure::invalid_input("deployment.container_uri must be a text")),
    };
    let is_uri = |uri: &str| (1..=1024).contains(&uri.len()) && uri.bytes().all(|b| b.is_ascii_graphic());
    match uri {
        Some(uri) if !is_uri(&uri) => Err(Failure::invalid_input(format!("{uri:?} is no URI of a container image"))),
        uri => Ok(uri),
    }
}

fn tag(text: &str) -> String {
    let taken = |c: char| c.is_alphanumeric() || "_.:/=+-@ ".contains(c);
    text.chars().map(|c| if taken(c) { c } else { '_' }).take(MAX_TAG).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_hears_where_to_listen_whatever_others_say() {
        let settings = Settings { env: [("HOST".to_owned(), "::1".to_owned())].into(), ..Settings::default() };
        let found = variables(&settings, &json!({"env": {"PORT": 9, "MODEL_ID": "m"}})).unwrap();
        assert_eq!((found["HOST"].as_str(), found["PORT"].as_str()), ("0.0.0.0", "8080"));
        assert_eq!(found["MODEL_ID"], "m");
    }

    #[test]
    fn a_container_of_ones_own_needs_the_operators_leave() {
        let config = json!({"container_uri": "1.dkr.ecr.eu-west-1.amazonaws.com/a:1"});
        assert!(container(&Settings::default(), &config).unwrap_err().message.contains("allow_containers"));
        let settings = Settings { allow_containers: true, container_uri: "all".into(), ..Settings::default() };
        assert!(container(&settings, &config).unwrap().unwrap().ends_with("/a:1"));
        assert_eq!(container(&settings, &Value::Null).unwrap().unwrap(), "all");
        assert!(container(&settings, &json!({"container_uri": "a b"})).is_err());
        assert!(container(&settings, &json!({"container_uri": 7})).is_err());
    }

    #[test]
    fn settings_become_what_the_service_calls_them() {
        let settings: Settings = serde_json::from_value(json!({
            "role_arn": "arn:aws:iam::1:role/r", "network_mode": "VPC", "subnets": ["s"], "security_groups": ["g"],
            "platform_version": "V2", "warmup_path": "/warm", "request_headers": ["X-A"],
            "jwt_discovery_url": "https://i/.well-known/openid-configuration", "jwt_clients": ["c"],
        }))
        .unwrap();
        settings.validate().unwrap();
        assert_eq!(
            Value::Object(of_settings(&settings)),
            json!({
                "roleArn": "arn:aws:iam::1:role/r",
                "networkConfiguration":
                    {"networkMode": "VPC", "networkModeConfig": {"subnets": ["s"], "securityGroups": ["g"]}},
                "protocolConfiguration": {"serverProtocol": "HTTP"},
                "lifecycleConfiguration": {"idleRuntimeSessionTimeout": 900, "maxLifetime": 28800},
                "platformVersion": "V2",
                "hooksConfiguration": {"build": {"warmup": {"action": {"httpPost": {"path": "/warm"}}}}},
                "requestHeaderConfiguration": {"requestHeaderAllowlist": ["X-A"]},
                "authorizerConfiguration": {"customJWTAuthorizer": {
                    "discoveryUrl": "https://i/.well-known/openid-configuration", "allowedClients": ["c"],
                }},
            })
        );
    }
}
