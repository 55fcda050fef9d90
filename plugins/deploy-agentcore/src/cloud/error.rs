//! What AWS says when it refuses, in words that say what to do.

use nexus_deploy::answer::excerpt;
use nexus_plugin_api::payload::Failure;
use serde_json::Value;

/// Why a request to AWS did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CloudError {
    /// AWS answered, but not with success.
    #[error("{operation}: {code} (HTTP status {status}): {message}")]
    Refused {
        /// As AWS calls it.
        operation: &'static str,
        status: u16,
        /// The name of the exception.
        code: String,
        /// What AWS says, shortened.
        message: String,
    },
    /// No answer came.
    #[error("{operation}: AWS does not answer: {why}")]
    Unreachable { operation: &'static str, why: String },
    /// No credentials can be found.
    #[error("no AWS credentials: {0}")]
    NoCredentials(String),
    /// Nothing says where.
    #[error("no AWS region is set")]
    NoRegion,
    /// What was to be sent, or what came, is none.
    #[error("{operation}: {why}")]
    Malformed { operation: &'static str, why: String },
    /// S3.
    #[error("the archive in S3: {0}")]
    Bucket(#[from] object_store::Error),
}

/// What kind of refusal it is; AWS has several names for most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Denied,
    Expired,
    Invalid,
    NotFound,
    Conflict,
    Quota,
    Throttled,
    AgentFailed,
    TooLarge,
    Passing,
    Other,
}

impl CloudError {
    /// From the status, the headers' error type and the body of a response.
    pub(crate) fn of_response(operation: &'static str, status: u16, kind: Option<&str>, body: &[u8]) -> Self {
        let json = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let text = |names: [&str; 2]| names.iter().find_map(|name| json.get(*name)?.as_str());
        let named = kind.or_else(|| text(["__type", "code"])).unwrap_or_default();
        // `com.amazonaws.service#ConflictException:http://…`
        let code = named.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default();
        let code = if code.is_empty() { "an error without a name" } else { code };
        let message = text(["message", "Message"]).map_or_else(|| excerpt(&String::from_utf8_lossy(body)), excerpt);
        Self::Refused { operation, status, code: code.to_owned(), message }
    }

    /// What kind of refusal this is, if it is one.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let Self::Refused { status, code, .. } = self else { return None };
        Some(match (code.as_str(), *status) {
            ("ExpiredTokenException" | "ExpiredToken" | "RequestExpired", _) => Refusal::Expired,
            ("ServiceQuotaExceededException" | "LimitExceededException", _) | (_, 402) => Refusal::Quota,
            ("ThrottlingException" | "TooManyRequestsException" | "Throttling", _) | (_, 429) => Refusal::Throttled,
            ("RuntimeClientError", _) | (_, 424) => Refusal::AgentFailed,
            ("ConflictException" | "RetryableConflictException", _) | (_, 409) => Refusal::Conflict,
            ("ResourceNotFoundException", _) | (_, 404) => Refusal::NotFound,
            (_, 401 | 403) | ("AccessDeniedException", _) => Refusal::Denied,
            (_, 413) => Refusal::TooLarge,
            (_, 408 | 500..=599) => Refusal::Passing,
            ("ValidationException" | "SerializationException", _) | (_, 400) => Refusal::Invalid,
            _ => Refusal::Other,
        })
    }

    pub(crate) fn is(&self, refusal: Refusal) -> bool {
        self.refusal() == Some(refusal)
    }

    /// Whether the same request may be answered better soon, without anybody doing anything.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Refused { .. } => matches!(self.refusal(), Some(Refusal::Throttled | Refusal::Passing)),
            Self::Unreachable { .. } => true,
            Self::NoCredentials(_) | Self::NoRegion | Self::Malformed { .. } | Self::Bucket(_) => false,
        }
    }

    /// For the daemon: what happened, and what helps.
    pub(crate) fn into_failure(self) -> Failure {
        let text = self.to_string();
        match &self {
            Self::Refused { operation, .. } => of_refusal(&text, operation, self.refusal().unwrap_or(Refusal::Other)),
            Self::Unreachable { .. } => Failure::transient(format!(
                "{text}. Check the network, `region` and `endpoint_url` of [plugins.deploy-agentcore]"
            )),
            Self::NoCredentials(_) => Failure::permanent(format!(
                "{text}. Give the daemon a role, a profile (AWS_PROFILE) or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )),
            Self::NoRegion => {
                Failure::permanent(format!("{text}: write `region` into [plugins.deploy-agentcore], or set AWS_REGION"))
            }
            Self::Malformed { .. } => Failure::permanent(text),
            Self::Bucket(error) => of_bucket(&text, error),
        }
    }
}

fn of_refusal(text: &str, operation: &str, refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Denied => Failure::permanent(format!(
            "{text}. The daemon's AWS identity lacks a right: `nexusd resources policy --agentcore` prints what it needs"
        )),
        Refusal::Expired => Failure::transient(format!("{text}. The AWS credentials have expired: renew them")),
        Refusal::Invalid => Failure::permanent(format!(
            "{text}. AgentCore does not take what [plugins.deploy-agentcore] or the deployment says"
        )),
        Refusal::NotFound => Failure::permanent(format!("{text}. It is not there (any more): deploy the agent again")),
        Refusal::Conflict => Failure::transient(format!("{text}. Something else changes it just now: try again")),
        Refusal::Quota => Failure::permanent(format!(
            "{text}. A quota of the AWS account is used up: end what is not needed, or have it raised in Service Quotas"
        )),
        Refusal::Throttled => {
            Failure::transient(format!("{text}. Too many requests for this account: try again later"))
        }
        Refusal::AgentFailed => Failure::permanent(format!(
            "{text}. The agent itself failed: its log is in CloudWatch, group /aws/bedrock-agentcore/runtimes/…"
        )),
        Refusal::TooLarge => {
            Failure::invalid_input(format!("{text}. The question is larger than AgentCore takes (100 MB)"))
        }
        Refusal::Passing => Failure::transient(format!("{text}. It is a fault of the service: try again later")),
        Refusal::Other => {
            Failure::permanent(format!("{text}. {operation} was refused for a reason unknown to this version"))
        }
    }
}

