//! Rules that change what is to be paid: `10 % off from 5 pieces`, `students get 20% off`, `满100减10`, `第二件半价`.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    super::source::{Range, at},
    Entry, amount, names,
};
use crate::spec::PriceRule;

static PERCENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?P<p>\d+(?:[.,]\d+)?)\s*(?:%|percent|per cent)\s*(?:off|discount|cheaper|less|reduction|rebate|的?折扣|优惠)|(?:discount|rebate|reduction) of (?P<q>\d+(?:[.,]\d+)?)\s*(?:%|percent)|打?(?P<z>[1-9](?:\.?\d)?)折").ok()
});
static QUANTITY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:from|over|more than|at least|orders? of|buy(?:ing)?|for)\s+(?P<n>\d+)(?:\s*(?:\+|or more|and more|and up))?\s*(?:pieces|pcs|items|units|or more|copies|boxes|bottles|people|persons|tickets|nights|hours|lessons|loaves|of )|(?P<m>\d+)\s*(?:\+|or more|and more)\s*(?:pieces|pcs|items|units|copies|people|tickets|nights|lessons)?|(?:满|买|购买|超过)\s*(?P<z>\d+)\s*(?:件|个|份|杯|斤|盒|本|瓶|张|人|位|箱)").ok()
});
static TOTAL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(?:over|above|from|more than|at least|exceeding|满|超过)\s*$").ok());
static WHO: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?P<w>students?|seniors?|pensioners?|children|kids|members?|teachers?|groups?|staff|employees|families|nurses)\b|(?P<z>学生|老人|会员|儿童|教师|团体|员工|老年人)").ok()
});

static COUNTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:from|over|more than|at least|orders? of|buy(?:ing)?|for|if you (?:buy|take|order))\s+(?P<n>\d+)\s+(?:or more\s+)?(?P<of>[a-z]+s)\b").ok()
});

/// How many of a thing a rule asks for: "from 6 jars 10% off". Money and time are none.
fn counted(sentence: &str) -> Option<String> {
    let found = COUNTED.as_ref()?.captures(sentence)?;
    let of = found.name("of")?.as_str().to_lowercase();
    let other = [
        "euros", "dollars", "pounds", "bucks", "francs", "years", "days", "weeks", "months", "hours", "minutes",
        "kids", "cents",
    ];
    (!other.contains(&of.as_str())).then(|| found.name("n").map_or_else(String::new, |n| n.as_str().to_owned()))
}

static BUNDLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?P<n>[2-9]|1\d|20|two|three|four|five|six|ten) for (?:only |just )?(?:\p{Sc}\s?)?\d+(?:[.,]\d{1,2})?(?:\s?(?:\p{Sc}|eur|usd|gbp|chf|euros?|dollars?|pounds?))?(?P<rest>.{0,12})").ok()
});

/// "Donuts 2.50 each, 3 for 6": so many of a thing together cost less. The words say how much; the agent reads them.
fn bundle(sentence: &str) -> Option<PriceRule> {
    let captures = BUNDLE.as_ref()?.captures(sentence)?;
    // "2 for 3 nights", "open 5 for 20 years": no price.
    let rest = captures.name("rest").map_or("", |m| m.as_str()).trim_start().to_lowercase();
    let counts = ["%", "people", "person", "night", "day", "hour", "week", "month", "year", "min", "am", "pm", "kids"];
    let before = sentence.get(..captures.get(0)?.start())?;
    let first = amount::find_any(before).into_iter().next()?;
    let item = names::before(before.get(..first.start)?).name;
    let usable =
        !counts.iter().any(|word| rest.starts_with(word)) && !item.is_empty() && before.trim_end().len() > first.start;
    let text = sentence.get(captures.get(0)?.start()..captures.name("rest")?.start()).unwrap_or_default().trim_end();
    // "2 for 1" names no sum.
    let usable = usable && !text.ends_with(" 1");
    usable.then(|| PriceRule {
        text: text.to_owned(),
        from_quantity: in_digits(captures.name("n").map_or("", |m| m.as_str())),
        applies_to: item,
        ..PriceRule::default()
    })
}

