//! One object of a JSON schema: read leniently, because models wrap what they say; validated strictly, because what follows relies on it.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Answer, ChatModel, ChatRequest, Content, Message, ModelError, OutputSchema, Role, collect};

/// Why an answer is no object of the schema. `problems` is written so that the model can mend them.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", problems.join("; "))]
pub struct NotOfSchema {
    pub problems: Vec<String>,
}

impl NotOfSchema {
    fn one(problem: impl Into<String>) -> Self {
        Self { problems: vec![problem.into()] }
    }
}

/// Why there is no typed object.
#[derive(Debug, thiserror::Error)]
pub enum TypedError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("the model's answer does not fit the schema `{schema}`, also after it was shown its mistakes: {reason}")]
    NotOfSchema { schema: String, reason: NotOfSchema, answers: Vec<Answer> },
}

/// An object, and every answer that it took: all of them are paid for.
#[derive(Debug)]
pub struct Typed<T> {
    pub value: T,
    pub answers: Vec<Answer>,
}

/// Asks for one object. After an answer that does not fit, the model is shown its answer and the exact problems, once.
/// `repair` makes the words of that round out of the problems.
pub async fn ask<T: DeserializeOwned>(
    model: &dyn ChatModel,
    mut request: ChatRequest,
    schema: &OutputSchema,
    repair: impl FnOnce(&[String]) -> String + Send,
) -> Result<Typed<T>, TypedError> {
    request.output = Some(schema.clone());
    let first = collect(model.stream(request.clone()).await?).await?;
    let reason = match read(schema, &first) {
        Ok(value) => return Ok(Typed { value, answers: vec![first] }),
        Err(reason) => reason,
    };
    if !first.text.trim().is_empty() {
        request.messages.push(Message { role: Role::Assistant, content: vec![Content::Text(first.text.clone())] });
    }
    request.messages.push(Message::user(repair(&reason.problems)));
    let second = collect(model.stream(request).await?).await?;
    match read(schema, &second) {
        Ok(value) => Ok(Typed { value, answers: vec![first, second] }),
        Err(reason) => {
            Err(TypedError::NotOfSchema { schema: schema.name().to_owned(), reason, answers: vec![first, second] })
        }
    }
}

/// Reads an answer as an object of the schema.
pub fn read<T: DeserializeOwned>(schema: &OutputSchema, answer: &Answer) -> Result<T, NotOfSchema> {
    if answer.stop.is_cut() {
        return Err(NotOfSchema::one(format!(
            "the answer was cut at the limit of its length ({} characters came): answer shorter",
            answer.text.chars().count()
        )));
    }
    let value = read_object(&answer.text)?;
    let problems = schema.problems(&value);
    if !problems.is_empty() {
        return Err(NotOfSchema { problems });
    }
    serde_json::from_value(value).map_err(|error| NotOfSchema::one(error.to_string()))
}

/// Finds the one JSON object in what a model wrote: bare, in a fence, between words, as a string that holds JSON, or with
/// commas too many. Nothing is completed: an object that does not close is an error.
pub fn read_object(text: &str) -> Result<Value, NotOfSchema> {
    let text = text.trim().trim_start_matches('\u{feff}');
    match serde_json::from_str::<Value>(text) {
        Ok(value @ Value::Object(_)) => return Ok(value),
        Ok(Value::String(inner)) => {
            if let Ok(value @ Value::Object(_)) = serde_json::from_str(&inner) {
                return Ok(value);
            }
        }
        Ok(other) => return Err(NotOfSchema::one(format!("the answer is {}, not a JSON object", kind_of(&other)))),
        Err(_) => {}
    }
    let mut first_problem = None;
    let mut rest = text;
    while let Some(begin) = rest.find('{') {
        let candidate = rest.get(begin..).unwrap_or_default();
        let Some(length) = length_of_object(candidate) else {
            first_problem.get_or_insert_with(|| "the JSON object does not end".to_owned());
            break;
        };
        let object = candidate.get(..length).unwrap_or_default();
        match serde_json::from_str(object)
            .or_else(|error| serde_json::from_str(&without_spare_commas(object)).map_err(|_| error))
        {
            Ok(value @ Value::Object(_)) => return Ok(value),
            Ok(_) => {}
            Err(error) => {
                first_problem.get_or_insert_with(|| format!("the JSON object is malformed: {error}"));
            }
        }
        // Braces within words (`{name}`) come before the object now and then.
        rest = candidate.get(length..).unwrap_or_default();
    }
    Err(NotOfSchema::one(first_problem.unwrap_or_else(|| "the answer holds no JSON object".to_owned())))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Walks over JSON, telling for each character whether it stands outside of texts.
fn outside_of_texts(text: &str) -> impl Iterator<Item = (usize, char, bool)> {
    let (mut in_text, mut escaped) = (false, false);
    text.char_indices().map(move |(place, sign)| {
        let outside = !in_text;
        match sign {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            _ => {}
        }
        (place, sign, outside)
    })
}

/// How long the object is that begins the text; `None` if it does not close.
fn length_of_object(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (place, sign, outside) in outside_of_texts(text) {
        match sign {
            '{' if outside => depth += 1,
            '}' if outside => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(place + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Commas before a closing bracket, which models leave behind.
fn without_spare_commas(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    // Where a comma stands that only blanks follow until now.
    let mut comma: Option<usize> = None;
    for (_, sign, outside) in outside_of_texts(text) {
        if outside
            && matches!(sign, '}' | ']')
            && let Some(place) = comma
        {
            clean.remove(place);
        }
        if outside && sign == ',' {
            comma = Some(clean.len());
        } else if !sign.is_whitespace() {
            comma = None;
        }
        clean.push(sign);
    }
    clean
}

#[cfg(test)]
#[path = "typed_tests.rs"]
mod tests;
