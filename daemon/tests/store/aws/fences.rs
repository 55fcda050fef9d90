//! What two daemons on the same tables do to each other, and what stands in rows that the original wrote.

use aws_sdk_dynamodb::types::AttributeValue;
use nexus_daemon::{
    backend::{
        queue::DeployMessage,
        store::{
            AgentFilter, BuildEnd, ClaimedBuild, DeployClaim, DeployEnd, Origin, PageRequest, ProjectFilter, prelude::*,
        },
    },
    domain::{
        agent::{AgentStatus, InvocationStatus},
        control::{ControlAction, ControlRequest},
        event::{EventType, NewEvent},
        ids::AgentId,
    },
};
use serde_json::json;

use super::*;
use crate::contract::world::{done, new_agent};
use crate::support::faulty;

pub fn store_of(account: &Account) -> Arc<DynamoStore> {
    dynamodb(account, sqs(account), Arc::new(Recorder::default()))
}

/// A store whose requests go by way of a proxy. A try waits as long as the request is held there.
pub fn by_way_of(account: &Account, url: &str) -> Arc<DynamoStore> {
    let config = account.dynamodb.config().to_builder().endpoint_url(url).build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    let options = DynamoOptions { client, ..account.store_options(sqs(account)) };
    DynamoStore::new(options, Arc::new(Recorder::default()))
}

pub async fn claimed(store: &DynamoStore, workflow: &str) -> ClaimedBuild {
    let new = new_project(workflow, 3);
    store.create_project(new.clone()).await.unwrap();
    let claim = claim_of(&new.project.project_id, new.project.task_id.clone(), "w1");
    let Claim::Claimed(build) = store.claim_build(claim, workflows()).await.unwrap() else { panic!("claimed") };
    *build
}

/// A build that is complete but for its deployment: the agent, and the claim of its deploy task.
async fn to_deploy(account: &Account, store: &DynamoStore) -> (AgentId, ClaimBuild) {
    let build = claimed(store, "diamond").await;
    let lease = &build.lease;
    let step = |end: &[&str], begin: &[&str]| BuildStep {
        ended: end.iter().map(|name| done(name, 1)).collect(),
        begin: begin.iter().map(|name| (*name).to_owned()).collect(),
        ..BuildStep::default()
    };
    store.advance_build(lease, step(&["a"], &["b", "c"])).await.unwrap();
    store.advance_build(lease, step(&["b", "c"], &["d"])).await.unwrap();
    let end = BuildEnd::Completed { agent: Some(Box::new(new_agent(&lease.project_id))), deploy: true };
    store.advance_build(lease, BuildStep { end: Some(end), ..step(&["d"], &[]) }).await.unwrap();
    let queue = sqs(account);
    // Copies of earlier deployments' messages may lie before it.
    let message = loop {
        let letter =
            queue.receive(QueueName::Deploy, 1, Duration::from_secs(5)).await.unwrap().pop().expect("a message");
        queue.delete(&letter.receipt).await.unwrap();
        let message = DeployMessage::parse(&letter.body).unwrap();
        if message.project_id == lease.project_id {
            break message;
        }
    };
    (message.agent_id, claim_of(&message.project_id, message.task_id, "w1"))
}

