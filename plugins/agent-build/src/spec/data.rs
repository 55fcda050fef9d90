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
    Prices {
        id: String,
        title: String,
        items: Vec<PriceItem>,
        /// Discounts and the like.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rules: Vec<PriceRule>,
    },
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
    Notes {
        id: String,
        title: String,
        passages: Vec<String>,
        /// For each passage what it is about, in words to be found by and never to be said: `address`, `phone`, `hours`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        topics: Vec<Vec<String>>,
    },
    /// When something is open.
    Hours { id: String, title: String, hours: Vec<OpeningHours>, closed: Vec<ClosedDays> },
    /// Categories with the words that speak for them.
    Categories { id: String, title: String, categories: Vec<Category> },
    /// Exchange rates.
    Rates { id: String, title: String, rates: Vec<Rate> },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PriceItem {
    pub(crate) name: String,
    /// The price as a decimal number.
    pub(crate) amount: String,
    /// The currency as written, or its code; may be empty.
    pub(crate) currency: String,
    /// The unit it is priced by ("kg"); empty for a piece.
    pub(crate) per: String,
    /// The upper end when the price is a range; empty when it is not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) to: String,
    /// What comes in several variants ("latte"); the name is then base and variant together.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) base: String,
    /// Which of the variants ("large").
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) variant: String,
    /// What is said of it beside the price ("vegan").
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
}

/// A rule that changes what is to be paid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PriceRule {
    /// In the requirement's words.
    pub(crate) text: String,
    /// What is taken off, in percent; empty when the rule is of another kind.
    pub(crate) percent_off: String,
    /// It applies from so many pieces; empty when the number does not matter.
    pub(crate) from_quantity: String,
    /// It applies from so much money; empty when the sum does not matter.
    pub(crate) from_total: String,
    /// Whom or what it applies to ("students", "cakes"); empty for everything.
    pub(crate) applies_to: String,
}

/// Times of some days of the week.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OpeningHours {
    /// What is open ("café"); empty for the whole.
    pub(crate) subject: String,
    /// 1 for Monday to 7 for Sunday.
    pub(crate) days: Vec<u8>,
    /// `09:00`.
    pub(crate) from: String,
    /// `17:30`; `24:00` is midnight. It may be before `from` when it is open past midnight.
    pub(crate) to: String,
}

/// Days of the week on which it stays closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClosedDays {
    pub(crate) subject: String,
    /// 1 for Monday to 7 for Sunday.
    pub(crate) days: Vec<u8>,
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
            Self::Hours { id, title, .. } => ("hours", id, title),
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
            Self::Hours { hours, closed, .. } => hours.len() + closed.len(),
        }
    }
}
