//! The validation layer: takes fields out of a JSON object or a query, one by one, and gathers every
//! fault on the way, in the form that old clients read (`type`, `loc`, `msg`, `input`).
//!
//! Own code and not a derive crate: the contract fixes lax numbers, lengths counted in characters
//! after trimming, and the words of pydantic with the input echoed; a derive crate would give none of
//! the three.

use std::{ops::RangeInclusive, str::FromStr};

use serde_json::{Map, Value};

use crate::api::http::{error::ApiError, fault::Fault};
use crate::config::closest;

/// A JSON object or a query on its way into typed values.
pub(crate) struct Fields {
    place: &'static str,
    object: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Fields {
    pub(crate) const fn new(place: &'static str, object: Map<String, Value>) -> Self {
        Self { place, object, faults: Vec::new() }
    }

    /// What came in, in one form for equal contents.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(&self.object).unwrap_or_default()
    }

    /// Adds a fault found by the caller.
    pub(crate) fn fault(&mut self, field: &str, kind: &'static str, msg: impl Into<String>, input: Value) {
        self.faults.push(Fault::new(self.place, field, kind, msg, input));
    }

    /// Keeps what was given for a field out of the words about it.
    pub(crate) fn hide(&mut self, field: &str) {
        self.faults.iter_mut().filter(|fault| fault.field() == field).for_each(Fault::hide);
    }

    /// Adds a fault of a field of an item of a list; the list's own item when `inner` is empty.
    pub(crate) fn fault_at(&mut self, field: &str, position: usize, inner: &str, kind: &'static str, msg: &str) {
        let fault = Fault::new(self.place, field, kind, msg, Value::Null).at(position);
        self.faults.push(if inner.is_empty() { fault } else { fault.at(inner) });
    }

    /// The field, unless absent or null.
    pub(crate) fn take(&mut self, field: &str) -> Option<Value> {
        self.object.remove(field).filter(|v| !v.is_null())
    }

    /// Puts a value back.
    pub(crate) fn put(&mut self, field: &str, value: Value) {
        self.object.insert(field.to_owned(), value);
    }

    /// A field that is missing beside one that nobody knows was most likely misspelt.
    fn name_slips(&mut self) {
        let left = self.object.iter().filter(|(_, value)| !value.is_null());
        let mut unknown: Vec<String> =
            left.map(|(name, _)| name.clone()).filter(|name| self.faults.iter().all(|f| f.field() != *name)).collect();
        let mut lacking: Vec<(&mut Fault, String)> = self
            .faults
            .iter_mut()
            .filter(|fault| fault.kind == "missing")
            .map(|f| {
                let field = f.field();
                (f, field)
            })
            .collect();
        let alone = lacking.len() == 1;
        for (fault, field) in &mut lacking {
            let known = unknown.iter().position(|name| closest(name, [field.as_str()]).is_some());
            // The only unknown field is a hint even when it is called quite differently.
            let found = known.or((alone && unknown.len() == 1).then_some(0));
            if let Some(position) = found {
                let given = crate::domain::text::shorten(&unknown.remove(position), 100);
                fault.msg.push_str(&format!("; there is an unknown field {given:?}: did you mean {field:?}?"));
            }
        }
    }

    fn missing(&mut self, field: &str) {
        let msg = "Field required";
        self.fault(field, "missing", msg, Value::Null);
    }

    /// A text of `chars` characters after trimming, trimmed. Absent, null and (where 0 characters are
    /// allowed) empty give `None`.
    pub(crate) fn text(&mut self, field: &str, chars: RangeInclusive<usize>) -> Option<String> {
        let value = self.take(field)?;
        let Value::String(text) = value else {
            self.fault(field, "string_type", "Input should be a valid string", value);
            return None;
        };
        let trimmed = text.trim();
        if !self.fits(field, &text, trimmed, &chars) {
            return None;
        }
        (!trimmed.is_empty()).then(|| trimmed.to_owned())
    }

    fn fits(&mut self, field: &str, text: &str, trimmed: &str, chars: &RangeInclusive<usize>) -> bool {
        let (min, max) = (*chars.start(), *chars.end());
        // Bytes bound characters from above, so most texts are counted only when short.
        let count = if trimmed.len() < min { trimmed.len() } else { trimmed.chars().take(max + 1).count() };
        let (kind, msg) = if count < min {
            ("string_too_short", format!("String should have at least {min} character{}", plural(min)))
        } else if count > max {
            ("string_too_long", format!("String should have at most {max} character{}", plural(max)))
        } else if trimmed.contains('\0') {
            ("string_nul", "String should not contain NUL characters".to_owned())
        } else {
            return true;
        };
        self.fault(field, kind, msg, Value::String(text.to_owned()));
        false
    }

