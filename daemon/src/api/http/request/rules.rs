//! The rules that the fields of a query or a body keep. A rule reads its field (what is wrong becomes a
//! fault) and tells its schema, so that the check and the document are one thing; [`fields_of`] puts fields
//! together.
//!
//! Schemas say what is accepted, lax forms included: numbers and truth values may come as text. Every
//! optional field of a body may be null.

use std::{fmt::Display, marker::PhantomData, str::FromStr};

use serde_json::{Map, Value, json};

use super::{fields::Fields, input};
use crate::api::openapi::{ID_PATTERN, nullable};
use crate::domain::{
    Words,
    caller::Right,
    ids::{AgentId, ProjectId},
};

/// Where a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Query,
    Body,
}

/// How a field is read, and what it may be.
pub(crate) trait Rule {
    /// What comes of it.
    type Value: Send;
    /// Whether the field must be there.
    const REQUIRED: bool = false;
    /// Takes the field; adds what is wrong with it to the faults.
    fn read(fields: &mut Fields, name: &str) -> Self::Value;
    /// What is accepted, null aside.
    fn schema(place: Place) -> Value;
}

/// Fields that come together: a query or a body.
pub(crate) trait Input: Sized + Send {
    /// Its name in the document.
    const NAME: &'static str;
    /// What it is.
    const DOC: &'static str;
    /// Takes all fields.
    fn read(fields: &mut Fields) -> Self;
    /// Name, description, schema and necessity of each field.
    fn describe(place: Place) -> Vec<Described>;
}

/// A field as the document shows it.
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) schema: Value,
    pub(crate) required: bool,
}

/// One field's description.
pub(crate) fn described<R: Rule>(name: &'static str, doc: &'static str, place: Place) -> Described {
    let schema = R::schema(place);
    let doc = match (doc.trim(), name) {
        ("", "page") => "Which page, from 1.",
        ("", "limit") => "Rows per page.",
        ("", "user_id") => "Who asks.",
        ("", "user_name") => "Who asks, for people.",
        (doc, _) => doc,
    };
    let schema = if place == Place::Body && !R::REQUIRED { nullable(schema) } else { schema };
    Described { name, doc, schema, required: R::REQUIRED }
}

