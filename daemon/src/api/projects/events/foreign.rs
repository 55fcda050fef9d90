//! What a stream tells of a build on which services of another kind work: they write rows and no events, so the rows are
//! compared with what the stream has told, every two seconds while it is quiet.

use std::{collections::HashMap, time::Duration};

use serde_json::{Map, Value, json};

use crate::{
    backend::store::ProjectDetail,
    domain::{
        event::{EventType, ProjectEvent},
        ids::ProjectId,
        stage::{Stage, StageStatus},
        time::Timestamp,
    },
};

/// Pause between two looks.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What the client of a stream knows of its project.
#[derive(Default)]
pub(crate) struct Told {
    /// Events up to this number were told on an earlier connection, and are not known here yet.
    behind: u64,
    stages: HashMap<String, String>,
    project: Option<(String, Value, Value)>,
    /// The same from before, while it is recalled.
    before: HashMap<String, String>,
    before_project: Option<(String, Value, Value)>,
}

fn text<'f>(fields: &'f Map<String, Value>, name: &str) -> Option<&'f str> {
    fields.get(name).and_then(Value::as_str)
}

fn of_project(fields: &Map<String, Value>) -> Option<(String, Value, Value)> {
    let of = |name: &str| fields.get(name).cloned().unwrap_or_default();
    Some((text(fields, "status")?.to_owned(), of("progress"), of("current_stage")))
}

fn of_stage(stage: &Stage) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("stage_name".into(), stage.stage_name.as_str().into());
    fields.insert("status".into(), stage.status.as_str().into());
    fields.insert("attempt".into(), stage.attempt.into());
    if stage.status.is_satisfied() || stage.status == StageStatus::Failed {
        fields.insert("duration_seconds".into(), json!(stage.duration_seconds));
        fields.insert("input_tokens".into(), json!(stage.input_tokens));
        fields.insert("output_tokens".into(), json!(stage.output_tokens));
        fields.insert("tool_calls".into(), json!(stage.tool_calls));
        fields.retain(|_, value| !value.is_null());
        if let Some(error) = &stage.error_message {
            fields.insert("error".into(), error.as_str().into());
        }
    }
    fields
}

impl Told {
    /// Of a client that has read up to this number.
    pub(crate) fn behind(number: u64) -> Self {
        Self { behind: number, ..Self::default() }
    }

    /// Events up to this number are still to be recalled.
    pub(crate) const fn begins_behind(&self) -> u64 {
        self.behind
    }

    /// Takes note of events from before what is known.
    pub(crate) fn recall<'e>(&mut self, events: impl Iterator<Item = &'e ProjectEvent>) {
        let mut earlier = Self::default();
        events.for_each(|event| earlier.note(event));
        for (stage, status) in earlier.stages {
            self.before.insert(stage, status);
        }
        self.before_project = earlier.project.or(self.before_project.take());
    }

    /// Everything from before was recalled.
    pub(crate) fn is_whole(&mut self) {
        self.behind = 0;
        for (stage, status) in std::mem::take(&mut self.before) {
            self.stages.entry(stage).or_insert(status);
        }
        self.project = self.project.take().or(self.before_project.take());
    }

    /// Takes note of an event that the client gets.
    pub(crate) fn note(&mut self, event: &ProjectEvent) {
        match event.kind {
            EventType::Stage => {
                let (name, status) = (text(&event.fields, "stage_name"), text(&event.fields, "status"));
                if let (Some(name), Some(status)) = (name, status) {
                    self.stages.insert(name.to_owned(), status.to_owned());
                }
            }
            EventType::Project => self.project = of_project(&event.fields).or(self.project.take()),
            _ => {}
        }
    }

    /// What the rows say and no event has told, stages first. The events have no number of their own: `seq` is the last.
    pub(crate) fn missing(&mut self, id: &ProjectId, seq: u64, rows: &ProjectDetail) -> Vec<ProjectEvent> {
        let mut found: Vec<(EventType, Map<String, Value>)> = Vec::new();
        for stage in &rows.stages {
            let known = self.stages.get(&stage.stage_name).map_or(StageStatus::Pending.as_str(), String::as_str);
            if known != stage.status.as_str() {
                found.push((EventType::Stage, of_stage(stage)));
            }
        }
        let project = &rows.project;
        let mut fields = Map::new();
        fields.insert("status".into(), project.status.as_str().into());
        fields.insert("progress".into(), project.progress.into());
        fields.insert("current_stage".into(), json!(project.current_stage));
        if self.project != of_project(&fields) {
            found.push((EventType::Project, fields));
        }
        let at = Timestamp::now();
        let event = |(kind, fields)| ProjectEvent { seq, project_id: id.clone(), kind, at, fields };
        let found: Vec<ProjectEvent> = found.into_iter().map(event).collect();
        found.iter().for_each(|event| self.note(event));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::store::NewProject,
        domain::workflow::{
            Workflow,
            tests::{spec, stage},
        },
    };

    fn rows(words: [&str; 2]) -> ProjectDetail {
        let workflow = Workflow::build(spec(vec![stage("a", &[]), stage("b", &[])])).unwrap();
        let new = NewProject::queued(&workflow, "r");
        let mut stages = new.stages;
        for (stage, word) in stages.iter_mut().zip(words) {
            stage.status = word.parse().unwrap();
        }
        ProjectDetail { project: new.project, stages, agent_count: 0 }
    }

    #[test]
    fn each_change_of_the_rows_is_told_once() {
        let (mut told, id) = (Told::default(), ProjectId::generate());
        let words = |events: Vec<ProjectEvent>| -> Vec<String> {
            events.iter().map(|event| format!("{} {}", event.kind, event.fields["status"].as_str().unwrap())).collect()
        };
        assert_eq!(words(told.missing(&id, 7, &rows(["pending", "pending"]))), ["project queued"]);
        assert!(told.missing(&id, 7, &rows(["pending", "pending"])).is_empty());
        assert_eq!(words(told.missing(&id, 7, &rows(["completed", "running"]))), ["stage completed", "stage running"]);
        // An event that came by itself is not told again.
        let fields = Map::from_iter([
            ("stage_name".to_owned(), Value::from("b")),
            ("status".to_owned(), Value::from("completed")),
        ]);
        let (kind, at) = (EventType::Stage, Timestamp::now());
        told.note(&ProjectEvent { seq: 8, project_id: id.clone(), kind, at, fields });
        let mut ended = rows(["completed", "completed"]);
        ended.project.progress = 100.0;
        let events = told.missing(&id, 8, &ended);
        assert_eq!((events[0].seq, events[0].fields["progress"].as_f64()), (8, Some(100.0)));
        assert_eq!(words(events), ["project queued"]);
    }
}
