//! Reads an item's attributes, laxly.

use std::{fmt::Display, str::FromStr};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use crate::{
    backend::{
        aws::dynamodb::{
            lenient,
            value::{self, Item},
        },
        error::{BackendError, BackendErrorKind},
        store::Result,
    },
    domain::{assessment::Assessment, project::Priority, time::Timestamp},
};

/// Stands for an id that an item lacks.
const UNKNOWN: &str = "unknown";

/// An attribute as it stands in an item; none where there is none.
pub(crate) type Word = Option<AttributeValue>;

fn unreadable(name: &str, text: &str, error: &impl Display) -> BackendError {
    BackendError::new(BackendErrorKind::Corrupt, format!("{name} {text:?}: {error}"))
}

/// Reads an item's attributes.
pub(crate) struct Reader<'a>(pub(crate) &'a Item);

impl Reader<'_> {
    pub(in crate::backend::aws::dynamodb) fn json(&self, name: &str) -> Option<Value> {
        self.0.get(name).map(value::json).filter(|value| !value.is_null())
    }

    /// A text; numbers are taken as one.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            AttributeValue::S(text) => Some(text.clone()),
            AttributeValue::N(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// A text that is not empty.
    pub(in crate::backend::aws::dynamodb) fn some_text(&self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// An id, a time or a word; one that cannot be read counts as missing.
    pub(crate) fn word<T: FromStr>(&self, name: &str) -> Option<T> {
        self.some_text(name)?.parse().ok()
    }

    /// A key: without it the item is no record.
    pub(crate) fn key<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T> {
        let text = self.text(name).unwrap_or_default();
        text.parse().map_err(|error| unreadable(name, &text, &error))
    }

    pub(in crate::backend::aws::dynamodb) fn float(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse::<f64>().ok().filter(|n| n.is_finite())
    }

    /// A count: whole and not negative.
    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        let text = self.text(name)?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
        let rounded = |n: f64| n.max(0.0) as u64;
        text.parse().ok().or_else(|| text.parse().ok().filter(|n: &f64| n.is_finite()).map(rounded))
    }

    /// How much of the requirement is served; what is not as it should be is left out.
    pub(in crate::backend::aws::dynamodb) fn assessment(&self) -> Assessment {
        Assessment {
            coverage: self.word("coverage"),
            not_served: self
                .document("not_served")
                .and_then(|parts| serde_json::from_value(parts).ok())
                .unwrap_or_default(),
            acceptance: self.document("acceptance").and_then(|all| serde_json::from_value(all).ok()),
        }
    }

    /// A document; text that holds one is unwrapped, as the original wrote some.
    pub(in crate::backend::aws::dynamodb) fn document(&self, name: &str) -> Option<Value> {
        match self.json(name)? {
            Value::String(text) if text.starts_with(['{', '[']) => {
                Some(serde_json::from_str(&text).unwrap_or(Value::String(text)))
            }
            value => Some(value),
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        match self.json(name) {
            Some(Value::Array(items)) => items
                .into_iter()
                .filter_map(|item| match item {
                    Value::String(text) => Some(text),
                    Value::Null => None,
                    other => Some(other.to_string()),
                })
                .collect(),
            Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    pub(in crate::backend::aws::dynamodb) fn created(&self) -> Timestamp {
        self.time("created_at").unwrap_or(Timestamp::from_micros(0))
    }

    /// A time, also as seconds since 1970.
    pub(crate) fn time(&self, name: &str) -> Option<Timestamp> {
        self.word(name).or_else(|| lenient::seconds(self.float(name)?))
    }

    /// An id that is no key: a record is of use without it.
    pub(in crate::backend::aws::dynamodb) fn id<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T> {
        self.word(name).map_or_else(|| UNKNOWN.parse().map_err(|error| unreadable(name, UNKNOWN, &error)), Ok)
    }

    /// What is read as this word, if it stands there otherwise: conditions name what stands there.
    pub(in crate::backend::aws::dynamodb) fn stated(
        &self,
        name: &str,
        read_as: Option<AttributeValue>,
    ) -> Option<Word> {
        let stated = self.0.get(name).cloned();
        (stated != read_as).then_some(stated)
    }

    pub(in crate::backend::aws::dynamodb) fn whole(&self, name: &str) -> u32 {
        self.count(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
    }

    pub(in crate::backend::aws::dynamodb) fn priority(&self) -> Priority {
        let number = self.count("priority").and_then(|n| i64::try_from(n).ok());
        number.map_or(Priority::DEFAULT, Priority::clamped)
    }
}
