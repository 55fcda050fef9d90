//! Speed on the cloud backend: the real daemon over the emulator of the services, with stages that do nothing.
//! `cargo bench -p nexus-daemon --bench cloud`.
//!
//! The emulator is one Python process on this machine and takes most of the time, so every figure stands beside what the
//! emulator alone needs for the same requests, measured in the same run.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::cast_precision_loss, clippy::panic, dead_code)]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use serde_json::json;
use support::{Daemon, Home, emulator::Account};

/// Builds at a time, and in all.
const SIDE_BY_SIDE: [usize; 3] = [1, 8, 32];
const BUILDS: usize = 96;
const POSTS: usize = 200;

fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within the slice
    let at = ((times.len() - 1) as f64 * share).round() as usize;
    times[at]
}

fn settings(url: &str) -> String {
    format!("[backend]\nkind = \"aws\"\nregion = \"us-east-1\"\nendpoint_url = \"{url}\"\n[worker]\nbuilds = 64\n")
}

async fn build(daemon: &Daemon, account: &Account, n: usize) {
    let project = daemon.create(&format!("measured build number {n}"), "noop").await;
    loop {
        let key = AttributeValue::S(project.clone());
        let get = account.dynamodb.get_item().table_name("nexus_projects").key("project_id", key);
        let item = get.consistent_read(true).send().await.unwrap().item.unwrap();
        if item["status"].as_s().unwrap() == "completed" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the emulator alone takes for a transaction as a step of a build is one.
async fn alone(account: &Account) -> Duration {
    let key = |id: &str| AttributeValue::S(id.to_owned());
    let mut times = Vec::new();
    for n in 0..100 {
        let update = |table: &str, name: &str, id: &str| {
            let update = Update::builder().table_name(table).key(name, key(id)).update_expression("SET a = :a");
            let update = update.expression_attribute_values(":a", AttributeValue::N(n.to_string()));
            TransactWriteItem::builder().update(update.build().unwrap()).build()
        };
        let stage = |stage: &str| {
            let update = Update::builder().table_name("nexus_stages").key("project_id", key("alone"));
            let update = update.key("stage_name", key(stage)).update_expression("SET a = :a");
            let update = update.expression_attribute_values(":a", AttributeValue::N(n.to_string()));
            TransactWriteItem::builder().update(update.build().unwrap()).build()
        };
        let event = Put::builder().table_name("nexus_project_events").item("project_id", key("alone"));
        let event = event.item("seq", AttributeValue::N(n.to_string())).item("events", key(&"x".repeat(500)));
        let event = TransactWriteItem::builder().put(event.build().unwrap()).build();
        let begun = Instant::now();
        let unit = account.dynamodb.transact_write_items();
        let unit = unit.transact_items(update("nexus_projects", "project_id", "alone"));
        let unit = unit.transact_items(stage("one")).transact_items(stage("two")).transact_items(event);
        unit.send().await.unwrap();
        times.push(begun.elapsed());
    }
    percentile(&mut times, 0.5)
}

#[tokio::main]
async fn main() {
    let account = tokio::task::spawn_blocking(Account::new).await.unwrap();
    let mut home = Home::with_noop_workflow(&settings(&account.url), 0);
    home.set("AWS_ACCESS_KEY_ID", &account.access_key);
    home.set("AWS_SECRET_ACCESS_KEY", "secret");
    let made = Command::new(env!("CARGO_BIN_EXE_nexusd"))
        .args(["resources", "init", "--config"])
        .arg(home.config())
        .env("AWS_ACCESS_KEY_ID", &account.access_key)
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let daemon = home.start();
    build(&daemon, &account, 0).await;
    let alone = alone(&account).await;
    println!("emulator  one transaction of a step, nothing else: p50 {alone:?}");

    let mut posts = Vec::new();
    for n in 0..POSTS {
        // Builds that wait do not disturb: each is built before the next is asked for.
        let begun = Instant::now();
        let project = daemon.create(&format!("posted number {n}"), "noop").await;
        posts.push(begun.elapsed());
        daemon.wait_for(&project, &["completed"]).await;
    }
    let (p50, p99) = (percentile(&mut posts, 0.50), percentile(&mut posts, 0.99));
    println!(
        "post      p50 {p50:?}, p99 {p99:?}: {:.1} transactions of the emulator (one create, one message)",
        p50.as_secs_f64() / alone.as_secs_f64()
    );

    for side_by_side in SIDE_BY_SIDE {
        let before = daemon.cloud_requests().await;
        let begun = Instant::now();
        let builds = futures::stream::iter((0..BUILDS).map(|n| build(&daemon, &account, n)));
        futures::StreamExt::collect::<Vec<()>>(futures::StreamExt::buffer_unordered(builds, side_by_side)).await;
        let took = begun.elapsed();
        let after = daemon.cloud_requests().await;
        let each = |before: f64, after: f64| (after - before) / BUILDS as f64;
        let (dynamodb, sqs) = (each(before.0, after.0), each(before.1, after.1));
        let rate = BUILDS as f64 / took.as_secs_f64();
        println!(
            "builds    {side_by_side} at a time: {rate:.1}/s; {dynamodb:.1} requests to DynamoDB (aim <= 30) and {sqs:.1} to \
             SQS (aim <= 4) each; {:.2} of the time that the emulator alone needs for as many transactions",
            took.as_secs_f64() / (alone.as_secs_f64() * dynamodb * BUILDS as f64)
        );
    }
    let answer = daemon.get("/statistics/overview").await;
    assert_eq!(answer.1["data"]["failed_projects"], json!(0));
}
