//! The store and the queues of the cloud backend under the contract, over the emulator.
#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[macro_use]
mod store_contract;
mod support;

use std::{sync::Arc, time::Duration};

use nexus_daemon::{
    cloud::TroubleLog,
    queue::sqs::{SqsOptions, SqsQueue},
    resources::{Action, Plan},
    store::dynamodb::{DynamoOptions, DynamoStore},
};
use store_contract::world::{Fixture, Recorder};
use support::emulator::Account;

/// SQS counts in whole seconds.
const VISIBILITY: Duration = Duration::from_secs(2);

fn plan() -> Plan {
    Plan {
        prefix: String::new(),
        tables: true,
        queues: true,
        retention_days: [7, 3, 14],
        max_receive_count: 3,
        visibility_secs: VISIBILITY.as_secs(),
    }
}

async fn fixture() -> Fixture {
    let account = tokio::task::spawn_blocking(Account::new).await.unwrap();
    nexus_daemon::resources::run(&plan(), Action::Init, &account.dynamodb, &account.sqs, &|_| {}).await.unwrap();
    let options = SqsOptions {
        trouble: Arc::new(TroubleLog::new("sqs")),
        prefix: String::new(),
        visibility: VISIBILITY,
        max_receive_count: 3,
    };
    let queue = Arc::new(SqsQueue::new(account.sqs.clone(), options));
    let events = Arc::new(Recorder::default());
    let artifacts = Arc::new(object_store::memory::InMemory::new());
    let options = DynamoOptions {
        client: account.dynamodb.clone(),
        trouble: Arc::new(TroubleLog::new("dynamodb")),
        prefix: String::new(),
        queue: queue.clone(),
        artifacts,
        event_retention: Duration::from_secs(86_400),
    };
    let store = DynamoStore::new(options, events.clone());
    Fixture { store, queue, events, visibility: VISIBILITY, one_unit: false, crowd: 300, keep: Box::new(account) }
}

contract!(fixture);
