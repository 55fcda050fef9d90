//! What a provider's refusal means. Envelopes differ from server to server, so that they are read leniently.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::secret;
use crate::{ErrorKind, Identity, ModelError};

/// A wait that a provider asks for: seconds, or a date.
pub(super) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(header).ok()?;
    // A date that has passed means: now.
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

/// The words of an error: what kind the provider calls it, and what it says about it.
struct Words {
    codes: Vec<String>,
    message: String,
}

/// `{"error": {"message", "type", "code"}}`, `{"error": "…"}`, `{"message": …}`, or no JSON at all.
fn words_of(body: &str) -> Words {
    let Ok(value) = serde_json::from_str::<Value>(body) else {
        return Words { codes: Vec::new(), message: shortened(body.trim()) };
    };
    let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(&value);
    let codes = ["type", "code", "status", "__type"]
        .iter()
        .filter_map(|key| error.get(*key))
        .map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned))
        .collect();
    let message = ["message", "Message", "detail"].iter().find_map(|key| error.get(*key).and_then(Value::as_str));
    let message = message.or_else(|| error.as_str()).map_or_else(|| shortened(&error.to_string()), shortened);
    Words { codes, message }
}

pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 600;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

impl Words {
    fn say(&self, any: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        any.iter()
            .any(|word| message.contains(word) || self.codes.iter().any(|code| code.to_lowercase().contains(word)))
    }

    fn kind(&self, status: u16) -> ErrorKind {
        const OVERFLOW: [&str; 8] = [
            "context_length",
            "exceed_context_size",
            "model_context_window_exceeded",
            "prompt is too long",
            "maximum context length",
            "context window",
            "context size",
            "input is too long",
        ];
        const NO_MONEY: [&str; 4] = ["insufficient_quota", "billing", "credit balance", "insufficient credits"];
        match status {
            // Our own gateway, asked by a plugin or an agent.
            402 | 403 | 429 if self.say(&["budget_exhausted"]) => ErrorKind::BudgetExhausted,
            400 | 413 | 422 if self.say(&OVERFLOW) => ErrorKind::ContextOverflow,
            400 | 402 | 429 if self.say(&NO_MONEY) => ErrorKind::QuotaExceeded,
            402 => ErrorKind::QuotaExceeded,
            401 => ErrorKind::Unauthorized,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::UnknownModel,
            408 | 504 => ErrorKind::Timeout,
            429 => ErrorKind::RateLimited,
            503 | 529 => ErrorKind::Overloaded,
            500.. => ErrorKind::ProviderFault,
            // llama.cpp's server reports a prompt that is too long so in the middle of a stream, too.
            _ if self.say(&OVERFLOW) => ErrorKind::ContextOverflow,
            _ => ErrorKind::InvalidRequest,
        }
    }
}

/// What an answer with a status that is no success means.
#[cfg(feature = "bedrock")]
pub(super) fn kind_of(status: u16, body: &str) -> ErrorKind {
    words_of(body).kind(status)
}

/// An answer with a status that is no success. `key` is what the request was sent with.
pub(super) fn refused(
    who: &Identity,
    status: u16,
    retry_after: Option<Duration>,
    body: &str,
    key: Option<&str>,
) -> ModelError {
    let words = words_of(body);
    let kind = words.kind(status);
    let said = secret::without(key.unwrap_or_default(), &words.message);
    let message = match (secret::generic(kind), kind) {
        (Some(generic), _) => {
            secret::log(who, status, &said);
            format!("{who}: HTTP {status}: {generic}")
        }
        (None, ErrorKind::UnknownModel) => {
            format!("{who}: HTTP {status}, {}; check the model's id and the base URL", quoted(&said))
        }
        (None, _) => format!("{who}: HTTP {status}, {}", quoted(&said)),
    };
    ModelError::new(kind, message).with_status(status).with_retry_after(retry_after)
}

fn quoted(said: &str) -> String {
    if said.is_empty() { "no words".to_owned() } else { format!("`{said}`") }
}

/// An error that comes within a stream, whose status was 200. Its words stand for the status.
pub(super) fn in_band(who: &Identity, body: &str) -> ModelError {
    let words = words_of(body);
    let numeric = words.codes.iter().find_map(|code| code.parse::<u16>().ok()).filter(|code| (400..600).contains(code));
    let status = numeric.unwrap_or_else(|| match () {
        () if words.say(&["overloaded"]) => 529,
        () if words.say(&["rate_limit", "rate limit", "throttl"]) => 429,
        () if words.say(&["budget_exhausted"]) => 402,
        () if words.say(&["unavailable"]) => 503,
        () if words.say(&["timeout"]) => 408,
        () if words.say(&["invalid_request", "invalid request"]) => 400,
        () if words.say(&["authentication"]) => 401,
        () if words.say(&["permission"]) => 403,
        () => 500,
    });
    let kind = words.kind(status);
    let said = match secret::generic(kind) {
        // The key is not at hand here, so that nothing but the codes can be logged.
        Some(generic) => {
            secret::log(who, status, &words.codes.join(", "));
            generic.to_owned()
        }
        None => quoted(&words.message),
    };
    ModelError::new(kind, format!("{who}: an error came within the stream: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> ErrorKind {
        refused(&Identity::new("p", "m"), status, None, body, None).kind
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = httpdate::parse_http_date("Sun, 29 Nov 2026 10:00:00 GMT").unwrap();
        assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(" 0.5 ", now), Some(Duration::from_millis(500)));
        assert_eq!(retry_after("Sun, 29 Nov 2026 10:01:30 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(retry_after("Sun, 29 Nov 2026 09:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-3", now), None);
        assert_eq!(retry_after("nan", now), None);
        assert_eq!(retry_after("1e300", now), None);
    }

    #[test]
    fn the_same_failure_has_one_kind_in_every_envelope() {
        let overflow = [
            r#"{"error":{"message":"too big","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":4,"code":400}}"#,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded"}}"#,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 > 1"}}"#,
            r#"{"message":"Input is too long for requested model."}"#,
            "the request exceeds the context size",
        ];
        for body in overflow {
            assert_eq!(kind(400, body), ErrorKind::ContextOverflow, "{body}");
        }
        assert_eq!(
            kind(429, r#"{"error":{"code":"insufficient_quota","message":"no money"}}"#),
            ErrorKind::QuotaExceeded
        );
        assert_eq!(kind(429, r#"{"error":{"code":"budget_exhausted","message":"no"}}"#), ErrorKind::BudgetExhausted);
        assert_eq!(kind(429, "slow down"), ErrorKind::RateLimited);
        assert_eq!(kind(529, ""), ErrorKind::Overloaded);
        assert_eq!(kind(400, r#"{"error":"bad"}"#), ErrorKind::InvalidRequest);
    }
}
