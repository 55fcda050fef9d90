//! Which language a requirement is written in.

use crate::spec::Language;

/// Chinese when Chinese characters outnumber the words in Latin letters.
pub(crate) fn language_of(text: &str) -> Language {
    let chinese = text.chars().filter(|c| is_cjk(*c)).count();
    let latin = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| w.len() > 1).count();
    if chinese >= 2 && chinese >= latin { Language::Zh } else { Language::En }
}

/// Whether a character is a Chinese one.
pub(crate) fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_languages_apart() {
        assert_eq!(language_of("Build an agent for 苹果 prices please"), Language::En);
        assert_eq!(language_of("做一个回答 FAQ 的智能体"), Language::Zh);
        assert_eq!(language_of("🙂 123"), Language::En);
    }
}
