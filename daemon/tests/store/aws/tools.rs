//! Tools in tables that are shared: more of them than a unit holds, and rows as others leave them.

use nexus_daemon::{
    backend::store::{BuildEnd, PageRequest, ToolFilter},
    domain::{
        agent::InvocationStatus,
        deletion::DeleteOrders,
        ids::{AgentId, ProjectId},
        tool::ToolSource,
    },
};
use serde_json::json;

use super::{
    fences::{by_way_of, claimed, held, store_of},
    place::Place,
    *,
};
use crate::contract::{
    figures::tool,
    world::{done, new_agent},
};
use crate::support::faulty;

fn first_page() -> PageRequest {
    PageRequest { page: 1, limit: 10, cursor: None }
}

async fn generated(store: &DynamoStore) -> u64 {
    let filter = ToolFilter { source: Some(ToolSource::Generated), ..ToolFilter::default() };
    store.list_tools(&filter, &first_page()).await.unwrap().total
}

fn step(end: &[(&str, u32)], begin: &[&str]) -> BuildStep {
    BuildStep {
        ended: end.iter().map(|(name, attempt)| done(name, *attempt)).collect(),
        begin: begin.iter().map(|name| (*name).to_owned()).collect(),
        ..BuildStep::default()
    }
}

/// The last step of a build whose agent has so many tools of its own.
fn last(project: &ProjectId, attempt: u32, prefix: &str, tools: usize) -> BuildStep {
    let mut agent = new_agent(project);
    agent.generated_tools = (0..tools).map(|n| tool(&format!("{prefix}_{n}"), "made")).collect();
    let end = BuildEnd::Completed { agent: Some(Box::new(agent)), deploy: false };
    BuildStep { end: Some(end), ..step(&[("d", attempt)], &[]) }
}

/// Tools that are more than a unit holds are written under the lease as well: an owner that was overtaken writes none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_beyond_one_unit_are_written_under_the_lease() {
    let account = account().await;
    let (url, faults) = faulty::proxy(&account.url).await;
    let (slow, quick) = (by_way_of(&account, &url), store_of(&account));
    for in_flight in [true, false] {
        let build = claimed(&slow, "diamond").await;
        let (lease, id) = (build.lease.clone(), build.lease.project_id.clone());
        slow.advance_build(&lease, step(&[("a", 1)], &["b", "c"])).await.unwrap();
        slow.advance_build(&lease, step(&[("b", 1), ("c", 1)], &["d"])).await.unwrap();
        let late = async |store: Arc<DynamoStore>| store.advance_build(&lease, last(&id, 1, "stale", 250)).await;
        let overtaken = async || {
            quick.extend_leases(std::slice::from_ref(&lease), Timestamp::now()).await.unwrap();
            quick.requeue_task(&lease.task_id).await.unwrap();
            let again = claim_of(&id, Some(lease.task_id.clone()), "w2");
            let Claim::Claimed(build) = quick.claim_build(again, workflows()).await.unwrap() else { panic!() };
            *build
        };
        let (second, refused) = if in_flight {
            *faults.holds.lock().unwrap() = Some("TransactWriteItems");
            let ended = late(slow.clone());
            let overtake = async {
                held(&faults).await;
                let second = overtaken().await;
                *faults.holds.lock().unwrap() = None;
                faults.let_go.notify_waiters();
                second
            };
            let (ended, second) = tokio::join!(ended, overtake);
            (second, ended.unwrap_err())
        } else {
            let second = overtaken().await;
            (second, late(slow.clone()).await.unwrap_err())
        };
        assert_eq!(refused.kind(), BackendErrorKind::Fenced, "{refused}");
        assert_eq!(generated(&quick).await, 0, "nothing of an owner that was overtaken");
        // The next one ends the build with as many.
        let attempt = second.stages.iter().find(|stage| stage.stage_name == "d").unwrap().attempt;
        let (lease, agent) = (&second.lease, AgentId::of_project(&id));
        quick.advance_build(lease, last(&id, attempt, "good", 250)).await.unwrap();
        assert_eq!(generated(&quick).await, 250);
        quick.delete_agent(&agent, DeleteOrders::default()).await.unwrap().unwrap();
        assert_eq!(generated(&quick).await, 0, "they go with their agent");
    }
}

/// The table of the tools as it is where nobody looks tools up by category and use: any type may stand in `usage_count`.
async fn without_the_index(place: &Place) {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
        ScalarAttributeType,
    };
    let client = &place.account.dynamodb;
    client.delete_table().table_name("nexus_tools").send().await.unwrap();
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let attribute = |name: &str| {
        let text = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
        text.build().unwrap()
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name("SourceIndex")
        .key_schema(key("source", KeyType::Hash))
        .key_schema(key("created_at", KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::All).build());
    let table = client.create_table().table_name("nexus_tools").key_schema(key("tool_id", KeyType::Hash));
    let table = table.set_attribute_definitions(Some(["tool_id", "source", "created_at"].map(attribute).to_vec()));
    let table = table.global_secondary_indexes(index.build().unwrap()).billing_mode(BillingMode::PayPerRequest);
    table.send().await.unwrap();
}

