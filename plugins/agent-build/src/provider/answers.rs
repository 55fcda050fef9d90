//! The objects that stages ask for. Most of each becomes the stage's `output_data`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::{
    catalogue::{Choice, Function, Localized, Uncovered},
    requirement::{data::DataSet, language::Language},
};

/// The orchestrator's plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowPlan {
    /// Language of the requirement.
    pub language: Language,
    /// What is going to be built, in one or two sentences.
    pub summary: String,
    /// The stages with their goals.
    pub stages: Vec<PlannedStage>,
    /// What is taken for granted.
    pub assumptions: Vec<String>,
}

/// A stage of the plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlannedStage {
    /// Its name in the workflow.
    pub stage: String,
    /// What it shall reach.
    pub goal: String,
    /// What it leaves behind.
    pub deliverable: String,
}

impl Answer for WorkflowPlan {
    const NAME: &'static str = "WorkflowPlan";
    const INSTRUCTION: &'static str = "Plan the build of an AI agent for the requirement: say what is going to be built, the goal and deliverable of every stage of the workflow, and your assumptions.";
}

/// The analysed requirement.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RequirementsSpec {
    /// Language of the requirement.
    pub language: Language,
    /// A title.
    pub title: String,
    /// What is wanted, in short.
    pub summary: String,
    /// What the agent shall do.
    pub tasks: Vec<Task>,
    /// What the agent shall know.
    pub data: Vec<DataSet>,
    /// Qualities it shall have.
    pub qualities: Vec<String>,
    /// How one sees that it is done.
    pub acceptance: Vec<String>,
}

/// Something the agent shall do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// `R1`, `R2`, …
    pub id: String,
    /// In the requirement's words.
    pub text: String,
}

impl Answer for RequirementsSpec {
    const NAME: &'static str = "RequirementsSpec";
    const INSTRUCTION: &'static str = "Analyse the requirement: list what the agent shall do in the requirement's own words, take out all data it brings along as typed data sets, and state qualities and acceptance criteria.";
}

/// The architecture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Architecture {
    /// In a few sentences.
    pub overview: String,
    /// The parts.
    pub components: Vec<Component>,
    /// How a question travels, step by step.
    pub flow: Vec<String>,
    /// A Mermaid flowchart.
    pub mermaid: String,
    /// What was decided, and why.
    pub decisions: Vec<Decision>,
}

/// A part of the system.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// What it does.
    pub role: String,
    /// Where it is found in the agent's folder.
    pub place: String,
}

/// A decision.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// What was decided.
    pub decision: String,
    /// Why.
    pub reason: String,
}

impl Answer for Architecture {
    const NAME: &'static str = "Architecture";
    const INSTRUCTION: &'static str = "Design the architecture of the agent: parts, the way of a question through them, a Mermaid flowchart, and the decisions with their reasons.";
}

/// The design of the agent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentDesign {
    /// `[a-zA-Z][a-zA-Z0-9_]*`, at most 48 characters.
    #[schemars(length(min = 1, max = 48))]
    pub agent_name: String,
    /// For people.
    pub display_name: String,
    /// One or two sentences.
    pub description: String,
    /// For grouping.
    pub category: String,
    /// The language it answers in when the question tells none.
    pub language: Language,
    /// What it can do, a phrase each.
    pub capabilities: Vec<String>,
    /// Its tools, most important first.
    #[schemars(length(min = 1))]
    pub tools: Vec<Choice>,
    /// Questions it answers; its own tests ask them.
    pub examples: Vec<Example>,
    /// What it will not be able to do.
    pub uncovered: Vec<Uncovered>,
    /// Whether the requirement named nothing in particular.
    pub general: bool,
}

/// A question with its answer's mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Example {
    /// The question.
    pub question: String,
    /// The tool that answers it.
    pub tool: String,
    /// What the answer contains.
    pub contains: String,
}

impl Answer for AgentDesign {
    const NAME: &'static str = "AgentDesign";
    const INSTRUCTION: &'static str = "Design the agent: name, description, category, capabilities, the tools it needs with the reason for each, example questions it must answer, and what of the requirement it cannot serve.";
}

/// The tools as Python modules.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ToolSet {
    /// One per tool.
    pub modules: Vec<ToolModule>,
}

/// A tool as Python modules.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ToolModule {
    /// Name of the modules: `[a-z][a-z0-9_]*`.
    pub id: String,
    /// For people.
    pub name: Localized,
    /// One line.
    pub summary: Localized,
    /// A question it answers.
    pub example: Localized,
    /// For grouping.
    pub category: String,
    /// What it reaches beyond its arguments.
    pub permissions: Vec<String>,
    /// Its functions.
    pub functions: Vec<Function>,
    /// Where the code comes from.
    pub source: String,
    /// Content of `tools/<id>.py`.
    pub code: String,
    /// Content of `intents/<id>.py`.
    pub intent: String,
    /// Content of `tests/test_<id>.py`.
    pub tests: String,
}

impl Answer for ToolSet {
    const NAME: &'static str = "ToolSet";
    const INSTRUCTION: &'static str = "Write each tool of the design as a Python module of plain typed functions with docstrings, its intent module for the offline router, and its unit tests.";
}

/// The system prompt.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PromptFile {
    /// Who the agent is.
    pub role: String,
    /// The rules it keeps.
    pub rules: Vec<String>,
    /// The whole prompt as Markdown.
    #[schemars(length(min = 1))]
    pub text: String,
}

impl Answer for PromptFile {
    const NAME: &'static str = "PromptFile";
    const INSTRUCTION: &'static str = "Write the agent's system prompt: its role, its rules, when to use which tool, and the knowledge it may rely on.";
}

/// What the agent's README says about this agent in particular.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentGuide {
    /// What it is for.
    pub introduction: String,
    /// What its owner should know.
    pub notes: Vec<String>,
}

impl Answer for AgentGuide {
    const NAME: &'static str = "AgentGuide";
    const INSTRUCTION: &'static str = "Introduce the agent to its owner: what it is for and what to know about it. The technical part of the README is written elsewhere.";
}
