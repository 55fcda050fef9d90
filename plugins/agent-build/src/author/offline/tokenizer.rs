//! Splits English and Chinese text into search terms.

use bm25::Tokenizer;
use rust_stemmers::{Algorithm, Stemmer};

use super::requirement::language::is_cjk;

/// Words that carry no subject in a requirement.
const STOP_WORDS: &str = "a|able|about|agent|all|also|an|and|any|are|as|ask|asked|assistant|at|be|bot|build|but|by|can|chatbot|could|\
    create|do|does|for|from|get|give|given|has|have|help|helpful|how|i|if|in|into|is|it|its|like|make|me|must|\
    my|need|new|no|not|of|on|one|or|our|people|please|question|questions|answer|answers|should|simple|so|some|\
    such|that|the|their|them|then|these|they|this|those|to|tool|tools|up|use|user|users|using|want|we|what|when|\
    where|which|who|will|with|would|you|your|various|different|common|other|well|both|each|work|works|calculate|\
    calculates|calculating|compute|computes|computing|perform|performs";
/// Chinese words of the same sort: text is split at them, so no pair of characters spans one.
const ZH_STOP: &str = "智能体|助手|机器人|构建|创建|制作|开发|一个|可以|能够|用户|需要|帮助|回答|问题|支持|以及|并且|还能|还要|请|\
    做|帮|我|能|的|了|和|与|或|把|将|对|会|是|在|有|它|这|那|给|为|成";

/// English words stemmed, Chinese characters in pairs.
pub(super) struct Terms(Stemmer);

impl Default for Terms {
    fn default() -> Self {
        Self(Stemmer::create(Algorithm::English))
    }
}

impl Tokenizer for Terms {
    fn tokenize(&self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        let lower = text.to_lowercase();
        let mut word = String::new();
        let mut chinese = String::new();
        for c in lower.chars().chain(std::iter::once(' ')) {
            if is_cjk(c) {
                chinese.push(c);
            } else {
                pairs(&std::mem::take(&mut chinese), &mut terms);
            }
            if c.is_alphanumeric() && !is_cjk(c) || (matches!(c, '-' | '+' | '#') && !word.is_empty()) {
                word.push(c);
            } else if !word.is_empty() {
                self.word(&std::mem::take(&mut word), &mut terms);
            }
        }
        terms
    }
}

impl Terms {
    fn word(&self, word: &str, terms: &mut Vec<String>) {
        // "csv-to-json" is three words, "e-mail" and "sha-256" are one each.
        for part in word.trim_matches('-').split("-to-") {
            let part = part.replace('-', "");
            if !part.is_empty() && STOP_WORDS.split('|').all(|word| word != part) {
                terms.push(self.0.stem(&part).into_owned());
            }
        }
    }
}

fn pairs(run: &str, terms: &mut Vec<String>) {
    let mut text = run.to_owned();
    for word in ZH_STOP.split('|') {
        text = text.replace(word, " ");
    }
    for part in text.split(' ').filter(|part| !part.is_empty()) {
        let chars: Vec<char> = part.chars().collect();
        if chars.len() == 1 {
            terms.push(part.to_owned());
        }
        terms.extend(chars.windows(2).map(|pair| pair.iter().collect::<String>()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_and_chinese() {
        let terms = |text: &str| Terms::default().tokenize(text);
        assert_eq!(terms("Converts units: kg to lb"), ["convert", "unit", "kg", "lb"]);
        assert_eq!(terms("统计字数的助手"), ["统计", "计字", "字数"]);
        assert_eq!(terms("SHA-256 和 csv-to-json"), ["sha256", "csv", "json"]);
        assert!(terms("🙂 ... ").is_empty());
    }
}
