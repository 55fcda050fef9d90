//! Counts, figures by day, tools, and requests that may come twice.

use std::time::Duration;

use nexus_daemon::domain::deletion::ProjectAgents;
use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        store::{AgentFilter, KeptAnswer, NewMessage, ProjectFilter, ProjectSort, ToolFilter},
    },
    domain::{
        agent::{AgentChange, AgentStatus, Invocation, InvocationStatus},
        project::ProjectStatus,
        session::Role,
        time::Timestamp,
        tool::{NewTool, ToolSource},
    },
};
use serde_json::json;

use super::{talk::*, world::*};

/// A tool of a plugin, or of a build.
pub fn tool(name: &str, category: &str) -> NewTool {
    NewTool {
        tool_name: name.into(),
        display_name: format!("The {name}"),
        description: format!("does what a {name} does"),
        category: category.into(),
        version: "1.0.0".into(),
        code_path: Some(format!("tools/{name}.py")),
        schema: Some(json!({ "type": "object" })),
        dependencies: vec!["numpy".into()],
        code: Some("print(1)".into()),
    }
}

/// Every page by its number, from both ends, is the slice of the whole that it should be.
pub async fn every_page_is_its_slice_of_the_whole(f: &Fixture) {
    for _ in 0..23 {
        f.create().await;
    }
    let (built, _) = f.completed().await;
    for sort in [ProjectSort::Newest, ProjectSort::Oldest, ProjectSort::RecentlyUpdated, ProjectSort::Name] {
        for status in [None, Some(ProjectStatus::Queued), Some(ProjectStatus::Completed)] {
            let filter = ProjectFilter { sort, status, ..ProjectFilter::default() };
            let whole = f.store.list_projects(&filter, &page(1, 100)).await.unwrap();
            assert_eq!(whole.total, whole.items.len() as u64);
            for limit in [1, 4, 7, 24] {
                for number in 1..=26 {
                    let found = f.store.list_projects(&filter, &page(number, limit)).await.unwrap();
                    let from = ((number - 1) * limit).min(whole.total) as usize;
                    let to = (from + limit as usize).min(whole.items.len());
                    assert_eq!(found.items, whole.items[from..to], "{sort:?} {status:?} page {number} of {limit}");
                    assert_eq!(found.next_cursor.is_some(), to < whole.items.len(), "{sort:?} {number} of {limit}");
                    assert_eq!(found.total, whole.total);
                }
            }
        }
    }
    assert!(f.store.project(&built).await.unwrap().is_some());
}

/// Totals come from counts that follow every change, also one that is rolled back.
pub async fn totals_follow_every_change(f: &Fixture) {
    let total = |status| async move {
        let filter = ProjectFilter { status, ..ProjectFilter::default() };
        f.store.list_projects(&filter, &page(1, 1)).await.unwrap().total
    };
    let new = f.create().await;
    assert_eq!((total(None).await, total(Some(ProjectStatus::Queued)).await), (1, 1));
    // The same project again: refused after its first write.
    assert!(f.store.create_project(new.clone()).await.is_err());
    assert_eq!(total(None).await, 1);
    let (built, agent) = f.completed().await;
    assert_eq!((total(None).await, total(Some(ProjectStatus::Completed)).await), (2, 1));
    let agents = f.store.list_agents(&AgentFilter::default(), &page(1, 10)).await.unwrap();
    assert_eq!((agents.total, agents.items.len()), (1, 1));
    assert_eq!(agents.items[0].agent_id, agent);
    f.store.delete_project(&built, ProjectAgents::Delete).await.unwrap().unwrap();
    // The build may have taken the first.
    let left = f.store.list_projects(&ProjectFilter::default(), &page(1, 10)).await.unwrap();
    assert_eq!(left.total, 1);
    f.store.delete_project(&left.items[0].project_id, ProjectAgents::Delete).await.unwrap().unwrap();
    assert_eq!((total(None).await, total(Some(ProjectStatus::Completed)).await), (0, 0));
    assert_eq!(f.store.list_agents(&AgentFilter::default(), &page(1, 10)).await.unwrap().total, 0);
}

