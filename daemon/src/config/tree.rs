//! A TOML document as a tree that remembers where every key and value was written.
//!
//! `config::load` lays environment and command line over it, `config::check` holds it against the schema, and only
//! then serde turns it into the model: so every problem can be reported at once, each with its place.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::problem::{Place, Problem, Source};

/// Where a key or value was written.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// A byte range of the document's text.
    Text(Range<usize>),
    /// An environment variable.
    Variable(String),
    /// A command-line option.
    Option(&'static str),
    /// Nowhere: made up to hold a value from elsewhere.
    Unset,
}

impl Origin {
    /// The same as a place to show.
    #[must_use]
    pub(super) fn place(&self, source: &Source) -> Place {
        match self {
            Self::Text(span) => source.place(span),
            Self::Variable(name) => Place::Variable(name.clone()),
            Self::Option(name) => Place::Option(name),
            Self::Unset => Place::Unset,
        }
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// The value.
    pub(super) value: Value,
    /// Where it was written.
    pub(super) origin: Origin,
}

/// A table's entry: the value, and where its key was written.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Where the key was written.
    pub(super) key: Origin,
    /// What the key holds.
    pub(super) node: Node,
}

/// The entries of a table.
pub(super) type Table = BTreeMap<String, Entry>;

/// A TOML value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A string.
    Text(String),
    /// A whole number that fits 64 bits.
    Integer(i64),
    /// A whole number that does not, as written.
    Huge(String),
    /// A number with a fraction.
    Float(f64),
    /// true or false.
    Bool(bool),
    /// A date or time.
    Date(Datetime),
    /// A list.
    Array(Vec<Node>),
    /// A table.
    Table(Table),
}

impl Value {
    /// The type in words, with its article.
    #[must_use]
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) | Self::Huge(_) => "a whole number",
            Self::Float(_) => "a number with a fraction",
            Self::Bool(_) => "true or false",
            Self::Date(_) => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The same without places.
    #[must_use]
    pub(super) fn plain(&self) -> toml::Value {
        match self {
            Self::Text(text) | Self::Huge(text) => toml::Value::String(text.clone()),
            Self::Integer(number) => toml::Value::Integer(*number),
            Self::Float(number) => toml::Value::Float(*number),
            Self::Bool(flag) => toml::Value::Boolean(*flag),
            Self::Date(date) => toml::Value::Datetime(*date),
            Self::Array(items) => toml::Value::Array(items.iter().map(|item| item.value.plain()).collect()),
            Self::Table(table) => {
                toml::Value::Table(table.iter().map(|(key, entry)| (key.clone(), entry.node.value.plain())).collect())
            }
        }
    }
}

impl Node {
    /// The node under `path`, when there is one.
    #[must_use]
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        match &self.value {
            Value::Table(table) => table.get(*first)?.node.at(rest),
            _ => None,
        }
    }

    /// Puts a value under `path`, replacing what stands there; tables are made on the way.
    /// Gives back the place of the value that is in the way of a table, if one is.
    pub(super) fn put(&mut self, path: &[&str], node: Self) -> Result<(), Origin> {
        let Some((first, rest)) = path.split_first() else {
            *self = node;
            return Ok(());
        };
        let Value::Table(table) = &mut self.value else { return Err(self.origin.clone()) };
        let entry = table.entry((*first).to_owned()).or_insert_with(|| Entry {
            key: node.origin.clone(),
            node: Self { value: Value::Table(Table::new()), origin: node.origin.clone() },
        });
        if rest.is_empty() {
            entry.key = node.origin.clone();
        }
        entry.node.put(rest, node)
    }
}

/// An empty document.
#[must_use]
pub(super) fn empty() -> Node {
    Node { value: Value::Table(Table::new()), origin: Origin::Unset }
}

/// Reads a TOML text; on failure every syntax error that could be told apart.
pub(super) fn parse(source: &Source) -> Result<Node, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    if errors.is_empty() {
        let span = table.span();
        return Ok(Node {
            value: convert_table(table.get_ref(), &|span| Origin::Text(span)),
            origin: Origin::Text(span),
        });
    }
    // One unclosed bracket can make thousands.
    Err(errors.iter().take(10).map(|error| syntax_problem(error, source)).collect())
}

fn syntax_problem(error: &toml::de::Error, source: &Source) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let place = source.place(&span);
    let said = error.message().replace('\n', ", ");
    if said == "duplicate key" {
        let key = source.text.get(span).unwrap_or_default();
        return Problem::new(place, format!("`{key}` is set twice"));
    }
    let problem = Problem::new(place, format!("this is not TOML: {}", said.trim_end_matches(", expected nothing")));
    if source.text.trim_start().starts_with('{') {
        return problem.help("this looks like JSON; TOML has a line `[section]` and below it lines `key = value`");
    }
    let line = source.text.get(..span.start).and_then(|before| before.lines().last()).unwrap_or_default();
    let value = line.split_once('=').map_or("", |(_, value)| value.trim_start());
    // Whatever the parser takes it for, a value that begins like no TOML value was meant as a text.
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '~' | ':');
    if value.starts_with(bare) { problem.help("a text stands in quotes: key = \"value\"") } else { problem }
}

/// Reads one TOML value, such as `true`, `16` or `["a", "b"]`, whose every part comes from `origin`.
#[must_use]
pub(super) fn parse_value(text: &str, origin: &Origin) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    Some(convert(value.get_ref(), origin.clone(), &|_| origin.clone()))
}

fn convert(value: &DeValue<'_>, origin: Origin, place: &dyn Fn(Range<usize>) -> Origin) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(fits) => Value::Integer(fits),
            Err(_) => Value::Huge(number.to_string()),
        },
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::Huge(number.to_string()), Value::Float)
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(date) => Value::Date(*date),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| convert(item.get_ref(), place(item.span()), place)).collect())
        }
        DeValue::Table(table) => convert_table(table, place),
    };
    Node { value, origin }
}

fn convert_table(table: &DeTable<'_>, place: &dyn Fn(Range<usize>) -> Origin) -> Value {
    let entries = table.iter().map(|(key, item)| {
        let node = convert(item.get_ref(), place(item.span()), place);
        (key.get_ref().to_string(), Entry { key: place(key.span()), node })
    });
    Value::Table(entries.collect())
}