pub async fn held(faults: &faulty::Faults) {
    for _ in 0..1_000 {
        if faults.held.load(Ordering::Relaxed) > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no request came to be held");
}

/// The write of an owner that was overtaken reaches the table late: it changes nothing, whatever it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_held_up_is_refused() {
    let account = account().await;
    let (url, faults) = faulty::proxy(&account.url).await;
    let (slow, quick) = (by_way_of(&account, &url), store_of(&account));
    for what in ["finish", "fail", "release", "events"] {
        let (id, claim) = to_deploy(&account, &quick).await;
        let DeployClaim::Claimed { lease: first, .. } = slow.claim_deploy(claim.clone()).await.unwrap() else {
            panic!()
        };
        let building = claimed(&slow, "agent_build").await;
        *faults.holds.lock().unwrap() = Some("TransactWriteItems");
        let (store, agent, lease, build) = (slow.clone(), id.clone(), first.clone(), building.lease.clone());
        let late = tokio::spawn(async move {
            let end = |result| DeployEnd { agent_id: agent.clone(), result, receipt: None };
            let failure = nexus_daemon::domain::failure::Failure::new(
                nexus_daemon::domain::failure::FailureKind::Permanent,
                "late",
            );
            match what {
                "finish" => store.finish_deploy(&lease, end(Ok(json!({"by": "the first"})))).await,
                "fail" => store.finish_deploy(&lease, end(Err(failure))).await,
                "release" => store.release_lease(&lease, None).await,
                _ => {
                    let event = NewEvent::new(EventType::Stage, json!({"status": "running", "stage_progress": 30.0}));
                    store.append_events(&build.project_id, Origin::Lease(&build), vec![event]).await
                }
            }
        });
        held(&faults).await;
        // Its leases lapse, and another takes over.
        quick.extend_leases(&[first.clone(), building.lease.clone()], Timestamp::now()).await.unwrap();
        quick.requeue_task(&first.task_id).await.unwrap();
        quick.requeue_task(&building.lease.task_id).await.unwrap();
        let other = ClaimBuild { worker_id: worker("w2"), ..claim };
        let DeployClaim::Claimed { lease: second, .. } = quick.claim_deploy(other).await.unwrap() else { panic!() };
        let again = claim_of(&building.lease.project_id, Some(building.lease.task_id.clone()), "w2");
        assert!(matches!(quick.claim_build(again, workflows()).await.unwrap(), Claim::Claimed(_)));
        let told = quick.events_after(&building.lease.project_id, 0, 1_000).await.unwrap();
        *faults.holds.lock().unwrap() = None;
        faults.let_go.notify_waiters();
        let refused = late.await.unwrap().unwrap_err();
        assert_eq!(refused.kind(), BackendErrorKind::Fenced, "{what}: {refused}");
        let task = quick.task(&second.task_id).await.unwrap().unwrap();
        assert_eq!((task.status.as_str(), task.worker_id), ("running", Some(worker("w2"))), "{what}");
        assert_eq!(quick.agent(&id).await.unwrap().unwrap().status, AgentStatus::Deploying, "{what}");
        assert_eq!(quick.events_after(&building.lease.project_id, 0, 1_000).await.unwrap(), told, "{what}");
        let end = DeployEnd { agent_id: id.clone(), result: Ok(json!({"by": "the second"})), receipt: None };
        quick.finish_deploy(&second, end).await.unwrap();
        let agent = quick.agent(&id).await.unwrap().unwrap();
        assert_eq!(agent.deployment_details, Some(json!({"by": "the second"})), "{what}");
    }
}

/// Of what a change names, nothing is older than the revision that it names: between the read of a project and of its
/// stages another daemon may begin one, which a stop must not leave running for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_a_stage_that_began_while_it_was_read() {
    let account = account().await;
    let (url, faults) = faulty::proxy(&account.url).await;
    let (slow, quick) = (by_way_of(&account, &url), store_of(&account));
    let new = new_project("agent_build", 3);
    let id = new.project.project_id.clone();
    quick.create_project(new.clone()).await.unwrap();
    let before = faults.requests.load(Ordering::Relaxed);
    *faults.holds.lock().unwrap() = Some("GetItem");
    let (store, project) = (slow.clone(), id.clone());
    let stop = tokio::spawn(async move {
        let action = ControlAction::Stop;
        let request = ControlRequest { action, reason: None, from_stage: None, requested_by: None };
        store.control(&project, request, workflows()).await
    });
    held(&faults).await;
    // A reader of stages beside the project would have them now.
    let beside = async {
        while faults.requests.load(Ordering::Relaxed) < before + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let _none_reads_them = tokio::time::timeout(Duration::from_millis(300), beside).await;
    let claim = claim_of(&id, new.project.task_id.clone(), "w1");
    assert!(matches!(quick.claim_build(claim, workflows()).await.unwrap(), Claim::Claimed(_)));
    *faults.holds.lock().unwrap() = None;
    faults.let_go.notify_waiters();
    stop.await.unwrap().unwrap();
    let detail = quick.project_detail(&id).await.unwrap().unwrap();
    assert_eq!(detail.project.status.as_str(), "cancelled");
    let running: Vec<_> = detail.stages.iter().filter(|stage| stage.status.as_str() == "running").collect();
    assert!(running.is_empty(), "{running:#?}");
}

