//! Times of day and days of the week as people write them, in English and Chinese.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::numerals;

/// A word of a timetable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Days(Vec<u8>),
    /// Minutes since midnight.
    Times {
        from: u16,
        to: u16,
    },
    Until(u16),
    From(u16),
    Closed,
}

const DAY: &str = r"mon(?:day)?s?|tue(?:s(?:day)?)?s?|wed(?:nesday|s)?s?|thu(?:r(?:s(?:day)?)?)?s?|fri(?:day)?s?|sat(?:urday)?s?|sun(?:day)?s?";
const MANY: &str = r"weekdays|every weekday|working days|workdays|business days|weekends?|daily|every ?day|all week|(?:7|seven) days(?: a week)?|工作日|平日|双休日|周末|每天|每日|天天|全年无休|全周";
const ZH_DAY: &str = r"(?:周|星期|礼拜)[一二三四五六日天末]{1,7}(?:[、，,/和及][一二三四五六日天])*";
const DASH: &str = r"\s*(?:-|–|—|−|~|～|\bto\b|\btill?\b|\buntil\b|\bthrough\b|\bthru\b|\bbis\b|到|至)\s*";
const PERIOD: &str = "凌晨|清晨|早晨|早上|上午|早|中午|下午|傍晚|晚上|晚";
const HALF: &str = r"a\.?\s?m\b\.?|p\.?\s?m\b\.?|o'clock|uhr|hrs?\b|h\b";

fn time(n: usize) -> String {
    format!(
        r"(?:(?P<p{n}>{PERIOD})\s*)?(?P<h{n}>\d{{1,2}}|[一二两三四五六七八九十]{{1,3}})(?:\s*(?:(?:[:：.]|h|点|时)\s*(?P<m{n}>\d{{2}})(?:分)?|(?P<q{n}>点半|时半|点整|点钟|点[一三]刻|点|时)))?(?:\s*(?P<s{n}>{HALF}))?|(?P<w{n}>noon|midday|midnight|正午|午夜|零点|半夜)"
    )
}

static DAYS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i)\b(?P<a>{DAY})\b\.?{DASH}(?P<b>{DAY})\b\.?|\b(?P<c>{DAY})\b\.?|(?P<d>{ZH_DAY}){DASH}(?:周|星期|礼拜)?(?P<e>[一二三四五六日天])|(?P<f>{ZH_DAY})|(?:\b|每)?(?P<g>{MANY})")).ok()
});
static RANGE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"(?i)(?:{}){DASH}(?:{})", time(1), time(2))).ok());
/// 早10晚10, 早九晚五: from morning to evening, every day.
static FROM_MORNING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let hour = |n: usize, period: &str| {
        format!(r"(?P<p{n}>{period})上?(?P<h{n}>\d{{1,2}}|[一二三四五六七八九十]{{1,2}})(?P<q{n}>点半|点)?")
    };
    Regex::new(&format!("{}{}", hour(1, "早"), hour(2, "晚"))).ok()
});
static AND_RANGE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"(?i)\bbetween\s+(?:{})\s+and\s+(?:{})", time(1), time(2))).ok());
static SINGLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!(r"(?i)(?:{})", time(1))).ok());
static CLOSED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:closed|shut|not open|geschlossen)\b|休息|关门|闭馆|不营业|不开门|不开放|停业|店休|公休|闭店")
        .ok()
});

