//! Where AWS is, and who we are there.

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};

use super::{Bucket, CloudError};
use crate::Settings;

const CONNECT: Duration = Duration::from_secs(5);
/// Environment variables that name the address of one plane alone.
const CONTROL_URL: &str = "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE_CONTROL";
const DATA_URL: &str = "AWS_ENDPOINT_URL_BEDROCK_AGENTCORE";

/// A way to AgentCore and S3.
pub(crate) struct Cloud {
    pub(super) http: reqwest::Client,
    credentials: Option<SharedCredentialsProvider>,
    pub(crate) region: String,
    /// Instead of AWS's own addresses.
    control: Option<String>,
    data: Option<String>,
    /// None while no bucket is set.
    pub(crate) bucket: Option<Bucket>,
}

impl Cloud {
    /// Finds region, credentials and addresses; sends nothing to AgentCore.
    pub(crate) async fn connect(settings: &Settings, given: Option<Credentials>) -> Result<Self, CloudError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if !settings.region.is_empty() {
            loader = loader.region(Region::new(settings.region.clone()));
        }
        if let Some(given) = given {
            loader = loader.credentials_provider(given);
        }
        let shared = loader.load().await;
        let region = shared.region().map(ToString::to_string).filter(|region| is_region(region));
        let region = region.ok_or(CloudError::NoRegion)?;
        let given = Some(settings.endpoint_url.clone()).filter(|url| !url.is_empty());
        let everywhere = given.or_else(|| shared.endpoint_url().map(str::to_owned));
        let of_plane = |name: &str| std::env::var(name).ok().filter(|url| !url.is_empty());
        let (control, data) = match settings.endpoint_url.is_empty() {
            true => (of_plane(CONTROL_URL), of_plane(DATA_URL)),
            false => (None, None),
        };
        let credentials = shared.credentials_provider();
        let bucket = match settings.bucket.is_empty() {
            true => None,
            false => Some(Bucket::new(settings, &region, everywhere.as_deref(), credentials.clone())?),
        };
        let http = reqwest::Client::builder().connect_timeout(CONNECT).redirect(reqwest::redirect::Policy::none());
        // What is on this machine is asked directly, whatever proxy leads out of it.
        let is_here = |url: &String| url.starts_with("http://127.0.0.1") || url.starts_with("http://localhost");
        let http = if everywhere.as_ref().is_some_and(is_here) { http.no_proxy() } else { http };
        let http =
            http.build().map_err(|error| CloudError::Malformed { operation: "connect", why: error.to_string() })?;
        Ok(Self {
            http,
            credentials,
            region,
            control: control.or_else(|| everywhere.clone()),
            data: data.or(everywhere),
            bucket,
        })
    }

    /// Address of the control plane, without a slash at its end.
    pub(super) fn control_url(&self) -> String {
        self.control.as_deref().map_or_else(|| address("bedrock-agentcore-control", &self.region), trimmed)
    }

    /// Address of the data plane in a region.
    pub(super) fn data_url(&self, region: &str) -> String {
        self.data.as_deref().map_or_else(|| address("bedrock-agentcore", region), trimmed)
    }

    /// Who asks. The provider keeps them as long as they last.
    pub(super) async fn credentials(&self) -> Result<Credentials, CloudError> {
        let provider =
            self.credentials.as_ref().ok_or_else(|| CloudError::NoCredentials("none is configured".into()))?;
        provider.provide_credentials().await.map_err(|error| {
            let why = std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
            CloudError::NoCredentials(why)
        })
    }

    /// Where archives are kept.
    pub(crate) fn bucket(&self) -> Result<&Bucket, CloudError> {
        let why = || CloudError::Malformed { operation: "PutObject", why: "no bucket is set".into() };
        self.bucket.as_ref().ok_or_else(why)
    }
}

fn trimmed(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

fn address(service: &str, region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{service}.{region}.{domain}")
}

/// A region becomes part of a host name.
pub(crate) fn is_region(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The credentials of the SDK, for S3.
#[derive(Debug)]
pub(super) struct OfSdk(pub(super) SharedCredentialsProvider);

#[async_trait::async_trait]
impl object_store::CredentialProvider for OfSdk {
    type Credential = object_store::aws::AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<Self::Credential>> {
        let found = self.0.provide_credentials().await;
        let found = found.map_err(|source| object_store::Error::Generic { store: "S3", source: Box::new(source) })?;
        Ok(Arc::new(object_store::aws::AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_region_leads_to_another_host() {
        assert!(is_region("us-gov-west-1"));
        for odd in ["", "evil.example/", "US-EAST-1", "a.b", "x:y"] {
            assert!(!is_region(odd), "{odd}");
        }
        assert_eq!(address("bedrock-agentcore", "eu-west-1"), "https://bedrock-agentcore.eu-west-1.amazonaws.com");
    }
}