/// A count that a daemon keeps for a while decides nothing: rows that another wrote are on the page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_count_hides_no_rows_and_no_pages() {
    let account = account().await;
    let (one, other) = (store_of(&account), store_of(&account));
    let page = |page, limit| PageRequest { page, limit, cursor: None };
    let filter = ProjectFilter::default();
    assert_eq!(one.list_projects(&filter, &page(1, 10)).await.unwrap().total, 0);
    assert_eq!(one.list_agents(&AgentFilter::default(), &page(1, 10)).await.unwrap().total, 0);
    to_deploy(&account, &other).await;
    for _ in 0..4 {
        other.create_project(new_project("agent_build", 3)).await.unwrap();
    }
    for filter in [filter.clone(), ProjectFilter { user_id: Some("anna".into()), ..filter.clone() }] {
        let found = one.list_projects(&filter, &page(1, 10)).await.unwrap();
        assert_eq!((found.items.len(), found.total), (5, 5));
        let found = one.list_projects(&filter, &page(1, 2)).await.unwrap();
        assert!(found.items.len() == 2 && found.total > 2 && found.next_cursor.is_some(), "{}", found.total);
        // The third page is there, too, and so is what the cursor leads to.
        assert_eq!(one.list_projects(&filter, &page(3, 2)).await.unwrap().items.len(), 1);
        let rest = PageRequest { cursor: found.next_cursor, ..page(1, 10) };
        assert_eq!(one.list_projects(&filter, &rest).await.unwrap().items.len(), 3);
        let none = one.list_projects(&filter, &page(9, 2)).await.unwrap();
        assert!(none.items.is_empty());
        assert!(one.list_projects(&filter, &page(1_000_000, 100)).await.unwrap().items.is_empty());
    }
    let agents = one.list_agents(&AgentFilter::default(), &page(1, 10)).await.unwrap();
    assert_eq!((agents.items.len(), agents.total), (1, 1));
}

/// Rows of the original lack figures, or have them as null, as text, as decimals, and a mean without its sum.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_the_original_are_added_to() {
    let account = account().await;
    let store = store_of(&account);
    let (text, number) = (|t: &str| AttributeValue::S(t.into()), |n: &str| AttributeValue::N(n.into()));
    type Case<'a> = (&'a [(&'a str, AttributeValue)], u64, f64);
    let cases: [Case<'_>; 5] = [
        (&[], 0, 0.0),
        (
            &[
                ("total_invocations", AttributeValue::Null(true)),
                ("successful_invocations", AttributeValue::Null(true)),
            ],
            0,
            0.0,
        ),
        (&[("total_invocations", text("3")), ("avg_duration_ms", text("10"))], 3, 10.0),
        (&[("total_invocations", number("4")), ("avg_duration_ms", number("25.5"))], 4, 25.5),
        (
            &[
                ("total_invocations", number("2.0")),
                ("failed_invocations", text("1")),
                ("avg_duration_ms", number("1")),
            ],
            2,
            1.0,
        ),
    ];
    for (attributes, before, mean) in cases {
        let id = AgentId::generate();
        let mut put = account.dynamodb.put_item().table_name("nexus_agents").item("agent_id", text(id.as_str()));
        put = put.item("status", text("running")).item("created_at", text("2026-01-01T00:00:00"));
        for (name, value) in attributes {
            put = put.item(*name, value.clone());
        }
        put.send().await.unwrap();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (store, one) = (store.clone(), invocation(&id, InvocationStatus::Success, 100));
            all.spawn(async move { store.record_invocation(one, None).await });
        }
        for ended in all.join_all().await {
            ended.unwrap();
        }
        let agent = store.agent(&id).await.unwrap().unwrap();
        assert_eq!((agent.total_invocations, agent.successful_invocations), (before + 8, 8), "{attributes:?}");
        let right = (mean * before as f64 + 800.0) / (before + 8) as f64;
        assert!((agent.avg_duration_ms - right).abs() < 0.1, "{attributes:?}: {} {right}", agent.avg_duration_ms);
    }
}

/// A commit whose tries hung shows up in the feed with the moment at which it began: it is told all the same, though it is
/// the last of its project.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_seen_late_is_told() {
    let account = account().await;
    let (listener, other) = (Arc::new(Recorder::default()), store_of(&account));
    let here = dynamodb(&account, sqs(&account), listener.clone());
    here.follow_others();
    let new = new_project("agent_build", 3);
    let id = &new.project.project_id;
    let said = async |seq: u64| {
        for _ in 0..400 {
            if listener.of(id).iter().any(|event| event.seq == seq) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{seq} is never told");
    };
    other.create_project(new.clone()).await.unwrap();
    said(1).await;
    // So long that the moment is behind what the near looks read again.
    let begun = Timestamp::now();
    tokio::time::sleep(Duration::from_secs(8)).await;
    let get = account.dynamodb.get_item().table_name("nexus_project_events");
    let get = get.key("project_id", AttributeValue::S(id.to_string())).key("seq", AttributeValue::N("1".into()));
    let mut item = get.send().await.unwrap().item.unwrap();
    item.insert("seq".into(), AttributeValue::N("2".into()));
    item.insert("feed_at".into(), AttributeValue::S(format!("{:020}", begun.as_micros())));
    account.dynamodb.put_item().table_name("nexus_project_events").set_item(Some(item)).send().await.unwrap();
    said(2).await;
    let seqs: Vec<u64> = listener.of(id).iter().map(|event| event.seq).collect();
    assert_eq!(seqs, [1, 2], "once each");
}
