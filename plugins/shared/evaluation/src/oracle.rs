//! What a right answer is.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::figure::{Date, Figures, Time, Unit};
use crate::{figure, text};

/// What must hold of an answer, all of it. An empty oracle holds for every answer that is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Oracle {
    /// Texts that occur, each with its alternatives between bars.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub must: Vec<String>,
    /// Texts that do not occur.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub must_not: Vec<String>,
    /// Numbers that are stated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Expected>,
    /// Days that are stated, as `2026-03-24`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<String>,
    /// Times of day that are stated, as `17:30`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<String>,
    /// The agent declines: it says that it cannot, does not know, or asks back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refuse: bool,
    /// A regular expression that finds something in the answer as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// A tool whose name contains this was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

/// A number that is expected: `14 EUR`, `68.34 lb ~ 0.1`, `24 元 | 60 元`. What follows `<-` says where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expected {
    written: String,
    alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Alternative {
    value: Decimal,
    units: Vec<Unit>,
    tolerance: Option<Decimal>,
}

/// An oracle that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}")]
pub struct OracleError {
    text: String,
    what: &'static str,
}

impl Expected {
    /// A number without more.
    #[must_use]
    pub fn number(value: Decimal, unit: &str) -> Self {
        let alternative = Alternative { value, units: figure::units_of(unit), tolerance: None };
        // A word that is no unit known here would not be read back.
        let unit = if alternative.units.is_empty() { "" } else { unit };
        Self { written: format!("{value} {unit}").trim_end().to_owned(), alternatives: vec![alternative] }
    }

    /// Whether the figures state it.
    #[must_use]
    pub fn is_stated(&self, figures: &Figures) -> bool {
        self.alternatives.iter().any(|one| figures.states(one.value, &one.units, one.tolerance))
    }
}

impl FromStr for Expected {
    type Err = OracleError;

    fn from_str(written: &str) -> Result<Self, OracleError> {
        let bad = |text: &str| OracleError { text: text.to_owned(), what: "figure like `14 EUR`" };
        let one = |text: &str| {
            let text = source_apart(text);
            let (text, tolerance) = match text.split_once('~') {
                Some((text, tolerance)) => (text.trim(), Some(tolerance.trim().parse().map_err(|_| bad(text))?)),
                None => (text, None),
            };
            let (value, unit) = text.split_once(' ').unwrap_or((text, ""));
            let units = figure::units_of(unit.trim());
            if units.is_empty() && !unit.trim().is_empty() {
                return Err(OracleError { text: unit.to_owned(), what: "unit that is known here" });
            }
            Ok(Alternative { value: value.parse().map_err(|_| bad(text))?, units, tolerance })
        };
        Ok(Self {
            written: written.split(" | ").map(source_apart).collect::<Vec<_>>().join(" | "),
            alternatives: written.split(" | ").map(one).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<String> for Expected {
    type Error = OracleError;

    fn try_from(text: String) -> Result<Self, OracleError> {
        text.parse()
    }
}

impl From<Expected> for String {
    fn from(expected: Expected) -> Self {
        expected.written
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// A value without the note on where it comes from.
fn source_apart(text: &str) -> &str {
    text.split("<-").next().unwrap_or(text).trim()
}

impl Oracle {
    /// A refusal.
    #[must_use]
    pub fn refusal() -> Self {
        Self { refuse: true, ..Self::default() }
    }

    /// Whether an answer is due, not a refusal.
    #[must_use]
    pub fn is_due(&self) -> bool {
        !self.refuse
    }

    /// Whether a number, a day or a time is expected.
    #[must_use]
    pub fn has_figures(&self) -> bool {
        !(self.figures.is_empty() && self.dates.is_empty() && self.times.is_empty())
    }

    /// Whether it asks for anything at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether its dates and times can be read.
    ///
    /// # Errors
    /// When one cannot.
    pub fn check(&self) -> Result<(), OracleError> {
        if let Some(pattern) = &self.pattern {
            regex::Regex::new(pattern)
                .map_err(|_| OracleError { text: pattern.clone(), what: "regular expression" })?;
        }
        for day in &self.dates {
            source_apart(day)
                .parse::<Date>()
                .map_err(|()| OracleError { text: day.clone(), what: "date like `2026-03-24`" })?;
        }
        for time in &self.times {
            source_apart(time)
                .parse::<Time>()
                .map_err(|()| OracleError { text: time.clone(), what: "time like `17:30`" })?;
        }
        Ok(())
    }

    /// What an answer should say and does not.
    pub(crate) fn missing(&self, answer: &str, figures: &Figures, tools: &[&str]) -> Vec<String> {
        let mut missing: Vec<String> = self
            .must
            .iter()
            .map(|must| source_apart(must))
            .filter(|must| !text::occurs(answer, must))
            .map(quoted)
            .collect();
        missing.extend(self.figures.iter().filter(|one| !one.is_stated(figures)).map(Expected::to_string));
        missing.extend(
            self.dates.iter().map(|day| source_apart(day)).filter(|day| !states_day(figures, day)).map(str::to_owned),
        );
        let states_time = |time: &str| time.parse().is_ok_and(|time: Time| figures.times.contains(&time));
        missing.extend(
            self.times.iter().map(|time| source_apart(time)).filter(|time| !states_time(time)).map(str::to_owned),
        );
        if let Some(pattern) = &self.pattern
            && !regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(answer))
        {
            missing.push(format!("anything like `{pattern}`"));
        }
        if let Some(tool) = &self.tool
            && !tools.iter().any(|name| name.contains(tool.as_str()))
        {
            missing.push(format!("a call of `{tool}`"));
        }
        missing
    }

    /// What an answer says and must not.
    pub(crate) fn forbidden(&self, answer: &str) -> Option<&str> {
        self.must_not.iter().map(String::as_str).find(|one| text::occurs(answer, one))
    }
}

/// A date without a year is that day of the expected year.
fn states_day(figures: &Figures, day: &str) -> bool {
    let Ok(day) = day.parse::<Date>() else { return false };
    figures.dates.iter().any(|one| *one == day || *one == Date { year: None, ..day })
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_people_write_them() {
        let expected: Expected = "14 EUR <- 6*1.80 + 2*1.60 | 15 EUR <- 15".parse().unwrap();
        assert_eq!(expected.to_string(), "14 EUR | 15 EUR");
        assert!(expected.is_stated(&Figures::read("15.00 €")) && !expected.is_stated(&Figures::read("16 €")));
        let near: Expected = "68.3 lb ~ 0.1".parse().unwrap();
        assert!(near.is_stated(&Figures::read("68.34 pounds")));
        assert!("x EUR".parse::<Expected>().is_err() && "5 wombats".parse::<Expected>().is_err());
    }

    #[test]
    fn an_oracle_round_trips() {
        let text = r#"{"must":["a|b"],"figures":["14 EUR"],"refuse":true}"#;
        let oracle: Oracle = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&oracle).unwrap(), text);
        assert!(serde_json::from_str::<Oracle>(r#"{"musst":[]}"#).is_err());
        assert!(Oracle { times: vec!["half past".into()], ..Oracle::default() }.check().is_err());
    }
}
