//! An answer beside its oracle.

use serde::{Deserialize, Serialize};

use crate::{
    Oracle,
    decline::{declines, names_what_it_left_out},
    figure::Figures,
    nonsense::nonsense,
};

/// What an agent said, and what it did for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Its calls of tools.
    #[serde(default)]
    pub calls: Vec<Call>,
}

/// One call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The function's name.
    pub name: String,
    /// Whether it gave a result.
    pub ok: bool,
}

/// Where a question stands.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// The requirement, whose figures an answer may repeat.
    pub requirement: &'a str,
    /// What was said before in this session, by both sides.
    pub earlier: &'a [String],
    /// The question.
    pub question: &'a str,
}

/// What an answer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The oracle holds.
    Right,
    /// An answer was due, and the agent declined.
    Refused,
    /// It states something else.
    Wrong,
    /// It is no answer.
    Nonsense,
}

impl Verdict {
    /// All, the best first.
    pub const ALL: [Self; 4] = [Self::Right, Self::Refused, Self::Wrong, Self::Nonsense];

    /// The word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Refused => "refused",
            Self::Wrong => "wrong",
            Self::Nonsense => "nonsense",
        }
    }
}

/// A verdict and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// For people; empty when the answer is right.
    pub reason: String,
}

/// Judges one answer.
#[must_use]
pub fn judge(turn: Turn<'_>, oracle: &Oracle, answer: &Answer) -> Judgement {
    let judgement = |verdict, reason: String| Judgement { verdict, reason };
    let declined = declines(&answer.text, turn.requirement);
    if let Some(reason) = nonsense(&answer.text, turn.requirement, declined) {
        return judgement(Verdict::Nonsense, reason);
    }
    if let Some(forbidden) = oracle.forbidden(&answer.text) {
        return judgement(Verdict::Wrong, format!("it says \"{forbidden}\""));
    }
    let figures = Figures::read(&answer.text);
    let tools: Vec<&str> = answer.calls.iter().filter(|call| call.ok).map(|call| call.name.as_str()).collect();
    let missing = oracle.missing(&answer.text, &figures, &tools);
    let invented = invented(turn, &answer.text, !tools.is_empty());
    match (oracle.refuse, declined) {
        (true, true) => match invented {
            Some(figure) => judgement(Verdict::Wrong, format!("it states {figure} where it should decline")),
            None if missing.is_empty() => judgement(Verdict::Right, String::new()),
            None => judgement(Verdict::Refused, format!("it does not say {}", missing.join(", "))),
        },
        (true, false) => judgement(Verdict::Wrong, "it should have declined".to_owned()),
        (false, _) if missing.is_empty() => judgement(Verdict::Right, String::new()),
        (false, true) => match invented.filter(|_| !names_what_it_left_out(&answer.text, turn.question)) {
            Some(figure) => {
                judgement(Verdict::Wrong, format!("it states {figure} and does not say {}", missing.join(", ")))
            }
            None => judgement(Verdict::Refused, format!("it declines and does not say {}", missing.join(", "))),
        },
        (false, false) => judgement(Verdict::Wrong, format!("it does not say {}", missing.join(", "))),
    }
}

/// A figure that stands neither in the question, nor in what was said before, nor in the requirement. It counts only when
/// a tool gave a result: otherwise it belongs to an example of what can be asked. Quoted text does not count either.
fn invented(turn: Turn<'_>, answer: &str, by_tool: bool) -> Option<String> {
    if !by_tool {
        return None;
    }
    let mut known: Vec<Figures> = turn.earlier.iter().map(|text| Figures::read(text)).collect();
    known.extend([Figures::read(turn.requirement), Figures::read(turn.question)]);
    let said = Figures::read(&without_quotes(answer));
    said.beyond(&known).map(|figure| figure.text.clone()).next()
}

