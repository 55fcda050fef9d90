//! The languages that builds are written in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Language {
    /// English, and whatever is not Chinese.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Language {
    pub(crate) fn code(self) -> &'static str {
        self.pick("en", "zh")
    }

    /// The text of this language, of an English and a Chinese one.
    pub(crate) fn pick<'a>(self, en: &'a str, zh: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }
}

/// A text in English and Chinese.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Localized {
    pub(crate) en: String,
    pub(crate) zh: String,
}

impl Localized {
    pub(crate) fn of(&self, language: Language) -> &str {
        language.pick(&self.en, &self.zh)
    }
}
