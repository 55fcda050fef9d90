//! Splits a requirement into sentences, and sentences into clauses, by their places in the text.

use super::source::{Range, at, has_mark, lines, says, trim, trimmed, unmarked};

/// The sentences of a range, without marks, in order. A full stop inside a number or an abbreviation ends nothing.
pub(super) fn split(text: &str, range: &Range) -> Vec<Range> {
    let mut sentences = Vec::new();
    for line in joined(text, range) {
        let line = unmarked(text, &line);
        let mut start = line.start;
        let inside = at(text, &line);
        for (offset, c) in inside.char_indices() {
            // Marks that close a quotation or bold text belong to the sentence.
            let behind = text.get(line.start + offset + c.len_utf8()..line.end).unwrap_or_default();
            let closing = behind.len() - behind.trim_start_matches(['*', '"', '”', '’', ')', '」']).len();
            let end = line.start + offset + c.len_utf8() + closing;
            let next = text.get(end..line.end).and_then(|rest| rest.chars().next());
            let ends = match c {
                '。' | '！' | '？' => true,
                '.' | '!' | '?' => {
                    next.is_none_or(char::is_whitespace)
                        && !is_abbreviation(text.get(start..line.start + offset).unwrap_or_default(), next.is_none())
                        && !is_half_of_day(text.get(start..line.start + offset).unwrap_or_default(), behind)
                }
                _ => false,
            };
            if ends && end > start {
                push(text, &mut sentences, start..end);
                start = end;
            }
        }
        push(text, &mut sentences, start..line.end);
    }
    sentences
}

fn push(text: &str, sentences: &mut Vec<Range>, range: Range) {
    let range = unmarked(text, &range);
    if says(text, &range) {
        sentences.push(trim(text, &range));
    }
}

/// The lines of a range; a line that was broken for its length goes on in the next.
fn joined(text: &str, range: &Range) -> Vec<Range> {
    let mut joined: Vec<Range> = Vec::new();
    for line in lines(text, range) {
        let content = at(text, &line).trim();
        let goes_on = joined.last().is_some_and(|before| {
            let before = at(text, before).trim_end();
            let last = before.rsplit('\n').next().unwrap_or(before);
            last.chars().count() > 45
                && !before.ends_with(['.', '!', '?', ':', ';', '。', '！', '？', '：', '；'])
                && !has_mark(text, &line)
                && content.starts_with(|c: char| c.is_lowercase())
        });
        match joined.last_mut().filter(|_| goes_on) {
            Some(before) => before.end = line.end,
            None => joined.push(line),
        }
    }
    joined
}

/// Whether a point ends "a.m." or "p.m." within a sentence: "10 a.m. – 5:30 p.m.".
fn is_half_of_day(before: &str, behind: &str) -> bool {
    let lower = before.to_lowercase();
    let follows = behind.trim_start().chars().next();
    (lower.ends_with("a.m") || lower.ends_with("p.m")) && follows.is_some_and(|c| !c.is_uppercase())
}

fn is_abbreviation(before: &str, last: bool) -> bool {
    let word = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default().to_lowercase();
    let known = matches!(
        word.as_str(),
        "e.g"
            | "i.e"
            | "approx"
            | "no"
            | "vs"
            | "mr"
            | "mrs"
            | "ms"
            | "dr"
            | "st"
            | "a.m"
            | "p.m"
            | "incl"
            | "min"
            | "max"
            | "tel"
            | "nr"
            | "str"
            | "ca"
    );
    known && !(last || word == "no" || word == "a.m" || word == "p.m" || word == "min")
        || matches!(word.as_str(), "e.g" | "i.e" | "mr" | "mrs" | "dr" | "vs") && !last
}

const JOINTS: [&str; 26] = [
    " and also ",
    " and then ",
    " and ",
    " or ",
    " as well as ",
    " then ",
    " plus ",
    " but ",
    " & ",
    "以及",
    "并且",
    "并能",
    "还能",
    "还要",
    "还可以",
    "也能",
    "也可以",
    "同时",
    "和",
    "并",
    "或者",
    "，",
    "、",
    "；",
    "。",
    " also ",
];

/// The clauses of a sentence: what stands between commas and "and". Brackets and numbers are not cut.
pub(super) fn clauses(text: &str, range: &Range) -> Vec<Range> {
    let inside = at(text, range);
    let mut cuts: Vec<Range> = Vec::new();
    let mut depth = 0_usize;
    let mut skip = 0;
    let mut quoted = false;
    for (offset, c) in inside.char_indices() {
        match c {
            '(' | '（' | '[' => depth += 1,
            ')' | '）' | ']' => depth = depth.saturating_sub(1),
            '"' => quoted = !quoted,
            _ => {}
        }
        if depth > 0 || quoted || offset < skip {
            continue;
        }
        let rest = inside.get(offset..).unwrap_or_default();
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let between_digits =
            digit(inside.get(..offset).and_then(|b| b.chars().next_back())) && digit(rest.chars().nth(1));
        let joint = JOINTS.iter().find(|joint| rest.starts_with(**joint)).map(|joint| joint.len());
        let length = joint.or_else(|| (matches!(c, ',' | ';' | ':' | '：') && !between_digits).then_some(c.len_utf8()));
        if let Some(length) = length {
            cuts.push(range.start + offset..range.start + offset + length);
            skip = offset + length;
        }
    }
    let mut clauses = Vec::new();
    let mut from = range.start;
    for cut in cuts.into_iter().chain(std::iter::once(range.end..range.end)) {
        let clause = trimmed(text, &(from..cut.start), |c| {
            c.is_whitespace() || matches!(c, '.' | '。' | ':' | '：' | '!' | '！' | '?' | '？')
        });
        if says(text, &clause) {
            clauses.push(clause);
        }
        from = cut.end;
    }
    clauses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<&str> {
        split(text, &(0..text.len())).iter().map(|r| at(text, r)).collect()
    }

    #[test]
    fn numbers_and_abbreviations_do_not_end_sentences() {
        assert_eq!(
            all("Plum 2.50 EUR, e.g. ripe ones. It converts kg."),
            ["Plum 2.50 EUR, e.g. ripe ones.", "It converts kg."]
        );
        assert_eq!(all("做一个助手。它能换算！\n- 第二行"), ["做一个助手。", "它能换算！", "第二行"]);
        assert_eq!(all("**Do you ship?** Yes. \"No!\" he said."), ["Do you ship?**", "Yes.", "\"No!\"", "he said."]);
        assert!(all("  \n ... 🙂").is_empty());
        let wrapped = "I would like a bot for our small bakery in the old\ntown, please. It answers.";
        assert_eq!(all(wrapped).len(), 2);
    }

    #[test]
    fn clauses_are_split() {
        let count = |text: &str| clauses(text, &(0..text.len())).len();
        assert_eq!(count("convert kg to lb, count words and hash text"), 3);
        assert_eq!(count("能换算单位、计算日期和统计字数"), 3);
        assert_eq!(count("sums of 1,000 (and more, or less)"), 1);
    }
}
