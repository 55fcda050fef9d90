//! Amounts of money in free text: `3 EUR`, `$4.50`, `2,50 €`, `10–12 €`, `3元/斤`, `4块5`, `1.2k USD`, `5万元`.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::numerals;

/// An amount found in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) value: String,
    /// The upper end of a range; empty when there is none.
    pub(super) to: String,
    pub(super) currency: String,
    pub(super) per: String,
}

const NUMBER: &str = r"\d{1,3}(?:\.\d{3})+,\d{1,2}|\d{1,3}(?:[,' ]\d{3})+(?:\.\d{1,4})?|\d+(?:[.,]\d{1,4})?";
const SCALE: &str = r"(?:\s?(?:k|mio|万|千|亿|百)\b|[kK万千亿百])?";
const DASH: &str = r"\s*(?:-|–|—|~|～|\bto\b|至|到)\s*";
const WORDS: &str = r"(?:eur|euros?|usd|us dollars?|dollars?|bucks|gbp|pounds?|quid|cny|rmb|yuan|jpy|yen|chf|francs?|sek|nok|dkk|kr|pln|zł|zloty|inr|rupees?|krw|won|cad|aud|nzd|hkd|sgd|czk|brl|cents?|ct|credits?|coins?|points?|tokens?)\b|元|块钱|块|人民币|欧元|欧|美元|美金|英镑|日元|港币|港元|角|毛";
const SIGNS: &str = r"US\$|A\$|C\$|HK\$|\p{Sc}";
pub(super) const PER_ZH: &str = "斤|公斤|千克|克|个|只|份|瓶|盒|杯|条|台|本|张|件|套|箱|袋|包|位|人|次|小时|天|晚|月|年|米|升|节|课时|平米|平方米|平方|页|字|千字|块|碗|串|打|支|双|间|车|片|朵|束|棵|盆|壶|扎|例|笼|公里|分钟|半小时|学期|期|场|桌|度|吨|头|颗|粒|桶";

fn per(name: &str) -> String {
    r"(?:(?:/\s?|\s*(?:\bper\b|\bpro\b|\bje\b|\bevery\b|\ban?\b|\bthe\b|\beach\b|一|每|1)\s*)(?P<NAME>(?:\d{1,4}\s*)?(?:[a-zA-Z²³]{1,12}|ZH))?)?"
        .replace("NAME", name)
        .replace("ZH", PER_ZH)
}

static AMOUNT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)(?P<before>{SIGNS}|\b(?:{WORDS}))\s*(?P<n1>(?:{NUMBER}){SCALE})(?:{DASH}(?:{SIGNS})?\s*(?P<t1>(?:{NUMBER}){SCALE}))?{}|(?P<n2>(?:{NUMBER}){SCALE})(?:{DASH}(?P<t2>(?:{NUMBER}){SCALE}))?\s*(?P<after>{SIGNS}|(?:{WORDS})|(?-i:[A-Z]{{3}})\b)(?P<tenth>[1-9半](?:毛|角)?)?{}",
        per("per1"),
        per("per2")
    ))
    .ok()
});
static PLAIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?P<n2>(?:{NUMBER}))(?:[-–—~](?P<t2>(?:{NUMBER})))?(?:\s*(?P<after>[a-zA-Z]{{2,12}}\b))?{}",
        per("per2")
    ))
    .ok()
});

/// All amounts with a currency.
pub(super) fn find(text: &str) -> Vec<Amount> {
    let digits = numerals::before_money(text);
    collect(&AMOUNT, &digits)
}

/// All amounts with a currency; where there is none, all numbers.
pub(super) fn find_any(text: &str) -> Vec<Amount> {
    let money = find(text);
    if money.is_empty() { collect(&PLAIN, text).into_iter().map(|amount| bare(amount, text)).collect() } else { money }
}

/// A word behind a bare number is its unit only where the words end: "3 coins," but not "14 Pro - 560" nor "12 each".
fn bare(mut amount: Amount, text: &str) -> Amount {
    let rest = text.get(amount.end..).unwrap_or_default().trim_start();
    let ends = rest.is_empty() || rest.starts_with([',', ';', '.', ')', '/', '，', '；', '、', '。']);
    if !amount.currency.is_empty()
        && (!ends || NO_UNIT.split('|').any(|word| amount.currency.eq_ignore_ascii_case(word)))
    {
        let number = text.get(amount.start..amount.end).unwrap_or_default();
        let digits = number.len() - number.trim_start_matches(|c: char| !c.is_alphabetic()).len();
        amount.end = amount.start + text.get(amount.start..amount.start + digits).map_or(0, |n| n.trim_end().len());
        amount.currency.clear();
    }
    amount
}

