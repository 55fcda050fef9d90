//! What an import takes in. An export asks the same, so that it writes nothing that no import would take.

use serde_json::Value;

use crate::{
    backend::{
        aws::dynamodb::{
            codec::{Record as _, StoredProject, StoredTask},
            transfer::{item, lacks},
        },
        sqlite::MOST_STAGES,
        store::{
            Result,
            transfer::{Kind, Record},
        },
    },
    domain::{
        agent::{Agent, Invocation},
        session::{Message, Session},
        stage::Stage,
        time::Timestamp,
        tool::Tool,
    },
};

/// Whether a record can be taken in.
///
/// # Errors
/// Which record it is, and what it lacks, for people.
pub(super) fn acceptable(kind: Kind, record: &Record) -> std::result::Result<(), String> {
    check(kind, record).map_err(|error| {
        let names = [
            "project_id",
            "stage_name",
            "agent_id",
            "tool_id",
            "session_id",
            "message_id",
            "invocation_id",
            "task_id",
            "seq",
            "day",
            "queue",
            "key",
        ];
        let known = names.iter().filter_map(|name| Some(format!("{name} {}", record.get(*name)?)));
        let known = known.collect::<Vec<_>>().join(", ");
        format!("{} ({known}): {error}", kind.name())
    })
}

fn check(kind: Kind, record: &Record) -> Result<()> {
    let text = |name: &str| record.get(name).and_then(Value::as_str).ok_or_else(|| lacks(name));
    let time = |name: &str| text(name)?.parse::<Timestamp>().map(drop).map_err(|_| lacks(name));
    let item = item(record);
    match kind {
        Kind::Projects => StoredProject::from_item(&item).map(drop),
        Kind::Stages => match Stage::from_item(&item)? {
            stage if stage.stage_name.is_empty() => Err(lacks("stage_name")),
            stage if !(1..=MOST_STAGES).contains(&(stage.stage_number as usize)) => Err(lacks("stage_number")),
            _ => Ok(()),
        },
        Kind::Agents => Agent::from_item(&item).map(drop),
        Kind::Tools => Tool::from_item(&item).map(drop),
        Kind::Sessions => Session::from_item(&item).map(drop),
        Kind::Messages => Message::from_item(&item).map(drop),
        Kind::Invocations => Invocation::from_item(&item).map(drop),
        Kind::Tasks => StoredTask::from_item(&item).map(drop),
        Kind::Events => {
            record.get("seq").and_then(Value::as_u64).ok_or_else(|| lacks("seq"))?;
            record.get("events").filter(|events| events.is_array()).ok_or_else(|| lacks("events"))?;
            time("at")
        }
        Kind::Figures => text("kind").and_then(|_| text("day")).map(drop),
        Kind::Answers => {
            record.get("answer").ok_or_else(|| lacks("answer"))?;
            text("key").and_then(|_| text("fingerprint"))?;
            time("created_at")
        }
        Kind::DeadLetters => text("queue").and_then(|_| text("body")).and_then(|_| text("reason")).map(drop),
        Kind::Files => Ok(()),
    }
}
