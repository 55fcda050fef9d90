//! A stage of a project: one row of `nexus_stages`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{failure::Failure, ids::ProjectId, project::StageFigures, time::Timestamp};

super::words! {
    /// Where a stage is.
    StageStatus {
        /// Waits for its prerequisites.
        Pending = "pending",
        Running = "running",
        Completed = "completed",
        /// Failed for good, or cut off by stop or cancel.
        Failed = "failed",
        Skipped = "skipped",
    }
}

impl StageStatus {
    /// Whether stages that need this one may begin.
    pub const fn is_satisfied(self) -> bool {
        matches!(self, Self::Completed | Self::Skipped)
    }
}

/// A file that a stage made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratedFile {
    /// Relative to the project's folder.
    pub path: String,
    pub size: u64,
    /// SHA-256, hexadecimal.
    pub checksum: String,
    /// When it was written.
    pub last_modified: Timestamp,
}

/// A stage of a project's workflow.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Stage {
    pub project_id: ProjectId,
    pub stage_name: String,
    /// From 1.
    pub stage_number: u32,
    /// Chinese.
    pub display_name: String,
    /// English.
    pub display_name_en: String,
    pub status: StageStatus,
    /// The handler that runs it.
    pub agent_name: Option<String>,
    /// Begin of the last attempt.
    pub started_at: Option<Timestamp>,
    /// End of the last attempt.
    pub completed_at: Option<Timestamp>,
    /// So far, for a stage that runs.
    pub duration_seconds: Option<f64>,
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub tool_calls: Option<u64>,
    /// What later stages read.
    pub output_data: Option<Value>,
    pub error_message: Option<String>,
    /// Last lines of its log.
    pub logs: Vec<String>,
    /// Relative to the project's folder.
    pub doc_path: Option<String>,
    pub agent_output_content: Option<String>,
    /// Where the content is when it is too large for the row.
    pub agent_output_s3_ref: Option<String>,
    pub generated_files: Vec<GeneratedFile>,
    /// The original's structured design.
    pub design_document: Option<Value>,
    /// Free figures: `model_id`, `cost_usd`, `attempts`.
    pub metrics: Option<Value>,
    /// How often it was begun.
    // Over all builds of the project: it fences late writes.
    pub attempt: u32,
}

impl Stage {
    /// A stage that has not begun.
    pub fn pending(project_id: ProjectId, spec: &super::workflow::StageSpec, number: u32) -> Self {
        Self {
            project_id,
            stage_name: spec.name.clone(),
            stage_number: number,
            display_name: spec.display_name.clone(),
            display_name_en: spec.display_name_en.clone(),
            status: StageStatus::Pending,
            agent_name: Some(spec.handler.clone()),
            started_at: None,
            completed_at: None,
            duration_seconds: None,
            input_tokens: None,
            output_tokens: None,
            tool_calls: None,
            output_data: None,
            error_message: None,
            logs: Vec::new(),
            doc_path: None,
            agent_output_content: None,
            agent_output_s3_ref: None,
            generated_files: Vec::new(),
            design_document: None,
            metrics: None,
            attempt: 0,
        }
    }
}

/// How an attempt of a stage ended, with all that is kept of it.
#[derive(Clone, Debug)]
pub struct StageEnd {
    pub stage_name: String,
    /// The attempt that ends; refused when the stored one is another.
    pub attempt: u32,
    /// Completed, skipped or failed.
    pub outcome: StageOutcome,
    pub ended_at: Timestamp,
    /// Tokens, calls, time, cost.
    pub figures: StageFigures,
    /// Which model, when one was used.
    pub model_id: Option<String>,
    /// Last lines of the log, bounded.
    pub logs: Vec<String>,
}

/// The three ends of a stage.
#[derive(Clone, Debug)]
pub enum StageOutcome {
    Completed(Box<StageProduct>),
    Skipped(Box<StageProduct>),
    Failed(Failure),
}

impl StageEnd {
    /// `metrics` of the stage.
    pub fn metrics(&self) -> Value {
        json!({ "model_id": self.model_id, "cost_usd": self.figures.cost_usd, "attempts": self.attempt })
    }
}

impl StageOutcome {
    /// What came out; nothing of a failure.
    pub fn product(&self) -> Option<&StageProduct> {
        match self {
            Self::Completed(product) | Self::Skipped(product) => Some(product),
            Self::Failed(_) => None,
        }
    }

    /// Why nothing came out.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Completed(_) | Self::Skipped(_) => None,
        }
    }
}

/// What a completed stage leaves in its row.
#[derive(Clone, Debug, Default)]
pub struct StageProduct {
    pub output: Value,
    pub doc_path: Option<String>,
    pub content: Option<String>,
    pub files: Vec<GeneratedFile>,
}
