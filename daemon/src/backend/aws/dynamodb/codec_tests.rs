//! Records survive their items, and items of the original's are read whatever they lack.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::task::TaskStatus;

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
        "lease_epoch": 3, "lease_expires_at": AT, "fruitless_claims": 1, "tried_by": "w1", "spared": 2
    })
}

fn agent() -> Value {
    json!({
        "agent_id": "agent_1", "project_id": "proj_1", "agent_name": "n", "display_name": "N", "description": "d",
        "category": "c",
        "version": "2.0.0", "status": "running", "deployment_type": "agentcore",
        "agentcore_config": {"agent_arn": "arn"}, "capabilities": ["a"], "tools": ["t"], "prompt_path": "p",
        "code_path": "c", "created_at": AT, "updated_at": AT, "deployed_at": AT, "agentcore_runtime_arn": "arn",
        "agentcore_runtime_alias": "al", "agentcore_region": "r", "total_invocations": 9,
        "successful_invocations": 8, "failed_invocations": 1, "avg_duration_ms": 12.5, "last_invoked_at": AT,
        "error_message": "e", "agent_dir": "agent", "deployment_config": {"k": 1}, "deployment_details": {"l": 2},
        "file_hashes": "{\"agent.py\":\"0f\"}"
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
        survives::<StoredTask>(task(), &["task_id"], &harms)?;
        survives::<Agent>(agent(), &["agent_id"], &harms)?;
        survives::<Invocation>(invocation(), &["invocation_id"], &harms)?;
        survives::<Session>(session(), &["session_id"], &harms)?;
        survives::<Message>(message(), &["session_id", "message_id"], &harms)?;
        survives::<Tool>(tool(), &["tool_id"], &harms)?;
    }
}

/// What a change of a record writes to its item, as the store does.
fn written<R: Record + Clone>(item: &Item, change: impl FnOnce(&mut R)) -> Vec<String> {
    let before = R::from_item(item).unwrap();
    let mut after = before.clone();
    change(&mut after);
    let change =
        crate::backend::aws::dynamodb::unit::Change::between(&before.to_item().unwrap(), &after.to_item().unwrap());
    let mut names: Vec<String> = change.set.into_iter().map(|(name, _)| name).chain(change.remove).collect();
    names.sort();
    names
}

proptest! {
    /// A change writes what it changes and nothing else: what was not understood stays as it was.
    #[test]
    fn a_change_leaves_alone_what_it_does_not_change(harms in harms()) {
        let project = harmed(&sample::<StoredProject>(project()).to_item().unwrap(), &["project_id"], &harms);
        let names = written::<StoredProject>(&project, |stored| stored.last_step = Some("another".into()));
        prop_assert_eq!(names, ["last_step"]);
        let stage = harmed(&sample::<Stage>(stage()).to_item().unwrap(), &["project_id", "stage_name"], &harms);
        let names = written::<Stage>(&stage, |stage| stage.attempt += 1);
        prop_assert_eq!(names, ["attempt"]);
        let task = harmed(&sample::<StoredTask>(task()).to_item().unwrap(), &["task_id"], &harms);
        let names = written::<StoredTask>(&task, |task| task.spared += 1);
        prop_assert_eq!(names, ["spared"]);
        let agent = harmed(&sample::<Agent>(agent()).to_item().unwrap(), &["agent_id"], &harms);
        let names = written::<Agent>(&agent, |agent| agent.agent_dir.push('x'));
        prop_assert_eq!(names, ["agent_dir"]);
    }
}

fn item_of(fields: Value) -> Item {
    fields.as_object().unwrap().iter().map(|(name, field)| (name.clone(), value::attribute(field))).collect()
}

#[test]
fn documents_of_the_original_are_read() {
    let project = StoredProject::from_item(&item_of(json!({
        "project_id": "proj_1", "error_info": {"message": "the model said no", "failed_stage": "agent_design", "code": 7},
        "aggregated_metrics": {"total_input_tokens": "12", "total_cost": "0.5", "total_tool_calls": 3.0, "per_model": {"m": 1}},
        "revision": "7", "created_at": 1_769_505_269
    })))
    .unwrap();
    let info = project.project.error_info.clone().unwrap();
    assert_eq!((info.stage.as_deref(), info.message.as_str()), (Some("agent_design"), "the model said no"));
    assert_eq!(info.details.as_deref(), Some(r#"{"code":7}"#));
    let sums = project.project.aggregated_metrics;
    assert_eq!((sums.total_input_tokens, sums.total_cost, sums.total_tool_calls), (12, 0.5, 3));
    assert_eq!(project.read_revision(), Some(AttributeValue::S("7".into())), "as it stands there");
    assert_eq!(project.project.created_at.to_string(), "2026-01-27T09:14:29.000000Z");
    // What others keep among the sums is written back with them.
    let item = project.to_item().unwrap();
    assert_eq!(value::json(&item["aggregated_metrics"])["per_model"], json!({"m": 1}));
    for (info, wanted) in [
        (json!({"message": "m", "traceback": "Traceback"}), Some(("m", Some("Traceback")))),
        (json!("a bare text"), Some(("a bare text", None))),
        (json!("{\"message\": \"wrapped\"}"), Some(("wrapped", None))),
        (json!({"reason": "odd"}), Some(("{\"reason\":\"odd\"}", Some("{\"reason\":\"odd\"}")))),
        (json!({}), None),
        (json!(3), None),
    ] {
        let item = item_of(json!({"project_id": "proj_1", "error_info": info}));
        let read = StoredProject::from_item(&item).unwrap().project.error_info;
        let read = read.as_ref().map(|info| (info.message.as_str(), info.details.as_deref()));
        assert_eq!(read, wanted, "{info}");
    }
    let stage = Stage::from_item(&item_of(json!({
        "project_id": "proj_1", "stage_name": "s", "status": "completed", "input_tokens": null,
        "metrics": {"input_tokens": 5, "output_tokens": "6", "tool_calls_count": 2.0, "execution_time_seconds": 1.5},
        "generated_files": [{"path": "a"}, "b", {"path": "c", "size": "9", "checksum": "x", "last_modified": 1.7e9}, {"x": 1}, 3]
    })))
    .unwrap();
    assert_eq!((stage.input_tokens, stage.output_tokens, stage.tool_calls), (Some(5), Some(6), Some(2)));
    assert_eq!(stage.duration_seconds, Some(1.5));
    let files: Vec<(&str, u64)> = stage.generated_files.iter().map(|file| (file.path.as_str(), file.size)).collect();
    assert_eq!(files, [("a", 0), ("b", 0), ("c", 9)]);
}

#[test]
fn a_late_word_over_a_task_is_seen_through() {
    let of = |fields: Value| {
        let mut item = item_of(json!({"task_id": "task_1", "status": "queued"}));
        item.extend(item_of(fields));
        StoredTask::from_item(&item).unwrap()
    };
    let leased = of(json!({"lease_expires_at": AT, "worker_id": "w1", "lease_epoch": 1}));
    assert_eq!((leased.task.status, leased.ours), (TaskStatus::Running, true));
    assert_eq!(leased.stated, Some(Some(value::text("queued"))), "conditions name what stands there");
    assert_eq!(of(json!({"completed_at": AT})).task.status, TaskStatus::Completed);
    assert_eq!(of(json!({"completed_at": AT, "error_message": "x"})).task.status, TaskStatus::Failed);
    let plain = of(json!({"payload": {"agent_id": "an agent"}}));
    assert_eq!((plain.task.status, plain.ours, plain.stated), (TaskStatus::Queued, false, None));
    assert_eq!(plain.agent_id.unwrap().as_str(), "an agent");
    assert_eq!(plain.task.project_id.as_str(), "unknown", "a task without its project is shown all the same");
}
