//! The seam to language models: a stage asks a provider for a typed object and gets it with the usage.
//!
//! The object's JSON schema goes out with the question and the answer is checked against it, whoever
//! answered. There is one provider now, [`blueprint`], which works offline.

pub mod answers;
pub mod blueprint;
pub mod schema;

use async_trait::async_trait;
use nexus_plugin_api::payload::Usage;
use schemars::{JsonSchema, schema_for};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A question to a provider.
#[derive(Clone, Debug, Serialize)]
pub struct Ask {
    /// The stage that asks.
    pub stage: &'static str,
    /// Name of the wanted object.
    pub answer: &'static str,
    /// What to do, in words a language model understands.
    pub instruction: &'static str,
    /// What is known: `project_name`, `requirement`, `inputs` (the outputs of earlier stages).
    pub context: Value,
    /// JSON schema of the wanted object.
    pub schema: Value,
}

/// What a provider answers.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The object, not yet checked.
    pub value: Value,
    /// What it took.
    pub usage: Usage,
}

/// A checked answer.
#[derive(Clone, Debug)]
pub struct Generated<T> {
    /// The object.
    pub value: T,
    /// What it took.
    pub usage: Usage,
}

/// Why a provider gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The question cannot be answered as it is: the requirement is at fault.
    #[error("{0}")]
    Unanswerable(String),
    /// The provider does not know this kind of question, or is itself broken.
    #[error("the provider failed: {0}")]
    Broken(String),
    /// The provider cannot be reached or is overloaded; asking again may help.
    #[error("the provider is not available: {0}")]
    Unavailable(String),
    /// The answer breaks the schema.
    #[error("the provider's `{answer}` does not fit its schema: {error}")]
    Invalid {
        /// Name of the wanted object.
        answer: &'static str,
        /// What is wrong.
        error: String,
    },
}

/// Something that answers questions with JSON objects: the offline blueprints, or a language model.
#[async_trait]
pub trait ModelProvider: Send + Sync {
    /// Shown with every stage, for example `offline/blueprint`.
    fn model_id(&self) -> &str;

    /// Answers a question. The answer is checked by the caller.
    async fn generate(&self, ask: &Ask) -> Result<Reply, ProviderError>;
}

/// An object that can be asked for.
pub trait Answer: DeserializeOwned + JsonSchema {
    /// Its name in [`Ask::answer`].
    const NAME: &'static str;
    /// What to do to make one, in words a language model understands.
    const INSTRUCTION: &'static str;
}

/// Asks a provider for an object and checks the answer.
///
/// # Errors
/// When the provider fails, or when what it answers is not such an object.
pub async fn ask<T: Answer>(
    provider: &dyn ModelProvider,
    stage: &'static str,
    context: Value,
) -> Result<Generated<T>, ProviderError> {
    let question =
        Ask { stage, answer: T::NAME, instruction: T::INSTRUCTION, context, schema: schema_for!(T).to_value() };
    let reply = provider.generate(&question).await?;
    let invalid = |error: String| ProviderError::Invalid { answer: T::NAME, error };
    schema::check(&question.schema, &reply.value).map_err(|e| invalid(e.to_string()))?;
    let value = serde_json::from_value(reply.value).map_err(|e| invalid(e.to_string()))?;
    let mut usage = reply.usage;
    usage.model_id.get_or_insert_with(|| provider.model_id().to_owned());
    Ok(Generated { value, usage })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Fixed(Value);

    #[async_trait]
    impl ModelProvider for Fixed {
        fn model_id(&self) -> &str {
            "test/fixed"
        }

        async fn generate(&self, ask: &Ask) -> Result<Reply, ProviderError> {
            assert_eq!(ask.answer, answers::PromptFile::NAME);
            Ok(Reply { value: self.0.clone(), usage: Usage { input_tokens: 7, output_tokens: 5, model_id: None } })
        }
    }

    #[tokio::test]
    async fn answers_are_checked_and_usage_is_kept() {
        let good = Fixed(json!({"role": "r", "rules": ["a"], "text": "t"}));
        let generated = ask::<answers::PromptFile>(&good, "prompt_engineer", json!({})).await.unwrap();
        assert_eq!(
            (generated.value.role.as_str(), generated.usage.input_tokens, generated.usage.model_id.as_deref()),
            ("r", 7, Some("test/fixed"))
        );
        let bad = Fixed(json!({"role": "r", "rules": "none", "text": "t"}));
        let error = ask::<answers::PromptFile>(&bad, "prompt_engineer", json!({})).await.unwrap_err();
        assert!(error.to_string().contains("/rules"), "{error}");
    }
}