/// Days, times and "closed" in the order of the text, each with its range of bytes.
pub(super) fn marks(text: &str) -> Vec<(std::ops::Range<usize>, Mark)> {
    let mut found: Vec<(std::ops::Range<usize>, Mark)> = Vec::new();
    let free = |found: &[(std::ops::Range<usize>, Mark)], range: &std::ops::Range<usize>| {
        found.iter().all(|(other, _)| range.end <= other.start || range.start >= other.end)
    };
    if let Some(regex) = DAYS.as_ref() {
        for captures in regex.captures_iter(text) {
            if let (Some(whole), Some(days)) = (captures.get(0), days(&captures)) {
                found.push((whole.range(), Mark::Days(days)));
            }
        }
    }
    for captures in FROM_MORNING.as_ref().into_iter().flat_map(|regex| regex.captures_iter(text)) {
        let (Some(whole), Some((from, to))) = (captures.get(0), times(&captures, text)) else { continue };
        let days = whole.start()..whole.start() + '早'.len_utf8();
        found.push((days.end..whole.end(), Mark::Times { from, to }));
        found.push((days, Mark::Days((1..=7).collect())));
    }
    found.extend(short_days(text).into_iter().filter(|(range, _)| free(&found, range)).collect::<Vec<_>>());
    for regex in [&RANGE, &AND_RANGE] {
        let Some(regex) = regex.as_ref() else { continue };
        for captures in regex.captures_iter(text) {
            if let (Some(whole), Some((from, to))) = (captures.get(0), times(&captures, text))
                && free(&found, &whole.range())
            {
                found.push((whole.range(), Mark::Times { from, to }));
            }
        }
    }
    if let Some(regex) = SINGLE.as_ref() {
        for captures in regex.captures_iter(text) {
            let Some(whole) = captures.get(0) else { continue };
            let before = text.get(..whole.start()).unwrap_or_default().trim_end().to_lowercase();
            let until = ["until", "till", "til", "to", "at", "closes", "close", "by", "bis", "到", "至", "–", "-"];
            let start = ["from", "opens", "open", "opens at", "starting", "从", "自"];
            let Some(minutes) = one(&captures, 1, true) else { continue };
            let after = text.get(whole.end()..).unwrap_or_default().trim_start();
            let clear = is_clear(&captures, 1);
            if !free(&found, &whole.range()) || glued(text, &whole.range()) {
                continue;
            }
            let closes = ["closes at", "close at", "closing at", "closes by"].iter().any(|w| before.ends_with(w))
                || after.starts_with("关门")
                || after.starts_with("打烊")
                || after.starts_with("下班")
                || after.starts_with("闭");
            let opens = ["opens at", "open at"].iter().any(|w| before.ends_with(w))
                || after.starts_with("开门")
                || after.starts_with("开始营业")
                || after.starts_with('起');
            if opens {
                found.push((whole.range(), Mark::From(minutes)));
            } else if closes || clear && until.iter().any(|w| before.ends_with(w) && *w != "at") {
                let evening =
                    if closes && minutes < 12 * 60 && !is_clock(&captures, 1) { minutes + 12 * 60 } else { minutes };
                found.push((whole.range(), Mark::Until(evening)));
            } else if clear && start.iter().any(|w| before.ends_with(w)) {
                found.push((whole.range(), Mark::From(minutes)));
            }
        }
    }
    if let Some(regex) = CLOSED.as_ref() {
        found.extend(regex.find_iter(text).map(|m| (m.range(), Mark::Closed)));
    }
    found.sort_by_key(|(range, _)| range.start);
    found
}

static SHORT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let day = "(?:Mo|Tu|Di|We|Mi|Th|Do|Fr|Sa|Su|So)";
    Regex::new(&format!(r"\b{day}\b\.?(?:\s*(?:-|–|—|\+|&|/|,|\bbis\b|\bto\b|\bund\b)\s*{day}\b\.?)*\s*[:：]?\s*(?:\d|closed|geschlossen)")).ok()
});

/// Days of two letters before a time, "Mo-Fr 6:00", "Sa+So 8-12": alone such letters are words.
fn short_days(text: &str) -> Vec<(std::ops::Range<usize>, Mark)> {
    let number = |day: &str| match day {
        "Mo" => Some(1),
        "Tu" | "Di" => Some(2),
        "We" | "Mi" => Some(3),
        "Th" | "Do" => Some(4),
        "Fr" => Some(5),
        "Sa" => Some(6),
        "Su" | "So" => Some(7),
        _ => None,
    };
    let mut found = Vec::new();
    for whole in SHORT.as_ref().into_iter().flat_map(|regex| regex.find_iter(text)) {
        let (mut days, mut from, mut spans, mut end) = (Vec::new(), None, false, 0);
        let mut at = 0;
        for word in whole.as_str().split_inclusive(|c: char| !c.is_alphabetic()) {
            let name = word.trim_end_matches(|c: char| !c.is_alphabetic());
            match (number(name), from.take()) {
                (Some(day), Some(first)) if spans => days.extend(expanded(first, day)),
                (Some(day), _) => days.push(day),
                (None, before) => from = before,
            }
            if number(name).is_some() {
                from = days.last().copied();
                spans = false;
                end = at + name.len();
            }
            spans |= word.contains(['-', '–', '—']) || name == "bis" || name == "to";
            at += word.len();
        }
        days.dedup();
        found.push((whole.start()..whole.start() + end, Mark::Days(days)));
    }
    found
}

