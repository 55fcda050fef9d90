//! Asks the daemon's gateway for one typed object: streamed, read leniently, validated strictly, repaired once.

use std::{sync::Arc, time::Duration};

use nexus_model::{
    Answer, ChatModel, ChatRequest, Content, Deadlines, ErrorKind, Message, ModelError, OutputSchema, RetryRules, Role,
    Stack, collect,
    providers::{Connection, Key, OpenAi, Place, Server},
    typed,
};
use nexus_plugin_api::payload::ModelAccess;
use serde::de::DeserializeOwned;

use super::{
    context::Sections,
    prompts::{Part, Prompts},
};
use crate::{
    author::{AuthorError, Brief},
    spec::Language,
};

/// Which of the daemon's models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alias {
    /// For words.
    Fast,
    /// For decisions and code.
    Smart,
}

impl Alias {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Smart => "smart",
        }
    }
}

/// One question.
pub(super) struct Question<'a> {
    /// The folder of its prompts.
    pub(super) step: &'a str,
    pub(super) alias: Alias,
    pub(super) language: Language,
    /// Fills `{{context}}`.
    pub(super) sections: Sections,
    /// Fill the rest.
    pub(super) values: Vec<(&'a str, String)>,
    /// What it is asked for.
    pub(super) schema: OutputSchema,
}

/// An object, and the conversation that led to it, for whoever has to ask on.
pub(super) struct Told<T> {
    pub(super) object: T,
    pub(super) conversation: Vec<Message>,
}

/// Whoever writes next to nothing is asked again; whoever writes in circles is not waited for.
const DEADLINES: Deadlines = Deadlines {
    first: Some(Duration::from_secs(180)),
    between: Some(Duration::from_secs(90)),
    whole: Some(Duration::from_secs(900)),
};
/// The daemon has tried again itself: this is for a gateway that is briefly away.
const RETRY: RetryRules = RetryRules {
    attempts: 3,
    first_wait: Duration::from_millis(250),
    longest_wait: Duration::from_secs(4),
    longest_asked: Duration::from_secs(15),
};
/// A model that made a mistake makes it again when nothing is left to chance.
const TEMPERATURE: [f32; 2] = [0.1, 0.5];

/// The line to the models, on the account of one project.
pub(super) struct Interviewer {
    fast: Arc<dyn ChatModel>,
    smart: Arc<dyn ChatModel>,
    prompts: Arc<Prompts>,
    longest_context: u32,
    longest_answer: u32,
}

impl Interviewer {
    pub(super) fn new(
        access: &ModelAccess,
        prompts: Arc<Prompts>,
        longest_context: u32,
        longest_answer: u32,
    ) -> Result<Self, ModelError> {
        let invalid =
            |error: nexus_model::providers::ServerError| ModelError::new(ErrorKind::InvalidRequest, error.to_string());
        let server = Server::named("gateway").map_err(invalid)?;
        let connection = Connection::new(&Place::Url(access.base_url.clone()), Key::fixed(&access.token))?;
        let model = |alias: Alias| {
            let provider = OpenAi::new("nexusd", alias.word(), Arc::clone(&server), connection.clone());
            Stack::of(Arc::new(provider)).deadlines(DEADLINES).retry(RETRY).build()
        };
        let (fast, smart) = (model(Alias::Fast), model(Alias::Smart));
        Ok(Self { fast, smart, prompts, longest_context, longest_answer })
    }

    fn words(&self, question: &Question<'_>, part: Part, more: &[(&str, &str)]) -> Result<String, AuthorError> {
        let mut values: Vec<(&str, &str)> =
            question.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        values.extend(more);
        self.prompts
            .words(question.step, part, question.language, &values)
            .map_err(|error| AuthorError::Broken(error.to_string()))
    }

