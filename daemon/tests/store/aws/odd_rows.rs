//! Rows of all eight tables with what nobody would write: lists go on, and show them.

use nexus_daemon::domain::deletion::ProjectAgents;
use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        store::{
            AgentFilter, ClaimBuild, Continuation, DeployClaim, DeployEnd, PageRequest, ProjectFilter, TaskFilter,
            ToolFilter,
            prelude::*,
            transfer::{Kind, Record, Source as _, Target as _},
        },
    },
    domain::{
        agent::{AgentChange, AgentStatus, InvocationStatus},
        ids::{AgentId, ProjectId, TaskId},
        time::Timestamp,
    },
};
use serde_json::{Value, json};

use super::place::{Place, id};
use crate::contract::talk::invocation;
use crate::support::account::ago;

/// Rows of every table, each attribute but the keys taken away, nulled and retyped: lists go on, and show them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_is_too_odd_for_a_list() {
    let place = Place::new().await;
    let at = ago(60);
    let rows = [
        (
            "nexus_projects",
            &["project_id", "status", "created_at", "user_id"][..],
            json!({"project_id": "proj_1",
            "status": "completed", "created_at": at, "user_id": "u", "project_name": "n", "priority": 3, "tags": ["a"],
            "progress": 1, "error_info": {"message": "m"}, "metrics": {}, "updated_at": at, "control_status": "running",
            "aggregated_metrics": {"total_tokens": 1}, "requirement": "r", "revision": 3, "task_id": "t"}),
        ),
        (
            "nexus_agents",
            &["agent_id", "status", "created_at", "project_id", "category"],
            json!({"agent_id": "报价 agent",
            "status": "running", "created_at": at, "project_id": "proj_1", "category": "c", "agent_name": "n",
            "capabilities": ["x"], "tools": [], "agentcore_config": {}, "total_invocations": 3, "deployed_at": at}),
        ),
        (
            "nexus_tasks",
            &["task_id", "status", "created_at"],
            json!({"task_id": "task_1", "status": "queued",
            "created_at": at, "task_type": "build_agent", "priority": 3, "payload": {}, "result": {}, "retry_count": 0,
            "worker_id": "w", "lease_epoch": 1}),
        ),
        (
            "nexus_tools",
            &["tool_id", "category", "source", "usage_count", "created_at"],
            json!({"tool_id": "tool_1",
            "category": "c", "source": "system", "usage_count": 1, "created_at": at, "tool_name": "n", "schema": {},
            "dependencies": ["d"], "version": "1"}),
        ),
        (
            "nexus_sessions",
            &["session_id", "agent_id", "last_active_at"],
            json!({"session_id": "sess-1",
            "agent_id": "报价 agent", "last_active_at": at, "status": "active", "message_count": 1, "metadata": {},
            "display_name": "d", "created_at": at}),
        ),
        (
            "nexus_messages",
            &["session_id", "message_id"],
            json!({"session_id": "sess-1",
            "message_id": "01JJJJJJJJJJJJJJJJJJJJJJJJ", "role": "user", "content": "c", "created_at": at, "metadata": {}}),
        ),
        (
            "nexus_invocations",
            &["invocation_id", "agent_id", "created_at", "session_id"],
            json!({"invocation_id": "inv_1",
            "agent_id": "报价 agent", "created_at": at, "session_id": "sess-1", "status": "success", "duration_ms": 3,
            "input_text": "i", "metadata": {}}),
        ),
        (
            "nexus_stages",
            &["project_id", "stage_name"],
            json!({"project_id": "proj_1", "stage_name": "s", "status": "completed",
            "stage_number": 1, "logs": ["l"], "generated_files": [{"path": "p"}], "metrics": {"input_tokens": 1},
            "output_data": {}, "duration_seconds": 1, "attempt": 1}),
        ),
    ];
    let page = PageRequest { page: 1, limit: 20, cursor: None };
    let (agent, session): (AgentId, _) = (id("报价 agent"), id("sess-1"));
    for (table, keys, row) in &rows {
        for (name, value) in row.as_object().unwrap() {
            for harm in [
                None,
                Some(json!(null)),
                Some(json!("no such word")),
                Some(json!(["x", 1])),
                Some(json!({"a": []})),
                Some(json!(-2.5)),
            ] {
                if keys.contains(&name.as_str()) {
                    continue;
                }
                let mut odd = row.clone();
                match &harm {
                    None => drop(odd.as_object_mut().unwrap().remove(name)),
                    Some(harm) => odd[name] = harm.clone(),
                }
                place.put(table, odd).await;
                let store = &place.store;
                let seen = match *table {
                    "nexus_projects" => {
                        store.list_projects(&ProjectFilter::default(), &page).await.unwrap().items.len()
                    }
                    "nexus_agents" => store.list_agents(&AgentFilter::default(), &page).await.unwrap().items.len(),
                    "nexus_tasks" => {
                        let one = store.task(&id::<TaskId>("task_1")).await.unwrap();
                        store
                            .list_tasks(&TaskFilter::default(), &page)
                            .await
                            .unwrap()
                            .items
                            .len()
                            .min(usize::from(one.is_some()))
                    }
                    "nexus_tools" => store.list_tools(&ToolFilter::default(), &page).await.unwrap().items.len(),
                    "nexus_sessions" => store.list_sessions(&agent, 5).await.unwrap().len(),
                    "nexus_messages" => {
                        let range = nexus_daemon::backend::store::MessageRange { limit: 5, before: None, after: None };
                        store.messages(&session, &range).await.unwrap().len()
                    }
                    "nexus_stages" => store.stages(&id::<ProjectId>("proj_1")).await.unwrap().len(),
                    _ => {
                        let all = store.recent_activities(50).await.unwrap();
                        usize::from(!all.is_empty())
                    }
                };
                assert_eq!(seen, 1, "{table}.{name} = {harm:?} (of {value})");
            }
        }
        place.put(table, row.clone()).await;
    }
    assert_eq!(place.store.overview(Timestamp::now()).await.unwrap().total_agents, 1, "what is listed is counted");
    assert_eq!(place.store.agent(&agent).await.unwrap().unwrap().agent_name, "n");
}