/// All amounts with a currency; beside them, in a list of which every part has one number, those without.
pub(super) fn find_listed(text: &str) -> Vec<Amount> {
    let mut money = find(text);
    let apart = |a: &Amount| money.iter().all(|m| a.end <= m.start || a.start >= m.end);
    let after_colon = |a: &Amount| {
        text.get(..a.start).is_some_and(|before| {
            before.ends_with([':', '：'])
                && !before.trim_end_matches([':', '：']).ends_with(|c: char| c.is_alphabetic())
        })
    };
    let measured = |a: &Amount| {
        text.get(a.end..)
            .and_then(|rest| rest.chars().next())
            .is_some_and(|c| c.is_alphabetic() || matches!(c, '%' | ':' | '/' | '-'))
    };
    let plain: Vec<Amount> = collect(&PLAIN, text)
        .into_iter()
        .filter(apart)
        .map(|a| bare(a, text))
        .filter(|a| !measured(a) && !after_colon(a) && a.currency.is_empty())
        .collect();
    if money.is_empty() || plain.is_empty() {
        return money;
    }
    let parts =
        text.split([';', '，', '；', '、']).flat_map(|part| part.split(", ")).flat_map(|part| part.split(" and "));
    let counted: Vec<(super::super::source::Range, usize)> = parts
        .map(|part| super::super::source::place(text, part))
        .map(|part| {
            let inside = money.iter().chain(&plain).filter(|a| a.start >= part.start && a.end <= part.end).count();
            (part, inside)
        })
        .collect();
    let whole = counted.iter().all(|(_, inside)| *inside == 1);
    let decimals = |a: &Amount| a.value.rsplit_once('.').is_some_and(|(_, part)| part.len() == 2);
    let alone =
        |a: &Amount| counted.iter().any(|(part, inside)| a.start >= part.start && a.end <= part.end && *inside == 1);
    let listed: Vec<Amount> = plain.iter().filter(|a| whole || decimals(a) && alone(a)).cloned().collect();
    money.extend(listed);
    money.sort_by_key(|a| a.start);
    money
}

fn collect(pattern: &LazyLock<Option<Regex>>, text: &str) -> Vec<Amount> {
    let Some(regex) = pattern.as_ref() else { return Vec::new() };
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(captures) = regex.captures_at(text, from) {
        let Some(whole) = captures.get(0).filter(|whole| !whole.is_empty()) else { break };
        from = whole.end();
        // In "kids under 12 £5" the sign belongs to the number behind it.
        if let Some(sign) = captures.name("after").filter(|sign| goes_ahead(text, sign.as_str(), sign.end())) {
            from = sign.start();
            continue;
        }
        found.extend(amount(&captures, text));
    }
    found
}

