//! The requirement as it was read: tasks, data, and what was not understood, each tied to its place in the text.
//!
//! Whoever judges the agent makes the cases from this object alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that the requirement says. [`Reading::missing`] proves that nothing is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Reading {
    pub(crate) tasks: Vec<Task>,
    pub(crate) data: Vec<Datum>,
    pub(crate) not_understood: Vec<NotUnderstood>,
}

/// A stretch of the requirement in bytes of its UTF-8 form: from `start` to before `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A sentence that says what the agent shall do or be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Task {
    /// `R1`, `R2`, …
    pub(crate) id: String,
    /// In the requirement's words.
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) span: Span,
    #[serde(default)]
    pub(crate) clauses: Vec<Clause>,
}

/// One thing that a task asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Clause {
    pub(crate) text: String,
    pub(crate) span: Span,
    pub(crate) kind: ClauseKind,
    /// What is to be done ("convert"), as far as it was recognised; taken over from the clause before when this one
    /// names an object only.
    pub(crate) verb: String,
    /// What it is to be done with ("kg to lb").
    pub(crate) object: String,
    /// The tools that serve it.
    pub(crate) served_by: Vec<String>,
    /// Why nothing serves it.
    pub(crate) not_served: Option<Limit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClauseKind {
    /// Wants the agent to be able to do something.
    Ability,
    /// Says how it shall behave, or what it shall not do.
    Manner,
    /// Says for whom or for what it is.
    Context,
}

/// Why a clause is not served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Limit {
    /// The ability that is wanted: `web_search`, `mail`, `translation`, …; `unknown` when it was not recognised.
    pub(crate) ability: String,
    /// In the language of the requirement.
    pub(crate) reason: String,
    /// What would serve it: `model`, `connection`, `memory` or `data`.
    pub(crate) needs: String,
}

/// One entry of a data set: where it stands, and what it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Datum {
    pub(crate) span: Span,
    /// `prices`, `table`, `faq`, `notes`, `categories`, `rates` or `hours`.
    pub(crate) kind: String,
    /// Id of the data set.
    pub(crate) set: String,
    /// Its number in the data set, from 0; none for a title or for the names of columns.
    pub(crate) entry: Option<usize>,
    /// What it is asked by: the item's name and its variant, the row's name, the question, the category.
    pub(crate) names: Vec<String>,
    /// Its figures.
    pub(crate) values: Vec<Quantity>,
    /// What it says in words: an answer, a cell, a passage, a condition.
    pub(crate) words: Vec<String>,
}

/// A figure with what it measures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Quantity {
    /// A decimal number, or a time of day as `09:30`.
    pub(crate) value: String,
    /// The upper end of a range; empty when there is none.
    pub(crate) to: String,
    /// Code of a currency, or a unit.
    pub(crate) unit: String,
    /// What it is for one of: `kg` for a price by weight.
    pub(crate) per: String,
    /// What the figure is: `price`, `rate`, `hours`, `percent`, or the name of a column.
    pub(crate) of: String,
}

/// A part of the requirement that became neither task nor data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NotUnderstood {
    pub(crate) text: String,
    pub(crate) span: Span,
    /// In the language of the requirement.
    pub(crate) reason: String,
}

/// How much of what the requirement asks for the agent serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Coverage {
    #[default]
    Full,
    Partial,
    None,
}

impl Coverage {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::None => "none",
        }
    }
}

/// Whether a stretch behind `preceding` holds a letter or a digit that is no markup: no HTML tag, and not the name behind a
/// fence.
fn says_something(preceding: &str, text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(['<', '`']) {
        let (before, markup) = rest.split_at(at);
        if before.chars().any(char::is_alphanumeric) {
            return true;
        }
        let end = if let Some(fence) = markup.strip_prefix("```") {
            3 + fence.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(fence.len())
        } else if markup.starts_with('<')
            && markup.get(1..).is_some_and(|m| m.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!'))
        {
            markup.find('>').map_or(1, |end| end + 1)
        } else {
            1
        };
        rest = markup.get(end..).unwrap_or_default();
    }
    // The number of a list's entry says nothing: it stands first on its line.
    let mark = rest.trim_matches(|c: char| !c.is_alphanumeric());
    let numbered = mark.len() <= 2 && mark.chars().all(|c| c.is_ascii_digit());
    let entry = rest.split_once(mark).is_some_and(|(before, behind)| {
        // The line may have begun before the stretch.
        let begun = if before.contains('\n') { "" } else { preceding };
        let line = [begun, before].map(|part| part.rsplit('\n').next().unwrap_or_default());
        line.concat().chars().all(|c| c.is_whitespace() || matches!(c, '-' | '*' | '•'))
            && behind.starts_with(['.', ')', '、', '）'])
    });
    !(mark.is_empty() || numbered && entry)
}

impl Reading {
    /// The stretches of the requirement that hold a letter or a digit and are in none of the three.
    pub(crate) fn missing(&self, text: &str) -> Vec<Span> {
        let mut spans: Vec<Span> = self.spans().collect();
        spans.sort_unstable();
        let mut missing = Vec::new();
        let mut from = 0;
        for span in spans.into_iter().chain([Span { start: text.len(), end: text.len() }]) {
            if let Some(gap) = text.get(from..span.start)
                && says_something(text.get(..from).unwrap_or_default(), gap)
            {
                missing.push(Span { start: from, end: span.start });
            }
            from = from.max(span.end);
        }
        missing
    }

    fn spans(&self) -> impl Iterator<Item = Span> {
        let tasks = self.tasks.iter().map(|task| task.span);
        let data = self.data.iter().map(|datum| datum.span);
        tasks.chain(data).chain(self.not_understood.iter().map(|part| part.span))
    }

    /// All clauses that nothing serves.
    pub(crate) fn limits(&self) -> impl Iterator<Item = (&Clause, &Limit)> {
        let clauses = self.tasks.iter().flat_map(|task| &task.clauses);
        clauses.filter_map(|clause| clause.not_served.as_ref().map(|limit| (clause, limit)))
    }
}
