//! Signatures of requests, by the SDK's own signer.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};

use super::CloudError;

/// Both planes have this name in signatures.
const SERVICE: &str = "bedrock-agentcore";

/// What a signature covers.
pub(crate) struct Signed<'a> {
    pub(crate) operation: &'static str,
    pub(crate) method: &'a str,
    /// With its query, percent-encoded.
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [(&'static str, String)],
    pub(crate) body: &'a [u8],
}

/// The headers that sign a request.
pub(crate) fn signature(
    request: &Signed<'_>,
    credentials: &Credentials,
    region: &str,
    now: SystemTime,
) -> Result<Vec<(String, String)>, CloudError> {
    let malformed = |why: String| CloudError::Malformed { operation: request.operation, why };
    let identity = credentials.clone().into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| malformed(error.to_string()))?;
    let headers = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let whole = SignableRequest::new(request.method, request.url, headers, SignableBody::Bytes(request.body))
        .map_err(|error| malformed(error.to_string()))?;
    let (instructions, _) = sign(whole, &parameters.into()).map_err(|error| malformed(error.to_string()))?.into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::cloud::control::encoded;

    const ARN: &str = "arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/nexusd_a-AbCdEf1234";
    const CREATION: &str = r#"{"agentRuntimeArtifact":{"codeConfiguration":{"code":{"s3":{"bucket":"b","prefix":"p/k.zip"}},"runtime":"PYTHON_3_12","entryPoint":["agent.py"]}},"agentRuntimeName":"n_1","clientToken":"tttttttttttttttttttttttttttttttttttttttt","environmentVariables":{"A":"b"},"lifecycleConfiguration":{"idleRuntimeSessionTimeout":900,"maxLifetime":28800},"networkConfiguration":{"networkMode":"VPC","networkModeConfig":{"securityGroups":["g-1"],"subnets":["s-1"]}},"platformVersion":"V2","protocolConfiguration":{"serverProtocol":"HTTP"},"roleArn":"arn:aws:iam::123456789012:role/r","tags":{"nexusd-agent":"x"}}"#;

    /// What the SDK sends (bedrockagentcore 1.83, bedrockagentcorecontrol 1.97) at this second, and how it signs it.
    #[test]
    fn signatures_are_those_of_the_sdk() {
        let agent = |api: &str| {
            format!("aws-sdk-rust/1.7.0 ua/2.1 api/{api} os/linux lang/rust/1.95.0 m/E md/http#capture-request-handler")
        };
        let invocation = (
            "POST",
            format!(
                "https://bedrock-agentcore.us-west-2.amazonaws.com/runtimes/{}/invocations?qualifier=DEFAULT",
                encoded(ARN)
            ),
            vec![
                ("content-type", "application/json".to_owned()),
                ("accept", "text/event-stream, application/json".to_owned()),
                ("x-amzn-bedrock-agentcore-runtime-session-id", "x".repeat(36)),
                ("content-length", "15".to_owned()),
                ("x-amz-user-agent", agent("bedrockagentcore/1.83.0")),
            ],
            r#"{"prompt":"hi"}"#,
            "f468eb164e912a2b7415999c536edf0d5246029500ec8357def9b061eb39eb17",
        );
        let creation = (
            "PUT",
            "https://bedrock-agentcore-control.us-west-2.amazonaws.com/runtimes".to_owned(),
            vec![
                ("content-type", "application/json".to_owned()),
                ("content-length", CREATION.len().to_string()),
                ("x-amz-user-agent", agent("bedrockagentcorecontrol/1.97.0")),
            ],
            CREATION,
            "9ff0e3603ec6de5443b554c437f7356614fb38583ef7b32f2d5f39a7edabc114",
        );
        let key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", key, Some("token/+=".to_owned()), None, "test");
        for (method, url, headers, body, wanted) in [invocation, creation] {
            let request = Signed { operation: "test", method, url: &url, headers: &headers, body: body.as_bytes() };
            let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
            let signed = signature(&request, &credentials, "us-west-2", now).unwrap();
            let of = |wanted: &str| signed.iter().find(|(name, _)| name == wanted).unwrap().1.as_str();
            assert!(of("authorization").ends_with(&format!("Signature={wanted}")), "{method}: {signed:?}");
            assert_eq!((of("x-amz-date"), of("x-amz-security-token")), ("20260921T141320Z", "token/+="));
        }
    }
}
