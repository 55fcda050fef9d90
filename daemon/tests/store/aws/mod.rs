//! The store and the queues of the cloud backend under the contract, over the emulator.

mod fences;
mod foreign;
mod odd_rows;
mod place;
mod tools;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nexus_daemon::domain::queue::Receive;
use nexus_daemon::{
    backend::{
        aws::{
            dynamodb::{DynamoOptions, DynamoStore},
            resources::{Action, Plan},
            sqs::SqsQueue,
        },
        error::{BackendError, BackendErrorKind},
        queue::{DeadLetter, Delivery, Queue, QueueDepth, QueueNames, Receipt},
        store::{BuildStep, Claim, ClaimBuild, Result, prelude::*},
    },
    domain::{ids::TaskId, queue::QueueName, time::Timestamp},
};

use crate::contract::{
    talk::*,
    world::{Fixture, Recorder, STAGES, claim_of, new_project, worker, workflows},
};
use crate::support::emulator::Account;

/// SQS counts in whole seconds.
const VISIBILITY: Duration = Duration::from_secs(2);

fn plan() -> Plan {
    Plan {
        prefix: String::new(),
        names: QueueNames::default(),
        tables: true,
        queues: true,
        retention_days: [7, 3, 14],
        max_receive_count: 3,
    }
}

fn sqs(account: &Account) -> Arc<SqsQueue> {
    account.queues(VISIBILITY)
}

fn dynamodb(account: &Account, queue: Arc<dyn Queue>, events: Arc<Recorder>) -> Arc<DynamoStore> {
    DynamoStore::new(account.store_options(queue), events)
}

/// An account with tables and queues.
async fn account() -> Account {
    let account = tokio::task::spawn_blocking(Account::new).await.unwrap();
    nexus_daemon::backend::aws::resources::run(&plan(), Action::Init, &account.dynamodb, &account.sqs, &|_| {})
        .await
        .unwrap();
    account
}

async fn fixture() -> Fixture {
    let account = account().await;
    let (queue, events) = (sqs(&account), Arc::new(Recorder::default()));
    let store = dynamodb(&account, queue.clone(), events.clone());
    Fixture { store, queue, events, visibility: VISIBILITY, one_unit: false, crowd: 300, keep: Box::new(account) }
}

contract!(fixture);

#[tokio::test]
async fn a_stop_that_came_with_the_records_is_carried_out_by_the_claim() {
    let account = account().await;
    let store = dynamodb(&account, sqs(&account), Arc::new(Recorder::default()));
    crate::contract::controls::a_stop_that_came_with_the_records_is_carried_out_by_the_claim(&*store, &*store).await;
}

/// Sends nothing while it is closed.
struct Gate {
    inner: Arc<SqsQueue>,
    closed: AtomicBool,
}

