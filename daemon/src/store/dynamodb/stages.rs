//! Changes of stages, as pure data, and the events that tell of them.

use serde_json::{Map, Value};

use crate::{
    domain::{
        event::{EventType, NewEvent},
        stage::{Stage, StageEnd, StageOutcome, StageProduct, StageStatus},
        time::Timestamp,
        transition::{self, StageEvent},
    },
    store::{
        Result,
        alike::EndMetrics,
        error::{illegal, invalid},
    },
};

/// The stage of that name.
pub(crate) fn find<'s>(stages: &'s mut [Stage], name: &str) -> Result<&'s mut Stage> {
    let found = stages.iter_mut().find(|stage| stage.stage_name == name);
    found.ok_or_else(|| invalid(format!("the project has no stage {name:?}")))
}

fn event(at: Timestamp, stage: &Stage, mut fields: Map<String, Value>) -> NewEvent {
    fields.insert("stage_name".into(), stage.stage_name.as_str().into());
    fields.insert("status".into(), stage.status.as_str().into());
    fields.insert("attempt".into(), stage.attempt.into());
    NewEvent { kind: EventType::Stage, at, fields }
}

/// Begins an attempt.
pub(crate) fn begin(stage: &mut Stage, now: Timestamp) -> Result<NewEvent> {
    stage.status = transition::stage(stage.status, StageEvent::Begin).map_err(|e| illegal(&e))?;
    stage.attempt += 1;
    stage.started_at = Some(now);
    // A new attempt leaves nothing of the one before but its log.
    stage.completed_at = None;
    stage.duration_seconds = None;
    (stage.input_tokens, stage.output_tokens, stage.tool_calls) = (None, None, None);
    stage.error_message = None;
    Ok(event(now, stage, Map::new()))
}

/// Ends an attempt.
pub(crate) fn end(stage: &mut Stage, end: &StageEnd) -> Result<NewEvent> {
    let none = StageProduct::default();
    let (machine, product, failure) = match &end.outcome {
        StageOutcome::Completed(product) => (StageEvent::Complete, &**product, None),
        StageOutcome::Skipped(product) => (StageEvent::Skip, &**product, None),
        StageOutcome::Failed(failure) => (StageEvent::Fail, &none, Some(failure)),
    };
    stage.status = transition::stage(stage.status, machine).map_err(|e| illegal(&e))?;
    let figures = &end.figures;
    let metrics = EndMetrics { model_id: &end.model_id, cost_usd: figures.cost_usd, attempts: stage.attempt };
    stage.completed_at = Some(end.ended_at);
    stage.duration_seconds = Some(figures.duration_seconds);
    stage.input_tokens = Some(figures.input_tokens);
    stage.output_tokens = Some(figures.output_tokens);
    stage.tool_calls = Some(figures.tool_calls);
    stage.error_message = failure.map(|failure| failure.message.clone());
    stage.doc_path.clone_from(&product.doc_path);
    stage.metrics = Some(serde_json::to_value(&metrics)?);
    stage.logs = crate::store::alike::log_at_end(&stage.logs, &end.logs);
    stage.generated_files.clone_from(&product.files);
    stage.output_data = Some(&product.output).filter(|output| !output.is_null()).cloned();
    stage.agent_output_content.clone_from(&product.content);
    let mut fields = Map::new();
    fields.insert("duration_seconds".into(), figures.duration_seconds.into());
    fields.insert("input_tokens".into(), figures.input_tokens.into());
    fields.insert("output_tokens".into(), figures.output_tokens.into());
    fields.insert("tool_calls".into(), figures.tool_calls.into());
    if let Some(error) = &stage.error_message {
        fields.insert("error".into(), error.as_str().into());
    }
    Ok(event(end.ended_at, stage, fields))
}

/// Ends the attempts that run, with this error.
pub(crate) fn cut_off(stages: &mut [Stage], error: &str, now: Timestamp) -> Result<Vec<NewEvent>> {
    let mut events = Vec::new();
    for stage in stages.iter_mut().filter(|stage| stage.status == StageStatus::Running) {
        stage.status = transition::stage(stage.status, StageEvent::Fail).map_err(|e| illegal(&e))?;
        stage.completed_at = Some(now);
        stage.error_message = Some(error.to_owned());
        events.push(event(now, stage, Map::from_iter([("error".to_owned(), Value::from(error))])));
    }
    Ok(events)
}

/// Sets a stage back to pending; `clear` drops what it made, its numbered attempts stay.
pub(crate) fn reset(stage: &mut Stage, clear: bool, now: Timestamp) -> Result<NewEvent> {
    stage.status = transition::stage(stage.status, StageEvent::Reset).map_err(|e| illegal(&e))?;
    stage.started_at = None;
    if clear {
        stage.completed_at = None;
        stage.duration_seconds = None;
        (stage.input_tokens, stage.output_tokens, stage.tool_calls) = (None, None, None);
        (stage.output_data, stage.error_message, stage.doc_path) = (None, None, None);
        (stage.agent_output_content, stage.agent_output_s3_ref) = (None, None);
        (stage.design_document, stage.metrics) = (None, None);
        (stage.logs, stage.generated_files) = (Vec::new(), Vec::new());
    }
    Ok(event(now, stage, Map::new()))
}

/// Sets what runs back to pending, keeping what it logged.
pub(crate) fn let_go(stages: &mut [Stage], now: Timestamp) -> Result<Vec<NewEvent>> {
    stages.iter_mut().filter(|s| s.status == StageStatus::Running).map(|stage| reset(stage, false, now)).collect()
}
