//! Rows of stages: where they are, what changes in them, and the events that tell of it.

use rusqlite::{Connection, Row, params};
use serde_json::{Map, Value};

use super::{error::illegal, rows, tx::Tx};
use crate::{
    domain::{
        event::{EventType, NewEvent},
        ids::ProjectId,
        stage::{Stage, StageEnd, StageOutcome, StageProduct, StageStatus},
        time::Timestamp,
        transition::{self, StageEvent},
    },
    store::{
        Result,
        alike::{EndMetrics, log_at_end},
    },
};

const NUMBER_BITS: u32 = 10;
/// Most stages a project can have.
pub(crate) const MOST: usize = (1 << NUMBER_BITS) - 1;

/// The key of a stage.
pub(crate) const fn key(project_key: i64, number: i64) -> i64 {
    (project_key << NUMBER_BITS) | number
}

/// First and last possible stage key of a project.
pub(crate) const fn key_range(project_key: i64) -> (i64, i64) {
    (key(project_key, 0), key(project_key, (1 << NUMBER_BITS) - 1))
}

/// The stage number in a key.
pub(crate) fn number_of(stage_key: i64) -> u32 {
    u32::try_from(stage_key & ((1 << NUMBER_BITS) - 1)).unwrap_or(0)
}

/// What decisions need of a stage.
#[derive(Clone, Debug)]
pub(crate) struct Brief {
    pub(crate) key: i64,
    pub(crate) name: String,
    pub(crate) status: StageStatus,
    pub(crate) attempt: u32,
}

fn brief(row: &Row<'_>) -> rusqlite::Result<Brief> {
    Ok(Brief { key: row.get(0)?, name: row.get(1)?, status: rows::word(row, 2)?, attempt: row.get(3)? })
}

