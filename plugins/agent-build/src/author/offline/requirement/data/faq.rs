//! Questions with answers: `Q: … A: …`, `问：… 答：…`, `question? answer`, and "when asked about X, say Y".

use std::sync::LazyLock;

use regex::Regex;

use super::{
    super::{
        sentences,
        source::{Range, at, at_colon, lines, place, says, trim, unmarked},
        speech,
    },
    Entry, Found, amount,
};
use crate::spec::{PriceItem, QuestionAnswer};

static MARKER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?im)(?:^|[\s。；;.?？!！,，*\-])\*{0,2}(?:(?P<q>Q(?:uestion)?\s?\d{0,3}|问题?\s?\d{0,3})|(?P<a>A(?:nswer)?\s?\d{0,3}|答案?\s?\d{0,3}|回答))\*{0,2}\s*[:：.]\*{0,2}\s*").ok()
});
static WHEN_ASKED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:when|if|whenever)\s+(?:someone|somebody|anyone|people|they|customers?|users?|guests?|visitors?|a customer|the customer|a user|the user|a guest|parents?|students?|patients?|clients?|members?)?\s*(?:asks?|asked|want(?:s)? to know|wonders?)\s+(?:you\s+|it\s+|for\s+|about\s+|if\s+|whether\s+|why\s+)?(?P<q>[^,;:，；：]{3,80}?)\s*[,;:]?\s*(?:please\s+)?(?:say|tell (?:them|him|her|people)|answer|reply|respond|the answer is)(?:\s+(?:that|with))?\s*[:,]?\s*(?P<a>[^\n]{2,300})|(?:如果|当|若)?(?:有人|客人|顾客|用户|客户|学生|家长)?(?:问到|问起|问|询问)(?P<qz>[^，。；：,]{2,40})[，,：:]?\s*(?:就|请|则)?(?:说|回答|答|告诉(?:他们|对方|客人|顾客)?)[：:，,]?\s*(?P<az>[^\n。]{2,200})").ok()
});

/// Takes all question-answer pairs out of the open ranges; what is left stays open.
pub(super) fn extract(text: &str, open: Vec<Range>, found: &mut Vec<Found>) -> Vec<Range> {
    let mut pairs = Vec::new();
    let mut left: Vec<Range> = open.into_iter().flat_map(|range| marked(text, range, &mut pairs)).collect();
    left = left.into_iter().flat_map(|range| when_asked(text, range, &mut pairs)).collect();
    if pairs.is_empty() {
        left = left.into_iter().flat_map(|range| questions(text, range, &mut pairs)).collect();
    }
    if !pairs.is_empty() {
        found.push(Found::new(pairs));
    }
    left.retain(|range| says(text, range));
    left
}

static PRICED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?:how much (?:is|are|does|do)|what (?:does|do|is the price of)) (?:an? |the |your )?(?P<n>[\w' -]{2,30}?)(?: costs?)?\s*\?$|^(?P<z>\p{Han}{1,8}?)(?:的价格)?(?:要|是)?多少钱(?:一\p{Han})?[？?]?$").ok()
});

/// Prices that are given as answers: "护照多少钱？120元一本". They can be multiplied then.
pub(super) fn priced(found: &[Found]) -> Vec<Found> {
    let entries = found.iter().flat_map(|group| &group.entries);
    let prices: Vec<(Range, Entry)> = entries
        .filter_map(|(range, entry)| {
            let Entry::Pair(pair) = entry else { return None };
            let captures = PRICED.as_ref()?.captures(pair.question.trim())?;
            let name = captures.name("n").or_else(|| captures.name("z"))?.as_str().trim();
            let amounts = amount::find(&pair.answer);
            let [price] = amounts.as_slice() else { return None };
            let item = PriceItem {
                name: name.to_owned(),
                amount: price.value.clone(),
                currency: price.currency.clone(),
                per: price.per.clone(),
                ..PriceItem::default()
            };
            (price.start == 0 && price.to.is_empty()).then(|| (range.clone(), Entry::Price(item)))
        })
        .collect();
    if prices.is_empty() { Vec::new() } else { vec![Found::new(prices)] }
}