#[async_trait::async_trait]
impl Queue for Gate {
    async fn send(&self, queue: QueueName, body: String, priority: u8) -> Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(BackendError::new(BackendErrorKind::Unavailable, "closed"));
        }
        self.inner.send(queue, body, priority).await
    }

    async fn receive(&self, queue: QueueName, max: usize, wait: Duration) -> Result<Vec<Delivery>> {
        self.inner.receive(queue, max, wait).await
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<Vec<bool>> {
        self.inner.extend(receipts, visibility).await
    }

    async fn delete(&self, receipt: &Receipt) -> Result<()> {
        self.inner.delete(receipt).await
    }

    async fn release(&self, receipt: &Receipt, delay: Duration, receive: Receive) -> Result<()> {
        self.inner.release(receipt, delay, receive).await
    }

    async fn dead_letter(&self, receipt: &Receipt, reason: &str) -> Result<()> {
        self.inner.dead_letter(receipt, reason).await
    }

    async fn unsettled_dead_letters(&self, queue: QueueName, max: usize) -> Result<Vec<DeadLetter>> {
        self.inner.unsettled_dead_letters(queue, max).await
    }

    async fn settle_dead_letter(&self, id: &str) -> Result<()> {
        self.inner.settle_dead_letter(id).await
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth> {
        self.inner.depth(queue).await
    }
}

/// A task whose message does not get through is found until it does, whatever it was before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_not_sent_is_sent_later() {
    let account = account().await;
    let gate = Arc::new(Gate { inner: sqs(&account), closed: AtomicBool::new(true) });
    let store = dynamodb(&account, gate.clone(), Arc::new(Recorder::default()));
    let later = || Timestamp::now().plus(Duration::from_secs(120));
    let is_stranded = async |task: &TaskId| {
        let stranded = store.stranded_tasks(later(), 10).await.unwrap();
        stranded.iter().any(|one| one.task_id == *task)
    };
    let new = new_project("agent_build", 3);
    let task = new.project.task_id.clone().unwrap();
    store.create_project(new.clone()).await.unwrap();
    assert!(is_stranded(&task).await, "it was never sent");
    store.requeue_task(&task).await.unwrap();
    assert!(is_stranded(&task).await, "nor this time");
    gate.closed.store(false, Ordering::Relaxed);
    store.requeue_task(&task).await.unwrap();
    assert!(!is_stranded(&task).await, "sent");
    assert_eq!(gate.depth(QueueName::Build).await.unwrap().visible, 1);
    // Its owner dies, and the message that is to bring another does not get through either.
    let claim =
        ClaimBuild { lease_until: Timestamp::now(), ..claim_of(&new.project.project_id, Some(task.clone()), "w1") };
    let Claim::Claimed(build) = store.claim_build(claim.clone(), workflows()).await.unwrap() else { panic!("claimed") };
    gate.closed.store(true, Ordering::Relaxed);
    store.requeue_task(&task).await.unwrap();
    assert!(is_stranded(&task).await, "it still waits for its message");
    let late = BuildStep { begin: vec![STAGES[1].into()], ..BuildStep::default() };
    assert_eq!(store.advance_build(&build.lease, late).await.unwrap_err().kind(), BackendErrorKind::Fenced);
    gate.closed.store(false, Ordering::Relaxed);
    store.requeue_task(&task).await.unwrap();
    assert!(!is_stranded(&task).await);
    assert_eq!(gate.depth(QueueName::Build).await.unwrap().visible, 2);
    // Who holds it keeps it, whatever another daemon's list says.
    let held = ClaimBuild { lease_until: later(), worker_id: worker("w2"), ..claim };
    let Claim::Claimed(build) = store.claim_build(held, workflows()).await.unwrap() else { panic!("claimed") };
    store.requeue_task(&task).await.unwrap();
    assert!(store.extend_leases(std::slice::from_ref(&build.lease), later()).await.unwrap()[0].held);
}

/// No item comes near the limit of a table; what is moved away is named by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_items_leave_a_reference() {
    let account = account().await;
    let store = dynamodb(&account, sqs(&account), Arc::new(Recorder::default()));
    let new = new_project("agent_build", 3);
    let id = &new.project.project_id;
    store.create_project(new.clone()).await.unwrap();
    let claim = claim_of(id, new.project.task_id.clone(), "w1");
    let Claim::Claimed(build) = store.claim_build(claim, workflows()).await.unwrap() else { panic!("claimed") };
    let mut end = crate::contract::world::done(STAGES[0], 1);
    end.logs = (0..100).map(|n| format!("{n} {}", "x".repeat(5_000))).collect();
    let step = BuildStep { ended: vec![end.clone()], begin: vec![STAGES[1].into()], ..BuildStep::default() };
    store.advance_build(&build.lease, step).await.unwrap();
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let get = account.dynamodb.get_item().table_name("nexus_stages").key("project_id", text(id.as_str()));
    let item = get.key("stage_name", text(STAGES[0])).send().await.unwrap().item.unwrap();
    assert!(item.contains_key("overflow_ref") && !item.contains_key("logs"), "{:?}", item.keys());
    assert_eq!(item["status"], text("completed"), "what lists and conditions read stays");
    assert_eq!(store.stages(id).await.unwrap()[0].logs, end.logs);
}