/// Whether letters or digits touch the range: no time stands in `A9` or `9kg`.
fn glued(text: &str, range: &std::ops::Range<usize>) -> bool {
    let before = text.get(..range.start).and_then(|t| t.chars().next_back());
    let after = text.get(range.end..).and_then(|t| t.chars().next());
    let touches = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || "€$£¥%".contains(c));
    touches(before) || touches(after) || before == Some('.') || before == Some(':')
}

fn number(day: &str) -> Option<u8> {
    let lower = day.to_lowercase();
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .iter()
        .zip(1..)
        .find(|(name, _)| lower.starts_with(**name))
        .map(|(_, n)| n)
}

fn zh_number(day: char) -> Option<u8> {
    "一二三四五六日".chars().zip(1..).find(|(c, _)| *c == if day == '天' { '日' } else { day }).map(|(_, n)| n)
}

fn expanded(from: u8, to: u8) -> Vec<u8> {
    if from <= to { (from..=to).collect() } else { (from..=7).chain(1..=to).collect() }
}

fn days(captures: &Captures<'_>) -> Option<Vec<u8>> {
    let text = |name: &str| captures.name(name).map(|m| m.as_str());
    if let (Some(a), Some(b)) = (text("a"), text("b")) {
        return Some(expanded(number(a)?, number(b)?));
    }
    if let Some(c) = text("c") {
        return Some(vec![number(c)?]);
    }
    if let (Some(d), Some(e)) = (text("d"), text("e")) {
        return Some(expanded(zh_number(d.chars().next_back()?)?, zh_number(e.chars().next()?)?));
    }
    if let Some(f) = text("f") {
        if f.contains('末') {
            return Some(vec![6, 7]);
        }
        let named = f.strip_prefix("星期").or_else(|| f.strip_prefix("礼拜")).unwrap_or(f);
        return Some(named.chars().filter_map(zh_number).collect());
    }
    let many = text("g")?.to_lowercase();
    Some(match many.as_str() {
        "weekends" | "weekend" | "周末" | "双休日" => vec![6, 7],
        "工作日" | "平日" | "weekdays" | "every weekday" | "working days" | "workdays" | "business days" => {
            (1..=5).collect()
        }
        _ => (1..=7).collect(),
    })
}

/// Minutes of one time; None when it is none.
fn one(captures: &Captures<'_>, n: usize, alone: bool) -> Option<u16> {
    let name = |letter: &str| captures.name(&format!("{letter}{n}")).map(|m| m.as_str());
    if let Some(word) = name("w") {
        return Some(if ["noon", "midday", "正午"].contains(&word.to_lowercase().as_str()) { 720 } else { 1440 });
    }
    let hour = name("h")?;
    let mut hour: u16 = hour.parse().ok().or_else(|| numerals::chinese(hour).and_then(|h| u16::try_from(h).ok()))?;
    let quarter = name("q").unwrap_or_default();
    let minute = match name("m") {
        Some(minute) => minute.parse().ok()?,
        None if quarter.ends_with('半') => 30,
        None if quarter.contains('一') => 15,
        None if quarter.contains('三') => 45,
        None => 0,
    };
    if hour > 24 || minute > 59 {
        return None;
    }
    let half = name("s").unwrap_or_default().to_lowercase();
    let period = name("p").unwrap_or_default();
    if half.starts_with('p') && hour < 12
        || ["下午", "傍晚", "晚上", "晚"].contains(&period) && (1..12).contains(&hour)
        || period == "中午" && hour < 3
    {
        hour += 12;
    } else if hour == 12 && (half.starts_with('a') || ["晚上", "晚"].contains(&period)) {
        hour = if half.starts_with('a') { 0 } else { 24 };
    }
    let _ = alone;
    Some(hour * 60 + minute)
}

/// Whether it is said which half of the day a time is in.
fn has_half(captures: &Captures<'_>, n: usize) -> bool {
    let says = |letter: &str| captures.name(&format!("{letter}{n}")).map(|m| m.as_str().to_lowercase());
    says("w").is_some() || says("p").is_some() || says("s").is_some_and(|s| s.starts_with(['a', 'p']))
}