/// What counts in a row of a tool may be no number there: a start, a use, a plugin that goes and comes back go on all the
/// same, and what can be read of it is counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_of_tools_may_be_of_any_type() {
    let place = Place::new().await;
    without_the_index(&place).await;
    let store = &place.store;
    let mine = || vec![tool("calc", "math")];
    let build = place.started().await;
    let agent = AgentId::of_project(&build.lease.project_id);
    for (odd, known) in
        [(json!("7"), 7), (json!("many"), 0), (json!(null), 0), (json!(["x"]), 0), (json!({}), 0), (json!(2.0), 2)]
    {
        store.put_system_tools(mine()).await.unwrap();
        let listed = store.list_tools(&ToolFilter::default(), &first_page()).await.unwrap();
        let id = listed.items[0].tool_id.clone();
        let spoil = async || place.set("nexus_tools", ("tool_id", id.as_str()), json!({"usage_count": odd})).await;
        spoil().await;
        // A start, with something to change.
        store.put_system_tools(vec![tool("calc", "numbers")]).await.unwrap();
        assert_eq!(store.tool(&id).await.unwrap().unwrap().usage_count, known, "{odd}");
        // A use: by an agent's call, with the invocation.
        let row = json!({"agent_id": agent.as_str(), "status": "running", "created_at": "2026-01-01T00:00:00Z",
            "total_invocations": odd, "successful_invocations": odd, "avg_duration_ms": odd});
        place.put("nexus_agents", row).await;
        store.record_invocation(invocation_with(&agent, InvocationStatus::Success, &["calc"]), None).await.unwrap();
        assert_eq!(store.tool(&id).await.unwrap().unwrap().usage_count, known + 1, "{odd}");
        // The plugin goes, and comes back.
        spoil().await;
        store.put_system_tools(Vec::new()).await.unwrap();
        assert!(store.tool(&id).await.unwrap().is_none(), "{odd}");
        store.put_system_tools(mine()).await.unwrap();
        assert_eq!(store.tool(&id).await.unwrap().unwrap().usage_count, known, "{odd}");
        store.put_system_tools(Vec::new()).await.unwrap();
    }
}

/// Daemons of a fleet need not have the same plugins: a tool is on the list as long as any of them offers it, and what the
/// original wrote is no daemon's to take away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_is_listed_as_long_as_any_daemon_offers_it() {
    let place = Place::new().await;
    let daemon = |name: &str| {
        let store = store_of(&place.account);
        store.offer_as(name.to_owned());
        store
    };
    let names = async || {
        let listed = place.store.list_tools(&ToolFilter::default(), &first_page()).await.unwrap();
        listed.items.into_iter().map(|tool| tool.tool_name).collect::<Vec<_>>()
    };
    let (calc, clock) = (|| tool("calc", "math"), || tool("clock", "time"));
    let row = json!({"tool_id": "tool_of_the_original", "tool_name": "original", "source": "system", "category": "c",
        "created_at": crate::support::account::ago(60), "usage_count": 3});
    place.put("nexus_tools", row).await;
    let (one, two) = (daemon("one"), daemon("two"));
    one.put_system_tools(vec![calc(), clock()]).await.unwrap();
    assert_eq!(names().await, ["calc", "clock", "original"]);
    // A daemon with one of the two, then one without any plugin.
    two.put_system_tools(vec![clock()]).await.unwrap();
    two.put_system_tools(Vec::new()).await.unwrap();
    assert_eq!(names().await, ["calc", "clock", "original"]);
    two.put_system_tools(vec![clock()]).await.unwrap();
    // The first is started anew without its plugins.
    let id = nexus_daemon::domain::ids::ToolId::of("system", "", "calc");
    let build = place.started().await;
    let agent = AgentId::of_project(&build.lease.project_id);
    place
        .put(
            "nexus_agents",
            json!({"agent_id": agent.as_str(), "status": "running", "created_at": crate::support::account::ago(9)}),
        )
        .await;
    one.record_invocation(invocation_with(&agent, InvocationStatus::Success, &["calc"]), None).await.unwrap();
    daemon("one").put_system_tools(Vec::new()).await.unwrap();
    assert_eq!(names().await, ["clock", "original"]);
    // Whoever brings it back finds what it was used for.
    two.put_system_tools(vec![calc(), clock()]).await.unwrap();
    assert_eq!(
        (names().await, two.tool(&id).await.unwrap().unwrap().usage_count),
        (["calc", "clock", "original"].map(str::to_owned).to_vec(), 1)
    );
    // What a daemon says of its offers is nobody's elsewhere.
    let told = nexus_daemon::backend::store::transfer::Source::batch(
        place.store.as_ref(),
        nexus_daemon::backend::store::transfer::Kind::Tools,
        None,
    )
    .await
    .unwrap()
    .records;
    assert!(told.len() == 3 && told.iter().all(|tool| tool.keys().all(|name| !name.contains("offer"))), "{told:#?}");
    // One that never comes back offers nothing for ever.
    daemon("gone").put_system_tools(vec![calc()]).await.unwrap();
    place.set("nexus_tools", ("tool_id", id.as_str()), json!({"offer#gone": 1_000})).await;
    two.put_system_tools(Vec::new()).await.unwrap();
    assert_eq!(names().await, ["original"]);
}
