//! Queues: made with their dead letters, compared with what they should be, emptied, removed.

use std::collections::HashMap;

use aws_sdk_sqs::{Client, error::ProvideErrorMetadata as _, types::QueueAttributeName as Name};

use super::{Action, Plan, QUEUES, Report, ResourceError, State, name_of, said};
use crate::domain::queue::QueueName;

const DAY: u64 = 86_400;
/// Seconds that messages stay hidden from those who do not say otherwise, as SPEC section 2 has them: the original's
/// workers, which may not renew. A daemon says it with each receive, and renews.
const BUILD_HIDDEN: u64 = 3_600;
const DEPLOY_HIDDEN: u64 = 600;
const NOTIFIED_HIDDEN: u64 = 30;

type Result<T> = std::result::Result<T, ResourceError>;

pub(super) async fn all(
    plan: &Plan,
    action: Action,
    client: &Client,
    told: &(dyn Fn(&Report) + Sync),
) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for of in QUEUES {
        let name = name_of(&plan.names, of).to_owned();
        let url = url(client, &name).await?;
        let (state, detail) = match (action, url) {
            (Action::Init, url) => init(client, plan, of, &name, url).await?,
            (_, None) => (State::Missing, String::new()),
            (Action::List, Some(url)) => list(client, plan, of, &url).await?,
            (Action::Clean, Some(url)) => {
                client.purge_queue().queue_url(url).send().await.map_err(said(format!("empty {name}")))?;
                (State::Emptied, String::new())
            }
            (Action::Delete, Some(url)) => {
                client.delete_queue().queue_url(url).send().await.map_err(said(format!("delete {name}")))?;
                (State::Deleted, String::new())
            }
        };
        let report = Report { kind: "queue", name, state, detail };
        told(&report);
        reports.push(report);
    }
    Ok(reports)
}

async fn url(client: &Client, name: &str) -> Result<Option<String>> {
    match client.get_queue_url().queue_name(name).send().await {
        Ok(answer) => Ok(answer.queue_url),
        Err(error) => {
            let code = error.code().unwrap_or_default();
            if code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist") {
                return Ok(None);
            }
            Err(said(format!("find {name}"))(error))
        }
    }
}

async fn attributes(client: &Client, url: &str) -> Result<HashMap<Name, String>> {
    let request = client.get_queue_attributes().queue_url(url).attribute_names(Name::All);
    let answer = request.send().await.map_err(said(format!("read {url}")))?;
    Ok(answer.attributes.unwrap_or_default())
}

/// How a queue should behave.
async fn wanted(client: &Client, plan: &Plan, of: Option<QueueName>) -> Result<HashMap<Name, String>> {
    let [build, deploy, dead] = plan.retention_days.map(u64::from);
    let (days, hidden) = match of {
        Some(QueueName::Build) => (build, BUILD_HIDDEN),
        Some(QueueName::Deploy) => (deploy, DEPLOY_HIDDEN),
        Some(QueueName::BuildDead | QueueName::DeployDead) => (dead, NOTIFIED_HIDDEN),
        None => (1, NOTIFIED_HIDDEN),
    };
    let mut wanted = HashMap::from([
        (Name::MessageRetentionPeriod, (days * DAY).to_string()),
        (Name::VisibilityTimeout, hidden.to_string()),
    ]);
    if let Some(dead) = of.and_then(QueueName::dead_letters)
        && let Some(url) = url(client, plan.names.get(dead)).await?
        && let Some(arn) = attributes(client, &url).await?.remove(&Name::QueueArn)
    {
        let policy = serde_json::json!({"deadLetterTargetArn": arn, "maxReceiveCount": plan.max_receive_count});
        wanted.insert(Name::RedrivePolicy, policy.to_string());
    }
    Ok(wanted)
}

/// Policies are JSON, in which services write numbers as text, too.
fn same(name: &Name, a: &str, b: &str) -> bool {
    if *name != Name::RedrivePolicy {
        return a == b;
    }
    let read = |text: &str| {
        let policy: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let part = |key: &str| policy.get(key).map(|value| value.to_string().trim_matches('"').to_owned());
        (part("deadLetterTargetArn"), part("maxReceiveCount"))
    };
    read(a) == read(b)
}

async fn differing(client: &Client, plan: &Plan, of: Option<QueueName>, url: &str) -> Result<HashMap<Name, String>> {
    let has = attributes(client, url).await?;
    let mut wanted = wanted(client, plan, of).await?;
    wanted.retain(|name, value| !has.get(name).is_some_and(|has| same(name, has, value)));
    Ok(wanted)
}

async fn init(
    client: &Client,
    plan: &Plan,
    of: Option<QueueName>,
    name: &str,
    url: Option<String>,
) -> Result<(State, String)> {
    let Some(url) = url else {
        let wanted = wanted(client, plan, of).await?;
        let request = client.create_queue().queue_name(name).set_attributes(Some(wanted));
        request.send().await.map_err(said(format!("create {name}")))?;
        return Ok((State::Created, String::new()));
    };
    let differing = differing(client, plan, of, &url).await?;
    if differing.is_empty() {
        return Ok((State::Ready, String::new()));
    }
    let detail = words(&differing);
    let request = client.set_queue_attributes().queue_url(url).set_attributes(Some(differing));
    request.send().await.map_err(said(format!("set {name} right")))?;
    Ok((State::Updated, detail))
}

fn words(attributes: &HashMap<Name, String>) -> String {
    let mut words: Vec<String> = attributes.iter().map(|(name, value)| format!("{name} {value}")).collect();
    words.sort();
    words.join("; ")
}

async fn list(client: &Client, plan: &Plan, of: Option<QueueName>, url: &str) -> Result<(State, String)> {
    let differing = differing(client, plan, of, url).await?;
    if !differing.is_empty() {
        return Ok((State::Drifted, format!("should have {}", words(&differing))));
    }
    let has = attributes(client, url).await?;
    let number = |name| has.get(&name).map_or("0", String::as_str).to_owned();
    let (visible, hidden) =
        (number(Name::ApproximateNumberOfMessages), number(Name::ApproximateNumberOfMessagesNotVisible));
    Ok((State::Ready, format!("{visible} messages, {hidden} in flight")))
}
