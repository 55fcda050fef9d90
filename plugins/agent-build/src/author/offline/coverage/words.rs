//! Words of a clause in a form that can be compared: English words stemmed, Chinese as it stands.

use rust_stemmers::{Algorithm, Stemmer};

use crate::author::offline::requirement::language::is_cjk;

/// A clause, ready to be matched.
pub(super) struct Words {
    stems: Vec<String>,
    /// The Chinese characters and what stands between them, in lower case.
    text: String,
}

impl Words {
    pub(super) fn new(text: &str) -> Self {
        Self { stems: stems(text), text: text.to_lowercase() }
    }

    /// Whether a word or phrase occurs: English by whole words whatever their ending, Chinese anywhere.
    pub(super) fn has(&self, phrase: &Phrase) -> bool {
        match phrase {
            Phrase::Chinese(text) => self.text.contains(text.as_str()),
            Phrase::Exact(word) => self.text.split(|c: char| !c.is_alphanumeric()).any(|other| other == word),
            Phrase::Stems(stems) => self.stems.windows(stems.len()).any(|window| window == stems.as_slice()),
        }
    }
}

/// A word or phrase to be found.
#[derive(Clone, Debug)]
pub(super) enum Phrase {
    Stems(Vec<String>),
    Chinese(String),
    /// A word whose stem means something else: "month" is not "monthly". Written with `=`.
    Exact(String),
}

impl Phrase {
    pub(super) fn new(text: &str) -> Option<Self> {
        if text.chars().any(is_cjk) {
            return Some(Self::Chinese(text.to_lowercase()));
        }
        if let Some(word) = text.strip_prefix('=') {
            return Some(Self::Exact(word.to_lowercase()));
        }
        let stems = stems(text);
        (!stems.is_empty()).then_some(Self::Stems(stems))
    }
}

/// English words in lower case without their endings; "e-mail" and "sha-256" are one word each.
pub(super) fn stems(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    let lower = text
        .to_lowercase()
        .replace("e-mail", "email")
        .replace("sha-", "sha")
        .replace("crc-", "crc")
        .replace("-to-", " to ")
        .replace("<->", " to ")
        .replace("<=>", " to ")
        .replace("->", " to ")
        .replace(['→', '↔', '⇄', '⇔'], " to ");
    lower
        .split(|c: char| (is_cjk(c) || !c.is_alphanumeric()) && c != '\'')
        .map(|word| word.trim_matches('\'').trim_end_matches("'s"))
        .filter(|word| !word.is_empty())
        .map(|word| stemmer.stem(word).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_whatever_their_ending() {
        let has = |text: &str, phrase: &str| Words::new(text).has(&Phrase::new(phrase).unwrap());
        assert!(has("it converts pounds", "convert"));
        assert!(has("SHA-256 checksums", "sha256"));
        assert!(has("the working days until", "working day"));
        assert!(has("能把公斤换算成磅", "换算"));
        assert!(!has("the daytime", "day"));
    }
}
