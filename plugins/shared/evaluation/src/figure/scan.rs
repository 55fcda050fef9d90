//! The scanner: dates and times first, then numbers in digits, then numbers in Chinese words.

use std::sync::LazyLock;

use regex::Regex;
use rust_decimal::Decimal;

use super::{Figure, Figures, Reading, chinese, moment, unit};
use crate::text::narrow;

/// Sign, digits with separators, fraction or exponent, scale. Not behind a letter: `SHA-256`, `H2O` and `Base64` are names.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    #[allow(clippy::expect_used)] // compiled by the tests
    Regex::new(
        r"(?x)
        (?P<number>
            \d{1,3}(?:[,.\x20']\d{3})+(?:[.,]\d+)?   # groups of thousands, whichever the separator
          | \d+(?:[.,]\d+)?
          | \.\d+
        )
        (?:\s?/\s?(?P<under>\d{1,4})(?:[^\d.,]|$))?
        (?:[eE](?P<exponent>[+-]?\d{1,2})\b)?
        (?P<scale>\s?(?:k|thousand|m|mn|million|bn|billion|千万|百万|十万|万|亿|千|百)\b?)?",
    )
    .expect("a pattern of this file")
});

pub(super) fn scan(text: &str) -> Figures {
    // Lower case may change a sign's length, so it is made once, before anything is looked for.
    let plain: String =
        text.chars().filter(|c| *c != '*' && *c != '`').flat_map(|c| narrow(c).to_lowercase()).collect();
    let (rest, dates, times) = moment::take(&plain);
    let mut numbers = Vec::new();
    let mut from = 0;
    while let Some(found) = NUMBER.captures_at(&rest, from) {
        let (Some(whole), Some(number)) = (found.get(0), found.name("number")) else { break };
        let before = rest.get(..number.start()).unwrap_or_default();
        let named = before.ends_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '#')
            && unit::trailing(before).is_empty()
            || before.strip_suffix('-').is_some_and(|text| text.ends_with(|c: char| c.is_ascii_alphabetic()));
        let under = found.name("under");
        let exponent = found.name("exponent").and_then(|text| text.as_str().parse().ok()).unwrap_or(0);
        let scale = found.name("scale").map(|scale| (scale.as_str().trim(), scale.end()));
        from = under.map_or(number.end(), |under| under.end()).max(number.start() + 1);
        if named {
            continue;
        }
        let minus = before.ends_with('-');
        let after_number = rest.get(from..).unwrap_or_default();
        let mut readings = Vec::new();
        for (value, step) in values(number.as_str()) {
            let (value, step) = match under.and_then(|under| under.as_str().parse::<Decimal>().ok()) {
                Some(under) if !under.is_zero() => {
                    readings.push(Reading { value, step, units: Vec::new() });
                    readings.push(Reading { value: under, step, units: Vec::new() });
                    (value / under, Decimal::new(1, 4))
                }
                _ => (value, step),
            };
            let Some((value, step)) = raised(value, step, exponent) else { continue };
            let value = if minus { -value } else { value };
            let units = units(before, after_number);
            if minus {
                // Also a dash between two numbers, or before an item of a list.
                readings.push(Reading { value: -value, step, units: units.clone() });
            }
            readings.push(Reading { value, step, units });
            if let Some((factor, end)) = scale.and_then(|(word, end)| Some((factor(word, &rest, end)?, end)))
                && let (Some(value), Some(step)) = (value.checked_mul(factor), step.checked_mul(factor))
            {
                let units = self::units(before, rest.get(end..).unwrap_or_default());
                readings.push(Reading { value, step, units });
            }
        }
        if readings.is_empty() {
            continue;
        }
        numbers.push(Figure { text: whole.as_str().trim().to_owned(), readings, in_words: false });
    }
    numbers.extend(in_words(&rest));
    Figures { numbers, dates, times }
}

