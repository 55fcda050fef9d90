//! Names of priced things that do not stand right before their amount: what stands before brackets that tell prices
//! apart, before "otherwise", before a pack, or behind the amount as what it is for.

use std::sync::LazyLock;

use regex::Regex;

use super::{amount::Amount, names};
use crate::spec::PriceItem;

/// Units of which a price is told; any other word behind "a" is what is bought: "$1.75 a wash".
const UNITS: &str = "person|people|head|guest|adult|child|kid|student|night|day|week|month|year|hour|hr|h|minute|min|half hour|session|lesson|class|visit|kg|g|lb|oz|kilo|gram|litre|liter|l|ml|metre|meter|m|m2|sqm|ft|mile|km|page|word|line|photo|dozen|pair|set|box|bag|bottle|pack|piece|slice|cup|glass|jar|roll|sheet|room|table|seat|car|wheel|tooth|tyre|tire|window|letter|parcel|order|trip|ride|game|round|term|season|item|copy|user|seat|gb|mb|kwh";

static PACK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)^(?:(?:a |per )?(?:set|pack|box|pair|bag|bundle|case|tray|stack) of \d+|\d+\s?(?:pcs|pieces|pack))$",
    )
    .ok()
});
static TIMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?P<name>[^\d]+?)\s+(?:(?:on\s+|every\s+)?(?:mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|weekdays|weekends|daily|every day)(?:\s+(?:and|to|until)\s+\w+days?)?\s*(?:at|from)?|at|from)\s*\d{1,2}(?::\d{2}|\s?[ap]m\b).*$").ok()
});

/// Whether a part of a list only says how many are sold together: it belongs to the part before it.
pub(super) fn is_pack(part: &str) -> bool {
    PACK.as_ref().is_some_and(|regex| regex.is_match(part))
}

/// A name without when it takes place: "Tours saturdays at 2pm and 4pm" are tours.
pub(super) fn without_times(name: &str) -> &str {
    TIMED
        .as_ref()
        .and_then(|regex| regex.captures(name))
        .and_then(|found| found.name("name"))
        .map_or(name, |m| m.as_str())
}

/// Whether a word before an amount tells what else it costs, and names nothing: "free for members, otherwise $40".
pub(super) fn is_otherwise(name: &str) -> bool {
    ["otherwise", "else", "normally", "usually", "if not", "without", "and", "or", "plus", "then"]
        .iter()
        .any(|word| name.eq_ignore_ascii_case(word))
}

/// What is bought when it stands behind the amount like a unit: "$1.75 a wash and $1.50 a dry".
pub(super) fn bought(unit: &str) -> Option<String> {
    let unit = unit.trim();
    let word = unit.chars().count() > 2 && unit.chars().all(|c| c.is_ascii_lowercase());
    let known = UNITS.split('|').any(|known| known == unit || unit.strip_suffix('s') == Some(known));
    (word && !known && names::usable(unit)).then(|| unit.to_owned())
}

static HEADED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\s*(?P<base>\p{Han}{2,8})\s*[(（][^()（）]{1,20}[)）]\s*\p{Han}").ok());

/// 小型犬（10斤以下）洗澡60 / 造型120: what opens the line is what all of its prices are for.
pub(super) fn headed<'a>(body: &str, items: impl Iterator<Item = &'a mut PriceItem>) {
    let Some(base) = HEADED.as_ref().and_then(|regex| regex.captures(body)).and_then(|found| found.name("base")) else {
        return;
    };
    for item in items {
        let variant = item.name.strip_prefix(base.as_str()).unwrap_or(&item.name).trim().to_owned();
        if !variant.is_empty() {
            base.as_str().clone_into(&mut item.base);
            item.name = format!("{} {variant}", item.base);
            item.variant = variant;
        }
    }
}

/// "brake pads (front) $129, (rear) $119": brackets tell the prices of one thing apart. Gives the base and the variant.
pub(super) fn told_apart(last: Option<&mut PriceItem>, note: &str) -> Option<(String, String)> {
    let last = last.filter(|last| !note.is_empty() && !last.note.is_empty() && last.note != "from")?;
    if last.base.is_empty() {
        last.base.clone_from(&last.name);
        last.variant = std::mem::take(&mut last.note);
        last.name = names::joined(&last.base, &last.variant);
    }
    Some((last.base.clone(), note.to_owned()))
}

/// Whether a requirement says in which currency its bare numbers are: `(USD, parts included)`, "all in euros".
pub(super) fn declares_currency(text: &str) -> bool {
    let lower = text.to_lowercase();
    [
        "(usd",
        "(eur",
        "(gbp",
        "(chf",
        "(all euros",
        "(in eur",
        "(in dollars",
        "all in eur",
        "(all prices",
        "prices in ",
        "单位：元",
        "单位:元",
        "（元",
        "(元",
    ]
    .iter()
    .any(|mark| lower.contains(mark))
}

/// Whether a text is a short name with its price, and nothing else.
pub(super) fn is_all(body: &str, amount: &Amount) -> bool {
    let (before, after) =
        (body.get(..amount.start).unwrap_or_default().trim(), body.get(amount.end..).unwrap_or_default());
    !amount.currency.is_empty()
        && after.trim_matches(['.', '!', '。', ' ']).is_empty()
        && (1..=4).contains(&before.split_whitespace().count())
        && before.chars().count() <= 30
        && !is_conditional(&body.to_lowercase())
}

/// Whether a sentence tells when something is paid, and no price.
pub(super) fn is_conditional(lower: &str) -> bool {
    ["otherwise", "unless", " if ", "refund", "deposit of", "budget"].iter().any(|word| lower.contains(word))
}