/// An agent's row whose words and figures are none of ours: it is edited, deployed again, asked and deleted all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_of_an_agent_refuses_a_change() {
    let place = Place::new().await;
    let (at, agent): (_, AgentId) = (ago(60), id("agent_1"));
    place.project("proj_1", "completed", json!({})).await;
    let whole = json!({"agent_id": "agent_1", "status": "running", "created_at": at, "project_id": "proj_1",
        "category": "c", "agent_name": "n", "generation": 3, "total_invocations": 3, "successful_invocations": 2,
        "failed_invocations": 1, "avg_duration_ms": 5, "last_invoked_at": at, "deployment_type": "local"});
    let harms = [
        json!({"status": "deployed"}),
        json!({"status": null, "generation": null}),
        json!({"status": 7, "generation": "3"}),
        json!({"status": ["x"], "generation": "x", "total_invocations": "3", "last_invoked_at": 5}),
        json!({"total_invocations": null, "successful_invocations": "2", "failed_invocations": [], "avg_duration_ms": "x"}),
        json!({"status": "", "category": null, "created_at": "yesterday"}),
    ];
    for harm in harms {
        // An index takes a key that is text, or none.
        let mut odd = whole.clone();
        for (name, value) in harm.as_object().unwrap() {
            match value {
                Value::String(text) if !text.is_empty() => odd[name] = value.clone(),
                _ if ["status", "category", "created_at"].contains(&name.as_str()) => {
                    odd.as_object_mut().unwrap().remove(name);
                }
                _ => odd[name] = value.clone(),
            }
        }
        place.put("nexus_agents", odd).await;
        let store = &place.store;
        let change = AgentChange { description: Some("edited".into()), ..AgentChange::default() };
        let edited = store.update_agent(&agent, change).await.unwrap_or_else(|e| panic!("{harm}: {e}")).unwrap();
        assert_eq!(edited.description, "edited", "{harm}");
        let asked = invocation(&agent, InvocationStatus::Success, 5);
        let before = store.agent(&agent).await.unwrap().unwrap().total_invocations;
        store.record_invocation(asked, None).await.unwrap_or_else(|e| panic!("{harm}: {e}"));
        assert_eq!(store.agent(&agent).await.unwrap().unwrap().total_invocations, before + 1, "{harm}");
        let task = store.redeploy_agent(&agent, None).await.unwrap_or_else(|e| panic!("{harm}: {e}")).unwrap();
        let claim = ClaimBuild { task_id: Some(task), ..place.message("proj_1", None, Continuation::Execute) };
        match store.claim_deploy(claim).await.unwrap_or_else(|e| panic!("{harm}: {e}")) {
            DeployClaim::Claimed { lease, agent } => {
                assert!(agent.generation > 0, "{harm}");
                let end = DeployEnd { agent_id: agent.agent_id.clone(), result: Ok(json!({})), receipt: None };
                store.finish_deploy(&lease, end).await.unwrap_or_else(|e| panic!("{harm}: {e}"));
            }
            other => panic!("{harm}: {other:?}"),
        }
        assert_eq!(store.agent(&agent).await.unwrap().unwrap().status, AgentStatus::Running, "{harm}");
    }
}