    /// As [`Fields::text`], for a field that must be there. Empty on a fault.
    pub(crate) fn required_text(&mut self, field: &str, chars: RangeInclusive<usize>) -> String {
        if self.object.get(field).is_none_or(Value::is_null) {
            self.missing(field);
            return String::new();
        }
        self.text(field, chars).unwrap_or_default()
    }

    /// A required text, counted after trimming but kept as written. Empty on a fault.
    pub(crate) fn required_verbatim(&mut self, field: &str, chars: RangeInclusive<usize>) -> String {
        match self.take(field) {
            None => self.missing(field),
            Some(Value::String(text)) => {
                if self.fits(field, &text, text.trim(), &chars) {
                    return text;
                }
            }
            Some(other) => self.fault(field, "string_type", "Input should be a valid string", other),
        }
        String::new()
    }

    /// A whole number, also as text or with a zero fraction.
    pub(crate) fn integer(&mut self, field: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.take(field)?;
        let fault = match lax_integer(&value) {
            Ok(number) if number < *range.start() => {
                let msg = format!("Input should be greater than or equal to {}", range.start());
                ("greater_than_equal", msg)
            }
            Ok(number) if number > *range.end() => {
                ("less_than_equal", format!("Input should be less than or equal to {}", range.end()))
            }
            Ok(number) => return Some(number),
            Err((kind, msg)) => (kind, msg.to_owned()),
        };
        self.fault(field, fault.0, fault.1, value);
        None
    }

    /// A truth value, also as the usual words and 0 or 1.
    pub(crate) fn flag(&mut self, field: &str) -> Option<bool> {
        let value = self.take(field)?;
        let word = match &value {
            Value::Bool(flag) => return Some(*flag),
            Value::String(word) => word.trim().to_ascii_lowercase(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        match word.as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
            "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
            _ => {
                self.fault(field, "bool_parsing", "Input should be a valid boolean, unable to interpret input", value);
                None
            }
        }
    }

    /// One of a closed set of words. Empty counts as absent: forms send their unset fields so.
    pub(crate) fn word<T: FromStr + Copy + std::fmt::Display>(&mut self, field: &str, all: &[T]) -> Option<T> {
        let value = self.take(field)?;
        if let Value::String(word) = &value {
            if word.trim().is_empty() {
                return None;
            }
            if let Ok(known) = word.trim().parse() {
                return Some(known);
            }
        }
        let words: Vec<String> = all.iter().map(|w| format!("'{w}'")).collect();
        let expected = match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => words.join(""),
        };
        self.fault(field, "enum", format!("Input should be {expected}"), value);
        None
    }

    /// As [`Fields::word`], for a field that must be there.
    pub(crate) fn required_word<T>(&mut self, field: &str, all: &[T]) -> Option<T>
    where
        T: FromStr + Copy + std::fmt::Display,
    {
        if self.object.get(field).is_none_or(|v| v.is_null() || v.as_str().is_some_and(|s| s.trim().is_empty())) {
            self.missing(field);
            return None;
        }
        self.word(field, all)
    }

    /// A list of texts, each trimmed; empty ones are left out.
    pub(crate) fn texts(&mut self, field: &str, most: usize, chars: usize) -> Vec<String> {
        let items = match self.take(field) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.fault(field, "list_type", "Input should be a valid list", other);
                return Vec::new();
            }
        };
        if items.len() > most {
            let msg = format!("List should have at most {most} items after validation, not {}", items.len());
            self.fault(field, "too_long", msg, Value::Array(items));
            return Vec::new();
        }
        let mut texts = Vec::with_capacity(items.len());
        for (position, item) in items.into_iter().enumerate() {
            let before = self.faults.len();
            if let Value::String(text) = &item {
                let trimmed = text.trim();
                if self.fits(field, text, trimmed, &(0..=chars)) && !trimmed.is_empty() {
                    texts.push(trimmed.to_owned());
                }
            } else {
                self.fault(field, "string_type", "Input should be a valid string", item);
            }
            if self.faults.len() > before
                && let Some(fault) = self.faults.pop()
            {
                self.faults.push(fault.at(position));
            }
        }
        texts
    }

    /// A JSON object of at most `bytes` when written.
    pub(crate) fn object(&mut self, field: &str, bytes: usize) -> Option<Map<String, Value>> {
        match self.take(field)? {
            Value::Object(map) => {
                let value = Value::Object(map);
                let size = serde_json::to_vec(&value).map_or(0, |v| v.len());
                if size > bytes {
                    let msg = format!("Input should have at most {bytes} bytes of JSON, not {size}");
                    self.fault(field, "too_long", msg, Value::Null);
                    return None;
                }
                if let Value::Object(map) = value { Some(map) } else { None }
            }
            other => {
                self.fault(field, "dict_type", "Input should be a valid dictionary", other);
                None
            }
        }
    }

    /// The verdict.
    pub(crate) fn finish(mut self) -> Result<(), ApiError> {
        self.name_slips();
        if self.faults.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.faults)) }
    }
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