pub async fn figures_are_real_and_every_day_is_there(f: &Fixture) {
    let now = Timestamp::now();
    let empty = f.store.overview(now).await.unwrap();
    assert_eq!((empty.total_projects, empty.success_rate, empty.avg_build_time_minutes), (0, 0.0, 0.0));
    let (_, agent) = f.completed().await;
    f.failed().await;
    f.create().await;
    f.store.record_invocation(invocation(&agent, InvocationStatus::Success, 100), None).await.unwrap();
    f.store.record_invocation(invocation(&agent, InvocationStatus::Failed, 100), None).await.unwrap();
    let overview = f.store.overview(now).await.unwrap();
    assert_eq!((overview.total_projects, overview.completed_projects, overview.failed_projects), (3, 1, 1));
    assert_eq!((overview.total_invocations, overview.today_invocations), (2, 2));
    assert!((overview.success_rate - 50.0).abs() < 1e-9);
    assert!(overview.avg_build_time_minutes >= 0.0 && overview.avg_build_time_minutes < 1.0);

    let days = f.store.build_days(7, now).await.unwrap();
    assert_eq!(days.len(), 7);
    let today = days.last().unwrap();
    assert_eq!(today.date, now.to_string()[..10]);
    assert_eq!((today.total, today.successful, today.failed), (2, 1, 1));
    assert!(days[..6].iter().all(|day| day.total == 0) && days.windows(2).all(|pair| pair[0].date < pair[1].date));
    let days = f.store.invocation_days(1, now).await.unwrap();
    assert_eq!((days[0].total, days[0].successful, days[0].failed), (2, 1, 1));
    assert!((days[0].avg_duration_ms - 100.0).abs() < 1e-9);

    let top = f.store.top_agents(5).await.unwrap();
    assert_eq!((top[0].agent_id.clone(), top[0].total_invocations), (agent.clone(), 2));
    let categories = f.store.agent_categories().await.unwrap();
    assert_eq!(categories.iter().map(|c| c.1).sum::<u64>(), 1);
    let activities = f.store.recent_activities(20).await.unwrap();
    assert!(activities.windows(2).all(|pair| pair[0].timestamp >= pair[1].timestamp));
    for action in ["created", "completed", "failed", "invoked"] {
        assert!(activities.iter().any(|a| a.action == action), "{action}: {activities:?}");
    }
    assert_eq!(f.store.recent_activities(2).await.unwrap().len(), 2);
}

