//! The author that asks a language model, through the daemon's gateway.
//!
//! Rules stay rules: what `offline` reads of the requirement (data, figures, clauses that a vetted tool
//! serves) is the ground, and the model is asked for what is missing: what the rest of the wishes mean ([`wishes`]), tools
//! that no catalogue has ([`sketch`], then [`code`]), and words ([`words`]). Each question is for one small object.

mod arithmetic;
mod ask;
mod code;
mod context;
mod intent;
mod prompts;
mod sketch;
mod wishes;
mod words;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use nexus_model::ModelError;
use nexus_plugin_api::payload::{ModelAccess, Usage};

pub(crate) use prompts::Prompts;

use super::{AgentFile, Answer, Author, AuthorError, Authored, Brief, offline};
use crate::{
    catalogue::{Catalogue, CatalogueError},
    settings::Settings,
    spec::{
        AgentDesign, AgentPrompt, Architecture, Example, Introduction, Language, Limit, Plan, Requirements,
        StageOutline, ToolSketch, WrittenTools,
    },
    verify::{
        Finding, VerifyError,
        tool::{Candidate, Tried, try_out},
    },
};
use ask::{Alias, Interviewer};

/// Tools that are sketched or written at the same time.
const SIDE_BY_SIDE: usize = 3;
/// More tools are not written for one agent.
const MOST_WRITTEN: usize = 6;

/// Why there is no such author.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelAuthorError {
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error("the daemon's language models cannot be asked: {0}")]
    Access(#[from] ModelError),
}

pub(crate) struct ModelAuthor {
    catalogue: &'static Catalogue,
    interviewer: Interviewer,
    settings: Settings,
    model_id: String,
}

impl ModelAuthor {
    pub(crate) fn new(
        access: &ModelAccess,
        prompts: Arc<Prompts>,
        settings: &Settings,
    ) -> Result<Self, ModelAuthorError> {
        let interviewer = Interviewer::new(access, prompts, settings.longest_context, settings.longest_answer)?;
        let alias = Alias::Smart.word();
        let model_id = access.models.get(alias).cloned().unwrap_or_else(|| alias.to_owned());
        Ok(Self { catalogue: Catalogue::embedded()?, interviewer, settings: settings.clone(), model_id })
    }

    /// What it took was reported with each answer.
    fn told<T>(&self, object: T) -> Answer<T> {
        Ok(Authored { object, usage: Usage { model_id: Some(self.model_id.clone()), ..Usage::default() } })
    }

    async fn try_out(&self, candidate: &Candidate<'_>) -> Result<Tried, VerifyError> {
        try_out(&self.settings.python, candidate, Duration::from_secs(self.settings.tool_timeout_secs)).await
    }

    /// Sketches of the tools that the wishes need, side by side. A wish whose sketch cannot be used is not served.
    async fn sketches(
        &self,
        brief: &Brief,
        requirements: &mut Requirements,
        wishes: Vec<wishes::FunctionWish>,
    ) -> Result<(), AuthorError> {
        let language = requirements.language;
        let taken = self.names();
        let taken = &taken;
        let made: Vec<(wishes::FunctionWish, Result<ToolSketch, String>)> = stream::iter(
            wishes
                .into_iter()
                .take(MOST_WRITTEN)
                .map(|wish| self.sketched(brief, language, wish, taken))
                .collect::<Vec<_>>(),
        )
        .buffered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
        for (wish, sketch) in made {
            let sketch = sketch.map(|sketch| numbered(sketch, requirements));
            let mut beside_vetted = false;
            for (task, at) in &wish.places {
                let clause = requirements.reading.tasks.get_mut(*task).and_then(|task| task.clauses.get_mut(*at));
                let Some(clause) = clause else { continue };
                beside_vetted |= !clause.served_by.is_empty();
                match &sketch {
                    Ok(sketch) => {
                        clause.served_by.push(sketch.id.clone());
                        clause.not_served = None;
                    }
                    Err(_) if !clause.served_by.is_empty() => {}
                    Err(_) => clause.not_served = Some(without_sketch(language)),
                }
            }
            match sketch {
                Ok(sketch) => {
                    brief.context.info(format!("to be written: {} for “{}”", sketch.signature(), wish.text));
                    requirements.to_write.push(ToolSketch { beside_vetted, ..sketch });
                }
                Err(problem) => brief.context.warn(format!("no tool is written for “{}”: {problem}", wish.text)),
            }
        }
        Ok(())
    }