/// Whether a time has minutes: it is written as on a clock.
fn is_clock(captures: &Captures<'_>, n: usize) -> bool {
    captures.name(&format!("m{n}")).is_some()
}

/// Whether a time can be nothing else.
fn is_clear(captures: &Captures<'_>, n: usize) -> bool {
    ["w", "p", "q", "s", "m"].iter().any(|letter| captures.name(&format!("{letter}{n}")).is_some())
}

fn times(captures: &Captures<'_>, text: &str) -> Option<(u16, u16)> {
    let whole = captures.get(0)?;
    if glued(text, &whole.range()) {
        return None;
    }
    let (mut from, mut to) = (one(captures, 1, false)?, one(captures, 2, false)?);
    // Two bare numbers are hours only beside words of a timetable.
    if !is_clear(captures, 1) && !is_clear(captures, 2) && (from > 24 * 60 || !in_timetable(text)) {
        return None;
    }
    if !has_half(captures, 1) && has_half(captures, 2) && from < 720 && to > 720 && from + 720 < to {
        // "5-10pm" is in one half of the day, "9-5pm" is not.
        from += 720;
    } else if to <= 720 && !has_half(captures, 2) {
        // "9-5" and "9am-5" end in the afternoon.
        let ends_later =
            if has_half(captures, 1) { to <= from || from > 720 && to + 720 > from } else { to <= from && from < 780 };
        if ends_later {
            to += 720;
        }
    }
    (from != to && to <= 1440).then_some((from, to))
}

fn in_timetable(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words = ["open", "hours", "hrs", "closed", "closes", "营业", "开门", "开放", "时间", "关门"];
    words.iter().any(|word| lower.contains(word)) || DAYS.as_ref().is_some_and(|days| days.is_match(text))
}

/// `540` as `09:00`.
pub(super) fn written(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        marks(text)
            .into_iter()
            .map(|(_, mark)| match mark {
                Mark::Days(days) => days.iter().map(u8::to_string).collect(),
                Mark::Times { from, to } => format!("{}-{}", written(from), written(to)),
                Mark::Until(to) => format!("-{}", written(to)),
                Mark::From(from) => format!("{}-", written(from)),
                Mark::Closed => "x".to_owned(),
            })
            .collect()
    }

    #[test]
    fn days_and_times() {
        for (text, marks) in [
            ("Mon–Thu 9:00–17:30, Fri until 13:00, closed Sunday", "1234 09:00-17:30 5 -13:00 x 7"),
            ("open 9 to 5 on weekdays", "09:00-17:00 12345"),
            ("Monday to Friday 8am-6pm", "12345 08:00-18:00"),
            ("Sat 10-2", "6 10:00-14:00"),
            ("daily 5-10pm", "1234567 17:00-22:00"),
            ("9-5pm daily", "09:00-17:00 1234567"),
            ("Fri 18:00-02:00", "5 18:00-02:00"),
            ("Tue, Wed 9.30–12 and 14–18", "2 3 09:30-12:00 14:00-18:00"),
            ("open from 11am till midnight", "11:00-24:00"),
            ("between 9 and 17 on Mondays", "09:00-17:00 1"),
            ("周一至周五 上午9点到下午5点半", "12345 09:00-17:30"),
            ("Mo-Fr 6:00-22:00, Sa+So 8:00-20:00", "12345 06:00-22:00 67 08:00-20:00"),
            ("So closed, Do 9-12", "7 x 4 09:00-12:00"),
            ("We sell, so do they", ""),
            ("周末10:00-22:00", "67 10:00-22:00"),
            ("每天早上八点到晚上十点", "1234567 08:00-22:00"),
            ("周一、三、五 14点-18点", "135 14:00-18:00"),
            ("周日休息", "7 x"),
            ("星期六上午9点至12点", "6 09:00-12:00"),
            ("下午2点到5点 周二", "14:00-17:00 2"),
            ("早10晚10", "1234567 10:00-22:00"),
            ("早九晚五点半", "1234567 09:00-17:30"),
            ("早9点到晚9点，工作日", "09:00-21:00 12345"),
            ("costs 10-12 EUR", ""),
            ("delivery takes 3-5 days", ""),
            ("2 kg of flour", ""),
        ] {
            assert_eq!(read(text).join(" "), marks, "{text}");
        }
    }
}