    /// Asks for an object of the question's schema that `check` finds nothing in.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        brief: &Brief,
        question: &Question<'_>,
        check: impl Fn(&T) -> Vec<String> + Send + Sync,
    ) -> Result<T, AuthorError> {
        Ok(self.begin(brief, question, check).await?.object)
    }

    /// As [`Self::ask`], with the conversation. A context that is too long is halved once.
    pub(super) async fn begin<T: DeserializeOwned>(
        &self,
        brief: &Brief,
        question: &Question<'_>,
        check: impl Fn(&T) -> Vec<String> + Send + Sync,
    ) -> Result<Told<T>, AuthorError> {
        let mut tokens = self.longest_context;
        loop {
            let context = question.sections.fitted(tokens);
            let user = self.words(question, Part::User, &[("context", &context)])?;
            match self.converse(brief, question, vec![Message::user(user)], &check).await {
                Err(AuthorError::Model { error, .. })
                    if error.kind == ErrorKind::ContextOverflow && tokens == self.longest_context =>
                {
                    tokens /= 2;
                    brief.context.warn(format!(
                        "the prompt is too long for the model: asked again with {tokens} tokens of context"
                    ));
                }
                other => return other,
            }
        }
    }

    /// Goes on with a conversation: what is wrong is the last message.
    pub(super) async fn go_on<T: DeserializeOwned>(
        &self,
        brief: &Brief,
        question: &Question<'_>,
        conversation: Vec<Message>,
        problems: &str,
        check: impl Fn(&T) -> Vec<String> + Send + Sync,
    ) -> Result<Told<T>, AuthorError> {
        let mut messages = super::code::abridged(conversation);
        messages.push(Message::user(self.words(question, Part::Repair, &[("problems", problems)])?));
        self.converse(brief, question, messages, &check).await
    }

    async fn converse<T: DeserializeOwned>(
        &self,
        brief: &Brief,
        question: &Question<'_>,
        messages: Vec<Message>,
        check: &(impl Fn(&T) -> Vec<String> + Send + Sync),
    ) -> Result<Told<T>, AuthorError> {
        let mut request = ChatRequest {
            system: Some(self.words(question, Part::System, &[])?),
            messages,
            output: Some(question.schema.clone()),
            max_tokens: Some(self.longest_answer),
            ..ChatRequest::default()
        };
        let mut answers = Vec::new();
        let mut problem = String::new();
        for (round, temperature) in TEMPERATURE.into_iter().enumerate() {
            request.temperature = Some(temperature);
            let answer = self.answer(brief, question, &request).await?;
            let problems = match typed::read::<T>(&question.schema, &answer) {
                Ok(object) => match check(&object) {
                    problems if problems.is_empty() => {
                        request.messages.push(said(&answer));
                        return Ok(Told { object, conversation: request.messages });
                    }
                    problems => problems,
                },
                Err(reason) => reason.problems,
            };
            problem = problems.join("; ");
            if round == 0 {
                brief.context.info(format!("{}: the model is shown its mistakes: {problem}", question.step));
            }
            let listed: Vec<String> = problems.iter().map(|problem| format!("- {problem}")).collect();
            if !answer.text.trim().is_empty() {
                request.messages.push(said(&answer));
            }
            let words = self.words(question, Part::Repair, &[("problems", &listed.join("\n"))])?;
            request.messages.push(Message::user(words));
            answers.push(answer.text);
        }
        Err(AuthorError::NotUsable { step: question.step.to_owned(), problem, answers })
    }

    /// One answer, with what it took. A stream that broke within the answer is begun anew once: nothing of it was used.
    async fn answer(
        &self,
        brief: &Brief,
        question: &Question<'_>,
        request: &ChatRequest,
    ) -> Result<Answer, AuthorError> {
        let model = match question.alias {
            Alias::Fast => &self.fast,
            Alias::Smart => &self.smart,
        };
        let mut broke = false;
        loop {
            let got = match model.stream(request.clone()).await {
                Ok(stream) => collect(stream).await,
                Err(error) => Err(error),
            };
            match got {
                Ok(answer) => {
                    let used = answer.usage.unwrap_or_default();
                    brief.context.tokens(used.prompt(), used.output);
                    let version = self.prompts.version(question.step, question.language).unwrap_or("?");
                    brief.context.info(format!(
                        "{} ({}, prompt version {version}): {} tokens read, {} written",
                        question.step,
                        question.alias.word(),
                        used.prompt(),
                        used.output
                    ));
                    return Ok(answer);
                }
                Err(error) => {
                    if error.kind == ErrorKind::Cut && !std::mem::replace(&mut broke, true) {
                        brief.context.warn(format!("{}: asked again, since {error}", question.step));
                        continue;
                    }
                    return Err(AuthorError::Model { step: question.step.to_owned(), error });
                }
            }
        }
    }
}

fn said(answer: &Answer) -> Message {
    Message { role: Role::Assistant, content: vec![Content::Text(answer.text.clone())] }
}

/// A schema that is written in this plugin.
pub(super) fn schema(name: &str, text: &str) -> Result<OutputSchema, AuthorError> {
    OutputSchema::parse(name, text).map_err(|error| AuthorError::Broken(error.to_string()))
}