fn without_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside: Option<char> = None;
    for c in text.chars() {
        match (inside, c) {
            (Some(end), c) if c == end || c == '\n' => inside = None,
            (Some(_), _) => {}
            (None, '"') => inside = Some('"'),
            (None, '“') => inside = Some('”'),
            (None, '「') => inside = Some('」'),
            (None, c) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REQUIREMENT: &str =
        "Build a bot for our bakery that tells the prices: croissant 1.80 EUR, baguette 1.60 EUR. Closed on Mondays.";

    fn verdict_of(oracle: &str, question: &str, text: &str, tool: Option<bool>) -> Verdict {
        let oracle: Oracle = serde_json::from_str(oracle).unwrap();
        let calls = tool.map(|ok| Call { name: "quote_items".into(), ok }).into_iter().collect();
        let turn = Turn { requirement: REQUIREMENT, earlier: &[], question };
        judge(turn, &oracle, &Answer { text: text.into(), calls }).verdict
    }

    #[test]
    fn answers_that_are_due() {
        let total = r#"{"figures": ["14 EUR"]}"#;
        let of = |text: &str, tool| verdict_of(total, "6 croissants and 2 baguettes?", text, tool);
        assert_eq!(of("6 × 1.80 + 2 × 1.60 = 14.00 EUR", Some(true)), Verdict::Right);
        assert_eq!(of("That makes 10.80 EUR.", Some(true)), Verdict::Wrong);
        // Half of it, and it says which half is missing.
        assert_eq!(of("6 croissants: 10.80 EUR\nI do not know \"baguettes\".", Some(true)), Verdict::Refused);
        assert_eq!(of("I do not know everything. Total: 10.80 EUR", Some(true)), Verdict::Wrong);
        assert_eq!(of("I do not know \"baguettes\".", Some(false)), Verdict::Refused);
        assert_eq!(of("I cannot answer that. For example: \"What is 12 kg in lb?\"", None), Verdict::Refused);
        assert_eq!(of("", None), Verdict::Nonsense);
        assert_eq!(of("Build a bot for our bakery that tells the prices: croissant 1.80 EUR", None), Verdict::Nonsense);
    }

    #[test]
    fn refusals() {
        let of = |text: &str, tool| verdict_of(r#"{"refuse": true}"#, "how much is a cheesecake?", text, tool);
        assert_eq!(of("There is no such item; I know croissant (1.80 EUR) and baguette.", Some(false)), Verdict::Right);
        assert_eq!(of("I cannot answer that.", None), Verdict::Right);
        assert_eq!(of("A cheesecake is 32.00 EUR", Some(true)), Verdict::Wrong);
        assert_eq!(of("I do not know cheesecake. It costs 5.40 EUR", Some(true)), Verdict::Wrong);
        assert_eq!(of("Croissant: 1.80 EUR", Some(true)), Verdict::Wrong);
    }

    #[test]
    fn forbidden_words_and_tools() {
        assert_eq!(verdict_of(r#"{"must_not": ["booked"]}"#, "q", "Your table is booked.", None), Verdict::Wrong);
        assert_eq!(verdict_of(r#"{"tool": "quote"}"#, "q", "1.80", Some(true)), Verdict::Right);
        assert_eq!(verdict_of(r#"{"tool": "convert"}"#, "q", "1.80", Some(true)), Verdict::Wrong);
    }

    proptest! {
        /// The judge has no noise: judged again, every answer gets the same verdict for the same reason.
        #[test]
        fn judged_twice_is_judged_alike(
            text in "(I cannot|约|total|14|1[.]8|EUR|元|三十| |[.,:]|[0-9]{1,4}){0,12}", value in 0_u32..200, refuse: bool, ok: bool,
        ) {
            let oracle = Oracle { figures: vec![format!("{value} EUR").parse().unwrap()], refuse, ..Oracle::default() };
            let turn = Turn { requirement: REQUIREMENT, earlier: &[], question: "6 croissants" };
            let answer = Answer { text, calls: vec![Call { name: "quote".into(), ok }] };
            let first = judge(turn, &oracle, &answer);
            for _ in 0..3 {
                prop_assert_eq!(&judge(turn, &oracle, &answer), &first);
            }
        }

        /// A figure that is not the expected one never passes, whatever stands around it.
        #[test]
        fn another_figure_is_never_right(cents in 100_i64..99_999, other in 100_i64..99_999) {
            prop_assume!(cents != other);
            let money = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
            let oracle = Oracle { figures: vec![format!("{} EUR", money(cents)).parse().unwrap()], ..Oracle::default() };
            let turn = Turn { requirement: REQUIREMENT, earlier: &[], question: "how much" };
            let text = |cents| Answer { text: format!("Total: {} EUR.", money(cents)), calls: vec![] };
            prop_assert_eq!(judge(turn, &oracle, &text(cents)).verdict, Verdict::Right);
            prop_assert_ne!(judge(turn, &oracle, &text(other)).verdict, Verdict::Right);
        }
    }
}
