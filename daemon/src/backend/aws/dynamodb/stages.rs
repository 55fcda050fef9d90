//! Rows of stages: what a begin, an end and a setting back write of one, and how the rows go into the unit of a build.

use super::{
    DynamoStore,
    aggregate::Aggregate,
    codec::Record as _,
    table::Table,
    unit::{Change, Guard, Refused, Unit},
};
use crate::{
    backend::store::Result,
    domain::{
        change::{StageChange, StageWrite, retry::log_at_end},
        stage::{Stage, StageEnd},
        time::Timestamp,
    },
};

/// Bytes of a unit above which a stage's long parts go to the artifact store, and what stays of it here. DynamoDB takes
/// 4 MB at once.
const ROOMY: usize = 1_500_000;
const TIGHT: usize = 16 * 1024;

pub(super) fn write(stage: &mut Stage, change: &StageChange<'_>, now: Timestamp) {
    (stage.status, stage.attempt) = (change.status, change.attempt);
    match &change.how {
        StageWrite::Begun { note } => {
            stage.started_at = Some(now);
            stage.completed_at = None;
            stage.duration_seconds = None;
            (stage.input_tokens, stage.output_tokens, stage.tool_calls) = (None, None, None);
            stage.error_message = None;
            stage.logs.extend(note.clone());
        }
        StageWrite::Ended(end) => write_end(stage, end),
        StageWrite::CutOff(error) => {
            stage.completed_at = Some(now);
            stage.error_message = Some(error.clone());
        }
        StageWrite::SetBack { clear } => {
            stage.started_at = None;
            if *clear {
                stage.completed_at = None;
                stage.duration_seconds = None;
                (stage.input_tokens, stage.output_tokens, stage.tool_calls) = (None, None, None);
                (stage.output_data, stage.error_message, stage.doc_path) = (None, None, None);
                (stage.agent_output_content, stage.agent_output_s3_ref) = (None, None);
                (stage.design_document, stage.metrics) = (None, None);
                (stage.logs, stage.generated_files) = (Vec::new(), Vec::new());
            }
        }
    }
}

fn write_end(stage: &mut Stage, end: &StageEnd) {
    let (figures, product) = (&end.figures, end.outcome.product());
    stage.completed_at = Some(end.ended_at);
    stage.duration_seconds = Some(figures.duration_seconds);
    stage.input_tokens = Some(figures.input_tokens);
    stage.output_tokens = Some(figures.output_tokens);
    stage.tool_calls = Some(figures.tool_calls);
    stage.error_message = end.outcome.failure().map(|failure| failure.message.clone());
    stage.metrics = Some(end.metrics());
    stage.logs = log_at_end(&stage.logs, &end.logs);
    stage.doc_path = product.and_then(|product| product.doc_path.clone());
    stage.generated_files = product.map(|product| product.files.clone()).unwrap_or_default();
    stage.output_data = product.map(|product| &product.output).filter(|output| !output.is_null()).cloned();
    stage.agent_output_content = product.and_then(|product| product.content.clone());
}

impl DynamoStore {
    /// Puts the rows of stages that a change has touched into the unit that is to be written.
    pub(super) async fn write_stages(&self, unit: &mut Unit, before: &Aggregate, after: &mut Aggregate) -> Result<()> {
        for stage in &after.stages {
            let old = before.stages.iter().find(|old| old.stage_name == stage.stage_name);
            if old == Some(stage) {
                continue;
            }
            let mut new = stage.to_item()?;
            let full = new.clone();
            // Many large stages at once would be more than one transaction holds.
            let most = if unit.bytes() > ROOMY { TIGHT } else { super::overflow::MOST };
            self.overflow.shrink_to(&mut new, most).await?;
            let moved: Vec<String> = full.keys().filter(|name| !new.contains_key(*name)).cloned().collect();
            let key = Table::Stages.two(stage.project_id.as_str(), &stage.stage_name);
            let Some(old) = old else {
                unit.put(&self.tables, Table::Stages, new, &Guard::Open, Refused::Stale)?;
                continue;
            };
            let mut was = old.to_item()?;
            for name in after.spilled.get(&stage.stage_name).into_iter().flatten() {
                was.remove(name);
            }
            let mut change = Change::between(&was, &new);
            if moved.is_empty() {
                change.remove.push("overflow_ref".to_owned());
                after.spilled.remove(&stage.stage_name);
            } else {
                after.spilled.insert(stage.stage_name.clone(), moved);
            }
            unit.update(&self.tables, Table::Stages, key, change, &Guard::Open, Refused::Stale)?;
        }
        for old in &before.stages {
            if !after.stages.iter().any(|stage| stage.stage_name == old.stage_name) {
                let key = Table::Stages.two(old.project_id.as_str(), &old.stage_name);
                unit.delete(&self.tables, Table::Stages, key, &Guard::Open, Refused::Stale)?;
            }
        }
        Ok(())
    }
}