    /// A wish with its sketch, or why there is none that can be used.
    async fn sketched(
        &self,
        brief: &Brief,
        language: Language,
        wish: wishes::FunctionWish,
        taken: &BTreeSet<String>,
    ) -> Result<(wishes::FunctionWish, Result<ToolSketch, String>), AuthorError> {
        match sketch::sketch(self, brief, language, &wish, taken).await {
            Ok(sketch) => Ok((wish, Ok(sketch))),
            Err(AuthorError::NotUsable { problem, .. }) => Ok((wish, Err(problem))),
            Err(error) => Err(error),
        }
    }

    async fn written<'a>(
        &self,
        brief: &Brief,
        design: &AgentDesign,
        sketch: &'a ToolSketch,
    ) -> Result<(&'a ToolSketch, code::Outcome), AuthorError> {
        Ok((sketch, code::write(self, brief, design, sketch).await?))
    }

    /// Names that a written tool must not have: of the catalogue's modules and functions, and of everything in Python that
    /// tests and intents use.
    fn names(&self) -> BTreeSet<String> {
        let tools = self.catalogue.tools();
        let functions = tools.iter().flat_map(|tool| &tool.about.functions).map(|one| one.name.clone());
        let more = ["unittest", "json", "tools", "intents", "runtime", "propose", "say", "agent"].map(str::to_owned);
        tools.iter().map(|tool| tool.id().to_owned()).chain(functions).chain(more).collect()
    }
}

/// A sketch with a name that no other one has: two wishes may be named alike.
fn numbered(mut sketch: ToolSketch, requirements: &Requirements) -> ToolSketch {
    let base = sketch.id.clone();
    let mut number = 2;
    while requirements.to_write.iter().any(|other| other.id == sketch.id) {
        sketch.id = format!("{base}_{number}");
        number += 1;
    }
    sketch
}

fn without_sketch(language: Language) -> Limit {
    let reason = language.pick(
        "the model could not say how a tool for it is called and what it gives",
        "模型未能说明所需工具的用法和结果",
    );
    Limit { ability: "unknown".into(), reason: reason.to_owned(), needs: "model".into() }
}

#[async_trait]
impl Author for ModelAuthor {
    fn model_id(&self) -> &str {
        &self.model_id
    }

    async fn plan(&self, brief: &Brief, stages: &[StageOutline]) -> Answer<Plan> {
        let read = offline::analysis::analyse(self.catalogue, &brief.project_name, &brief.requirement)?;
        let mut plan = offline::plan::plan(&read, stages);
        self.plan_words(brief, &mut plan).await?;
        self.told(plan)
    }

    async fn analyse(&self, brief: &Brief) -> Answer<Requirements> {
        let mut requirements = offline::analysis::analyse(self.catalogue, &brief.project_name, &brief.requirement)?;
        let wishes = wishes::judge(self, brief, &mut requirements).await?;
        self.sketches(brief, &mut requirements, wishes).await?;
        wishes::cover(&mut requirements);
        self.told(requirements)
    }

    async fn draw_architecture(&self, brief: &Brief, requirements: &Requirements) -> Answer<Architecture> {
        let mut architecture = offline::architecture::draw(self.catalogue, requirements);
        self.architecture_words(brief, requirements, &mut architecture).await?;
        self.told(architecture)
    }

