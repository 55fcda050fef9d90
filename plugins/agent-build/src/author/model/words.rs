//! The words of a build: each a small object that is asked for, put into what rules have made already.

use serde::Deserialize;

use super::{
    ModelAuthor,
    ask::{Alias, Question, schema},
    context::Sections,
    wishes::one_line,
};
use crate::{
    author::{AuthorError, Brief},
    spec::{AgentDesign, Architecture, Decision, Introduction, Language, Plan, Requirements},
};

const PLAN: &str = r#"{
  "type": "object",
  "properties": {
    "summary": {"type": "string", "minLength": 10, "maxLength": 400, "description": "What is going to be built, in one or two sentences."},
    "assumptions": {"type": "array", "minItems": 1, "maxItems": 4, "description": "What is taken for granted because the requirement does not say it.", "items": {"type": "string", "minLength": 5, "maxLength": 200}}
  },
  "required": ["summary", "assumptions"],
  "additionalProperties": false
}"#;

const ARCHITECTURE: &str = r#"{
  "type": "object",
  "properties": {
    "overview": {"type": "string", "minLength": 10, "maxLength": 600, "description": "How the agent works, in a few sentences."},
    "decisions": {"type": "array", "minItems": 1, "maxItems": 4, "items": {"type": "object", "properties": {
      "decision": {"type": "string", "minLength": 5, "maxLength": 160, "description": "What was decided."},
      "reason": {"type": "string", "minLength": 5, "maxLength": 240, "description": "Why."}
    }, "required": ["decision", "reason"], "additionalProperties": false}}
  },
  "required": ["overview", "decisions"],
  "additionalProperties": false
}"#;

const DESIGN: &str = r#"{
  "type": "object",
  "properties": {
    "description": {"type": "string", "minLength": 10, "maxLength": 400, "description": "What the agent does for whom, in one or two sentences."},
    "capabilities": {"type": "array", "minItems": 1, "maxItems": 8, "description": "What it can do, a short phrase each, only by the tools and data that it has.", "items": {"type": "string", "minLength": 3, "maxLength": 100}}
  },
  "required": ["description", "capabilities"],
  "additionalProperties": false
}"#;

const PROMPT: &str = r#"{
  "type": "object",
  "properties": {
    "role": {"type": "string", "minLength": 10, "maxLength": 400, "description": "Who the agent is and for whom it works, as said to the agent: You are ..."},
    "rules": {"type": "array", "minItems": 1, "maxItems": 6, "description": "Rules for this agent in particular: tone, what to ask back, what not to do. One sentence each.", "items": {"type": "string", "minLength": 5, "maxLength": 240}}
  },
  "required": ["role", "rules"],
  "additionalProperties": false
}"#;

const INTRODUCTION: &str = r#"{
  "type": "object",
  "properties": {
    "introduction": {"type": "string", "minLength": 10, "maxLength": 800, "description": "What the agent is for and how to use it, for its owner."},
    "notes": {"type": "array", "maxItems": 4, "description": "What its owner should know. Empty when there is nothing.", "items": {"type": "string", "minLength": 5, "maxLength": 240}}
  },
  "required": ["introduction", "notes"],
  "additionalProperties": false
}"#;

#[derive(Deserialize)]
struct PlanWords {
    summary: String,
    assumptions: Vec<String>,
}

#[derive(Deserialize)]
struct ArchitectureWords {
    overview: String,
    decisions: Vec<Decision>,
}

#[derive(Deserialize)]
struct DesignWords {
    description: String,
    capabilities: Vec<String>,
}

/// Role and rules of the agent's own prompt.
#[derive(Deserialize)]
pub(super) struct PromptWords {
    pub(super) role: String,
    pub(super) rules: Vec<String>,
}

/// Words that are checked before they are used.
trait Spoken: serde::de::DeserializeOwned {
    fn texts(&self) -> Vec<&str>;
}

fn all<'a>(first: &'a str, rest: &'a [String]) -> Vec<&'a str> {
    [first].into_iter().chain(rest.iter().map(String::as_str)).collect()
}

impl Spoken for PlanWords {
    fn texts(&self) -> Vec<&str> {
        all(&self.summary, &self.assumptions)
    }
}

impl Spoken for ArchitectureWords {
    fn texts(&self) -> Vec<&str> {
        let decisions = self.decisions.iter().flat_map(|one| [one.decision.as_str(), one.reason.as_str()]);
        [self.overview.as_str()].into_iter().chain(decisions).collect()
    }
}

impl Spoken for DesignWords {
    fn texts(&self) -> Vec<&str> {
        all(&self.description, &self.capabilities)
    }
}

impl Spoken for PromptWords {
    fn texts(&self) -> Vec<&str> {
        all(&self.role, &self.rules)
    }
}

impl Spoken for Introduction {
    fn texts(&self) -> Vec<&str> {
        all(&self.introduction, &self.notes)
    }
}