/// What the digits can mean, each with the worth of its last place.
fn values(digits: &str) -> Vec<(Decimal, Decimal)> {
    let mut all: Vec<(Decimal, Decimal)> = Vec::new();
    let mut add = |text: String| {
        let places = text.split_once('.').map_or(0, |(_, places)| u32::try_from(places.len()).unwrap_or(28)).min(28);
        if let Ok(value) = text.parse::<Decimal>() {
            let one = (value, Decimal::new(1, places));
            if !all.contains(&one) {
                all.push(one);
            }
        }
    };
    let without = |separators: &[char]| digits.replace(separators, "");
    let last = digits.rfind(['.', ',']);
    match last.map(|at| (at, digits.len() - at - 1)) {
        // The last sign is a decimal one, or it separates thousands, or there is a doubt.
        Some((at, places)) => {
            let (whole, fraction) = digits.split_at(at);
            let fraction = fraction.get(1..).unwrap_or_default();
            let sign = digits.get(at..=at).unwrap_or(".");
            let repeated = whole.contains(sign);
            if !repeated {
                add(format!("{}.{fraction}", whole.replace([',', '.', ' ', '\''], "")));
            }
            if places == 3 && (repeated || !whole.contains([',', '.'])) {
                add(without(&[',', '.', ' ', '\'']));
            }
        }
        None => {
            add(without(&[' ', '\'']));
            // `3 500` may be two numbers.
            if digits.contains(' ') {
                digits.split(' ').for_each(|one| add(one.to_owned()));
            }
        }
    }
    all
}

fn raised(value: Decimal, step: Decimal, exponent: i32) -> Option<(Decimal, Decimal)> {
    let mut out = (value, step);
    for _ in 0..exponent.unsigned_abs().min(28) {
        let ten = Decimal::TEN;
        out = if exponent > 0 {
            (out.0.checked_mul(ten)?, out.1.checked_mul(ten)?)
        } else {
            (out.0.checked_div(ten)?, out.1.checked_div(ten)?)
        };
    }
    Some(out)
}

fn factor(word: &str, text: &str, end: usize) -> Option<Decimal> {
    let latin = word.starts_with(|c: char| c.is_ascii_alphabetic());
    if latin && text.get(end..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric())) {
        return None;
    }
    let power = match word {
        "k" | "thousand" | "千" => 3,
        "m" | "mn" | "million" | "百万" => 6,
        "bn" | "billion" => 9,
        "百" => 2,
        "万" => 4,
        "十万" => 5,
        "千万" => 7,
        "亿" => 8,
        _ => return None,
    };
    10_i64.checked_pow(power).map(Decimal::from)
}

fn units(before: &str, after: &str) -> Vec<unit::Unit> {
    let behind = unit::leading(after.trim_start_matches([' ', '\u{a0}']));
    if behind.is_empty() { unit::trailing(before.trim_end_matches([' ', '-'])) } else { behind }
}

/// Numbers in Chinese words: every longest stretch of numerals, with `点` and digits behind it, or `半`.
fn in_words(text: &str) -> Vec<Figure> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(chinese::is_numeral) {
        let tail = rest.get(at..).unwrap_or_default();
        let behind_digit = rest.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
        let word: String = tail.chars().take_while(|c| chinese::is_numeral(*c)).collect();
        rest = tail.get(word.len()..).unwrap_or_default();
        let Some(value) = chinese::value(&word).filter(|_| !behind_digit) else { continue };
        let mut reading = Reading { value, step: Decimal::ONE, units: unit::leading(rest) };
        let mut spelt = word.clone();
        if let Some(places) = rest.strip_prefix('点') {
            let digits: String = places.chars().take_while(|c| chinese::is_numeral(*c)).collect();
            let fraction: Option<String> =
                digits.chars().map(|c| chinese::value(&c.to_string()).map(|value| value.to_string())).collect();
            if let Some(value) = fraction.filter(|f| !f.is_empty()).and_then(|f| format!("{value}.{f}").parse().ok()) {
                rest = places.get(digits.len()..).unwrap_or_default();
                let places = u32::try_from(digits.chars().count()).unwrap_or(28).min(28);
                reading = Reading { value, step: Decimal::new(1, places), units: unit::leading(rest) };
                spelt = format!("{word}点{digits}");
            }
        }
        all.push(Figure { text: spelt, readings: vec![reading], in_words: true });
    }
    all
}