    async fn design(&self, brief: &Brief, requirements: &Requirements) -> Answer<AgentDesign> {
        let mut design = offline::design::design(self.catalogue, &brief.project_name, requirements);
        design.examples.extend(requirements.to_write.iter().flat_map(|sketch| {
            sketch.examples.iter().take(2).map(|example| Example {
                question: example.question.clone(),
                tool: sketch.id.clone(),
                contains: String::new(),
            })
        }));
        self.design_words(brief, requirements, &mut design).await?;
        self.told(design)
    }

    async fn write_tools(&self, brief: &Brief, design: &AgentDesign) -> Answer<WrittenTools> {
        let mut written = offline::tools::tools(self.catalogue, design)?;
        written.left_out.clear();
        let outcomes: Vec<(&ToolSketch, code::Outcome)> =
            stream::iter(design.to_write.iter().map(|sketch| self.written(brief, design, sketch)).collect::<Vec<_>>())
                .buffered(SIDE_BY_SIDE)
                .try_collect()
                .await?;
        let mut failures = Vec::new();
        for (sketch, outcome) in outcomes {
            match outcome {
                code::Outcome::Written(tool) => written.tools.push(*tool),
                code::Outcome::Failed { problem, attempts } => failures.push((sketch, problem, attempts)),
            }
        }
        // An agent without any tool is none: then everything is shown.
        if written.tools.is_empty()
            && let Some((sketch, problem, attempts)) = failures.into_iter().next()
        {
            return Err(AuthorError::Unproven { tool: sketch.id.clone(), problem, attempts });
        }
        let order = |id: &str| design.tools.iter().position(|choice| choice.id == id);
        written.tools.sort_by_key(|tool| order(&tool.about.id));
        let is_written = |sketch: &&ToolSketch| written.tools.iter().any(|tool| tool.about.id == sketch.id);
        let missing = design.to_write.iter().filter(|sketch| !is_written(sketch));
        let reason = design.language.pick(
            "a tool was written for it, but it does not do what its worked examples say",
            "为此编写的工具未能通过示例验证",
        );
        written.left_out = missing.map(|sketch| sketch.left_out(reason)).collect();
        self.told(written)
    }

    async fn write_prompt(
        &self,
        brief: &Brief,
        requirements: &Requirements,
        design: &AgentDesign,
    ) -> Answer<AgentPrompt> {
        let words = self.prompt_words(brief, requirements, design).await?;
        let own: Vec<String> = words.rules.iter().map(|rule| wishes::one_line(rule)).collect();
        let role = wishes::one_line(&words.role);
        self.told(offline::prompt::composed(self.catalogue, requirements, design, Some(role), &own))
    }

    async fn introduce(
        &self,
        brief: &Brief,
        requirements: &Requirements,
        design: &AgentDesign,
    ) -> Answer<Introduction> {
        let mut introduction = offline::prompt::introduction(requirements, design);
        self.introduction_words(brief, requirements, design, &mut introduction).await?;
        self.told(introduction)
    }

    /// Mends written tools; those of the catalogue are vetted, what is wrong with one is mended there.
    async fn repair(&self, brief: &Brief, files: &[AgentFile], findings: &[Finding]) -> Answer<Vec<AgentFile>> {
        let mut mended = Vec::new();
        for file in files {
            let id = file.path.strip_prefix("agent/tools/").and_then(|name| name.strip_suffix(".py"));
            let Some(id) = id.filter(|id| self.catalogue.tool(id).is_none()) else { continue };
            let tests = files.iter().find(|other| other.path == format!("agent/tests/test_{id}.py"));
            let tests = tests.map_or("", |tests| tests.content.as_str());
            let own: Vec<Finding> =
                findings.iter().filter(|finding| finding.tool.as_deref() == Some(id)).cloned().collect();
            if let Some(code) = code::mend(self, brief, id, (&file.content, tests), &own).await? {
                mended.push(AgentFile { path: file.path.clone(), content: code });
            }
        }
        self.told(mended)
    }
}
