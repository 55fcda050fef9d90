//! Rows of stages: where they are, and how a change is written.

use rusqlite::{Connection, Row, params};

use super::{rows, tx::Tx};
use crate::{
    backend::store::Result,
    domain::{
        change::{StageChange, StageView, StageWrite, retry::log_at_end},
        ids::ProjectId,
        stage::{Stage, StageEnd, StageStatus},
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

impl StageView for Brief {
    fn name(&self) -> &str {
        &self.name
    }

    fn status(&self) -> StageStatus {
        self.status
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }
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

/// Writes what a command made of a stage.
pub(crate) fn write(tx: &Tx<'_>, stage: &mut Brief, change: &StageChange<'_>) -> Result<()> {
    (stage.status, stage.attempt) = (change.status, change.attempt);
    let (key, status) = (stage.key, stage.status.as_str());
    match &change.how {
        StageWrite::Begun { note } => {
            tx.sql(
                "UPDATE nexus_stages SET status = ?2, attempt = ?3, started_at = ?4, completed_at = NULL,
                     duration_seconds = NULL, input_tokens = NULL, output_tokens = NULL, tool_calls = NULL,
                     error_message = NULL
                 WHERE stage_key = ?1",
            )?
            .execute(params![key, status, stage.attempt, tx.now_text()])?;
            if let Some(note) = note {
                let add = "UPDATE nexus_stages SET logs = json_insert(coalesce(logs, '[]'), '$[#]', ?2)
                     WHERE stage_key = ?1";
                tx.sql(add)?.execute(params![key, note])?;
            }
        }
        StageWrite::Ended(end) => write_end(tx, stage, end)?,
        StageWrite::CutOff(error) => {
            tx.sql("UPDATE nexus_stages SET status = ?2, completed_at = ?3, error_message = ?4 WHERE stage_key = ?1")?
                .execute(params![key, status, tx.now_text(), error])?;
        }
        StageWrite::SetBack { clear: true } => {
            tx.sql(
                "UPDATE nexus_stages SET status = ?2, started_at = NULL, completed_at = NULL, duration_seconds = NULL,
                     input_tokens = NULL, output_tokens = NULL, tool_calls = NULL, output_data = NULL,
                     error_message = NULL, logs = NULL, doc_path = NULL, agent_output_content = NULL,
                     agent_output_s3_ref = NULL, generated_files = NULL, design_document = NULL, metrics = NULL
                 WHERE stage_key = ?1",
            )?
            .execute(params![key, status])?;
        }
        StageWrite::SetBack { clear: false } => {
            tx.sql("UPDATE nexus_stages SET status = ?2, started_at = NULL WHERE stage_key = ?1")?
                .execute(params![key, status])?;
        }
    }
    Ok(())
}

fn write_end(tx: &Tx<'_>, stage: &Brief, end: &StageEnd) -> Result<()> {
    let (figures, product) = (&end.figures, end.outcome.product());
    let earlier: Vec<String> = if stage.attempt > 1 {
        let mut find = tx.sql("SELECT logs FROM nexus_stages WHERE stage_key = ?1")?;
        find.query_row([stage.key], |row| rows::json(row, 0))?
    } else {
        Vec::new()
    };
    let output = product.map(|product| &product.output).filter(|output| !output.is_null());
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
        end.outcome.failure().map(|failure| failure.message.as_str()),
        product.and_then(|product| product.doc_path.as_deref()),
        rows::to_json(&end.metrics())?,
        rows::list_json(&log_at_end(&earlier, &end.logs))?,
        rows::list_json(product.map_or(&[][..], |product| &product.files))?,
        output.map(rows::to_json).transpose()?,
        product.and_then(|product| product.content.as_deref()),
    ])?;
    Ok(())
}
