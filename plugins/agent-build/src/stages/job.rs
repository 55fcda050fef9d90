//! One attempt of a stage: its inputs, its questions to the author, the files it leaves.

use std::{path::Path, sync::Arc};

use nexus_plugin_api::{
    payload::{AgentManifest, Assessment, Document, Failure, StageRequest, StageResult, Usage},
    sdk::Context,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Shared, Stage, StageError};
use crate::{
    author::{Answer, Author, Brief},
    settings::Settings,
    spec::StageOutput,
    workspace::Workspace,
};

pub(super) struct Job {
    pub(super) request: StageRequest,
    pub(super) cx: Context,
    shared: Arc<Shared>,
    author: Arc<dyn Author>,
    stage: &'static Stage,
    files: Vec<(String, String)>,
    structure: Option<Value>,
    agent: Option<AgentManifest>,
    assessment: Option<Assessment>,
    usage: Usage,
}

impl Job {
    pub(super) fn new(
        stage: &'static Stage,
        request: StageRequest,
        cx: Context,
        shared: Arc<Shared>,
    ) -> Result<Self, Failure> {
        let author = shared.authors.of(request.models.as_ref())?;
        let usage = Usage { model_id: Some(author.model_id().to_owned()), ..Usage::default() };
        Ok(Self {
            request,
            cx,
            shared,
            author,
            stage,
            files: Vec::new(),
            structure: None,
            agent: None,
            assessment: None,
            usage,
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Lays bytecode beside the sources of the agent's folder, which starts without it, too.
    pub(super) async fn lay_bytecode(&self, folder: &Path) {
        let (shared, folder) = (Arc::clone(&self.shared), folder.to_owned());
        if let Some(bytecode) = shared.bytecode().await {
            let bytecode = Arc::clone(bytecode);
            let laid = tokio::task::spawn_blocking(move || bytecode.lay_into(&folder)).await;
            if let Ok(Err(error)) = laid {
                self.cx.warn(format!("the agent starts slower: its bytecode cannot be written ({error})"));
            }
        }
    }

    pub(super) fn model_id(&self) -> &str {
        self.author.model_id()
    }

    /// What an earlier stage found out.
    pub(super) fn input<T: StageOutput>(&self) -> Result<T, StageError> {
        self.optional_input()?.ok_or_else(|| missing::<T>("it has not run"))
    }

    /// What an earlier stage found out, if the workflow has it.
    pub(super) fn optional_input<T: StageOutput>(&self) -> Result<Option<T>, StageError> {
        if !self.stage.reads.contains(&T::STAGE) {
            return Err(missing::<T>("the table of stages does not say that it is read here"));
        }
        let input = self.request.inputs.get(T::STAGE).map(T::deserialize);
        input.transpose().map_err(|e| missing::<T>(&e.to_string()))
    }

    /// The author, and what it is told from the start.
    pub(super) fn author(&self) -> (Arc<dyn Author>, Brief) {
        let brief = Brief {
            project_name: self.request.project_name.clone(),
            requirement: self.request.requirement.clone(),
            context: self.cx.clone(),
        };
        (Arc::clone(&self.author), brief)
    }

    /// The author's answer, with its usage counted. A cancelled job drops the question.
    pub(super) async fn answer<T>(&mut self, question: impl Future<Output = Answer<T>>) -> Result<T, StageError> {
        let authored = tokio::select! {
            answer = question => answer?,
            () = self.cx.cancelled() => return Err(StageError::Cancelled),
        };
        self.usage.input_tokens += authored.usage.input_tokens;
        self.usage.output_tokens += authored.usage.output_tokens;
        self.usage.model_id = authored.usage.model_id.or(self.usage.model_id.take());
        Ok(authored.object)
    }

    /// A file to write when the stage finishes.
    pub(super) fn file(&mut self, path: impl Into<String>, content: impl Into<String>) {
        self.files.push((path.into(), content.into()));
    }

    /// The stage's document for programs.
    pub(super) fn structure(&mut self, structure: Value) {
        self.structure = Some(structure);
    }

    /// The agent that came out.
    pub(super) fn agent(&mut self, agent: AgentManifest) {
        self.agent = Some(agent);
    }

    /// How much of the requirement is served.
    pub(super) fn assessment(&mut self, assessment: Assessment) {
        self.assessment = Some(assessment);
    }

    /// Writes the files and the document, and makes the result.
    pub(super) async fn finish(mut self, output: impl Serialize, document: String) -> Result<StageResult, StageError> {
        if self.cx.is_cancelled() {
            return Err(StageError::Cancelled);
        }
        let output = match serde_json::to_value(output)? {
            Value::Object(output) => output,
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        let path = format!("docs/{:02}_{}.md", self.request.stage_number, self.stage.name);
        self.file(path.clone(), document.clone());
        // Beside the text, by the same name: the daemon shows it as `parsed_content`.
        let structure = self.structure.take().unwrap_or_else(|| {
            // What it found out is what its text says.
            let mut all = Map::from_iter([("project_name".to_owned(), self.request.project_name.clone().into())]);
            all.extend(output.clone());
            json!({ self.stage.name: all })
        });
        self.file(path.replace(".md", ".json"), serde_json::to_string_pretty(&structure)? + "\n");
        let names: Vec<String> = self.files.iter().map(|(path, _)| path.clone()).collect();
        let workspace = Workspace::new(self.request.workspace.clone());
        let (files, kept) = (self.files, names.clone());
        let own = self.stage.writes.iter().filter_map(|place| place.strip_suffix('/'));
        tokio::task::spawn_blocking(move || {
            own.into_iter().try_for_each(|folder| workspace.keep_only(folder, &kept))?;
            files.iter().try_for_each(|(path, content)| workspace.write(path, content))
        })
        .await??;
        for name in &names {
            self.cx.file(name.as_str());
        }
        Ok(StageResult {
            output,
            document: Some(Document { path, content: document }),
            files: names,
            usage: self.usage,
            agent: self.agent,
            assessment: self.assessment,
            ..StageResult::default()
        })
    }
}

fn missing<T: StageOutput>(problem: &str) -> StageError {
    StageError::Input { stage: T::STAGE, problem: problem.to_owned() }
}
