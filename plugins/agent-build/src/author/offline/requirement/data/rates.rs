//! Exchange rates: `1 EUR = 1.08 USD`, `EUR/USD 1.08`, `1欧元=7.8元`.

use std::sync::LazyLock;

use regex::Regex;

use super::{amount, heading};
use crate::spec::{DataSet, Rate};

static RATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let currency = r"(?:[A-Za-z]{3,8}|\p{Sc}|欧元|美元|人民币|元|英镑|日元|港元|港币)";
    Regex::new(&format!(r"(?i)\b1\s*(?P<a>{currency})\s*(?:=|is|equals|等于|兑换?)\s*(?P<n>\d+(?:[.,]\d+)?)\s*(?P<b>{currency})|(?P<c>(?-i:[A-Z]{{3}}))\s*(?:/|to|->)\s*(?P<d>(?-i:[A-Z]{{3}}))\s*(?:[:=]|is)?\s*(?P<m>\d+(?:[.,]\d+)?)")).ok()
});

/// Takes exchange rates out of a sentence; what is left is the text before them.
pub(super) fn extract(sentence: &str, found: &mut Vec<DataSet>) -> Option<String> {
    let regex = RATE.as_ref()?;
    let code = |written: &str| match amount::currency(written).as_str() {
        "元" => "CNY".to_owned(),
        "欧元" => "EUR".to_owned(),
        "美元" => "USD".to_owned(),
        "英镑" => "GBP".to_owned(),
        "日元" => "JPY".to_owned(),
        "港元" => "HKD".to_owned(),
        other => other.to_uppercase(),
    };
    let known = |code: &str| {
        [
            "EUR", "USD", "GBP", "CNY", "JPY", "CHF", "INR", "KRW", "HKD", "CAD", "AUD", "SEK", "NOK", "DKK", "PLN",
            "CZK", "BRL", "SGD", "TRY", "MXN", "ZAR", "NZD", "THB", "RUB",
        ]
        .contains(&code)
    };
    let mut first = None;
    let mut rates = Vec::new();
    for captures in regex.captures_iter(sentence) {
        let name =
            |a: &str, b: &str| captures.name(a).or_else(|| captures.name(b)).map(|m| m.as_str()).unwrap_or_default();
        let (from, to, rate) = (code(name("a", "c")), code(name("b", "d")), amount::decimal(name("n", "m")));
        if known(&from) && known(&to) && from != to && rate.parse::<f64>().is_ok_and(|r| r > 0.0) {
            first.get_or_insert(captures.get(0).map_or(0, |m| m.start()));
            rates.push(Rate { from, to, rate });
        }
    }
    let head = sentence.get(..first?)?.trim().trim_end_matches([':', '：', ',', '，']).trim();
    let title = if head.is_empty() { "Exchange rates".into() } else { heading(head) };
    found.push(DataSet::Rates { id: String::new(), title, rates });
    Some(head.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_write_rates() {
        for (text, count) in [
            ("Use these rates: 1 EUR = 1.08 USD, 1 GBP = 1.27 USD", 2),
            ("EUR/USD 1.08", 1),
            ("汇率：1欧元=7.8元，1美元=7.2元", 2),
            ("convert 1 kg to lb", 0),
        ] {
            let mut found = Vec::new();
            extract(text, &mut found);
            assert_eq!(found.iter().map(DataSet::len).sum::<usize>(), count, "{text}");
        }
    }
}
