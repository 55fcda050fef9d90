//! Amounts of money in free text: `3 EUR`, `$4.50`, `2,50 €`, `3元/斤`, `1.200 EUR per kg`.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// An amount found in a text.
pub(super) struct Amount {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) value: String,
    pub(super) currency: String,
    pub(super) per: String,
}

const NUMBER: &str = r"\d{1,3}(?:[,' ]\d{3})+(?:\.\d{1,4})?|\d+(?:[.,]\d{1,4})?";
const WORDS: &str = "eur|euros?|usd|us dollars?|dollars?|gbp|pounds?|cny|rmb|yuan|jpy|yen|chf|francs?|sek|nok|dkk|kr|pln|zł|zloty|inr|rupees?|krw|won|cad|aud|hkd|sgd|czk|brl|cents?|ct|credits?|coins?|points?|tokens?|元|块钱|块|人民币|欧元|美元|美金|英镑|日元|港币|港元|角|分";

static AMOUNT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let per = |name: &str| {
        r"(?:\s*(?:/|per\b|an?\b|each\b|一|每)\s*(?P<NAME>[a-zA-Z]{1,12}|斤|公斤|千克|克|个|只|份|瓶|盒|杯|条|台|本|张|件|套|箱|袋|包|位|人|次|小时|天|月|年|米|升)?)?".replace("NAME", name)
    };
    let (before, after) = (per("per1"), per("per2"));
    Regex::new(&format!(
        r"(?i)(?P<before>\p{{Sc}}|(?:{WORDS})\b)\s*(?P<n1>{NUMBER}){before}|(?P<n2>{NUMBER})\s*(?P<after>\p{{Sc}}|(?:{WORDS})|(?-i:[A-Z]{{3}})\b){after}"
    ))
    .ok()
});
static PLAIN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"(?P<n2>{NUMBER})\s*(?P<after>[a-zA-Z]{{2,12}}\b)?")).ok());

/// All amounts with a currency. With `any_unit`, numbers alone and unknown units count too.
pub(super) fn find(text: &str, any_unit: bool) -> Vec<Amount> {
    let money = collect(&AMOUNT, text);
    if money.is_empty() && any_unit { collect(&PLAIN, text) } else { money }
}

fn collect(pattern: &LazyLock<Option<Regex>>, text: &str) -> Vec<Amount> {
    let Some(regex) = pattern.as_ref() else { return Vec::new() };
    regex.captures_iter(text).filter_map(|found| amount(&found, text)).collect()
}

fn amount(found: &Captures<'_>, text: &str) -> Option<Amount> {
    let whole = found.get(0)?;
    let number = found.name("n1").or_else(|| found.name("n2"))?;
    let glued = text.get(..whole.start())?.chars().next_back();
    let cut = text.get(whole.end()..)?.chars().next();
    // "A4 paper" holds no amount, nor does "3 EURO" in "3 EUROPEAN cities".
    if glued.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.')
        || whole.as_str().ends_with(|c: char| c.is_ascii_alphabetic()) && cut.is_some_and(|c| c.is_ascii_alphabetic())
    {
        return None;
    }
    let written = found.name("before").or_else(|| found.name("after")).map_or("", |m| m.as_str());
    // "3 a piece" and "3 each" name no unit.
    let unit = found.name("per1").or_else(|| found.name("per2"));
    let per = unit.map_or("", |m| m.as_str());
    let per = if ["piece", "each", "item", "pc", "unit", "one", "个", "件", "只", "and", "or", "for", "the"]
        .contains(&per.to_lowercase().as_str())
    {
        ""
    } else {
        per
    };
    let end = unit.filter(|m| ["and", "or", "for", "the"].contains(&m.as_str())).map_or(whole.end(), |m| m.start());
    Some(Amount {
        start: whole.start(),
        end,
        value: decimal(number.as_str()),
        currency: currency(written),
        per: per.to_owned(),
    })
}

/// A number as written by people as a decimal: `2,50` is 2.50 and `1,200` is 1200.
pub(super) fn decimal(number: &str) -> String {
    let plain: String = number.chars().filter(|c| !matches!(c, ' ' | '\'')).collect();
    match plain.rsplit_once(',') {
        Some((whole, part)) if part.len() == 3 || plain.contains('.') => format!("{}{part}", whole.replace(',', "")),
        Some((whole, part)) => format!("{}.{part}", whole.replace(',', "")),
        None => plain,
    }
}

/// The code of a well-known currency; any other as it was written.
pub(super) fn currency(written: &str) -> String {
    let lower = written.trim().to_lowercase();
    let known = match lower.as_str() {
        "€" | "euro" | "euros" => "EUR",
        "$" | "dollar" | "dollars" | "us dollar" | "us dollars" => "USD",
        "£" | "pound" | "pounds" => "GBP",
        "¥" | "￥" | "yuan" | "rmb" => "CNY",
        "yen" => "JPY",
        "franc" | "francs" => "CHF",
        "rupee" | "rupees" | "₹" => "INR",
        "won" | "₩" => "KRW",
        "zł" | "zloty" => "PLN",
        "块" | "块钱" | "人民币" => "元",
        "美金" => "美元",
        "港币" => "港元",
        _ => "",
    };
    if !known.is_empty() {
        known.to_owned()
    } else if lower.is_ascii() && lower.len() == 3 {
        lower.to_uppercase()
    } else {
        written.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String, String)> {
        find(text, false).into_iter().map(|a| (a.value, a.currency, a.per)).collect()
    }

    #[test]
    fn many_ways_to_write_money() {
        let is = |text: &str, value: &str, currency: &str, per: &str| {
            assert_eq!(read(text), [(value.to_owned(), currency.to_owned(), per.to_owned())], "{text}");
        };
        is("apple 3 EUR", "3", "EUR", "");
        is("tea $4.50", "4.50", "USD", "");
        is("Brot 2,50 €", "2.50", "EUR", "");
        is("laptop 1,299 USD", "1299", "USD", "");
        is("苹果3元/斤", "3", "元", "斤");
        is("flour 2 EUR per kg", "2", "EUR", "kg");
        is("ring 5 XYZ", "5", "XYZ", "");
        is("sword ₿2", "2", "₿", "");
        is("pen 3 EUR each", "3", "EUR", "");
        assert!(read("A4 paper in 3 EUROPEAN cities").is_empty());
    }
}
