//! Records survive their items, and items of the original's are read whatever they lack.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A record with every field set.
fn sample<R: Record>(item: Value) -> R {
    let fields = item.as_object().expect("an object");
    let item = fields.iter().map(|(name, field)| (name.clone(), value::attribute(field))).collect();
    R::from_item(&item).expect("a record")
}

const AT: &str = "2026-01-27T09:14:29.123456Z";

fn project() -> Value {
    json!({
        "project_id": "proj_1", "project_name": "n", "status": "building", "requirement": "r", "user_id": "u",
        "user_name": "U", "priority": 4, "tags": ["a", "b"], "progress": 12.5, "current_stage": "s",
        "error_info": {"stage": "s", "kind": "permanent", "message": "m", "details": null, "attempt": 2},
        "created_at": AT, "updated_at": AT, "started_at": AT, "completed_at": AT, "metrics": {"k": [1, 2.5]},
        "control_status": "paused", "pause_requested_at": AT, "stop_requested_at": AT, "resume_from_stage": "s",
        "last_control_action": "pause", "control_action_by": "u", "workflow": "w", "deployment": {"target": "local"},
        "aggregated_metrics": {"total_input_tokens": 1, "total_output_tokens": 2, "total_tokens": 3,
            "total_cost": 0.5, "total_execution_time": 1.5, "total_tool_calls": 4},
        "task_id": "task_1", "revision": 7, "event_seq": 9, "lease_worker": "w1", "lease_epoch": 3, "last_step": "x"
    })
}

fn stage() -> Value {
    json!({
        "project_id": "proj_1", "stage_name": "s", "stage_number": 3, "display_name": "d", "display_name_en": "e",
        "status": "completed", "agent_name": "a", "started_at": AT, "completed_at": AT, "duration_seconds": 1.25,
        "input_tokens": 1, "output_tokens": 2, "tool_calls": 3, "output_data": {"a": {"b": [null, true]}},
        "error_message": "e", "logs": ["l", "m"], "doc_path": "p", "agent_output_content": "c",
        "agent_output_s3_ref": "r", "design_document": {"d": 1}, "metrics": {"m": 1}, "attempt": 2,
        "generated_files": [{"path": "p", "size": 1, "checksum": "c", "last_modified": AT}]
    })
}

fn task() -> Value {
    json!({
        "task_id": "task_1", "task_type": "deploy_agent", "project_id": "proj_1", "status": "running", "priority": 5,
        "payload": {"a": 1}, "result": {"b": 2}, "error_message": "e", "retry_count": 2, "created_at": AT,
        "started_at": AT, "completed_at": AT, "worker_id": "w1", "updated_at": AT, "agent_id": "agent_1",
        "lease_epoch": 3, "lease_expires_at": AT, "fruitless_claims": 1, "spared": 2
    })
}

fn agent() -> Value {
    json!({
        "agent_id": "agent_1", "project_id": "proj_1", "agent_name": "n", "description": "d", "category": "c",
        "version": "2.0.0", "status": "running", "deployment_type": "agentcore",
        "agentcore_config": {"agent_arn": "arn"}, "capabilities": ["a"], "tools": ["t"], "prompt_path": "p",
        "code_path": "c", "created_at": AT, "updated_at": AT, "deployed_at": AT, "agentcore_runtime_arn": "arn",
        "agentcore_runtime_alias": "al", "agentcore_region": "r", "total_invocations": 9,
        "successful_invocations": 8, "failed_invocations": 1, "avg_duration_ms": 12.5, "last_invoked_at": AT,
        "error_message": "e", "agent_dir": "agent", "deployment_config": {"k": 1}, "deployment_details": {"l": 2}
    })
}

fn invocation() -> Value {
    json!({
        "invocation_id": "inv_1", "agent_id": "agent_1", "session_id": "sess-1", "user_id": "u", "input_text": "i",
        "output_text": "o", "status": "success", "duration_ms": 12, "input_tokens": 1, "output_tokens": 2,
        "error_message": "e", "created_at": AT, "metadata": {"k": 1}
    })
}

fn session() -> Value {
    json!({
        "session_id": "sess-1", "agent_id": "agent_1", "user_id": "u", "display_name": "d", "status": "closed",
        "message_count": 3, "created_at": AT, "last_active_at": AT, "metadata": {"k": 1}
    })
}

