//! The section `[plugins.deploy-agentcore]`.

use std::collections::BTreeMap;

use nexus_deploy::is_variable_name;
use nexus_plugin_api::payload::Failure;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// How agents are run on AgentCore. Every key has a default, a misspelt one is refused. The comments are what the daemon
/// shows. What is `neededByTargets` must be set before a target can be served.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The region of the runtimes. Empty: that of `AWS_REGION` or of the AWS profile.
    pub region: String,
    /// Address of AgentCore and S3, for emulators. Empty: that of `AWS_ENDPOINT_URL`, else AWS itself.
    pub endpoint_url: String,
    /// ARN of the IAM role that agents run as. The daemon needs `iam:PassRole` for it.
    #[schemars(extend("neededByTargets" = true))]
    pub role_arn: String,
    /// S3 bucket for the archives of agents, in the same region.
    #[schemars(extend("neededByTargets" = true))]
    pub bucket: String,
    /// Before the names of the archives in the bucket.
    pub prefix: String,
    /// Python of the runtimes, from 3.10 to 3.14.
    pub python_version: String,
    /// Platform of the runtimes. `V2` starts from a snapshot: what an agent makes while it is imported is shared by all
    /// of its sessions.
    pub platform_version: String,
    /// `PUBLIC`, or `VPC` with `subnets` and `security_groups`.
    pub network_mode: String,
    /// Subnets of the runtimes, for `VPC`.
    pub subnets: Vec<String>,
    /// Security groups of the runtimes, for `VPC`.
    pub security_groups: Vec<String>,
    /// A session without requests for so long is ended by AgentCore.
    #[schemars(extend("unit" = "seconds"), range(min = 60, max = 1209600))]
    pub idle_session_secs: u64,
    /// Longest life of a session.
    #[schemars(extend("unit" = "seconds"), range(min = 60, max = 1209600))]
    pub max_session_secs: u64,
    /// Endpoint that agents are asked at. `DEFAULT` follows the latest version; another name is made, and moved to each
    /// new version as soon as that is ready.
    #[schemars(length(min = 1))]
    pub endpoint: String,
    /// A container image (URI in ECR, for arm64) that all agents run instead of their folders. Empty: none.
    pub container_uri: String,
    /// Whether a project's `deployment` may name a `container_uri` of its own.
    pub allow_containers: bool,
    /// Path that AgentCore posts to once before it takes the snapshot (only with `V2`). Empty: none.
    pub warmup_path: String,
    /// Request headers that reach the agents, at most 20.
    #[schemars(length(max = 20))]
    pub request_headers: Vec<String>,
    /// OpenID discovery address of who may ask the runtimes. Empty: AWS credentials are asked for instead.
    pub jwt_discovery_url: String,
    /// Audiences of those tokens.
    pub jwt_audiences: Vec<String>,
    /// Clients of those tokens.
    pub jwt_clients: Vec<String>,
    /// File (an absolute path) with the bearer token that such runtimes are asked with; read anew for each question. Empty:
    /// none.
    pub bearer_file: String,
    /// Further variables for every agent.
    #[schemars(extend("writeOnly" = true))]
    pub env: BTreeMap<String, String>,
    /// Python with pip, which fetches the packages of agents that need some: a path, or a name looked up in `PATH`.
    #[schemars(extend("format" = "program"), length(min = 1))]
    pub python: String,
    /// How long fetching an agent's packages may take.
    #[schemars(extend("unit" = "seconds"), range(min = 1))]
    pub packages_timeout_secs: u64,
    /// How long a runtime may take to be ready.
    #[schemars(extend("unit" = "seconds"), range(min = 1))]
    pub ready_timeout_secs: u64,
    /// How long one answer may take in all.
    #[schemars(extend("unit" = "seconds"), range(min = 1))]
    pub invoke_timeout_secs: u64,
    /// How long an agent may be silent within an answer, and before its first byte.
    #[schemars(extend("unit" = "seconds"), range(min = 1))]
    pub idle_timeout_secs: u64,
    /// Size of one answer, as sent over HTTP.
    #[schemars(extend("unit" = "bytes"), range(min = 1024))]
    pub max_answer_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: String::new(),
            endpoint_url: String::new(),
            role_arn: String::new(),
            bucket: String::new(),
            prefix: "nexusd-agents".into(),
            python_version: "3.12".into(),
            platform_version: "V1".into(),
            network_mode: "PUBLIC".into(),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            idle_session_secs: 900,
            max_session_secs: 28_800,
            endpoint: DEFAULT_ENDPOINT.into(),
            container_uri: String::new(),
            allow_containers: false,
            warmup_path: String::new(),
            request_headers: Vec::new(),
            jwt_discovery_url: String::new(),
            jwt_audiences: Vec::new(),
            jwt_clients: Vec::new(),
            bearer_file: String::new(),
            env: BTreeMap::new(),
            python: "python3".into(),
            packages_timeout_secs: 240,
            ready_timeout_secs: 300,
            invoke_timeout_secs: 900,
            idle_timeout_secs: 600,
            max_answer_bytes: 8 * 1024 * 1024,
        }
    }
}

/// The endpoint that every runtime has.
pub(crate) const DEFAULT_ENDPOINT: &str = "DEFAULT";

impl Settings {
    /// What may stand in the section, for the daemon and for people.
    #[must_use]
    pub fn schema() -> Value {
        schemars::schema_for!(Settings).to_value()
    }

