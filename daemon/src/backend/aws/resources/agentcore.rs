//! The IAM policy for deploying agents to AgentCore and asking them: what the plugin does, and nothing beside.

use serde_json::{Value, json};

/// Before the names of all runtimes that the plugin makes.
const RUNTIMES: &str = "nexusd_*";
/// The service that makes a role of its own with the first runtime of an account.
const IDENTITY: &str = "runtime-identity.bedrock-agentcore.amazonaws.com";

/// Where agents are deployed; `*` for what is not known.
#[derive(Clone, Copy, Debug)]
pub struct Deploying<'a> {
    pub region: &'a str,
    pub account: &'a str,
    /// ARN of the role that agents run as.
    pub role: &'a str,
    pub bucket: &'a str,
    /// Before the names of archives.
    pub prefix: &'a str,
}

/// The policy of a daemon that deploys there.
pub fn policy(to: Deploying<'_>) -> Value {
    let Deploying { region, account, role, bucket, prefix } = to;
    let partition = if region.starts_with("cn-") { "aws-cn" } else { "aws" };
    let runtime = format!("arn:{partition}:bedrock-agentcore:{region}:{account}:runtime/{RUNTIMES}");
    let below = if prefix.is_empty() { String::new() } else { format!("{}/", prefix.trim_matches('/')) };
    json!({ "Version": "2012-10-17", "Statement": [
        // A runtime that is not there yet has no name.
        {
            "Sid": "NewRuntimes", "Effect": "Allow",
            "Action": ["bedrock-agentcore:CreateAgentRuntime", "bedrock-agentcore:ListAgentRuntimes"],
            "Resource": ["*"],
        },
        {
            "Sid": "Runtimes", "Effect": "Allow",
            "Action": [
                "bedrock-agentcore:GetAgentRuntime", "bedrock-agentcore:UpdateAgentRuntime",
                "bedrock-agentcore:DeleteAgentRuntime", "bedrock-agentcore:GetAgentRuntimeEndpoint",
                "bedrock-agentcore:ListAgentRuntimeEndpoints", "bedrock-agentcore:CreateAgentRuntimeEndpoint",
                "bedrock-agentcore:UpdateAgentRuntimeEndpoint", "bedrock-agentcore:DeleteAgentRuntimeEndpoint",
                "bedrock-agentcore:InvokeAgentRuntime", "bedrock-agentcore:TagResource",
            ],
            "Resource": [runtime, format!("{runtime}/*")],
        },
        {
            "Sid": "RoleOfAgents", "Effect": "Allow", "Action": ["iam:PassRole"], "Resource": [role],
            "Condition": { "StringEquals": { "iam:PassedToService": "bedrock-agentcore.amazonaws.com" } },
        },
        {
            "Sid": "RoleOfService", "Effect": "Allow", "Action": ["iam:CreateServiceLinkedRole"],
            "Resource": [format!("arn:{partition}:iam::{account}:role/aws-service-role/{IDENTITY}/*")],
            "Condition": { "StringEquals": { "iam:AWSServiceName": IDENTITY } },
        },
        {
            "Sid": "Archives", "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            "Resource": [format!("arn:{partition}:s3:::{bucket}/{below}*")],
        },
        {
            "Sid": "ArchiveNames", "Effect": "Allow", "Action": ["s3:ListBucket"],
            "Resource": [format!("arn:{partition}:s3:::{bucket}")],
            "Condition": { "StringLike": { "s3:prefix": [format!("{below}*")] } },
        },
    ] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_what_the_settings_name() {
        let to = Deploying {
            region: "eu-west-1",
            account: "123456789012",
            role: "arn:aws:iam::123456789012:role/agents",
            bucket: "archives",
            prefix: "nexusd-agents",
        };
        let policy = policy(to);
        let of =
            |sid: &str| policy["Statement"].as_array().unwrap().iter().find(|one| one["Sid"] == sid).unwrap().clone();
        assert_eq!(of("RoleOfAgents")["Resource"], json!([to.role]));
        assert_eq!(of("Archives")["Resource"], json!(["arn:aws:s3:::archives/nexusd-agents/*"]));
        let runtime = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/nexusd_*";
        assert_eq!(of("Runtimes")["Resource"], json!([runtime, format!("{runtime}/*")]));
        let all = policy.to_string();
        assert!(
            !all.contains(":*\"") && !all.contains("bedrock-agentcore:*\""),
            "no right is given for everything: {all}"
        );
    }
}
