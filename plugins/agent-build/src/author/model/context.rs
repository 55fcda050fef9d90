//! What a question tells the model of the requirement and of earlier stages, within a budget of tokens.

use std::fmt::Write as _;

/// One part of it. Parts stand in their order; the later ones are shortened first.
#[derive(Clone, Debug)]
pub(super) struct Section {
    title: &'static str,
    text: String,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Sections(Vec<Section>);

/// Where something was left out.
const CUT: &str = "\n[… shortened]";

impl Sections {
    pub(super) fn with(mut self, title: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.trim().is_empty() {
            self.0.push(Section { title, text });
        }
        self
    }

    pub(super) fn list(self, title: &'static str, lines: impl IntoIterator<Item = String>) -> Self {
        let lines: Vec<String> = lines.into_iter().map(|line| format!("- {}", line.replace('\n', " "))).collect();
        self.with(title, lines.join("\n"))
    }

    /// All parts as one text of at most so many tokens, as far as tokens can be estimated. The first part gets half of
    /// the room at least: it is what everything else is about.
    pub(super) fn fitted(&self, tokens: u32) -> String {
        let mut room = usize::try_from(tokens).unwrap_or(usize::MAX);
        let mut out = String::new();
        let last = self.0.len().saturating_sub(1);
        for (number, section) in self.0.iter().enumerate() {
            let later: usize = self.0.iter().skip(number + 1).map(|section| estimate(&section.text)).sum();
            let share = if number == last { room } else { (room / 2).max(room.saturating_sub(later)) };
            let text = shortened(&section.text, share);
            room = room.saturating_sub(estimate(&text));
            let _ = write!(out, "## {}\n\n{text}\n\n", section.title);
        }
        out.trim_end().to_owned()
    }
}

/// Tokens of a text, rather too many than too few: words of Latin script have about four letters to a token, every
/// other sign counts as one.
pub(super) fn estimate(text: &str) -> usize {
    let latin = text.chars().filter(char::is_ascii).count();
    latin.div_ceil(3) + text.chars().count() - latin
}

fn shortened(text: &str, tokens: usize) -> String {
    if estimate(text) <= tokens {
        return text.to_owned();
    }
    let mut thirds = tokens.saturating_sub(estimate(CUT)).saturating_mul(3);
    let mut kept = String::new();
    for sign in text.chars() {
        let costs = if sign.is_ascii() { 1 } else { 3 };
        if thirds < costs {
            break;
        }
        thirds -= costs;
        kept.push(sign);
    }
    kept + CUT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_keeps_to_its_budget_and_says_what_it_left_out() {
        let sections =
            Sections::default().with("Requirement", "wish ".repeat(400)).list("Tools", vec!["a".to_owned(); 900]);
        for budget in [200, 500, 700, 3000] {
            let text = sections.fitted(budget);
            assert!(estimate(&text) <= budget as usize + 40, "{budget}: {}", estimate(&text));
            assert_eq!(text.contains("shortened"), budget < 3000, "{budget}");
            assert!(text.starts_with("## Requirement\n\nwish"));
        }
        assert_eq!(Sections::default().with("Nothing", " ").fitted(100), "");
        assert_eq!(estimate("苹果 3"), 3);
    }
}