    /// Refuses values that cannot work, naming the key.
    ///
    /// # Errors
    /// The first such value.
    pub fn validate(&self) -> Result<(), Failure> {
        let session = 60..=1_209_600;
        let vpc = self.network_mode == "VPC";
        let arn = self.role_arn.is_empty() || self.role_arn.starts_with("arn:");
        let python = matches!(self.python_version.as_str(), "3.10" | "3.11" | "3.12" | "3.13" | "3.14");
        let rules = [
            (arn, "role_arn must be the ARN of a role, such as arn:aws:iam::123456789012:role/agents"),
            (!self.bucket.contains('/'), "bucket must be a name; what comes before the archives' names is `prefix`"),
            (python, "python_version must be one of 3.10, 3.11, 3.12, 3.13, 3.14"),
            (vpc || self.network_mode == "PUBLIC", "network_mode must be PUBLIC or VPC"),
            (vpc != self.subnets.is_empty(), "subnets must be set with network_mode VPC, and only then"),
            (
                vpc != self.security_groups.is_empty(),
                "security_groups must be set with network_mode VPC, and only then",
            ),
            (session.contains(&self.idle_session_secs), "idle_session_secs must be from 60 to 1209600"),
            (session.contains(&self.max_session_secs), "max_session_secs must be from 60 to 1209600"),
            (self.idle_session_secs <= self.max_session_secs, "idle_session_secs must not exceed max_session_secs"),
            (is_name(&self.endpoint), "endpoint must be a letter and up to 47 letters, digits or underscores"),
            (self.request_headers.len() <= 20, "request_headers may name at most 20"),
            (
                self.warmup_path.is_empty() || self.warmup_path.starts_with('/') && self.platform_version == "V2",
                "warmup_path must begin with / and needs platform_version V2",
            ),
            (
                self.jwt_discovery_url.is_empty() || self.jwt_discovery_url.starts_with("https://"),
                "jwt_discovery_url must begin with https://",
            ),
            (
                self.jwt_discovery_url.is_empty() == (self.jwt_audiences.is_empty() && self.jwt_clients.is_empty()),
                "jwt_discovery_url needs jwt_audiences or jwt_clients, and they need it",
            ),
            (!self.python.trim().is_empty(), "python must name an interpreter"),
            (self.packages_timeout_secs > 0, "packages_timeout_secs must be at least 1"),
            (self.ready_timeout_secs > 0, "ready_timeout_secs must be at least 1"),
            (self.invoke_timeout_secs > 0, "invoke_timeout_secs must be at least 1"),
            (self.idle_timeout_secs > 0, "idle_timeout_secs must be at least 1"),
            (self.max_answer_bytes >= 1024, "max_answer_bytes must be at least 1024"),
        ];
        if let Some((_, rule)) = rules.into_iter().find(|(holds, _)| !holds) {
            return Err(Failure::invalid_input(format!("settings: {rule}")));
        }
        match self.env.iter().find(|(name, value)| !is_variable_name(name) || value.contains('\0')) {
            Some((name, _)) => Err(Failure::invalid_input(format!("settings: env.{name:?} cannot be a variable"))),
            None => Ok(()),
        }
    }

    /// Keys that must be set before anything can be deployed.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let needed = [("role_arn", self.role_arn.is_empty()), ("bucket", self.bucket.is_empty())];
        needed.into_iter().filter(|(_, missing)| *missing).map(|(key, _)| key).collect()
    }
}

/// What AgentCore takes for the name of a runtime or of an endpoint.
fn is_name(text: &str) -> bool {
    text.len() <= 48
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use nexus_plugin_api::sdk::testing::check_settings;

    use super::*;
    use crate::DeployAgentCore;

    #[test]
    fn the_description_is_that_of_the_settings() {
        check_settings::<DeployAgentCore>().unwrap();
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        Settings::default().validate().unwrap();
        let vpc = r#"{"network_mode": "VPC", "subnets": ["subnet-1"], "security_groups": ["sg-1"]}"#;
        serde_json::from_str::<Settings>(vpc).unwrap().validate().unwrap();
        for (wrong, key) in [
            (r#"{"role_arn": "agents"}"#, "role_arn"),
            (r#"{"bucket": "b/c"}"#, "bucket"),
            (r#"{"python_version": "3.9"}"#, "python_version"),
            (r#"{"network_mode": "private"}"#, "network_mode"),
            (r#"{"network_mode": "VPC"}"#, "subnets"),
            (r#"{"subnets": ["subnet-1"]}"#, "subnets"),
            (r#"{"idle_session_secs": 5}"#, "idle_session_secs"),
            (r#"{"idle_session_secs": 30000}"#, "max_session_secs"),
            (r#"{"endpoint": "my-endpoint"}"#, "endpoint"),
            (r#"{"warmup_path": "/warm"}"#, "warmup_path"),
            (r#"{"jwt_discovery_url": "http://x", "jwt_clients": ["c"]}"#, "jwt_discovery_url"),
            (r#"{"jwt_clients": ["c"]}"#, "jwt_discovery_url"),
            (r#"{"idle_timeout_secs": 0}"#, "idle_timeout_secs"),
            (r#"{"env": {"A=B": "x"}}"#, "env."),
        ] {
            let failure = serde_json::from_str::<Settings>(wrong).unwrap().validate().unwrap_err();
            assert!(failure.message.contains(key), "{wrong}: {failure}");
        }
    }
}
