//! Which language a requirement is written in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A language the plugin writes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English, and whatever is not Chinese.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Language {
    /// Chinese when Chinese characters outnumber the words in Latin letters.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let chinese = text.chars().filter(|c| is_cjk(*c)).count();
        let latin = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| w.len() > 1).count();
        if chinese >= 2 && chinese >= latin { Self::Zh } else { Self::En }
    }

    /// `en` or `zh`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// The text of this language.
    #[must_use]
    pub fn pick<'a>(self, en: &'a str, zh: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }
}

/// Whether a character is a Chinese one.
#[must_use]
pub fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_languages_apart() {
        assert_eq!(Language::of("Build an agent for 苹果 prices please"), Language::En);
        assert_eq!(Language::of("做一个回答 FAQ 的智能体"), Language::Zh);
        assert_eq!(Language::of("🙂 123"), Language::En);
    }
}
