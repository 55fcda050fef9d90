//! What only the store itself tells: rows of invocations, queues, dead letters, a sound file.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::AttributeValue;
use rusqlite::{Connection, OpenFlags};

use super::{Backend, Client, World};
use crate::cloud::depth;

fn open(world: &World) -> Connection {
    let file = world.slots[0].data().join("nexus.db");
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the database opens")
}

/// Answers by invocation, as recorded.
pub(super) async fn invocations(world: &World, agent: &str) -> BTreeMap<String, String> {
    match &world.backend {
        Backend::Embedded => {
            let database = open(world);
            let sql = "SELECT invocation_id, coalesce(output_text, '') FROM nexus_invocations WHERE agent_id = ?1";
            let mut rows = database.prepare(sql).expect("a statement");
            let rows = rows.query_map([agent], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
            rows.map(|row| row.expect("a row")).collect()
        }
        Backend::Cloud { account, .. } => {
            let scan = account.dynamodb.scan().table_name("nexus_invocations").consistent_read(true);
            let scan = scan.filter_expression("agent_id = :a");
            let scan = scan.expression_attribute_values(":a", AttributeValue::S(agent.to_owned()));
            let mut pages = scan.into_paginator().items().send();
            let mut found = BTreeMap::new();
            while let Some(item) = pages.next().await {
                let item = item.expect("a row");
                let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
                found.insert(text("invocation_id"), text("output_text"));
            }
            found
        }
    }
}

/// Messages that wait, and dead letters.
async fn waiting(world: &World) -> (u64, Vec<String>) {
    match &world.backend {
        Backend::Embedded => {
            let database = open(world);
            let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
            let letters = "SELECT queue || ' ' || coalesce(task_id, '') || ' ' || coalesce(reason, '') \
                           FROM queue_messages WHERE reason IS NOT NULL";
            let mut letters = database.prepare(letters).expect("a statement");
            let letters =
                letters.query_map([], |row| row.get(0)).expect("rows").map(|row| row.expect("a row")).collect();
            let left = count("SELECT count(*) FROM queue_messages WHERE reason IS NULL");
            (u64::try_from(left).unwrap_or(0), letters)
        }
        Backend::Cloud { account, .. } => {
            let mut left = 0;
            for queue in ["nexus-build-queue", "nexus-deploy-queue"] {
                let (visible, hidden) = depth(account, queue).await;
                left += visible + hidden;
            }
            let mut letters = Vec::new();
            for queue in ["nexus-build-dlq", "nexus-deploy-dlq"] {
                let depth = depth(account, queue).await;
                if depth != (0, 0) {
                    letters.push(format!("{queue}: {depth:?}"));
                }
            }
            (left, letters)
        }
    }
}

/// Nothing waits any more, and nothing was given up.
pub(super) async fn queues(client: &Client) {
    let begun = Instant::now();
    loop {
        let (left, letters) = waiting(&client.world).await;
        if left == 0 && letters.is_empty() {
            return;
        }
        if begun.elapsed() > Duration::from_secs(60) {
            let ledger = &client.world.ledger;
            ledger.check(left == 0, &[], || format!("{left} messages wait although nothing is to be done"));
            for letter in letters {
                let ids: Vec<&str> = letter.split(' ').filter(|word| word.starts_with("task_")).collect();
                ledger.violation(format!("a dead letter: {letter}"), &ids);
            }
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// With the daemon down, its file is sound.
pub(super) fn integrity(world: &World) {
    if !world.is_cloud() {
        let check: String = open(world).query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        world.ledger.check(check == "ok", &["fault"], || format!("the database is damaged: {check}"));
    }
}
