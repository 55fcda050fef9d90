//! Rows of all eight tables with what nobody would write: lists go on, and show them.

use nexus_daemon::{
    domain::{
        ids::{AgentId, ProjectId, TaskId},
        time::Timestamp,
    },
    store::{AgentFilter, PageRequest, ProjectFilter, Store as _, TaskFilter, ToolFilter},
};
use serde_json::json;

use super::place::{Place, ago, id};

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
                        let range = nexus_daemon::store::MessageRange { limit: 5, before: None, after: None };
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