const NOT_INTEGER: (&str, &str) =
    ("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
const FRACTION: (&str, &str) =
    ("int_from_float", "Input should be a valid integer, got a number with a fractional part");
const TOO_BIG: (&str, &str) = ("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size");

/// `4`, `"4"`, `4.0` and `"4.0"` are 4.
fn lax_integer(value: &Value) -> Result<i64, (&'static str, &'static str)> {
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(whole),
            (None, Some(float)) => from_float(float),
            (None, None) => Err(TOO_BIG),
        },
        Value::String(text) => {
            let text = text.trim();
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
            let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if !numeric(whole) || !numeric(fraction) {
                return Err(NOT_INTEGER);
            }
            if fraction.bytes().any(|b| b != b'0') {
                return Err(NOT_INTEGER);
            }
            let sign = if text.starts_with('-') { "-" } else { "" };
            format!("{sign}{whole}").parse().map_err(|_| TOO_BIG)
        }
        _ => Err(("int_type", "Input should be a valid integer")),
    }
}

fn from_float(float: f64) -> Result<i64, (&'static str, &'static str)> {
    if !float.is_finite() || float.abs() >= 9.0e18 {
        return Err(TOO_BIG);
    }
    if float.fract() != 0.0 {
        return Err(FRACTION);
    }
    #[allow(clippy::cast_possible_truncation)] // whole and within range
    Ok(float as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        let Value::Object(map) = value else { unreachable!() };
        Fields::new("body", map)
    }

    #[test]
    fn numbers_are_lax_and_no_laxer() {
        for good in [json!(4), json!("4"), json!(4.0), json!(" +4 "), json!("4.0")] {
            assert_eq!(lax_integer(&good), Ok(4), "{good}");
        }
        for bad in [json!(2.5), json!("x"), json!(""), json!("2.5"), json!(true), json!([]), json!(1e30), json!("1e3")]
        {
            assert!(lax_integer(&bad).is_err(), "{bad}");
        }
        assert_eq!(lax_integer(&json!("99999999999999999999")).unwrap_err().0, "int_parsing_size");
    }

    #[test]
    fn characters_count_after_trimming() {
        let mut f = fields(json!({"a": "  äöü  ", "b": "   ", "c": "abcd", "d": 7, "n": null}));
        assert_eq!(f.text("a", 3..=3).as_deref(), Some("äöü"));
        assert_eq!(f.text("n", 1..=3), None);
        assert_eq!(f.text("b", 0..=3), None);
        assert_eq!(f.text("c", 1..=3), None);
        assert_eq!(f.text("d", 1..=3), None);
        assert_eq!(f.required_text("e", 1..=3), "");
        let Err(ApiError::Invalid(faults)) = f.finish() else { unreachable!() };
        let kinds: Vec<_> = faults.iter().map(|f| f.kind).collect();
        assert_eq!(kinds, ["string_too_long", "string_type", "missing"]);
    }

    #[test]
    fn a_misspelt_field_is_named_beside_the_missing_one() {
        let message = |value: Value| {
            let mut f = fields(value);
            f.required_text("requirement", 1..=9);
            let _ = f.text("name", 0..=9);
            let Err(ApiError::Invalid(faults)) = f.finish() else { unreachable!() };
            faults.iter().map(|fault| fault.msg.clone()).collect::<Vec<_>>().join("|")
        };
        let slip = message(json!({"requirment": "x", "other": 1}));
        assert!(slip.contains("\"requirment\": did you mean \"requirement\"?"), "{slip}");
        let only = message(json!({"prompt": "x", "name": "y"}));
        assert!(only.contains("\"prompt\": did you mean \"requirement\"?"), "{only}");
        // Nothing to go by.
        assert_eq!(message(json!({"a": 1, "b": 2})), "Field required");
        assert_eq!(message(json!({"requirement": null})), "Field required");
    }

    #[test]
    fn a_fault_in_a_list_names_the_item() {
        let mut f = fields(json!({"tags": ["ok", 7, " ", "x"]}));
        assert_eq!(f.texts("tags", 10, 5), ["ok", "x"]);
        let Err(ApiError::Invalid(faults)) = f.finish() else { unreachable!() };
        assert_eq!(faults[0].loc, [json!("body"), json!("tags"), json!(1)]);
    }
}