/// The object of a part of a record is gone: what is left of it is shown, and what stands beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_gone_hides_neither_the_rest_nor_the_others() {
    let place = Place::new().await;
    let (at, agent, session) = (ago(60), id::<AgentId>("agent_1"), id("sess-1"));
    let gone = "sessions/sess-1/overflow/gone.json";
    for (name, more) in [("sess-1", json!({})), ("sess-2", json!({"overflow_ref": gone}))] {
        let mut row = json!({"session_id": name, "agent_id": "agent_1", "last_active_at": at, "created_at": at,
            "status": "active", "message_count": 2});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        place.put("nexus_sessions", row).await;
    }
    for (name, more) in [
        ("01JJJJJJJJJJJJJJJJJJJJJJJJ", json!({"content": "hello"})),
        ("01JJJJJJJJJJJJJJJJJJJJJJJK", json!({"overflow_ref": gone})),
    ] {
        let mut row = json!({"session_id": "sess-1", "message_id": name, "role": "user", "created_at": at});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        place.put("nexus_messages", row).await;
    }
    let store = &place.store;
    assert_eq!(store.list_sessions(&agent, 5).await.unwrap().len(), 2);
    assert!(store.session(&id("sess-2")).await.unwrap().is_some());
    let range = nexus_daemon::backend::store::MessageRange { limit: 5, before: None, after: None };
    let messages = store.messages(&session, &range).await.unwrap();
    assert_eq!(messages.iter().map(|m| m.content.as_str()).collect::<Vec<_>>(), ["hello", ""]);
    // The same of a stage: the project can be read, and deleted.
    place.project("proj_1", "completed", json!({})).await;
    place
        .put(
            "nexus_stages",
            json!({"project_id": "proj_1", "stage_name": "s", "status": "completed",
        "stage_number": 1, "overflow_ref": gone}),
        )
        .await;
    let project: ProjectId = id("proj_1");
    assert_eq!(store.stages(&project).await.unwrap().len(), 1);
    assert!(store.project_detail(&project).await.unwrap().is_some());
    assert!(store.delete_project(&project, ProjectAgents::Delete).await.unwrap().is_some());
}

/// A deletion that is finished late meets what has come since: an agent of the same id, a project that was imported again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lives_again_is_not_taken_along_by_an_old_deletion() {
    let place = Place::new().await;
    let agent: AgentId = id("agent_1");
    let row = json!({"agent_id": "agent_1", "status": "running", "created_at": ago(900), "project_id": "proj_1"});
    place.put("nexus_agents", row.clone()).await;
    let orders = nexus_daemon::domain::deletion::DeleteOrders::default();
    place.store.delete_agent(&agent, orders).await.unwrap().unwrap();
    // Cut off: the note is there still, and so is what the first agent had. Its project has built another since.
    place.put("nexus_agents", row).await;
    for (name, at) in [("of the first", ago(600)), ("of the second", Timestamp::now().to_string())] {
        place
            .put(
                "nexus_sessions",
                json!({"session_id": format!("s-{}", name.len()), "agent_id": "agent_1", "display_name": name,
                    "last_active_at": at, "created_at": at, "status": "active"}),
            )
            .await;
        place
            .put(
                "nexus_invocations",
                json!({"invocation_id": format!("i-{}", name.len()), "agent_id": "agent_1", "created_at": at,
                    "input_text": name, "status": "success"}),
            )
            .await;
    }
    let project: ProjectId = id("proj_2");
    place.project("proj_2", "completed", json!({})).await;
    place.store.delete_project(&project, ProjectAgents::Delete).await.unwrap().unwrap();
    place.project("proj_2", "completed", json!({})).await;
    place.stages("proj_2", 9, json!({"a": 1})).await;
    let note = json!({"pk": "deleting", "sk": "proj_2", "with_agents": 1});
    place.put("nexus_daemon_state", note).await;

    place.store.clean(std::time::Duration::from_secs(3600)).await.unwrap();
    let sessions = place.store.list_sessions(&agent, 5).await.unwrap();
    let names: Vec<_> = sessions.iter().filter_map(|session| session.display_name.as_deref()).collect();
    assert_eq!(names, ["of the second"]);
    let left = place.count("nexus_invocations").await;
    assert_eq!(left, 1, "one invocation is the new agent's");
    // What is left of the first one is nothing that the second had.
    let old = json!({"agent_id": "agent_1", "created_at": ago(600), "last_active_at": ago(600), "status": "active",
        "session_id": "s-old", "invocation_id": "i-old", "input_text": "?"});
    place.put("nexus_sessions", old.clone()).await;
    place.put("nexus_invocations", old).await;
    let gone = place.store.delete_agent(&agent, orders).await.unwrap().unwrap();
    assert_eq!((gone.sessions, gone.messages, gone.invocations), (1, 0, 1));
    assert_eq!((place.count("nexus_sessions").await, place.count("nexus_invocations").await), (0, 0));
    assert_eq!(place.store.stages(&project).await.unwrap().len(), 9, "they were imported again");
}

