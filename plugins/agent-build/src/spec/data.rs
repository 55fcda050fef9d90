//! Data that the requirement brings along.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A data set the agent shall know: its `id`, the `title` that the requirement gives it, and its entries. The file
/// `knowledge/<id>.json` holds it in this form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum DataSet {
    /// Items with prices.
    Prices { id: String, title: String, items: Vec<PriceItem> },
    /// Rows and columns; the first column names the rows.
    Table {
        id: String,
        title: String,
        columns: Vec<Column>,
        /// Cells: text or numbers.
        rows: Vec<Vec<Value>>,
    },
    /// Questions with answers.
    Faq { id: String, title: String, pairs: Vec<QuestionAnswer> },
    /// Passages of text.
    Notes { id: String, title: String, passages: Vec<String> },
    /// Categories with the words that speak for them.
    Categories { id: String, title: String, categories: Vec<Category> },
    /// Exchange rates.
    Rates { id: String, title: String, rates: Vec<Rate> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PriceItem {
    pub(crate) name: String,
    /// The price as a decimal number.
    pub(crate) amount: String,
    /// The currency as written, or its code; may be empty.
    pub(crate) currency: String,
    /// The unit it is priced by ("kg"); empty for a piece.
    pub(crate) per: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// `text` or `number`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct QuestionAnswer {
    pub(crate) question: String,
    pub(crate) answer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Category {
    pub(crate) name: String,
    /// Words and phrases that speak for it.
    pub(crate) words: Vec<String>,
}

/// One exchange rate: 1 `from` is `rate` `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Rate {
    /// Currency code.
    pub(crate) from: String,
    /// Currency code.
    pub(crate) to: String,
    /// A positive decimal number.
    pub(crate) rate: String,
}

impl DataSet {
    fn head(&self) -> (&'static str, &str, &str) {
        match self {
            Self::Prices { id, title, .. } => ("prices", id, title),
            Self::Table { id, title, .. } => ("table", id, title),
            Self::Faq { id, title, .. } => ("faq", id, title),
            Self::Notes { id, title, .. } => ("notes", id, title),
            Self::Categories { id, title, .. } => ("categories", id, title),
            Self::Rates { id, title, .. } => ("rates", id, title),
        }
    }

    /// The kind as in the file, which is also what a tool says it needs.
    pub(crate) fn kind(&self) -> &'static str {
        self.head().0
    }

    pub(crate) fn id(&self) -> &str {
        self.head().1
    }

    pub(crate) fn title(&self) -> &str {
        self.head().2
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Prices { items, .. } => items.len(),
            Self::Table { rows, .. } => rows.len(),
            Self::Faq { pairs, .. } => pairs.len(),
            Self::Notes { passages, .. } => passages.len(),
            Self::Categories { categories, .. } => categories.len(),
            Self::Rates { rates, .. } => rates.len(),
        }
    }
}