fn in_digits(count: &str) -> String {
    let words = [("two", "2"), ("three", "3"), ("four", "4"), ("five", "5"), ("six", "6"), ("ten", "10")];
    words.iter().find(|(word, _)| count.eq_ignore_ascii_case(word)).map_or(count, |(_, digits)| digits).to_owned()
}

/// A rule in a sentence.
pub(super) fn read(text: &str, range: &Range) -> Option<(Range, Entry)> {
    let sentence = at(text, range);
    let lower = sentence.to_lowercase();
    let percent = PERCENT.as_ref()?.captures(sentence).map(|c| {
        c.name("p")
            .or_else(|| c.name("q"))
            .map_or_else(|| zh_percent(c.name("z").map_or("", |m| m.as_str())), |m| amount::decimal(m.as_str()))
    });
    let other = [
        "free shipping",
        "free delivery",
        "半价",
        "买一送一",
        "buy one get one",
        "half price",
        "包邮",
        "免费送",
        "免配送",
        "免运费",
        "免邮",
    ]
    .iter()
    .any(|w| lower.contains(w))
        || lower.contains('满') && lower.contains('减');
    if percent.is_none() && !other {
        return bundle(sentence).map(|rule| (range.clone(), Entry::Rule(rule)));
    }
    let quantity = QUANTITY
        .as_ref()?
        .captures(sentence)
        .and_then(|c| c.name("n").or_else(|| c.name("m")).or_else(|| c.name("z")).map(|m| m.as_str().to_owned()))
        .or_else(|| counted(sentence));
    let total = amount::find(sentence)
        .into_iter()
        .find(|a| TOTAL.as_ref().is_some_and(|regex| regex.is_match(sentence.get(..a.start).unwrap_or_default())));
    let who = WHO
        .as_ref()?
        .captures(sentence)
        .and_then(|c| c.name("w").or_else(|| c.name("z")).map(|m| m.as_str().to_owned()));
    let rule = PriceRule {
        text: sentence.trim().to_owned(),
        percent_off: percent.unwrap_or_default(),
        from_quantity: quantity.unwrap_or_default(),
        from_total: total.map(|a| a.value).unwrap_or_default(),
        applies_to: who.unwrap_or_default(),
    };
    Some((range.clone(), Entry::Rule(rule)))
}

/// 打8折 takes 20 % off, 打85折 and 打8.5折 take 15 % off.
fn zh_percent(written: &str) -> String {
    let digits: String = written.chars().filter(char::is_ascii_digit).collect();
    let left: u32 = digits.parse().unwrap_or(0);
    let left = if digits.len() == 1 { left * 10 } else { left };
    if (1..100).contains(&left) { (100 - left).to_string() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_write_rules() {
        for (text, expected) in [
            ("10 % off from 5 pieces", "10|5||"),
            ("Students get 20% off", "20|||Students"),
            ("5 percent discount on orders over $50", "5||50|"),
            ("Buy 10 or more loaves and get 15% off.", "15|10||"),
            ("满5件打9折", "10|5||"),
            ("会员打85折", "15|||会员"),
            ("Free delivery over 30 €", "||30|"),
            ("from 6 jars 10% off", "10|6||"),
            ("Donuts 2.50 each, 3 for 6", "|3||Donuts"),
            ("croissant $3 or two for $5", "|2||croissant"),
        ] {
            let Some((_, Entry::Rule(rule))) = read(text, &(0..text.len())) else { panic!("{text}") };
            assert_eq!(
                [rule.percent_off, rule.from_quantity, rule.from_total, rule.applies_to].join("|"),
                expected,
                "{text}"
            );
        }
        for none in [
            "Apples are sweet",
            "Room 80 EUR, 2 for 3 nights",
            "we were 3 for 20 years",
            "Beer 4 EUR, 2 for 1 on Mondays",
        ] {
            assert!(read(none, &(0..none.len())).is_none(), "{none}");
        }
    }
}
