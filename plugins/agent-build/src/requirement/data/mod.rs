//! Data given in a requirement: found, typed, and taken out of the text.

mod amount;
mod categories;
mod faq;
mod grid;
mod pairs;
mod prices;
mod rates;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{sentences, subject::subject};

/// A data set the agent shall know. The file `knowledge/<id>.json` holds it in this form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DataSet {
    /// Items with prices.
    Prices {
        /// File name and reference.
        id: String,
        /// What the requirement calls it.
        title: String,
        /// The items.
        items: Vec<PriceItem>,
    },
    /// Rows and columns; the first column names the rows.
    Table {
        /// File name and reference.
        id: String,
        /// What the requirement calls it.
        title: String,
        /// The columns.
        columns: Vec<Column>,
        /// Cells: text or numbers.
        rows: Vec<Vec<Value>>,
    },
    /// Questions with answers.
    Faq {
        /// File name and reference.
        id: String,
        /// What the requirement calls it.
        title: String,
        /// The entries.
        pairs: Vec<QuestionAnswer>,
    },
    /// Passages of text.
    Notes {
        /// File name and reference.
        id: String,
        /// What the requirement calls it.
        title: String,
        /// The passages.
        passages: Vec<String>,
    },
    /// Categories with the words that speak for them.
    Categories {
        /// File name and reference.
        id: String,
        /// What the requirement calls it.
        title: String,
        /// The categories.
        categories: Vec<Category>,
    },
    /// Exchange rates.
    Rates {
        /// File name and reference.
        id: String,
        /// What the requirement calls it.
        title: String,
        /// The rates.
        rates: Vec<Rate>,
    },
}

/// An item of a price list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PriceItem {
    /// What it is called.
    pub name: String,
    /// The price as a decimal number.
    pub amount: String,
    /// The currency as written, or its code; may be empty.
    pub currency: String,
    /// The unit it is priced by ("kg"); empty for a piece.
    pub per: String,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// `text` or `number`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// An entry of a FAQ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionAnswer {
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
}

/// A category and its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// Words and phrases that speak for it.
    pub words: Vec<String>,
}

/// One exchange rate: 1 `from` is `rate` `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// Currency code.
    pub from: String,
    /// Currency code.
    pub to: String,
    /// A positive decimal number.
    pub rate: String,
}

impl DataSet {
    /// The kind as in the file, which is also what a tool says it needs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Prices { .. } => "prices",
            Self::Table { .. } => "table",
            Self::Faq { .. } => "faq",
            Self::Notes { .. } => "notes",
            Self::Categories { .. } => "categories",
            Self::Rates { .. } => "rates",
        }
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Prices { id, .. }
            | Self::Table { id, .. }
            | Self::Faq { id, .. }
            | Self::Notes { id, .. }
            | Self::Categories { id, .. }
            | Self::Rates { id, .. } => id,
        }
    }

    fn id_mut(&mut self) -> &mut String {
        match self {
            Self::Prices { id, .. }
            | Self::Table { id, .. }
            | Self::Faq { id, .. }
            | Self::Notes { id, .. }
            | Self::Categories { id, .. }
            | Self::Rates { id, .. } => id,
        }
    }

    /// The title.
    #[must_use]
    pub fn title(&self) -> &str {
        match self {
            Self::Prices { title, .. }
            | Self::Table { title, .. }
            | Self::Faq { title, .. }
            | Self::Notes { title, .. }
            | Self::Categories { title, .. }
            | Self::Rates { title, .. } => title,
        }
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Prices { items, .. } => items.len(),
            Self::Table { rows, .. } => rows.len(),
            Self::Faq { pairs, .. } => pairs.len(),
            Self::Notes { passages, .. } => passages.len(),
            Self::Categories { categories, .. } => categories.len(),
            Self::Rates { rates, .. } => rates.len(),
        }
    }

    /// Whether it has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Finds all data of a text: the data sets, and the sentences that are left.
pub(super) fn extract(text: &str) -> (Vec<DataSet>, Vec<String>) {
    let mut found = Vec::new();
    let sorting = categories::is_sorting(text);
    let rest = faq::extract(text, &mut found);
    let rest = grid::extract(&rest, &mut found);
    let rest = pairs::extract_lines(&rest, sorting, &mut found);
    let mut left = Vec::new();
    let mut passages = Vec::new();
    for sentence in sentences::split(&rest) {
        let before = found.len();
        let remains = rates::extract(&sentence, &mut found)
            .or_else(|| prices::extract(&sentence, &mut found))
            .or_else(|| sorting.then(|| categories::extract(&sentence, &mut found)).flatten())
            .or_else(|| pairs::extract_inline(&sentence, &mut found));
        match remains {
            Some(head) if found.len() > before => {
                if head.chars().any(char::is_alphanumeric) {
                    left.push(head);
                }
            }
            _ if sentences::is_task(&sentence) => left.push(sentence),
            _ => passages.push(sentence),
        }
    }
    if !passages.is_empty() {
        found.push(DataSet::Notes { id: String::new(), title: "Notes".into(), passages });
    }
    (name_all(prices::joined(found)), left)
}

/// Gives every data set an id of its own, by kind.
fn name_all(mut found: Vec<DataSet>) -> Vec<DataSet> {
    let mut seen: Vec<&'static str> = Vec::new();
    for data in &mut found {
        let kind = data.kind();
        seen.push(kind);
        let number = seen.iter().filter(|k| **k == kind).count();
        *data.id_mut() = if number == 1 { kind.to_owned() } else { format!("{kind}_{number}") };
    }
    found
}

/// A heading without its closing colon and leading marks; the last clause when it is long.
fn heading(line: &str) -> String {
    let line =
        line.trim().trim_start_matches(['#', '-', '*', '•', ' ']).trim_end_matches([':', '：', ' ', '.', '。', '=']);
    let short =
        if line.chars().count() > 60 { line.rsplit(['.', ',', '，', '。']).next().unwrap_or(line) } else { line };
    subject(short).chars().take(80).collect()
}