impl ModelAuthor {
    async fn words<T: Spoken>(
        &self,
        brief: &Brief,
        (step, alias): (&'static str, Alias),
        (name, text): (&str, &str),
        language: Language,
        sections: Sections,
    ) -> Result<T, AuthorError> {
        let question = Question { step, alias, language, sections, values: Vec::new(), schema: schema(name, text)? };
        let requirement = brief.requirement.as_str();
        let check = |told: &T| told.texts().into_iter().flat_map(|text| foreign(text, requirement, language)).collect();
        self.interviewer.ask(brief, &question, check).await
    }

    pub(super) async fn plan_words(&self, brief: &Brief, plan: &mut Plan) -> Result<(), AuthorError> {
        let sections = Sections::default()
            .with("Requirement", brief.requirement.clone())
            .list("Stages", plan.stages.iter().map(|stage| format!("{}: {}", stage.stage, stage.goal)));
        let told: PlanWords =
            self.words(brief, ("orchestrator", Alias::Fast), ("plan", PLAN), plan.language, sections).await?;
        plan.summary = told.summary;
        // What rules know of every agent stands beside what the model takes for granted of this one.
        plan.assumptions.splice(0..0, told.assumptions);
        Ok(())
    }

    pub(super) async fn architecture_words(
        &self,
        brief: &Brief,
        requirements: &Requirements,
        architecture: &mut Architecture,
    ) -> Result<(), AuthorError> {
        let parts = architecture.components.iter().map(|one| format!("{}: {}", one.name, one.role));
        let sections = about(requirements).list("Parts that the agent has", parts);
        let what = ("system_architecture", Alias::Fast);
        let told: ArchitectureWords =
            self.words(brief, what, ("architecture", ARCHITECTURE), requirements.language, sections).await?;
        architecture.overview = told.overview;
        architecture.decisions.splice(0..0, told.decisions);
        Ok(())
    }

    pub(super) async fn design_words(
        &self,
        brief: &Brief,
        requirements: &Requirements,
        design: &mut AgentDesign,
    ) -> Result<(), AuthorError> {
        let sections = self.about_agent(requirements, design);
        let what = ("agent_design", Alias::Smart);
        let told: DesignWords = self.words(brief, what, ("agent_design", DESIGN), design.language, sections).await?;
        design.description = one_line(&told.description);
        design.capabilities = told.capabilities.iter().map(|one| one_line(one)).collect();
        Ok(())
    }

    pub(super) async fn prompt_words(
        &self,
        brief: &Brief,
        requirements: &Requirements,
        design: &AgentDesign,
    ) -> Result<PromptWords, AuthorError> {
        let sections = self.about_agent(requirements, design);
        let what = ("prompt_engineer", Alias::Smart);
        self.words(brief, what, ("agent_prompt", PROMPT), design.language, sections).await
    }

    pub(super) async fn introduction_words(
        &self,
        brief: &Brief,
        requirements: &Requirements,
        design: &AgentDesign,
        introduction: &mut Introduction,
    ) -> Result<(), AuthorError> {
        let sections = self.about_agent(requirements, design);
        let what = ("agent_code_developer", Alias::Fast);
        let told: Introduction =
            self.words(brief, what, ("introduction", INTRODUCTION), design.language, sections).await?;
        introduction.introduction = format!("{}\n\n> {}", told.introduction.trim(), one_line(&requirements.summary));
        introduction.notes.splice(0..0, told.notes);
        Ok(())
    }

    /// What words about the finished agent rest on.
    fn about_agent(&self, requirements: &Requirements, design: &AgentDesign) -> Sections {
        let vetted = design.tools.iter().filter_map(|choice| self.catalogue.tool(&choice.id));
        let tools = vetted.map(|tool| format!("{}: {}", tool.id(), tool.summary().of(design.language)));
        let written = design.to_write.iter().map(|one| format!("{}: {}", one.id, one.summary));
        about(requirements)
            .list("Tools that it has", tools.chain(written))
            .list("What it cannot do", design.not_served.iter().map(|left| format!("{} ({})", left.text, left.reason)))
    }
}

fn about(requirements: &Requirements) -> Sections {
    let clauses = requirements.reading.tasks.iter().map(|task| task.text.clone());
    let data = requirements.data.iter().map(|set| format!("{} ({}, {} entries)", set.title(), set.kind(), set.len()));
    Sections::default()
        .with("What is wanted", format!("{}: {}", requirements.title, requirements.summary))
        .list("Tasks", clauses)
        .list("Data that it has", data)
}

/// What words may not hold: figures that the requirement does not say, and another language.
fn foreign(text: &str, requirement: &str, language: Language) -> Vec<String> {
    let mut problems = Vec::new();
    let chinese = |text: &str| text.chars().any(crate::author::offline::is_chinese);
    if language == Language::Zh && !chinese(text) {
        problems.push(format!("\"{}\" is not in Chinese, the language of the requirement", shown(text)));
    }
    if language == Language::En && chinese(text) && !chinese(requirement) {
        problems.push(format!("\"{}\" is not in the language of the requirement", shown(text)));
    }
    for figure in figures(text) {
        // One to ten are words as much as figures.
        let small = figure.parse::<f64>().is_ok_and(|value| value.fract() == 0.0 && (0.0..=10.0).contains(&value));
        if !small && !figures(requirement).any(|other| other == figure) {
            problems.push(format!(
                "\"{}\" states the figure {figure}, which the requirement does not: leave it out",
                shown(text)
            ));
        }
    }
    problems
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

fn figures(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',')));
    parts.map(|part| part.trim_matches(['.', ','])).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_state_no_figures_of_their_own() {
        let of = |text: &str| foreign(text, "apple 3 EUR, pear 2.50 EUR, open since 1998.", Language::En);
        assert!(of("Knows 2 fruits; a pear is 2.50, since 1998.").is_empty());
        assert_eq!(of("A pear is 2.55 EUR.").len(), 1);
        assert_eq!(foreign("It sells fruit.", "水果店", Language::Zh).len(), 1);
    }
}
