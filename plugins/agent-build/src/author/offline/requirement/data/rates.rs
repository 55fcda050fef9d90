//! Exchange rates: `1 EUR = 1.08 USD`, `EUR/USD 1.08`, `1欧元=7.8元`.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    super::source::{Range, at, place},
    Entry, amount,
};
use crate::spec::Rate;

static RATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let currency = r"(?:[A-Za-z]{3,8}|\p{Sc}|欧元|美元|美金|人民币|元|英镑|日元|港元|港币|韩元)";
    Regex::new(&format!(r"(?i)(?:^|[^\d.,A-Za-z])(?:1|one)\s*(?P<a>{currency})\s*(?:=|is(?: worth)?|equals|等于|兑换?|可?换)\s*(?P<n>\d+(?:[.,]\d+)?)\s*(?P<b>{currency})|(?P<s>\p{{Sc}})1\s*=\s*(?P<t>\p{{Sc}})\s*(?P<o>\d+(?:[.,]\d+)?)|(?P<c>(?-i:[A-Z]{{3}}))\s*(?:/|to|->|→)\s*(?P<d>(?-i:[A-Z]{{3}}))\s*(?:[:=]|is|at)?\s*(?P<m>\d+(?:[.,]\d+)?)")).ok()
});

const CODES: [&str; 27] = [
    "EUR", "USD", "GBP", "CNY", "JPY", "CHF", "INR", "KRW", "HKD", "CAD", "AUD", "SEK", "NOK", "DKK", "PLN", "CZK",
    "BRL", "SGD", "TRY", "MXN", "ZAR", "NZD", "THB", "RUB", "HUF", "ILS", "AED",
];

fn code(written: &str) -> String {
    match amount::currency(written).as_str() {
        "元" => "CNY".to_owned(),
        "欧元" => "EUR".to_owned(),
        "美元" => "USD".to_owned(),
        "英镑" => "GBP".to_owned(),
        "日元" => "JPY".to_owned(),
        "港元" => "HKD".to_owned(),
        "韩元" => "KRW".to_owned(),
        other => other.to_uppercase(),
    }
}

/// The exchange rates of a sentence, each with its place, and where the first begins.
pub(super) fn read(text: &str, range: &Range) -> Option<(Vec<(Range, Entry)>, usize)> {
    let regex = RATE.as_ref()?;
    let mut rates = Vec::new();
    for captures in regex.captures_iter(at(text, range)) {
        let name =
            |letters: [&str; 3]| letters.iter().find_map(|l| captures.name(l)).map(|m| m.as_str()).unwrap_or_default();
        let (from, to) = (code(name(["a", "c", "s"])), code(name(["b", "d", "t"])));
        let rate = amount::decimal(name(["n", "m", "o"]));
        let known = CODES.contains(&from.as_str()) && CODES.contains(&to.as_str());
        if let Some(whole) = captures.get(0)
            && known
            && from != to
            && rate.parse::<f64>().is_ok_and(|r| r > 0.0)
        {
            rates.push((place(text, whole.as_str()), Entry::Rate(Rate { from, to, rate })));
        }
    }
    let first = rates.first()?.0.start;
    Some((rates, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_write_rates() {
        for (text, count) in [
            ("Use these rates: 1 EUR = 1.08 USD, 1 GBP = 1.27 USD", 2),
            ("EUR/USD 1.08", 1),
            ("€1 = $1.08", 1),
            ("汇率：1欧元=7.8元，1美元=7.2元", 2),
            ("convert 1 kg to lb", 0),
        ] {
            assert_eq!(read(text, &(0..text.len())).map_or(0, |(rates, _)| rates.len()), count, "{text}");
        }
    }
}