/// A project's stages in order, in brief.
pub(crate) fn briefs(conn: &Connection, project_key: i64) -> Result<Vec<Brief>> {
    let (low, high) = key_range(project_key);
    let mut find = conn.prepare_cached(
        "SELECT stage_key, stage_name, status, attempt FROM nexus_stages
         WHERE stage_key BETWEEN ?1 AND ?2 ORDER BY stage_key",
    )?;
    let found = find.query_map([low, high], brief)?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// A project's stages in order.
pub(crate) fn all(conn: &Connection, id: &ProjectId, project_key: i64) -> Result<Vec<Stage>> {
    let (low, high) = key_range(project_key);
    let mut find = conn.prepare_cached(&format!(
        "SELECT {} FROM nexus_stages WHERE stage_key BETWEEN ?1 AND ?2 ORDER BY stage_key",
        rows::STAGE
    ))?;
    let found = find.query_map([low, high], |row| rows::stage(row, id))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Writes the rows of a new project.
pub(crate) fn insert(tx: &Tx<'_>, project_key: i64, stages: &[Stage]) -> Result<()> {
    let mut insert = tx.sql(
        "INSERT INTO nexus_stages (stage_key, stage_name, status, display_name, display_name_en, agent_name)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (stage, number) in stages.iter().zip(1_i64..) {
        insert.execute(params![
            key(project_key, number),
            stage.stage_name,
            stage.status.as_str(),
            stage.display_name,
            stage.display_name_en,
            stage.agent_name
        ])?;
    }
    Ok(())
}

/// Puts others in the place of stages of which none has begun.
pub(crate) fn replace(tx: &Tx<'_>, project_key: i64, stages: &[Stage]) -> Result<()> {
    let (low, high) = key_range(project_key);
    tx.sql("DELETE FROM nexus_stages WHERE stage_key BETWEEN ?1 AND ?2")?.execute([low, high])?;
    insert(tx, project_key, stages)
}

/// Begins an attempt; answers its number and the event.
pub(crate) fn begin(tx: &Tx<'_>, stage: &mut Brief) -> Result<NewEvent> {
    stage.status = transition::stage(stage.status, StageEvent::Begin).map_err(|e| illegal(&e))?;
    stage.attempt += 1;
    // A new attempt leaves nothing of the one before but its log.
    tx.sql(
        "UPDATE nexus_stages SET status = ?2, attempt = ?3, started_at = ?4, completed_at = NULL,
             duration_seconds = NULL, input_tokens = NULL, output_tokens = NULL, tool_calls = NULL,
             error_message = NULL
         WHERE stage_key = ?1",
    )?
    .execute(params![stage.key, stage.status.as_str(), stage.attempt, tx.now_text()])?;
    Ok(event(tx.now(), stage, Map::new()))
}

/// Ends an attempt; answers the event.
pub(crate) fn end(tx: &Tx<'_>, stage: &mut Brief, end: &StageEnd) -> Result<NewEvent> {
    let none = StageProduct::default();
    let (machine, product, failure) = match &end.outcome {
        StageOutcome::Completed(product) => (StageEvent::Complete, &**product, None),
        StageOutcome::Skipped(product) => (StageEvent::Skip, &**product, None),
        StageOutcome::Failed(failure) => (StageEvent::Fail, &none, Some(failure)),
    };
    stage.status = transition::stage(stage.status, machine).map_err(|e| illegal(&e))?;
    let figures = &end.figures;
    let error = failure.map(|f| f.message.as_str());
    let metrics = EndMetrics { model_id: &end.model_id, cost_usd: figures.cost_usd, attempts: stage.attempt };
    let earlier: Vec<String> = if stage.attempt > 1 {
        let mut find = tx.sql("SELECT logs FROM nexus_stages WHERE stage_key = ?1")?;
        find.query_row([stage.key], |row| rows::json(row, 0))?
    } else {
        Vec::new()
    };
    let output = if product.output.is_null() { None } else { Some(rows::to_json(&product.output)?) };
    tx.sql(
        "UPDATE nexus_stages SET status = ?2, completed_at = ?3, duration_seconds = ?4, input_tokens = ?5,
             output_tokens = ?6, tool_calls = ?7, error_message = ?8, doc_path = ?9, metrics = ?10, logs = ?11,
             generated_files = ?12, output_data = ?13, agent_output_content = ?14
         WHERE stage_key = ?1",
    )?
    .execute(params![
        stage.key,
        stage.status.as_str(),
        end.ended_at.to_string(),
        figures.duration_seconds,
        rows::integer(figures.input_tokens),
        rows::integer(figures.output_tokens),
        rows::integer(figures.tool_calls),
        error,
        product.doc_path,
        rows::to_json(&metrics)?,
        rows::list_json(&log_at_end(&earlier, &end.logs))?,
        rows::list_json(&product.files)?,
        output,
        product.content,
    ])?;
    let mut fields = Map::new();
    fields.insert("duration_seconds".into(), figures.duration_seconds.into());
    fields.insert("input_tokens".into(), figures.input_tokens.into());
    fields.insert("output_tokens".into(), figures.output_tokens.into());
    fields.insert("tool_calls".into(), figures.tool_calls.into());
    if let Some(error) = error {
        fields.insert("error".into(), error.into());
    }
    Ok(event(end.ended_at, stage, fields))
}

/// Ends the attempts that run, with this error.
pub(crate) fn cut_off(tx: &Tx<'_>, stages: &mut [Brief], error: &str) -> Result<Vec<NewEvent>> {
    let mut events = Vec::new();
    for stage in stages.iter_mut().filter(|stage| stage.status == StageStatus::Running) {
        stage.status = transition::stage(stage.status, StageEvent::Fail).map_err(|e| illegal(&e))?;
        tx.sql("UPDATE nexus_stages SET status = ?2, completed_at = ?3, error_message = ?4 WHERE stage_key = ?1")?
            .execute(params![stage.key, stage.status.as_str(), tx.now_text(), error])?;
        events.push(event(tx.now(), stage, Map::from_iter([("error".to_owned(), Value::from(error))])));
    }
    Ok(events)
}

/// Sets a stage back to pending; `clear` drops what it made, its numbered attempts stay.
pub(crate) fn reset(tx: &Tx<'_>, stage: &mut Brief, clear: bool) -> Result<NewEvent> {
    stage.status = transition::stage(stage.status, StageEvent::Reset).map_err(|e| illegal(&e))?;
    if clear {
        tx.sql(
            "UPDATE nexus_stages SET status = ?2, started_at = NULL, completed_at = NULL, duration_seconds = NULL,
                 input_tokens = NULL, output_tokens = NULL, tool_calls = NULL, output_data = NULL,
                 error_message = NULL, logs = NULL, doc_path = NULL, agent_output_content = NULL,
                 agent_output_s3_ref = NULL, generated_files = NULL, design_document = NULL, metrics = NULL
             WHERE stage_key = ?1",
        )?
        .execute(params![stage.key, stage.status.as_str()])?;
    } else {
        tx.sql("UPDATE nexus_stages SET status = ?2, started_at = NULL WHERE stage_key = ?1")?
            .execute(params![stage.key, stage.status.as_str()])?;
    }
    Ok(event(tx.now(), stage, Map::new()))
}

/// The `stage` event of a change.
pub(crate) fn event(at: Timestamp, stage: &Brief, mut fields: Map<String, Value>) -> NewEvent {
    fields.insert("stage_name".into(), stage.name.as_str().into());
    fields.insert("status".into(), stage.status.as_str().into());
    fields.insert("attempt".into(), stage.attempt.into());
    NewEvent { kind: EventType::Stage, at, fields }
}
