//! What is known of an agent's runtime, from what its record keeps.

use nexus_plugin_api::payload::{AgentRef, Failure};
use serde_json::{Map, Value};

use crate::{
    cloud::{Cloud, CloudError, Runtime, is_region},
    names,
    settings::DEFAULT_ENDPOINT,
};

/// Longest alias of an endpoint.
const MAX_QUALIFIER: usize = 100;

/// The details of the last deployment, or what an agent's record of the original says in their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) arn: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) region: Option<String>,
    /// The endpoint to ask.
    pub(crate) qualifier: String,
    /// Others deployed it: it is asked, and never changed.
    pub(crate) is_adopted: bool,
}

impl Known {
    /// Reads the details.
    ///
    /// # Errors
    /// What is no ARN of a runtime: it may come from a person.
    pub(crate) fn of(agent: &AgentRef) -> Result<Self, Failure> {
        let details = &agent.details;
        let arn = text(details, ["agent_runtime_arn", "agentcore_runtime_arn"]);
        let qualifier = text(details, ["qualifier", "agentcore_runtime_alias"]).unwrap_or(DEFAULT_ENDPOINT);
        if qualifier.len() > MAX_QUALIFIER || qualifier.contains(char::is_control) {
            return Err(Failure::invalid_input(format!("{qualifier:?} is no alias of an AgentCore runtime")));
        }
        let is_adopted = details.get("adopted").and_then(Value::as_bool).unwrap_or(false);
        let known = Self { qualifier: qualifier.to_owned(), is_adopted, ..Self::default() };
        let Some(arn) = arn else { return Ok(known) };
        let (of_arn, id) = parts(arn).ok_or_else(|| {
            Failure::invalid_input(format!(
                "{arn:?} is no ARN of an AgentCore runtime: arn:aws:bedrock-agentcore:REGION:ACCOUNT:runtime/ID is"
            ))
        })?;
        let region = text(details, ["region", "agentcore_region"]).unwrap_or(of_arn);
        if !is_region(region) {
            return Err(Failure::invalid_input(format!("{region:?} is no AWS region")));
        }
        Ok(Self { arn: Some(arn.to_owned()), id: Some(id.to_owned()), region: Some(region.to_owned()), ..known })
    }

    /// Whether there was no deployment yet that succeeded.
    pub(crate) fn is_unknown(&self) -> bool {
        self.arn.is_none()
    }
}

fn text<'a>(details: &'a Map<String, Value>, names: [&str; 2]) -> Option<&'a str> {
    names.into_iter().find_map(|name| details.get(name)?.as_str()).filter(|text| !text.is_empty())
}

/// Region and id of a runtime.
fn parts(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let partition = parts.next().filter(|first| *first == "arn").and(parts.next())?;
    let service = parts.next()?;
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let id = resource.strip_prefix("runtime/").or_else(|| resource.strip_prefix("agent/"))?;
    let is_id = (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:.".contains(&b));
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let whole = partition.starts_with("aws") && service == "bedrock-agentcore" && is_region(region);
    (whole && is_account && is_id).then_some((region, id))
}

/// The agent's runtime: that of which the id is known, else the one that has its name, left by somebody who could not
/// tell of it any more.
pub(crate) async fn find(cloud: &Cloud, agent: &AgentRef, known: &Known) -> Result<Option<Runtime>, Failure> {
    look(cloud, agent, known.id.as_deref()).await.map_err(CloudError::into_failure)
}

async fn look(cloud: &Cloud, agent: &AgentRef, id: Option<&str>) -> Result<Option<Runtime>, CloudError> {
    if let Some(id) = id
        && let Some(found) = cloud.runtime(id).await?
    {
        return Ok(Some(found));
    }
    match cloud.find_runtime(&names::runtime(&agent.agent_id)).await? {
        Some(id) => cloud.runtime(&id).await,
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(details: Value) -> Result<Known, Failure> {
        Known::of(&crate::tests::agent(std::path::Path::new("/"), details))
    }

    const ARN: &str = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/nexusd_a-0123456789";

    #[test]
    fn what_was_deployed_by_us_and_by_the_original_is_known() {
        for details in [
            json!({"agent_runtime_arn": ARN, "qualifier": "blue"}),
            json!({"agentcore_runtime_arn": ARN, "agentcore_runtime_alias": "blue"}),
        ] {
            let known = of(details).unwrap();
            assert_eq!((known.region.as_deref(), known.qualifier.as_str()), (Some("eu-west-1"), "blue"));
            assert_eq!(known.id.as_deref(), Some("nexusd_a-0123456789"));
        }
        assert!(of(json!({})).unwrap().is_unknown());
        assert_eq!(of(json!({"agent_runtime_arn": ARN, "region": "us-east-1"})).unwrap().region.unwrap(), "us-east-1");
    }

    #[test]
    fn what_a_person_wrote_leads_nowhere_else() {
        for details in [
            json!({"agent_runtime_arn": "arn:aws:bedrock-agentcore:evil.example/x:123456789012:runtime/a"}),
            json!({"agent_runtime_arn": "arn:aws:s3:eu-west-1:123456789012:runtime/a"}),
            json!({"agent_runtime_arn": "arn:aws:bedrock-agentcore:eu-west-1:12:runtime/a"}),
            json!({"agent_runtime_arn": "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/a/../b"}),
            json!({"agent_runtime_arn": ARN, "region": "evil.example/"}),
            json!({"agent_runtime_arn": ARN, "qualifier": "a\nb"}),
            json!({"agent_runtime_arn": "runtime"}),
        ] {
            let failure = of(details).unwrap_err();
            assert_eq!(failure.kind, nexus_plugin_api::payload::FailureKind::InvalidInput, "{failure}");
        }
    }
}