fn goes_ahead(text: &str, sign: &str, end: usize) -> bool {
    !sign.is_empty()
        && !sign.contains(char::is_alphabetic)
        && text.get(end..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Three letters behind a number that are no currency: months, days, units.
const NO_CURRENCY: &str = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun|pcs|min|max|hrs|kgs|lbs|the|and|for|day|per|mph|kwh|mbs|gbs|rpm|ppm|etc|pax|pts|vol|box|bag|set|oil|per|kids|men|ply|mod";
/// What follows "a" or "the" and names no unit.
const NO_UNIT: &str = "piece|each|item|pc|pcs|unit|one|and|or|for|the|with|in|on|at|if|when|a|an|to|from|but|plus|you|we|it|is|are|off|more|less|extra|total|deposit|discount|only|per|个|件|只|份|now|online|here|there|as|of|small|large|big|medium|half|full";

fn amount(found: &Captures<'_>, text: &str) -> Option<Amount> {
    let whole = found.get(0)?;
    let number = found.name("n1").or_else(|| found.name("n2"))?;
    let glued = text.get(..whole.start())?.chars().next_back();
    // "A4 paper" holds no amount, nor does "3 EURO" in "3 EUROPEAN cities".
    if glued.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.') {
        return None;
    }
    let written = found.name("before").or_else(|| found.name("after"));
    // "15 MAY" and "3 PCS" are no money.
    if written.is_some_and(|m| NO_CURRENCY.split('|').any(|word| m.as_str().eq_ignore_ascii_case(word))) {
        return None;
    }
    let cut =
        |end: usize| text.get(end..).and_then(|rest| rest.chars().next()).is_some_and(|c| c.is_ascii_alphabetic());
    if found.name("after").is_some_and(|m| m.as_str().ends_with(|c: char| c.is_ascii_alphabetic()) && cut(m.end())) {
        return None;
    }
    let money_end = [
        found.name("n1"),
        found.name("t1"),
        found.name("n2"),
        found.name("t2"),
        found.name("after"),
        found.name("tenth"),
    ]
    .into_iter()
    .flatten()
    .map(|m| m.end())
    .max()
    .unwrap_or(whole.end());
    let unit = found.name("per1").or_else(|| found.name("per2")).filter(|m| !cut(m.end()));
    let says_unit = unit.filter(|m| !NO_UNIT.split('|').any(|word| m.as_str().eq_ignore_ascii_case(word)));
    // "3 a piece" and "3 each" name no unit; "3 and" ends before the "and".
    let of_one = unit.is_some_and(|m| {
        ["piece", "each", "item", "pc", "pcs", "unit", "one", "个", "件", "只", "份"]
            .contains(&m.as_str().to_lowercase().as_str())
    });
    let each = text.get(money_end..unit.map_or(whole.end(), |m| m.start())).map_or("", str::trim_end);
    let end = match (says_unit.is_some() || of_one, each.trim().eq_ignore_ascii_case("each")) {
        (true, _) => whole.end(),
        (false, true) => money_end + each.len(),
        (false, false) => money_end,
    };
    let written = written.map_or("", |m| m.as_str());
    let mut value = decimal(number.as_str());
    let mut to = found.name("t1").or_else(|| found.name("t2")).map(|m| decimal(m.as_str())).unwrap_or_default();
    let unit = says_unit.map_or("", |m| m.as_str().trim());
    let currency_code = currency(written);
    if ["EUR", "CHF", "BRL"].contains(&currency_code.as_str())
        && !["l", "litre", "liter", "kwh"].contains(&unit.to_lowercase().as_str())
    {
        value = european_thousands(number.as_str(), value);
    }
    // A range goes up; "10-5 EUR" is something else, and its first number is not the price.
    if !to.is_empty() && !(less(&value, &to)) {
        (value, to) = (to, String::new());
    }
    let (value, code) = match (written, found.name("tenth")) {
        (_, Some(tenth)) => {
            (format!("{value}.{}", tenth.as_str().replace('半', "5").trim_end_matches(['毛', '角'])), "元".into())
        }
        ("毛" | "角", None) => (numerals::scaled(&value, -1), "元".into()),
        _ => (value, currency_code),
    };
    Some(Amount { start: whole.start(), end, value, to, currency: code, per: unit.to_owned() })
}

fn less(a: &str, b: &str) -> bool {
    a.parse::<f64>().ok().zip(b.parse::<f64>().ok()).is_some_and(|(a, b)| a < b)
}

/// `1.200` beside a currency that is written with a decimal comma is a thousand and two hundred.
fn european_thousands(written: &str, value: String) -> String {
    match written.split_once('.') {
        Some((whole, part))
            if part.len() == 3 && !whole.starts_with('0') && part.chars().all(|c| c.is_ascii_digit()) =>
        {
            format!("{whole}{part}")
        }
        _ => value,
    }
}

/// A number as written by people as a decimal: `2,50` is 2.50, `1,200` is 1200, `1.200,50` is 1200.50, `3k` is 3000.
pub(super) fn decimal(number: &str) -> String {
    let number = number.trim();
    let (digits, power) = match number.chars().next_back() {
        Some('k' | 'K' | '千') => (number.trim_end_matches(['k', 'K', '千']), 3),
        Some('百') => (number.trim_end_matches('百'), 2),
        Some('万') => (number.trim_end_matches('万'), 4),
        Some('亿') => (number.trim_end_matches('亿'), 8),
        Some('o' | 'O') => (number.trim_end_matches(|c: char| c.is_alphabetic()), 6),
        _ => (number, 0),
    };
    let plain: String = digits.chars().filter(|c| !matches!(c, ' ' | '\'')).collect();
    let value = match (plain.rfind(','), plain.rfind('.')) {
        (Some(comma), Some(point)) if comma > point => plain.replace('.', "").replace(',', "."),
        (Some(_), Some(_)) => plain.replace(',', ""),
        (Some(comma), None) if plain.len() - comma == 4 || plain.matches(',').count() > 1 => plain.replace(',', ""),
        (Some(_), None) => plain.replace(',', "."),
        _ => plain,
    };
    if power == 0 { value } else { numerals::scaled(&value, power) }
}

/// The code of a well-known currency; any other as it was written.
pub(super) fn currency(written: &str) -> String {
    let lower = written.trim().to_lowercase();
    let known = match lower.as_str() {
        "€" | "euro" | "euros" => "EUR",
        "$" | "us$" | "dollar" | "dollars" | "us dollar" | "us dollars" | "bucks" => "USD",
        "£" | "pound" | "pounds" | "quid" => "GBP",
        "¥" | "￥" | "yuan" | "rmb" => "CNY",
        "a$" => "AUD",
        "c$" => "CAD",
        "hk$" => "HKD",
        "yen" => "JPY",
        "franc" | "francs" => "CHF",
        "rupee" | "rupees" | "₹" => "INR",
        "won" | "₩" => "KRW",
        "zł" | "zloty" => "PLN",
        "块" | "块钱" | "人民币" => "元",
        "欧" => "欧元",
        "美金" => "美元",
        "港币" => "港元",
        _ => "",
    };
    if !known.is_empty() {
        known.to_owned()
    } else if lower.is_ascii() && lower.len() == 3 && lower.chars().all(|c| c.is_ascii_alphabetic()) {
        lower.to_uppercase()
    } else {
        written.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_ways_to_write_money() {
        for (text, value, to, currency, per) in [
            ("apple 3 EUR", "3", "", "EUR", ""),
            ("tea $4.50", "4.50", "", "USD", ""),
            ("Brot 2,50 €", "2.50", "", "EUR", ""),
            ("laptop 1,299 USD", "1299", "", "USD", ""),
            ("sofa 1.200 €", "1200", "", "EUR", ""),
            ("sofa 1.200,50 €", "1200.50", "", "EUR", ""),
            ("苹果3元/斤", "3", "", "元", "斤"),
            ("flour 2 EUR per kg", "2", "", "EUR", "kg"),
            ("beef $3/lb", "3", "", "USD", "lb"),
            ("ham 2 € per 100 g", "2", "", "EUR", "100 g"),
            ("ring 5 XYZ", "5", "", "XYZ", ""),
            ("sword ₿2", "2", "", "₿", ""),
            ("pen 3 EUR each", "3", "", "EUR", ""),
            ("lunch 10–12 €", "10", "12", "EUR", ""),
            ("haircut $40 - $60", "40", "60", "USD", ""),
            ("课程 100-150元", "100", "150", "元", ""),
            ("包子两块五", "2.5", "", "元", ""),
            ("油条4块5", "4.5", "", "元", ""),
            ("糖5毛", "0.5", "", "元", ""),
            ("门票八十元", "80", "", "元", ""),
            ("首付5万元", "50000", "", "元", ""),
            ("car 12k USD", "12000", "", "USD", ""),
            ("3 euros", "3", "", "EUR", ""),
            ("8块一斤", "8", "", "元", "斤"),
            ("88元/位", "88", "", "元", "位"),
        ] {
            let expected = Amount {
                value: value.into(),
                to: to.into(),
                currency: currency.into(),
                per: per.into(),
                ..Amount::default()
            };
            let found: Vec<Amount> = find(text).into_iter().map(|a| Amount { start: 0, end: 0, ..a }).collect();
            assert_eq!(found, [expected], "{text}");
        }
        assert!(find("A4 paper in 3 EUROPEAN cities").is_empty());
    }

    #[test]
    fn an_amount_ends_where_its_words_end() {
        let end = |text: &str| text.get(..find(text)[0].end).unwrap().to_owned();
        assert_eq!(end("3 EUR and more"), "3 EUR");
        assert_eq!(end("$3 a piece, then"), "$3 a piece");
        assert_eq!(end("$3 each or"), "$3 each");
        assert_eq!(end("$3 per kg or"), "$3 per kg");
    }
}