/// Makes a struct of the values of some fields, each read by its rule.
macro_rules! fields_of {
    ($(#[doc = $doc:literal])* $vis:vis $name:ident {
        $($(#[doc = $fdoc:literal])* $field:ident $(as $key:literal)? : $rule:ty),* $(,)?
    }) => {
        $(#[doc = $doc])*
        $vis struct $name {
            $($(#[doc = $fdoc])* $vis $field: <$rule as $crate::api::http::request::rules::Rule>::Value),*
        }

        impl $crate::api::http::request::rules::Input for $name {
            const NAME: &'static str = stringify!($name);
            const DOC: &'static str = concat!($($doc, "\n"),*);

            #[allow(unused_variables)] // without fields
            fn read(fields: &mut $crate::api::http::request::fields::Fields) -> Self {
                Self {
                    $($field: {
                        #[allow(unused_variables)]
                        let key = stringify!($field);
                        $(let key = $key;)?
                        <$rule as $crate::api::http::request::rules::Rule>::read(fields, key)
                    }),*
                }
            }

            #[allow(unused_variables)] // without fields
            fn describe(place: $crate::api::http::request::rules::Place) -> Vec<$crate::api::http::request::rules::Described> {
                vec![$({
                    #[allow(unused_variables)]
                    let key = stringify!($field);
                    $(let key = $key;)?
                    $crate::api::http::request::rules::described::<$rule>(key, concat!($($fdoc, "\n"),*), place)
                }),*]
            }
        }
    };
}
pub(crate) use fields_of;

/// A text without NUL, of so many characters after trimming; absent and, when 0 characters are allowed,
/// empty are none.
pub(crate) struct Text<const MIN: usize, const MAX: usize>;

/// The schema of a text.
fn text(min: usize, max: usize) -> Value {
    let pattern = match min {
        0 => r"^[^\u0000]*$".to_owned(),
        1 => r"^[^\u0000]*[^\s\u0000][^\u0000]*$".to_owned(),
        _ => format!(r"^\s*[^\s\u0000][^\u0000]{{{},}}[^\s\u0000]\s*$", min - 2),
    };
    let mut schema = json!({ "type": "string", "maxLength": max, "pattern": pattern });
    if let (Value::Object(keywords), true) = (&mut schema, min > 0) {
        keywords.insert("minLength".to_owned(), min.into());
    }
    schema
}

impl<const MIN: usize, const MAX: usize> Rule for Text<MIN, MAX> {
    type Value = Option<String>;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.text(name, MIN..=MAX)
    }
    fn schema(_place: Place) -> Value {
        text(MIN, MAX)
    }
}

/// As [`Text`], for a field that must be there. Empty on a fault.
pub(crate) struct Needed<const MIN: usize, const MAX: usize>;

impl<const MIN: usize, const MAX: usize> Rule for Needed<MIN, MAX> {
    type Value = String;
    const REQUIRED: bool = true;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.required_text(name, MIN..=MAX)
    }
    fn schema(_place: Place) -> Value {
        text(MIN, MAX)
    }
}

/// A text that must be there, counted after trimming but kept as written. Empty on a fault.
pub(crate) struct Verbatim<const MIN: usize, const MAX: usize>;

impl<const MIN: usize, const MAX: usize> Rule for Verbatim<MIN, MAX> {
    type Value = String;
    const REQUIRED: bool = true;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.required_verbatim(name, MIN..=MAX)
    }
    fn schema(_place: Place) -> Value {
        text(MIN, MAX)
    }
}

/// A field into which people write secrets: what was wrong with it is told without what was given.
pub(crate) struct Unsaid<R>(std::marker::PhantomData<R>);

impl<R: Rule> Rule for Unsaid<R> {
    type Value = R::Value;
    const REQUIRED: bool = R::REQUIRED;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        let value = R::read(fields, name);
        fields.hide(name);
        value
    }
    fn schema(place: Place) -> Value {
        R::schema(place)
    }
}

/// A whole number.
pub(crate) struct Integer<const MIN: i64, const MAX: i64>;

/// A pattern of the whole numbers from `min`, which is 0 or 1, to `max`, without leading zeros.
fn up_to(min: i64, max: i64) -> String {
    let last = max.to_string();
    let mut ways: Vec<String> = (min == 0).then(|| "0".to_owned()).into_iter().collect();
    ways.extend((1..last.len()).map(|length| format!("[1-9][0-9]{{{}}}", length - 1)));
    for (place, digit) in last.char_indices() {
        let least = if place == 0 { '1' } else { '0' };
        if digit > least {
            let (before, rest) = (last.get(..place).unwrap_or_default(), last.len() - place - 1);
            let most = char::from_u32(u32::from(digit) - 1).unwrap_or(least);
            ways.push(format!("{before}[{least}-{most}][0-9]{{{rest}}}"));
        }
    }
    ways.push(last);
    format!("({})", ways.join("|"))
}

/// The schema of a whole number: in a body also as text.
fn integer(min: i64, max: i64, place: Place) -> Value {
    let number = json!({ "type": "integer", "minimum": min, "maximum": max });
    match place {
        Place::Query => number,
        Place::Body if (0..=1).contains(&min) || min >= 0 && max <= 9 => {
            let digits = if max <= 9 { format!("[{min}-{max}]") } else { up_to(min, max) };
            let pattern = format!(r"^\s*\+?0*{digits}(\.0+)?\s*$");
            json!({ "anyOf": [number, { "type": "string", "pattern": pattern }] })
        }
        Place::Body => json!({ "anyOf": [number, { "type": "string", "pattern": r"^\s*[+-]?[0-9]+(\.0+)?\s*$" }] }),
    }
}

impl<const MIN: i64, const MAX: i64> Rule for Integer<MIN, MAX> {
    type Value = Option<i64>;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.integer(name, MIN..=MAX)
    }
    fn schema(place: Place) -> Value {
        integer(MIN, MAX, place)
    }
}

