//! How much of a requirement an agent serves, and how that was found out (SPEC, section 7).

use nexus_evaluation::Acceptance;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text::shorten;

super::words! {
    /// How much is served.
    Coverage {
        /// All of it.
        Full = "full",
        /// Some of it.
        Partial = "partial",
        /// Nothing.
        None = "none",
    }
}

/// A part of the requirement that is not served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotServed {
    /// In the requirement's words.
    pub text: String,
    /// Why.
    pub reason: String,
}

/// What a build found out about what it made. Its members stand in the records of project and agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assessment {
    /// None until a stage says it.
    pub coverage: Option<Coverage>,
    /// What is left out, and why.
    pub not_served: Vec<NotServed>,
    /// Questions, answers and score; none until the agent was asked.
    pub acceptance: Option<Acceptance>,
}

/// Most entries and characters that a record holds: a plugin may say anything.
const MOST_PARTS: usize = 40;
const MOST_ITEMS: usize = 60;
const MOST_TEXT: usize = 500;
/// Most bytes as JSON: an item of DynamoDB has 400 KB for everything.
const MOST_BYTES: usize = 40_000;

impl Assessment {
    /// What a stage reported, as a record can hold it; words that are none are left out.
    #[must_use]
    pub fn reported<'a>(
        coverage: &str,
        not_served: impl Iterator<Item = (&'a str, &'a str)>,
        acceptance: Option<Value>,
    ) -> Self {
        let short = |text: &str| shorten(text, MOST_TEXT);
        let parts = not_served.take(MOST_PARTS);
        let acceptance: Option<Acceptance> = acceptance.and_then(|acceptance| serde_json::from_value(acceptance).ok());
        let mut assessment = Self {
            coverage: coverage.parse().ok(),
            not_served: parts.map(|(text, reason)| NotServed { text: short(text), reason: short(reason) }).collect(),
            acceptance: acceptance.map(|mut acceptance| {
                acceptance.items.truncate(MOST_ITEMS);
                for item in &mut acceptance.items {
                    for text in [&mut item.question, &mut item.answer, &mut item.expected] {
                        *text = short(text);
                    }
                    for text in [&mut item.reason, &mut item.source] {
                        *text = text.as_deref().map(short);
                    }
                }
                acceptance
            }),
        };
        assessment.shrink();
        assessment
    }

    /// Drops the last cases until the record holds the rest; the score stays.
    fn shrink(&mut self) {
        let size = |assessment: &Self| serde_json::to_string(assessment).map_or(0, |text| text.len());
        while size(self) > MOST_BYTES {
            let dropped = self.acceptance.as_mut().and_then(|acceptance| acceptance.items.pop()).is_some();
            if !dropped && self.not_served.pop().is_none() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_plugin_says_is_bounded_and_nonsense_is_left_out() {
        let long = "x".repeat(5_000);
        let item = json!({"kind": "datum", "question": long, "answer": long, "expected": "3", "outcome": "passed"});
        let acceptance = json!({"asked": 100, "passed": 100, "failed": 0, "unproven": 0, "items": vec![item; 100]});
        let parts = std::iter::repeat_n((long.as_str(), long.as_str()), 500);
        let kept = Assessment::reported("partial", parts, Some(acceptance));
        assert_eq!(
            (kept.coverage, kept.acceptance.as_ref().map(|all| all.passed)),
            (Some(Coverage::Partial), Some(100))
        );
        let size = serde_json::to_string(&kept).unwrap().len();
        assert!(size <= MOST_BYTES && !kept.not_served.is_empty(), "{size}");
        let odd = Assessment::reported("mostly", std::iter::empty(), Some(json!("fine")));
        assert_eq!(odd, Assessment::default());
    }
}