pub async fn tools_are_kept_counted_and_removed(f: &Fixture) {
    f.store.put_system_tools(vec![tool("calc", "math"), tool("now", "time")]).await.unwrap();
    let all = f.store.list_tools(&ToolFilter::default(), &page(1, 10)).await.unwrap();
    let names: Vec<_> = all.items.iter().map(|t| t.tool_name.as_str()).collect();
    assert_eq!((names, all.total), (vec!["calc", "now"], 2));
    let (_, agent) = f.completed().await;
    f.store
        .record_invocation(invocation_with(&agent, InvocationStatus::Success, &["calc", "calc"]), None)
        .await
        .unwrap();
    let calc = f.store.tool(&all.items[0].tool_id).await.unwrap().unwrap();
    assert_eq!((calc.usage_count, calc.source), (2, ToolSource::System));
    assert_eq!(f.store.tool_code(&calc.tool_id).await.unwrap().as_deref(), Some("print(1)"));
    // Known again: its use stays. One that is not told any more goes.
    f.store.put_system_tools(vec![tool("calc", "numbers")]).await.unwrap();
    let again = f.store.tool(&calc.tool_id).await.unwrap().unwrap();
    assert_eq!((again.usage_count, again.category.as_str(), again.created_at), (2, "numbers", calc.created_at));
    assert_eq!(f.store.tool_categories().await.unwrap(), [("numbers".to_owned(), 1)]);
    // Off the list while its plugin is away, and back with its use and its birth.
    f.store.put_system_tools(Vec::new()).await.unwrap();
    assert_eq!(f.store.tool(&calc.tool_id).await.unwrap(), None);
    f.store.put_system_tools(Vec::new()).await.unwrap();
    f.store.put_system_tools(vec![tool("calc", "numbers")]).await.unwrap();
    let back = f.store.tool(&calc.tool_id).await.unwrap().unwrap();
    assert_eq!((back.usage_count, back.created_at), (2, calc.created_at));
    f.store.put_system_tools(vec![tool("calc", "numbers")]).await.unwrap();
    assert_eq!(f.store.tool(&calc.tool_id).await.unwrap().unwrap().usage_count, 2, "given back once");
    for (filter, count) in [
        (ToolFilter { q: Some("CALC DOES".into()), ..ToolFilter::default() }, 1),
        (ToolFilter { source: Some(ToolSource::Generated), ..ToolFilter::default() }, 0),
        (ToolFilter { category: Some("math".into()), ..ToolFilter::default() }, 0),
        (ToolFilter { name: Some("calc".into()), ..ToolFilter::default() }, 1),
    ] {
        assert_eq!(f.store.list_tools(&filter, &page(1, 10)).await.unwrap().total, count, "{filter:?}");
    }
}

pub async fn an_agent_is_changed_by_its_machine(f: &Fixture) {
    let (_, agent) = f.completed().await;
    let change =
        AgentChange { agent_name: Some("new".into()), tools: Some(vec!["a".into()]), ..AgentChange::default() };
    let changed = f.store.update_agent(&agent, change).await.unwrap().unwrap();
    assert_eq!((changed.agent_name.as_str(), changed.tools.as_slice()), ("new", ["a".to_owned()].as_slice()));
    let building = AgentChange { status: Some(AgentStatus::Building), ..AgentChange::default() };
    assert_eq!(f.store.update_agent(&agent, building).await.unwrap_err().kind(), BackendErrorKind::Illegal);
    let offline = AgentChange { status: Some(AgentStatus::Offline), ..AgentChange::default() };
    assert_eq!(f.store.update_agent(&agent, offline).await.unwrap().unwrap().status, AgentStatus::Offline);
    assert!(f.store.update_agent(&"agent_none".parse().unwrap(), AgentChange::default()).await.unwrap().is_none());
}

/// What a request leaves that takes its key in one unit.
pub fn kept(key: &str, answer: serde_json::Value) -> KeptAnswer {
    KeptAnswer { key: key.into(), fingerprint: "f".into(), answer, holder: None }
}