async fn told(place: &Place, kind: Kind) -> Vec<Record> {
    place.store.batch(kind, None).await.unwrap().records
}

/// What is being deleted does not move, what comes under its id waits, and what is deleted while it comes goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_and_an_export_meet_deletions_that_are_under_way() {
    let place = Place::new().await;
    let (store, begun) = (&place.store, Timestamp::now());
    let at = ago(900);
    let agent: AgentId = id("agent_1");
    place
        .put("nexus_agents", json!({"agent_id": "agent_1", "status": "running", "created_at": at, "agent_name": "n"}))
        .await;
    let agents = told(&place, Kind::Agents).await;
    let orders = nexus_daemon::domain::deletion::DeleteOrders::default();
    store.delete_agent(&agent, orders).await.unwrap().unwrap();
    // It is not out of service yet, and some of what it had is still there.
    let session = json!({"session_id": "s", "agent_id": "agent_1", "last_active_at": at, "created_at": at,
        "status": "active"});
    place.put("nexus_sessions", session).await;
    place.project("proj_2", "completed", json!({})).await;
    place.stages("proj_2", 9, json!({"a": 1})).await;
    let projects = told(&place, Kind::Projects).await;
    let stages = told(&place, Kind::Stages).await;
    assert_eq!((agents.len(), projects.len(), stages.len()), (1, 1, 9));
    let project: ProjectId = id("proj_2");
    store.delete_project(&project, ProjectAgents::Keep).await.unwrap().unwrap();
    place.stages("proj_2", 9, json!({"a": 1})).await;
    place.put("nexus_daemon_state", json!({"pk": "deleting", "sk": "proj_2", "with_agents": 0})).await;

    assert!(told(&place, Kind::Sessions).await.is_empty() && told(&place, Kind::Stages).await.is_empty());
    for (kind, records, name) in [(Kind::Agents, &agents, "agent_1"), (Kind::Projects, &projects, "proj_2")] {
        let refused = store.put(kind, records.clone()).await.unwrap_err();
        assert!(refused.kind() == BackendErrorKind::Conflict && refused.to_string().contains(name), "{refused}");
    }
    // When all of it is done they come, once.
    store.settle_deletion(nexus_daemon::domain::deletion::DeletedKind::Agent, "agent_1").await.unwrap();
    store.clean(std::time::Duration::from_secs(3600)).await.unwrap();
    for (kind, records) in [(Kind::Agents, &agents), (Kind::Projects, &projects), (Kind::Stages, &stages)] {
        let (first, again) = (store.put(kind, records.clone()).await.unwrap(), store.put(kind, records.clone()).await);
        assert_eq!((first.written, again.unwrap().present), (records.len() as u64, records.len() as u64), "{kind:?}");
    }
    assert_eq!((store.stages(&project).await.unwrap().len(), store.agent(&agent).await.unwrap().is_some()), (9, true));
    // Somebody deletes it between its row and its stages.
    store.delete_project(&project, ProjectAgents::Keep).await.unwrap().unwrap();
    store.put(Kind::Stages, stages.clone()).await.unwrap();
    store.finish_import(begun).await.unwrap();
    assert_eq!(place.count("nexus_stages").await, 0, "nothing is left of it");
    assert!(store.agent(&agent).await.unwrap().is_some(), "what lives again stays");
}