/// What is too large for a table belongs to something, and goes with it: conversations, invocations, answers that are
/// kept for a repeated request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_large_outlives_what_it_belongs_to() {
    use futures::StreamExt as _;
    use nexus_daemon::backend::store::NewMessage;
    use nexus_daemon::domain::{deletion::DeleteOrders, session::Role};
    use object_store::{ObjectStore as _, ObjectStoreExt as _};

    let account = account().await;
    let (queue, events) = (sqs(&account), Arc::new(Recorder::default()));
    let objects = Arc::new(object_store::memory::InMemory::new());
    let options = DynamoOptions { artifacts: objects.clone(), ..account.store_options(queue.clone()) };
    let store = DynamoStore::new(options, events.clone());
    let f = Fixture {
        store: store.clone(),
        queue,
        events,
        visibility: VISIBILITY,
        one_unit: false,
        crowd: 1,
        keep: Box::new(account.access_key.clone()),
    };
    let paths =
        async || -> Vec<String> { objects.list(None).map(|one| one.unwrap().location.to_string()).collect().await };
    let (_, agent) = f.completed().await;
    let session = session_of(&agent);
    store.create_session(session.clone(), None).await.unwrap();
    let large = crate::contract::records::large("an answer");
    let idempotency = crate::contract::figures::kept("k", serde_json::json!(large));
    let message = NewMessage { idempotency: Some(idempotency), ..message(&session.session_id, Role::User, &large) };
    store.append_message(message).await.unwrap();
    let of_session = format!("sessions/{}/overflow/", session.session_id);
    let found = paths().await;
    assert!(found.len() == 2 && found.iter().all(|path| path.starts_with(&of_session)), "{found:?}");
    // As a daemon of before left it: the item refers to it, the place says nothing.
    let shared = object_store::path::Path::from("shared/overflow/old.json");
    let items = account.dynamodb.scan().table_name("nexus_messages").send().await.unwrap();
    let mut item = items.items()[0].clone();
    let referred = item["overflow_ref"].as_s().unwrap().clone();
    objects.rename(&object_store::path::Path::from(referred.as_str()), &shared).await.unwrap();
    item.insert("overflow_ref".into(), aws_sdk_dynamodb::types::AttributeValue::S(shared.to_string()));
    account.dynamodb.put_item().table_name("nexus_messages").set_item(Some(item)).send().await.unwrap();
    assert_eq!(store.delete_session(&session.session_id).await.unwrap(), Some(1));
    assert_eq!(paths().await, Vec::<String>::new());
    assert_eq!(store.key_record("k").await.unwrap().unwrap().answer, None, "it went with what it was about");

    let good = nexus_daemon::domain::agent::InvocationStatus::Success;
    let mut invocation = invocation(&agent, good, 100);
    invocation.output_text = Some(large.clone());
    let idempotency = crate::contract::figures::kept("i", serde_json::json!(large));
    store.record_invocation(invocation, Some(idempotency)).await.unwrap();
    let of_agent = format!("agents/{agent}/overflow/");
    let found = paths().await;
    assert!(found.len() == 2 && found.iter().all(|path| path.starts_with(&of_agent)), "{found:?}");
    // What a daemon wrote and then ended before it wrote the item.
    let lost = format!("{of_agent}lost.json");
    let path = object_store::path::Path::from(lost.as_str());
    objects.put_opts(&path, "{}".into(), object_store::PutOptions::default()).await.unwrap();
    let orphans = store.orphans_older_than(Duration::ZERO).await.unwrap();
    assert_eq!(
        orphans.iter().map(|orphan| (orphan.path.as_str(), orphan.bytes)).collect::<Vec<_>>(),
        [(lost.as_str(), 2)]
    );
    assert!(store.orphans().await.unwrap().is_empty(), "its item may be on its way");
    store.delete_agent(&agent, DeleteOrders::default()).await.unwrap().unwrap();
    assert_eq!(paths().await, Vec::<String>::new());
    f.end().await;
}

/// Messages that were received before an error are hidden from everybody else: they are handed out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_received_before_an_error_is_handed_out() {
    let account = account().await;
    let (url, faults) = crate::support::faulty::proxy(&account.url).await;
    let client = aws_sdk_sqs::Client::from_conf(account.sqs.config().to_builder().endpoint_url(url).build());
    let queue = SqsQueue::new(client, crate::support::account::queue_options(Duration::from_secs(60)));
    let sent: Vec<String> = (0..15).map(|n| format!("{{\"task_id\": \"task_{n}\"}}")).collect();
    for body in &sent {
        queue.send(QueueName::Build, body.clone(), 3).await.unwrap();
    }
    let letters = async || queue.unsettled_dead_letters(QueueName::BuildDead, 100).await;
    for n in 0..12 {
        queue.bury(QueueName::BuildDead, "{}", 3, "").await.unwrap_or_else(|error| panic!("letter {n}: {error}"));
    }
    let receives = |left: Option<u32>| *faults.receives.lock().unwrap() = left;
    receives(Some(1));
    let first = queue.receive(QueueName::Build, 15, Duration::ZERO).await.unwrap();
    assert_eq!(first.len(), 10, "the first of two receives");
    assert!(queue.receive(QueueName::Build, 15, Duration::ZERO).await.is_err(), "with nothing in hand it is told");
    // The same of dead letters, which are not hidden for long. (Those that were moved by hand have a reason.)
    assert!(letters().await.is_err());
    receives(None);
    let rest = queue.receive(QueueName::Build, 15, Duration::ZERO).await.unwrap();
    let mut all: Vec<String> = first.iter().chain(&rest).map(|delivery| delivery.body.clone()).collect();
    let mut sent = sent;
    all.sort();
    sent.sort();
    assert_eq!(all, sent);
}
