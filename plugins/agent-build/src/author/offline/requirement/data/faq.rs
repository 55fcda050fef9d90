//! Questions with answers: `Q: … A: …`, `问：… 答：…`, or lines of the form `question? answer`.

use std::sync::LazyLock;

use regex::Regex;

use super::sentences;
use crate::{
    author::offline::requirement::language::is_cjk,
    spec::{DataSet, QuestionAnswer},
};

static MARKER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?im)(?:^|[\s。；;.?？!！,，*\-])\*{0,2}(?:(?P<q>Q(?:uestion)?\s?\d{0,3}|问题?\d{0,3})|(?P<a>A(?:nswer)?\s?\d{0,3}|答案?|回答))\*{0,2}\s*[:：]\*{0,2}\s*").ok()
});

/// Takes all question-answer pairs out of a text and returns the rest.
pub(super) fn extract(text: &str, found: &mut Vec<DataSet>) -> String {
    let (mut pairs, rest) = marked(text);
    let rest = if pairs.is_empty() { lines(&rest, &mut pairs) } else { rest };
    if pairs.is_empty() {
        return text.to_owned();
    }
    let title = if pairs.iter().any(|p| p.question.chars().any(is_cjk)) { "常见问题" } else { "FAQ" };
    found.push(DataSet::Faq { id: String::new(), title: title.into(), pairs });
    rest
}

fn marked(text: &str) -> (Vec<QuestionAnswer>, String) {
    let Some(regex) = MARKER.as_ref() else { return (Vec::new(), text.to_owned()) };
    let marks: Vec<(bool, usize, usize)> = regex
        .captures_iter(text)
        .filter_map(|c| c.get(0).map(|m| (c.name("q").is_some(), m.start(), m.end())))
        .collect();
    let mut pairs = Vec::new();
    let mut rest = String::new();
    let mut consumed = 0;
    for (index, &(is_question, start, end)) in marks.iter().enumerate() {
        let Some(&(false, answer_start, answer_end)) = marks.get(index + 1) else { continue };
        if !is_question {
            continue;
        }
        let limit = marks.get(index + 2).map_or(text.len(), |&(_, next, _)| next);
        let question = text.get(end..answer_start).unwrap_or_default().trim();
        let answer_text = text.get(answer_end..limit).unwrap_or_default();
        let length = answer_length(answer_text);
        let answer = answer_text.get(..length).unwrap_or_default().trim();
        if question.is_empty() || answer.is_empty() {
            continue;
        }
        pairs.push(QuestionAnswer { question: question.to_owned(), answer: answer.to_owned() });
        rest.push_str(text.get(consumed..start).unwrap_or_default());
        rest.push('\n');
        consumed = answer_end + length;
    }
    rest.push_str(text.get(consumed..).unwrap_or_default());
    (pairs, rest)
}

/// An answer ends at an empty line, or before a sentence that speaks to the builder again.
fn answer_length(text: &str) -> usize {
    let block = text.find("\n\n").unwrap_or(text.len());
    let body = text.get(..block).unwrap_or(text);
    for sentence in sentences::split(body).iter().skip(1) {
        if sentences::is_task(sentence)
            && ["it ", "the agent", "also", "please", "这", "该", "它", "另外", "同时", "此外", "还"]
                .iter()
                .any(|start| sentence.to_lowercase().starts_with(start))
            && let Some(at) = body.find(sentence.as_str())
        {
            return at;
        }
    }
    block
}

/// Two or more lines that hold a question and, behind the question mark, its answer.
fn lines(text: &str, pairs: &mut Vec<QuestionAnswer>) -> String {
    let split = |line: &str| -> Option<QuestionAnswer> {
        let line = line.trim().trim_start_matches(['-', '*', '•', ' ']);
        let at = line.find(['?', '？'])?;
        let mark = line.get(at..)?.chars().next()?;
        let answer =
            line.get(at + mark.len_utf8()..)?.trim().trim_start_matches(['-', '–', '—', ':', '：', ' ', '>']).trim();
        let question = line.get(..at + mark.len_utf8())?.trim();
        (answer.chars().count() > 1 && question.chars().count() > 3)
            .then(|| QuestionAnswer { question: question.to_owned(), answer: answer.to_owned() })
    };
    if text.lines().filter(|line| split(line).is_some()).count() < 2 {
        return text.to_owned();
    }
    let mut rest = String::new();
    for line in text.lines() {
        match split(line) {
            Some(pair) => pairs.push(pair),
            None => {
                rest.push_str(line);
                rest.push('\n');
            }
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(String, String)>, String) {
        let mut found = Vec::new();
        let rest = extract(text, &mut found);
        let pairs = found
            .into_iter()
            .flat_map(|data| if let DataSet::Faq { pairs, .. } = data { pairs } else { Vec::new() })
            .map(|p| (p.question, p.answer))
            .collect();
        (pairs, rest.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn marked_pairs_on_one_line_and_on_many() {
        let (pairs, rest) = read(
            "Build a FAQ bot. Q: When do you open? A: At 9. Q: Where? A: Main St. 5. It should also convert kg to lb.",
        );
        assert_eq!(pairs, [("When do you open?".into(), "At 9.".into()), ("Where?".into(), "Main St. 5.".into())]);
        assert_eq!(rest, "Build a FAQ bot. It should also convert kg to lb.");
        let (pairs, _) = read("客服\n问：可以退货吗？\n答：七天内可以。\n\n问：怎么付款？\n答：微信或支付宝。");
        assert_eq!(pairs.len(), 2);
        assert_eq!(pairs[1].1, "微信或支付宝。");
    }

    #[test]
    fn lines_with_a_question_mark() {
        let (pairs, rest) =
            read("Support bot:\n- Do you ship abroad? Yes, to the EU.\n- Is there a shop? No.\nBe kind.");
        assert_eq!(pairs.len(), 2);
        assert_eq!(rest, "Support bot: Be kind.");
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert!(read("Can it convert kg? It should. Plan A: do this.").0.is_empty());
    }
}