fn of_bucket(text: &str, error: &object_store::Error) -> Failure {
    use object_store::Error;
    match error {
        Error::NotFound { .. } => {
            Failure::permanent(format!("{text}. Make the bucket, or correct `bucket` of [plugins.deploy-agentcore]"))
        }
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Failure::permanent(format!(
            "{text}. The daemon's AWS identity lacks a right: `nexusd resources policy --agentcore` prints what it needs"
        )),
        _ => Failure::transient(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use nexus_plugin_api::payload::FailureKind::{InvalidInput, Permanent, Transient};

    use super::*;

    /// Every error that the service documents, by status and name.
    #[test]
    fn every_documented_error_says_what_helps() {
        for (status, code, kind, remedy) in [
            (403, "AccessDeniedException", Permanent, "resources policy --agentcore"),
            (403, "UnrecognizedClientException", Permanent, "resources policy --agentcore"),
            (403, "ExpiredTokenException", Transient, "renew"),
            (401, "UnauthorizedException", Permanent, "resources policy --agentcore"),
            (400, "ValidationException", Permanent, "[plugins.deploy-agentcore]"),
            (402, "ServiceQuotaExceededException", Permanent, "quota"),
            (404, "ResourceNotFoundException", Permanent, "deploy the agent again"),
            (408, "RequestTimeoutException", Transient, "later"),
            (409, "ConflictException", Transient, "try again"),
            (409, "RetryableConflictException", Transient, "try again"),
            (413, "", InvalidInput, "100 MB"),
            (424, "RuntimeClientError", Permanent, "CloudWatch"),
            (429, "ThrottlingException", Transient, "later"),
            (400, "ThrottlingException", Transient, "later"),
            (500, "InternalServerException", Transient, "later"),
            (503, "ServiceUnavailableException", Transient, "later"),
            (418, "TeapotException", Permanent, "unknown"),
        ] {
            let error = CloudError::of_response("GetAgentRuntime", status, Some(code), br#"{"message": "because"}"#);
            let failure = error.into_failure();
            assert_eq!(failure.kind, kind, "{failure}");
            assert!(failure.message.contains(remedy) && failure.message.contains("because"), "{failure}");
        }
    }

    #[test]
    fn the_name_is_found_wherever_it_stands() {
        for (kind, body) in [
            (Some("ConflictException:http://internal.amazon.com/coral/"), "{}"),
            (None, r#"{"__type": "com.amazonaws.bedrockagentcore#ConflictException"}"#),
            (None, r#"{"code": "ConflictException"}"#),
        ] {
            let error = CloudError::of_response("CreateAgentRuntime", 400, kind, body.as_bytes());
            assert!(error.is(Refusal::Conflict), "{error}");
        }
        let proxy = CloudError::of_response("CreateAgentRuntime", 502, None, b"<html>Bad\nGateway</html>");
        assert!(proxy.passes() && proxy.to_string().contains("<html>Bad Gateway"), "{proxy}");
    }
}
