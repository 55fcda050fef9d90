//! What a provider says about a key. Many repeat the key, or parts of it: callers get words of our own, the log gets theirs
//! without the key.

use crate::{ErrorKind, Identity};

/// So many characters in a row are a part of a key; fewer tell nothing.
const PART: usize = 8;
/// So long a word without a blank may be somebody's key, whoever's.
const LONG_WORD: usize = 20;

/// What callers are told instead of the provider's words, where those are about the key or its account.
pub(super) fn generic(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Unauthorized => Some("the key is refused; check the key of this provider"),
        ErrorKind::Forbidden => Some("the key may not do this; allow this model to it"),
        ErrorKind::QuotaExceeded => Some("the account of this provider has no quota left"),
        _ => None,
    }
}

/// The provider's words, for whoever keeps its key.
pub(super) fn log(who: &Identity, status: u16, said: &str) {
    let said = without_long_words(said, &who.model);
    tracing::warn!(provider = %who, status, said, "a provider refused the key, or what it may do");
}

/// The text without any part of the key.
pub(super) fn without(key: &str, text: &str) -> String {
    let (key, signs): (Vec<char>, Vec<char>) = (key.chars().collect(), text.chars().collect());
    let mut hidden = vec![false; signs.len()];
    for (begin, part) in signs.windows(PART).enumerate() {
        if key.windows(PART).any(|of_key| of_key == part) {
            hidden.iter_mut().skip(begin).take(PART).for_each(|sign| *sign = true);
        }
    }
    let mut clean = String::with_capacity(text.len());
    let mut was_hidden = false;
    for (sign, hidden) in signs.into_iter().zip(hidden) {
        if !hidden {
            clean.push(sign);
        } else if !was_hidden {
            clean.push('…');
        }
        was_hidden = hidden;
    }
    clean
}

fn without_long_words(text: &str, known: &str) -> String {
    let belongs = |sign: char| sign.is_alphanumeric() || "-_+/=*.~".contains(sign);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|sign| !belongs(sign)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        clean.push_str(if word.chars().count() >= LONG_WORD && !known.contains(word) { "…" } else { word });
        let mut signs = after.chars();
        clean.extend(signs.next());
        rest = signs.as_str();
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_key_is_left() {
        let key = "sk-proj-AbCdEfGhIjKlMnOp-wxyz9876";
        for said in [
            format!("Incorrect API key provided: {key}. Find it elsewhere."),
            "Incorrect API key provided: sk-proj-****************9876.".to_owned(),
            format!("Authorization: Bearer {key}{key}"),
            "…AbCdEfGh and hIjKlMnOp-wx".to_owned(),
            key.to_owned(),
        ] {
            let clean = without(key, &said);
            let parts: Vec<char> = key.chars().collect();
            for part in parts.windows(PART) {
                assert!(!clean.contains(&part.iter().collect::<String>()), "{said} -> {clean}");
            }
        }
        assert_eq!(without(key, "the quota is used up 三"), "the quota is used up 三");
        assert_eq!(without("", "anything at all"), "anything at all");
        assert_eq!(without("short", "a short key is no secret"), "a short key is no secret");
    }

    #[test]
    fn long_words_are_left_out_but_for_the_models_name() {
        let said = "x-amz-security-token: IQoJb3JpZ2luX2VjEAAaCXVzLWVhc3QtMSJH/+= for claude-sonnet-4-5-20250929-v1";
        let clean = without_long_words(said, "anthropic.claude-sonnet-4-5-20250929-v1:0");
        assert_eq!(clean, "…: … for claude-sonnet-4-5-20250929-v1");
        assert_eq!(without_long_words("…", ""), "…");
    }
}
