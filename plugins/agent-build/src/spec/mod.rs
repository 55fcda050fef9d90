//! What the stages of a build hand on: typed objects that are the same whoever wrote them.
//!
//! An author that is a language model fills them by their JSON schema, in which the comments here are the
//! descriptions: a comment says what the name of its field does not.

mod agent;
mod architecture;
mod data;
mod design;
mod language;
mod plan;
mod reading;
mod requirements;
mod sketch;
mod tool;
mod tool_info;

use serde::{Serialize, de::DeserializeOwned};

pub(crate) use agent::{AgentFolder, AgentPrompt, Introduction, PromptRecord, VERSION};
pub(crate) use architecture::{Architecture, Component, Decision};
pub(crate) use data::{
    Category, ClosedDays, Column, DataSet, OpeningHours, PriceItem, PriceRule, QuestionAnswer, Rate,
};
pub(crate) use design::{AgentDesign, Example, LeftOut, ToolChoice, Uncovered, is_identifier};
pub(crate) use language::{Language, Localized};
pub(crate) use plan::{Plan, PlannedStage, StageOutline};
pub(crate) use reading::{Clause, ClauseKind, Coverage, Datum, Limit, NotUnderstood, Quantity, Reading, Span, Task};
pub(crate) use requirements::{AcceptanceCases, CasesRecord, Requirements};
pub(crate) use sketch::{Origin, SketchParameter, SketchResult, ToolSketch, ValueKind, WorkedExample, described};
pub(crate) use tool::{Function, Parameter, Proof, Tool, ToolRecord, ToolRecords, WrittenTool, WrittenTools};

/// An object that later stages read, from the `output_data` of the stage that made it.
pub(crate) trait StageOutput: Serialize + DeserializeOwned {
    /// The stage that makes it, by its name in the workflow.
    const STAGE: &'static str;
}