fn pair(question: &str, answer: &str) -> Entry {
    let tidy = |text: &str| text.trim().trim_matches(['*', '"', '“', '”', '/', ' ']).trim().to_owned();
    // "answers: Do you mix colours?" names the list first.
    let question = match at_colon(question) {
        Some((head, rest)) if head.split_whitespace().count() == 1 && rest.trim_end().ends_with(['?', '？']) => rest,
        _ => question,
    };
    Entry::Pair(QuestionAnswer { question: tidy(question), answer: tidy(answer) })
}

fn marked(text: &str, range: Range, pairs: &mut Vec<(Range, Entry)>) -> Vec<Range> {
    let Some(regex) = MARKER.as_ref() else { return vec![range] };
    let marks: Vec<(bool, usize, usize)> = regex
        .captures_iter(at(text, &range))
        .filter_map(|c| c.get(0).map(|m| (c.name("q").is_some(), range.start + m.start(), range.start + m.end())))
        .collect();
    let mut open = Vec::new();
    let mut from = range.start;
    for (index, &(is_question, start, end)) in marks.iter().enumerate() {
        let Some(&(false, answer_start, answer_end)) = marks.get(index + 1) else { continue };
        if !is_question {
            continue;
        }
        let limit = marks.get(index + 2).map_or(range.end, |&(_, next, _)| next);
        let question = text.get(end..answer_start).unwrap_or_default();
        let answer = answer_in(text, &(answer_end..limit));
        if !question.chars().any(char::is_alphanumeric) && !question.contains('"')
            || at(text, &answer).trim().is_empty()
        {
            continue;
        }
        pairs.push((start..answer.end, pair(question, at(text, &answer))));
        open.push(from..start);
        from = answer.end;
    }
    open.push(from..range.end);
    open
}

/// An answer ends at an empty line, or before a sentence that speaks to the builder again.
fn answer_in(text: &str, range: &Range) -> Range {
    let inside = at(text, range);
    let block = inside.find("\n\n").or_else(|| inside.find("\n \n")).unwrap_or(inside.len());
    let body = range.start..range.start + block;
    for sentence in sentences::split(text, &body).into_iter().skip(1) {
        if speech::speaks_to_builder(at(text, &sentence)) {
            return range.start..sentence.start;
        }
    }
    body
}

/// "If people ask about parking, tell them that it is free behind the church."
fn when_asked(text: &str, range: Range, pairs: &mut Vec<(Range, Entry)>) -> Vec<Range> {
    let Some(regex) = WHEN_ASKED.as_ref() else { return vec![range] };
    let mut open = Vec::new();
    let mut from = range.start;
    for sentence in sentences::split(text, &range) {
        let Some(captures) = regex.captures(at(text, &sentence)) else { continue };
        let name =
            |a: &str, b: &str| captures.name(a).or_else(|| captures.name(b)).map(|m| m.as_str()).unwrap_or_default();
        let (question, answer) = (name("q", "qz"), name("a", "az"));
        let orders = ["what ", "so", "no", "yes", "it", "them"]
            .iter()
            .any(|word| answer.trim().trim_end_matches('.').eq_ignore_ascii_case(word.trim()));
        if answer.split_whitespace().count() < 2 && answer.chars().count() < 4
            || orders
            || speech::is_manner(answer)
            || question.contains('什')
            || question.contains('啥')
        {
            continue;
        }
        pairs.push((sentence.clone(), pair(question, answer)));
        open.push(from..sentence.start);
        from = sentence.end;
    }
    open.push(from..range.end);
    open
}

/// Questions that stand before their answers: on a line, on the next line, or in running text.
fn questions(text: &str, range: Range, pairs: &mut Vec<(Range, Entry)>) -> Vec<Range> {
    let mut candidates: Vec<(Range, Range, Range)> = Vec::new();
    let all: Vec<Range> = lines(text, &range).into_iter().filter(|line| says(text, line)).collect();
    let mut number = 0;
    while let Some(line) = all.get(number) {
        number += 1;
        let content = unmarked(text, line);
        for (question, answer) in on_line(text, &content) {
            if says(text, &answer) {
                candidates.push((question.start..answer.end, question, answer));
            } else if let Some(next) = all.get(number).map(|line| unmarked(text, line))
                && !at(text, &next).ends_with(['?', '？', ':', '：'])
                && !speech::is_task(at(text, &next))
            {
                candidates.push((question.start..next.end, question, next));
                number += 1;
            }
        }
    }
    let cue = {
        let lower = text.to_lowercase();
        [
            "faq",
            "frequently asked",
            "common questions",
            "these questions",
            "questions and answers",
            "q&a",
            "常见问题",
            "问答",
            "常问",
        ]
        .iter()
        .any(|cue| lower.contains(cue))
    };
    if candidates.len() < if cue { 1 } else { 2 } {
        return vec![range];
    }
    let mut open = Vec::new();
    let mut from = range.start;
    for (whole, question, answer) in candidates {
        pairs.push((whole.clone(), pair(at(text, &question), at(text, &answer))));
        open.push(from..whole.start);
        from = whole.end.max(from);
    }
    open.push(from..range.end);
    open
}