/// A whole number with a default.
pub(crate) struct Count<const MIN: i64, const MAX: i64, const DEFAULT: i64>;

impl<const MIN: i64, const MAX: i64, const DEFAULT: i64> Rule for Count<MIN, MAX, DEFAULT> {
    type Value = u64;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.integer(name, MIN..=MAX).unwrap_or(DEFAULT).max(0).unsigned_abs()
    }
    fn schema(place: Place) -> Value {
        let mut schema = integer(MIN, MAX, place);
        if let Value::Object(keywords) = &mut schema {
            keywords.insert("default".to_owned(), DEFAULT.into());
        }
        schema
    }
}

/// A truth value with a default.
pub(crate) struct Flag<const DEFAULT: bool>;

impl<const DEFAULT: bool> Rule for Flag<DEFAULT> {
    type Value = bool;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.flag(name).unwrap_or(DEFAULT)
    }
    fn schema(place: Place) -> Value {
        let word = json!({ "type": "string", "pattern": r"^\s*(?:[tT]([rR][uU][eE])?|[fF]([aA][lL][sS][eE])?|[yY]([eE][sS])?|[nN][oO]?|[oO]([nN]|[fF][fF])|0|1)\s*$" });
        let forms = match place {
            Place::Query => json!([{ "type": "boolean" }, word]),
            Place::Body => json!([{ "type": "boolean" }, word, { "type": "integer", "enum": [0, 1] }]),
        };
        json!({ "anyOf": forms, "default": DEFAULT })
    }
}

/// A truth value, told apart from an absent one.
pub(crate) struct MaybeFlag;

impl Rule for MaybeFlag {
    type Value = Option<bool>;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.flag(name)
    }
    fn schema(place: Place) -> Value {
        let mut schema = Flag::<false>::schema(place);
        if let Value::Object(keywords) = &mut schema {
            keywords.remove("default");
        }
        schema
    }
}

/// One of a closed set of words; empty counts as absent.
pub(crate) struct Word<W>(PhantomData<W>);

/// The schema of a word: empty is accepted where the field may be absent.
fn word<W: Words>(optional: bool) -> Value {
    let mut words: Vec<String> = W::WORDS.iter().map(ToString::to_string).collect();
    if optional {
        words.push(String::new());
    }
    json!({ "type": "string", "enum": words })
}

impl<W: Words> Rule for Word<W> {
    type Value = Option<W>;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.word(name, W::WORDS)
    }
    fn schema(_place: Place) -> Value {
        word::<W>(true)
    }
}

/// As [`Word`], for a field that must be there; `None` only on a fault.
pub(crate) struct NeededWord<W>(PhantomData<W>);

impl<W: Words> Rule for NeededWord<W> {
    type Value = Option<W>;
    const REQUIRED: bool = true;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.required_word(name, W::WORDS)
    }
    fn schema(_place: Place) -> Value {
        word::<W>(false)
    }
}

/// What a list may hold, written as text.
pub(crate) trait Listed: FromStr<Err: Display> + Send {
    fn schema() -> Value;
}

impl Listed for Right {
    fn schema() -> Value {
        word::<Self>(true)
    }
}

impl Listed for AgentId {
    fn schema() -> Value {
        json!({ "anyOf": [{ "type": "string", "pattern": ID_PATTERN }, { "type": "string", "enum": [""] }] })
    }
}

/// At most so many things, each written as text; `None` when absent.
pub(crate) struct Each<T, const MOST: usize>(PhantomData<T>);

impl<T: Listed, const MOST: usize> Rule for Each<T, MOST> {
    type Value = Option<Vec<T>>;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        let texts = MaybeTexts::<MOST, 200>::read(fields, name)?;
        let parse = |text: String| {
            let parsed = text.parse();
            parsed.map_err(|error: T::Err| fields.fault(name, "value_error", error.to_string(), text.into())).ok()
        };
        Some(texts.into_iter().filter_map(parse).collect())
    }
    fn schema(_place: Place) -> Value {
        json!({ "type": "array", "maxItems": MOST, "items": T::schema() })
    }
}

