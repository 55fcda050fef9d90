//! What the daemon is about, as pure data and functions: no runtime, no storage, no network.
//!
//! Strings exist only at the edges (store, API, queue); in here a status is an enum, an id a type and
//! a change of state the result of one function per machine in [`allowed_transitions`].

pub mod agent;
pub mod allowed_transitions;
pub mod assessment;
pub mod backoff;
pub mod bounds;
pub mod caller;
pub mod change;
pub mod control;
pub mod deletion;
pub mod event;
pub mod failure;
pub mod foreign;
pub mod ids;
pub mod plan;
pub mod project;
pub mod queue;
pub mod rel_path;
pub mod requirement;
pub mod secret;
pub mod session;
pub mod stage;
pub mod task;
pub mod text;
pub mod time;
pub mod tool;
pub mod workflow;

/// Declares a status enum with its stored word for every variant.
macro_rules! words {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[doc = $doc])*
        #[allow(unreachable_pub)] // some words are of one module only
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        #[allow(unreachable_pub)]
        impl $name {
            /// Every variant, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in tables, messages and JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl $crate::domain::Words for $name {
            const WORDS: &'static [Self] = Self::ALL;
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::UnknownWord;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::domain::UnknownWord { what: stringify!($name), word: word.to_owned() }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let words: Vec<&str> = Self::ALL.iter().map(|word| word.as_str()).collect();
                schemars::json_schema!({
                    "type": "string", "enum": words, "description": concat!($($doc, "\n"),*).trim(),
                })
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(d)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use words;

/// A closed set of words.
pub trait Words: Copy + std::fmt::Display + std::str::FromStr + Send + Sync + 'static {
    /// Every one, in declaration order.
    const WORDS: &'static [Self];
}

/// A stored word that is none of its enum's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no {what}")]
pub struct UnknownWord {
    pub what: &'static str,
    pub word: String,
}
