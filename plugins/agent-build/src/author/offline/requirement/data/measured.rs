//! Amounts that are no prices: when a rule applies, how much of something, the day of a month.

use super::amount::Amount;

/// Whether an amount says when a rule applies, or how much of something, not what a thing costs.
pub(super) fn measures(body: &str, amount: &Amount) -> bool {
    let before = body.get(..amount.start).unwrap_or_default().trim_end().to_lowercase();
    let after = body.get(amount.end..).unwrap_or_default().trim_start().to_lowercase();
    if is_unit(&amount.currency) || text_unit(&after) && amount.currency.is_empty() {
        return true;
    }
    // 煎饺（一份8个） says how many there are.
    let inside =
        before.rfind(['(', '（']).is_some_and(|open| !before.get(open..).unwrap_or_default().contains([')', '）']));
    if inside
        && amount.currency.is_empty()
        && after.starts_with(['个', '只', '片', '块', '粒', '根', '枚', '串', '颗', '寸', '支', '包', '张', '份'])
    {
        return true;
    }
    let after = format!("{after} ");
    let last = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    [
        "of",
        "over",
        "under",
        "than",
        "above",
        "below",
        "about",
        "up",
        "by",
        "least",
        "exceeding",
        "saves",
        "save",
        "minus",
    ]
    .contains(&last)
        || (last == "to" && amount.to.is_empty() && !before.ends_with("up to"))
        || last == "from" && (after.starts_with("on") || after.starts_with("order"))
        || ["满", "超过", "低于", "高于", "不足", "达到", "减", "立减", "少于", "大于", "省"]
            .iter()
            .any(|word| before.ends_with(word))
        || ["off ", "off,", "off.", "or more", "and over", "and above", "discount", "minimum"]
            .iter()
            .any(|word| after.starts_with(word))
        || ["以上", "以下", "以内", "起送", "起订"].iter().any(|word| after.starts_with(word))
        || before.ends_with(" for") && before.trim_end_matches(" for").ends_with(|c: char| c.is_ascii_digit())
}

const UNITS: &str = "g|kg|ml|l|cl|cm|mm|m|km|min|mins|minutes|minute|h|hour|hours|pcs|pieces|people|persons|x|day|days|night|nights|week|weeks|month|months|year|years|am|pm|inch|inches|lb|oz|st|nd|rd|th|克|千克|公斤|毫升|升|片|人|分钟|小时|天|年|个月|号|楼|层|寸|厘米|点|折|次|节|件|岁|斤|倍|percent|pct|abv|kcal|calories|players";

fn is_unit(word: &str) -> bool {
    UNITS.split('|').any(|unit| unit.eq_ignore_ascii_case(word)) || is_month(word)
}

fn is_month(word: &str) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let lower = word.to_lowercase();
    MONTHS.iter().any(|month| {
        lower == *month
            || lower.starts_with(month) && lower.ends_with(['y', 'h', 'l', 'e', 't', 'r']) && lower.len() > 3
    })
}

/// Whether a text begins with a unit or a percent sign: the number before it is no price.
fn text_unit(after: &str) -> bool {
    let word: String = after.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
    after.starts_with(['%', '\'', '"', '×', '#'])
        || after.starts_with("per cent")
        || is_unit(&word)
        || UNITS.split('|').any(|unit| !unit.is_ascii() && after.starts_with(unit))
}