/// The questions of a line, each with what follows it up to the next question.
fn on_line(text: &str, line: &Range) -> Vec<(Range, Range)> {
    let mut found: Vec<(Range, Range)> = Vec::new();
    for sentence in sentences::split(text, line) {
        let inside = at(text, &sentence);
        let question = inside.trim_end_matches(['*', '"', '”']).ends_with(['?', '？'])
            && inside.chars().count() > 3
            && !speech::is_request(inside);
        let answer = at(text, &sentence).trim_start_matches(['-', '–', '—', ':', '：', ' ', '>', '→', '*']);
        match found.last_mut() {
            _ if question => found.push((sentence.clone(), sentence.end..sentence.end)),
            Some((_, answered)) if answered.start == answered.end && !speech::speaks_to_builder(inside) => {
                *answered = trim(text, &place(text, answer))
            }
            Some((_, answered)) if answered.start < answered.end && !speech::is_task(inside) => {
                answered.end = sentence.end
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(String, String)>, String) {
        let mut found = Vec::new();
        let open = extract(text, std::iter::once(0..text.len()).collect(), &mut found);
        let entries = found.into_iter().flat_map(|f| f.entries);
        let pairs = entries
            .filter_map(|(_, e)| if let Entry::Pair(p) = e { Some((p.question, p.answer)) } else { None })
            .collect();
        let rest: Vec<&str> = open.iter().flat_map(|r| at(text, r).split_whitespace()).collect();
        (pairs, rest.join(" "))
    }

    #[test]
    fn marked_pairs_on_one_line_and_on_many() {
        let (pairs, rest) = read(
            "Build a FAQ bot. Q: When do you open? A: At 9. Q: Where? A: Main St. 5. It should also convert kg to lb.",
        );
        assert_eq!(pairs, [("When do you open?".into(), "At 9.".into()), ("Where?".into(), "Main St. 5.".into())]);
        assert_eq!(rest, "Build a FAQ bot. It should also convert kg to lb.");
        let (pairs, _) = read("客服\n问：可以退货吗？\n答：七天内可以。\n\n问：怎么付款？\n答：微信或支付宝。");
        assert_eq!((pairs.len(), pairs[1].1.as_str()), (2, "微信或支付宝。"));
    }

    #[test]
    fn lines_with_a_question_mark() {
        let (pairs, rest) =
            read("Support bot:\n- Do you ship abroad? Yes, to the EU.\n- Is there a shop? No.\nBe kind.");
        assert_eq!((pairs.len(), rest.as_str()), (2, "Support bot: - Be kind."));
        let (pairs, _) = read(
            "FAQ for our gym.\nDo you have showers?\nYes, on the first floor.\nCan I bring a friend?\nOn Fridays, for free.",
        );
        assert_eq!(pairs[1], ("Can I bring a friend?".into(), "On Fridays, for free.".into()));
        let (pairs, _) = read("Do you deliver? Only in town. Is there parking? Yes, behind the shop.");
        assert_eq!(pairs.len(), 2);
    }

    #[test]
    fn answers_that_are_dictated() {
        let (pairs, rest) = read(
            "I run a shop. If people ask about parking, tell them it's free behind the church. 如果有人问停车，就说门口可以停。",
        );
        assert_eq!(
            pairs,
            [("parking".into(), "it's free behind the church.".into()), ("停车".into(), "门口可以停".into())]
        );
        assert_eq!(rest, "I run a shop.");
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert!(read("Can it convert kg? It should. Plan A: do this.").0.is_empty());
    }
}
