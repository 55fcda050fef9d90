//! The cloud backend over the emulator, with real daemons: their work together, trouble, what they cost, and moving.

mod agentcore;
mod artifacts;
mod files;
mod fleet;
mod keys;
mod lists;
mod once;
mod original;
mod redeploy;
mod transfer;
mod trouble;

use super::{
    main_job, support,
    support::{Daemon, Home, emulator::Account, marked::MARK},
};
use serde_json::Value;

pub(super) fn settings(url: &str, roles: &str) -> String {
    format!(
        "roles = [{roles}]\n[backend]\nkind = \"aws\"\nregion = \"us-east-1\"\nendpoint_url = \"{url}\"\n\
         [worker]\nlease_secs = 4\nheartbeat_secs = 1\nvisibility_timeout_secs = 6\nreconcile_secs = 1\n"
    )
}

pub(super) const BOTH: &str = "\"api\", \"worker\"";

/// A home whose daemons use this account, by way of `url`.
pub(super) fn home(account: &Account, url: &str, roles: &str, delay_ms: u64) -> Home {
    let mut home = Home::with_noop_workflow(&settings(url, roles), delay_ms);
    home.set("AWS_ACCESS_KEY_ID", &account.access_key);
    home.set("AWS_SECRET_ACCESS_KEY", &format!("{MARK}cloud-key"));
    home
}

async fn account() -> Account {
    tokio::task::spawn_blocking(Account::new).await.unwrap()
}

/// An account with tables and queues, made by the command that makes them.
pub(super) async fn ready(roles: &str, delay_ms: u64) -> (Account, Home) {
    let account = account().await;
    let home = home(&account, &account.url, roles, delay_ms);
    let (code, said) = home.run(&["resources", "init"]);
    assert_eq!(code, Some(0), "{said}");
    (account, home)
}

pub(super) async fn depth(account: &Account, queue: &str) -> (u64, u64) {
    let url = account.sqs.get_queue_url().queue_name(queue).send().await.unwrap().queue_url.unwrap();
    let all = aws_sdk_sqs::types::QueueAttributeName::All;
    let answer = account.sqs.get_queue_attributes().queue_url(url).attribute_names(all).send().await.unwrap();
    let of = |name: &str| {
        let found = answer.attributes().unwrap().iter().find(|(key, _)| key.as_str() == name);
        found.map_or(0, |(_, value)| value.parse().unwrap())
    };
    (
        of("ApproximateNumberOfMessages") + of("ApproximateNumberOfMessagesDelayed"),
        of("ApproximateNumberOfMessagesNotVisible"),
    )
}

/// Makes a bucket of the account; answers the setting that has daemons share files there.
pub(super) async fn bucket(account: &Account) -> String {
    // Names of buckets are everybody's.
    let name = format!("files-{}", account.access_key);
    let answer = account.s3(reqwest::Method::PUT, &name).await;
    assert!(answer.status().is_success(), "{answer:?}");
    format!("artifacts = \"s3://{name}/nexus\"")
}

/// Lets the daemons of a home share files at this place, as [`bucket`] gives it.
fn with_files(home: &Home, shared: &str) {
    let settings = std::fs::read_to_string(home.config()).unwrap();
    home.configure(&settings.replace("[worker]", &format!("{shared}\n[worker]")));
}

/// Lets the daemons of these homes share files in a new bucket.
async fn share_files(account: &Account, homes: &[&Home]) {
    let shared = bucket(account).await;
    for home in homes {
        with_files(home, &shared);
    }
}

/// Every stage of every project is committed once.
async fn check_events(daemon: &Daemon, project: &str) {
    let events = support::events(daemon, project).await;
    let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "{project}");
    let completed = |event: &&Value| event["stage_name"].is_string() && event["status"] == "completed";
    let mut stages: Vec<&str> = events.iter().filter(completed).filter_map(|e| e["stage_name"].as_str()).collect();
    stages.sort_unstable();
    assert_eq!(stages, ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"], "{project}");
}