/// At most so many texts of at most so many characters.
pub(crate) struct Texts<const MOST: usize, const CHARS: usize>;

impl<const MOST: usize, const CHARS: usize> Rule for Texts<MOST, CHARS> {
    type Value = Vec<String>;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.texts(name, MOST, CHARS)
    }
    fn schema(_place: Place) -> Value {
        json!({ "type": "array", "maxItems": MOST, "items": text(0, CHARS) })
    }
}

/// As [`Texts`], told apart from an absent field.
pub(crate) struct MaybeTexts<const MOST: usize, const CHARS: usize>;

impl<const MOST: usize, const CHARS: usize> Rule for MaybeTexts<MOST, CHARS> {
    type Value = Option<Vec<String>>;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        let given = fields.take(name)?;
        fields.put(name, given);
        Some(fields.texts(name, MOST, CHARS))
    }
    fn schema(place: Place) -> Value {
        Texts::<MOST, CHARS>::schema(place)
    }
}

/// A JSON object of at most so many bytes when written.
pub(crate) struct Json<const BYTES: usize>;

impl<const BYTES: usize> Rule for Json<BYTES> {
    type Value = Option<Map<String, Value>>;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.object(name, BYTES)
    }
    fn schema(_place: Place) -> Value {
        json!({ "type": "object", "additionalProperties": true, "x-max-bytes": BYTES })
    }
}

/// The opaque `next_cursor` of the page before.
pub(crate) struct Cursor;

impl Rule for Cursor {
    type Value = Option<String>;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        input::free(fields, name)
    }
    fn schema(_place: Place) -> Value {
        json!({ "type": "string", "maxLength": input::MAX_QUERY_CHARS, "pattern": "^[0-9a-f]*$" })
    }
}

/// A free text of a query.
pub(crate) type Search = Text<0, { input::MAX_QUERY_CHARS }>;

/// A stage by its name; whether the project has it is looked up later.
pub(crate) struct StageRef;

impl Rule for StageRef {
    type Value = Option<String>;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        fields.text(name, 0..=100)
    }
    fn schema(_place: Place) -> Value {
        json!({ "$ref": "#/components/schemas/StageReference" })
    }
}

/// A project's id as a filter; empty counts as absent.
pub(crate) struct OfProject;

impl Rule for OfProject {
    type Value = Option<ProjectId>;
    fn read(fields: &mut Fields, name: &str) -> Self::Value {
        let text = input::free(fields, name)?;
        let id = text.parse().ok();
        if id.is_none() {
            fields.fault(name, "value_error", "Input should be a project id", text.into());
        }
        id
    }
    fn schema(_place: Place) -> Value {
        json!({ "anyOf": [{ "type": "string", "pattern": ID_PATTERN }, { "type": "string", "enum": [""] }] })
    }
}

/// A further rule of its own: `rule!(Name, Value, fields, name => read, schema)`.
macro_rules! rule {
    ($(#[doc = $doc:literal])* $vis:vis $name:ident -> $value:ty,
     |$fields:ident, $field:ident| $read:expr, $schema:expr $(, required $required:literal)?) => {
        $(#[doc = $doc])*
        $vis struct $name;

        impl $crate::api::http::request::rules::Rule for $name {
            type Value = $value;
            $(const REQUIRED: bool = $required;)?
            fn read($fields: &mut $crate::api::http::request::fields::Fields, $field: &str) -> Self::Value {
                $read
            }
            fn schema(_place: $crate::api::http::request::rules::Place) -> serde_json::Value {
                $schema
            }
        }
    };
}
pub(crate) use rule;

#[cfg(test)]
mod tests {
    use super::up_to;

    #[test]
    fn a_pattern_of_numbers_holds_these_and_no_others() {
        assert_eq!(up_to(1, 100), "([1-9][0-9]{0}|[1-9][0-9]{1}|100)");
        let wanted = "(0|[1-9][0-9]{0}|[1-9][0-9]{1}|[1-9][0-9]{2}|[1-7][0-9]{3}|8[0-6][0-9]{2}|87[0-5][0-9]{1}|8760)";
        assert_eq!(up_to(0, 8760), wanted);
    }
}
