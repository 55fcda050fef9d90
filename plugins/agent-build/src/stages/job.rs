//! One attempt of a stage: its inputs, its questions to the provider, the files it leaves.

use std::sync::Arc;

use nexus_plugin_api::{
    payload::{AgentManifest, Document, StageRequest, StageResult, Usage},
    sdk::Context,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Shared, StageError, StageName};
use crate::{
    documents::{Known, structured},
    provider::{self, Answer},
    workspace::Workspace,
};

pub(crate) struct Job {
    pub(crate) request: StageRequest,
    pub(crate) cx: Context,
    pub(crate) shared: Arc<Shared>,
    stage: StageName,
    files: Vec<(String, String)>,
    folders: Vec<String>,
    usage: Usage,
}

impl Job {
    pub(crate) fn new(stage: StageName, request: StageRequest, cx: Context, shared: Arc<Shared>) -> Self {
        let usage = Usage { model_id: Some(shared.provider.model_id().to_owned()), ..Usage::default() };
        Self { request, cx, shared, stage, files: Vec::new(), folders: Vec::new(), usage }
    }

    /// What an earlier stage found out.
    pub(crate) fn input<T: DeserializeOwned>(&self, stage: StageName) -> Result<T, StageError> {
        let missing = |problem: String| StageError::Input { stage: stage.as_str(), problem };
        let value = self.request.inputs.get(stage.as_str()).ok_or_else(|| missing("it has not run".into()))?;
        T::deserialize(value).map_err(|e| missing(e.to_string()))
    }

    /// Asks the provider for an object.
    pub(crate) async fn ask<T: Answer>(&mut self) -> Result<T, StageError> {
        let context = json!({
            "project_name": self.request.project_name,
            "requirement": self.request.requirement,
            "inputs": self.request.inputs,
        });
        let question = provider::ask::<T>(self.shared.provider.as_ref(), self.stage.as_str(), context);
        let generated = tokio::select! {
            answer = question => answer?,
            () = self.cx.cancelled() => return Err(StageError::Cancelled),
        };
        self.usage.input_tokens += generated.usage.input_tokens;
        self.usage.output_tokens += generated.usage.output_tokens;
        self.usage.model_id = generated.usage.model_id;
        Ok(generated.value)
    }

    /// A file to write when the stage finishes.
    pub(crate) fn file(&mut self, path: impl Into<String>, content: impl Into<String>) {
        self.files.push((path.into(), content.into()));
    }

    /// A folder that shall hold nothing but this attempt's files.
    pub(crate) fn own_folder(&mut self, folder: &str) {
        self.folders.push(folder.to_owned());
    }

    /// Writes the files and the document, and makes the result.
    pub(crate) async fn finish(self, output: impl Serialize, document: String) -> Result<StageResult, StageError> {
        self.finish_with(output, document, None).await
    }

    /// As [`Job::finish`], with the agent that came out.
    pub(crate) async fn finish_with(
        mut self,
        output: impl Serialize,
        document: String,
        agent: Option<AgentManifest>,
    ) -> Result<StageResult, StageError> {
        if self.cx.is_cancelled() {
            return Err(StageError::Cancelled);
        }
        let output = match serde_json::to_value(output)? {
            output @ Value::Object(_) => output,
            other => json!({ "value": other }),
        };
        let path = format!("docs/{:02}_{}.md", self.request.stage_number, self.stage.as_str());
        self.files.push((path.clone(), document.clone()));
        let (project_name, inputs) = (&self.request.project_name, &self.request.inputs);
        let known = Known { project_name, inputs, output: &output };
        // Beside the text, by the same name: the daemon shows it as `parsed_content`.
        let structured = serde_json::to_string_pretty(&structured(self.stage, &known))?;
        self.files.push((path.replace(".md", ".json"), structured + "\n"));
        let output = if let Value::Object(output) = output { output } else { serde_json::Map::new() };
        let names: Vec<String> = self.files.iter().map(|(path, _)| path.clone()).collect();
        let workspace = Workspace::new(self.request.workspace.clone());
        let (files, folders, kept) = (self.files, self.folders, names.clone());
        tokio::task::spawn_blocking(move || {
            folders.iter().try_for_each(|folder| workspace.keep_only(folder, &kept))?;
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
            agent,
            ..StageResult::default()
        })
    }
}