fn message() -> Value {
    json!({
        "session_id": "sess-1", "message_id": "01JJJJJJJJJJJJJJJJJJJJJJJJ", "role": "assistant", "content": "c",
        "created_at": AT, "metadata": {"k": 1}
    })
}

fn tool() -> Value {
    json!({
        "tool_id": "tool_1", "tool_name": "n", "display_name": "d", "description": "x", "category": "c",
        "source": "generated", "version": "1", "code_path": "p", "schema": {"type": "object"},
        "dependencies": ["a"], "usage_count": 4, "created_at": AT, "updated_at": AT, "agent_id": "agent_1",
        "project_id": "proj_1"
    })
}

/// What becomes of an attribute.
#[derive(Clone, Debug)]
enum Harm {
    Missing,
    Null,
    Empty,
    Text,
    Decimal,
    List,
}

fn harms() -> impl Strategy<Value = Vec<(prop::sample::Index, Harm)>> {
    let harm = prop_oneof![
        Just(Harm::Missing),
        Just(Harm::Null),
        Just(Harm::Empty),
        Just(Harm::Text),
        Just(Harm::Decimal),
        Just(Harm::List)
    ];
    prop::collection::vec((any::<prop::sample::Index>(), harm), 0..12)
}

/// Does harm to anything but the keys.
fn harmed(whole: &Item, keys: &[&str], harms: &[(prop::sample::Index, Harm)]) -> Item {
    let mut names: Vec<&String> = whole.keys().filter(|name| !keys.contains(&name.as_str())).collect();
    names.sort();
    let mut item: HashMap<_, _> = whole.clone();
    for (at, harm) in harms {
        let name = at.get(&names).as_str();
        let number = match &item.get(name) {
            Some(AttributeValue::N(number)) => Some(number.clone()),
            _ => None,
        };
        let new = match harm {
            Harm::Missing => None,
            Harm::Null => Some(AttributeValue::Null(true)),
            Harm::Empty => Some(AttributeValue::S(String::new())),
            Harm::Text => Some(AttributeValue::S(number.unwrap_or_else(|| "no such word".to_owned()))),
            Harm::Decimal => Some(AttributeValue::N(format!("{}.0", number.unwrap_or_else(|| "3".to_owned())))),
            Harm::List => Some(AttributeValue::L(vec![AttributeValue::Null(true)])),
        };
        match new {
            Some(new) => item.insert(name.to_owned(), new),
            None => item.remove(name),
        };
    }
    item
}

fn survives<R: Record + PartialEq + std::fmt::Debug>(
    whole: Value,
    keys: &[&str],
    harms: &[(prop::sample::Index, Harm)],
) -> std::result::Result<(), TestCaseError> {
    let record: R = sample(whole.clone());
    let item = record.to_item().unwrap();
    // Every field is there, and comes back.
    let lost: Vec<&String> = whole.as_object().unwrap().keys().filter(|name| !item.contains_key(*name)).collect();
    prop_assert!(lost.is_empty(), "{lost:?}");
    prop_assert_eq!(&R::from_item(&item).unwrap(), &record);
    // Whatever the original's leave out or write otherwise: it is read, and what was read can be written and read again.
    let read = R::from_item(&harmed(&item, keys, harms));
    prop_assert!(read.is_ok(), "{:?}", read);
    let again = read.unwrap().to_item().unwrap();
    prop_assert!(R::from_item(&again).is_ok());
    for key in keys {
        prop_assert!(
            R::from_item(&again.iter().filter(|(name, _)| name != key).map(|(n, v)| (n.clone(), v.clone())).collect())
                .is_err()
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn records_survive_their_items(harms in harms()) {
        survives::<StoredProject>(project(), &["project_id"], &harms)?;
        survives::<Stage>(stage(), &["project_id"], &harms)?;
        survives::<StoredTask>(task(), &["task_id", "project_id"], &harms)?;
        survives::<Agent>(agent(), &["agent_id"], &harms)?;
        survives::<Invocation>(invocation(), &["invocation_id", "agent_id"], &harms)?;
        survives::<Session>(session(), &["session_id", "agent_id"], &harms)?;
        survives::<Message>(message(), &["session_id", "message_id"], &harms)?;
        survives::<Tool>(tool(), &["tool_id"], &harms)?;
    }
}