pub async fn a_request_that_comes_twice_creates_once(f: &Fixture) {
    let once = |answer: &str| kept("k", json!({ "is": answer }));
    let mut first = new_project("agent_build", 3);
    first.idempotency = Some(once("first"));
    f.store.create_project(first.clone()).await.unwrap();
    let mut second = new_project("agent_build", 3);
    second.idempotency = Some(once("second"));
    let refused = f.store.create_project(second.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), BackendErrorKind::Repeated);
    assert!(f.store.project(&second.project.project_id).await.unwrap().is_none());
    assert_eq!(f.store.key_record("k").await.unwrap().unwrap().answer, Some(json!({ "is": "first" })));

    // What is no single unit: begun, then answered or given back.
    let (_, agent) = f.completed().await;
    let long = Duration::from_secs(60);
    assert_eq!(f.store.take_key("i", "f", "one", long).await.unwrap(), None);
    assert_eq!(f.store.take_key("i", "g", "two", long).await.unwrap().unwrap().answer, None);
    let answered = KeptAnswer { holder: Some("one".into()), ..kept("i", json!(7)) };
    f.store.record_invocation(invocation(&agent, InvocationStatus::Success, 100), Some(answered)).await.unwrap();
    assert_eq!(f.store.take_key("i", "f", "two", long).await.unwrap().unwrap().answer, Some(json!(7)));
    f.store.release_key("i", "one").await.unwrap();
    assert!(f.store.key_record("i").await.unwrap().is_some(), "an answer stays");
    assert_eq!(f.store.take_key("j", "f", "one", long).await.unwrap(), None);
    f.store.release_key("j", "two").await.unwrap();
    assert!(f.store.key_record("j").await.unwrap().is_some(), "only its holder gives a key back");
    f.store.release_key("j", "one").await.unwrap();
    assert_eq!(f.store.key_record("j").await.unwrap(), None);

    // Sessions and messages.
    let session = session_of(&agent);
    let id = session.session_id.clone();
    let made = kept("s", json!(1));
    f.store.create_session(session, Some(made.clone())).await.unwrap();
    let again = f.store.create_session(session_of(&agent), Some(made)).await.unwrap_err();
    assert_eq!(again.kind(), BackendErrorKind::Repeated);
    let message = NewMessage { idempotency: Some(kept("m", json!(null))), ..message(&id, Role::User, "hello") };
    let stored = f.store.append_message(message.clone()).await.unwrap();
    assert_eq!(f.store.append_message(message).await.unwrap_err().kind(), BackendErrorKind::Repeated);
    let kept = f.store.key_record("m").await.unwrap().unwrap().answer.unwrap();
    assert_eq!(kept["message_id"], stored.message_id.as_str());
    assert_eq!(f.store.session(&id).await.unwrap().unwrap().message_count, 1);
}

/// Who counts at the same moment counts all the same, also where there is nothing yet.
pub async fn what_is_counted_at_once_is_all_counted(f: &Fixture) {
    let (_, agent) = f.completed().await;
    f.store.put_system_tools(vec![tool("adder", "math")]).await.unwrap();
    let session = session_of(&agent);
    f.store.create_session(session.clone(), None).await.unwrap();
    let mut all = tokio::task::JoinSet::new();
    for n in 0..64_u64 {
        let status = if n % 4 == 0 { InvocationStatus::Failed } else { InvocationStatus::Success };
        let one = Invocation { duration_ms: n, ..invocation_with(&agent, status, &["adder", "adder"]) };
        let (store, agent) = (f.store.clone(), agent.clone());
        all.spawn(async move { store.record_invocation(one, None).await.map(drop) });
        if n % 8 == 0 {
            // And whoever changes the agent meanwhile loses nothing, and takes nothing.
            let change = AgentChange { description: Some(format!("edit {n}")), ..AgentChange::default() };
            let store = f.store.clone();
            all.spawn(async move { store.update_agent(&agent, change).await.map(drop) });
        }
        if n % 4 == 0 {
            let new = message(&session.session_id, Role::User, &format!("message {n}"));
            let store = f.store.clone();
            all.spawn(async move { store.append_message(new).await.map(drop) });
        }
    }
    for ended in all.join_all().await {
        ended.unwrap();
    }
    let record = f.store.agent(&agent).await.unwrap().unwrap();
    assert_eq!((record.total_invocations, record.successful_invocations, record.failed_invocations), (64, 48, 16));
    assert!((record.avg_duration_ms - 31.5).abs() < 1e-6, "{}", record.avg_duration_ms);
    assert!(record.description.starts_with("edit "));
    let tools = f.store.list_tools(&ToolFilter::default(), &page(1, 10)).await.unwrap();
    assert_eq!(tools.items[0].usage_count, 128);
    assert_eq!(f.store.session(&session.session_id).await.unwrap().unwrap().message_count, 16);
    let overview = f.store.overview(Timestamp::now()).await.unwrap();
    assert_eq!(overview.total_invocations, 64);
}
