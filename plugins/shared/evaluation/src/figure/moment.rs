//! Days and times of day, as people write them.

use std::{str::FromStr, sync::LazyLock};

use regex::{Captures, Regex};

use super::chinese;

/// A day; without a year when none is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// `None` for `3月1日`.
    pub year: Option<u16>,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// 0 to 24.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

impl FromStr for Date {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let found = DATES.iter().find_map(|(form, read)| form.captures(text).and_then(|found| read(&found)));
        found.ok_or(())
    }
}

impl FromStr for Time {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (hour, minute) = text.split_once(':').ok_or(())?;
        time(hour.parse().map_err(|_| ())?, minute.parse().map_err(|_| ())?).ok_or(())
    }
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const MONTH: &str = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?";

type Form<T> = (Regex, fn(&Captures<'_>) -> Option<T>);

#[allow(clippy::expect_used)] // a pattern of this file, compiled by its tests
fn form(pattern: &str) -> Regex {
    Regex::new(&format!("(?i){pattern}")).expect("a pattern of this file")
}

fn part(found: &Captures<'_>, number: usize) -> Option<u16> {
    found.get(number)?.as_str().parse().ok()
}

fn date(year: Option<u16>, month: Option<u16>, day: Option<u16>) -> Option<Date> {
    let (month, day) = (u8::try_from(month?).ok()?, u8::try_from(day?).ok()?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(Date { year, month, day })
}

fn month(found: &Captures<'_>, number: usize) -> Option<u16> {
    let name = found.get(number)?.as_str().to_lowercase();
    MONTHS.iter().position(|month| *month == name).and_then(|at| u16::try_from(at + 1).ok())
}

fn time(hour: u8, minute: u8) -> Option<Time> {
    (hour <= 24 && minute < 60).then_some(Time { hour, minute })
}

/// Most telling first: what one has read, the next does not see.
static DATES: LazyLock<Vec<Form<Date>>> = LazyLock::new(|| {
    vec![
        (form(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b"), |f| date(part(f, 1), part(f, 2), part(f, 3))),
        (form(r"\b(\d{4})/(\d{1,2})/(\d{1,2})\b"), |f| date(part(f, 1), part(f, 2), part(f, 3))),
        (form(r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]?"), |f| {
            date(part(f, 1), part(f, 2), part(f, 3))
        }),
        (form(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b"), |f| date(part(f, 3), part(f, 2), part(f, 1))),
        (form(&format!(r"\b(\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?{MONTH},?\s+(\d{{4}})\b")), |f| {
            date(part(f, 3), month(f, 2), part(f, 1))
        }),
        (form(&format!(r"\b{MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})\b")), |f| {
            date(part(f, 3), month(f, 1), part(f, 2))
        }),
        (form(r"(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]"), |f| date(None, part(f, 1), part(f, 2))),
        (form(&format!(r"\b{MONTH}\s+(\d{{1,2}})(?:st|nd|rd|th)?\b")), |f| date(None, month(f, 1), part(f, 2))),
        (form(&format!(r"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{MONTH}\b")), |f| {
            date(None, month(f, 2), part(f, 1))
        }),
    ]
});

const PART_OF_DAY: &str = r"(凌晨|早上|早晨|上午|早|中午|下午|傍晚|晚上|晚|夜里)?\s*";

fn number(text: &str) -> Option<u8> {
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => u8::try_from(i64::try_from(chinese::value(text)?).ok()?).ok(),
    }
}

/// The hour, when the part of the day is said before it.
fn hour_of(found: &Captures<'_>, hour: Option<u8>) -> Option<u8> {
    let hour = hour?;
    let late = found.get(1).is_some_and(|part| matches!(part.as_str(), "下午" | "傍晚" | "晚上" | "晚" | "夜里"));
    Some(if late && hour < 12 { hour + 12 } else { hour })
}

fn half(found: &Captures<'_>, hour: usize, half: usize) -> Option<Time> {
    let value: u8 = found.get(hour)?.as_str().parse().ok()?;
    let late = found.get(half)?.as_str().to_lowercase().starts_with('p');
    let value = match (late, value) {
        (true, 1..=11) => value + 12,
        (false, 12) => 0,
        _ => value,
    };
    let minute = found.name("minute").and_then(|minute| minute.as_str().parse().ok()).unwrap_or(0);
    time(value, minute)
}

static TIMES: LazyLock<Vec<Form<Time>>> = LazyLock::new(|| {
    vec![
        (form(r"\b(\d{1,2})(?:[:.](?P<minute>\d{2}))?\s*(a\.?m\b\.?|p\.?m\b\.?)"), |f| half(f, 1, 3)),
        (form(&format!(r"{PART_OF_DAY}(\d{{1,2}}):(\d{{2}})(?::\d{{2}})?")), |f| {
            time(hour_of(f, f.get(2).and_then(|hour| number(hour.as_str())))?, f.get(3)?.as_str().parse().ok()?)
        }),
        (
            form(&format!(
                r"{PART_OF_DAY}(\d{{1,2}}|[零一二两三四五六七八九十]{{1,3}})\s*点\s*(?:(半)|(\d{{1,2}}|[一二三四五六七八九十]{{1,3}})\s*分?|(一刻)|整)?"
            )),
            |f| {
                let minute = if f.get(3).is_some() {
                    30
                } else if f.get(5).is_some() {
                    15
                } else {
                    f.get(4).map_or(Some(0), |minute| number(minute.as_str()))?
                };
                time(hour_of(f, f.get(2).and_then(|hour| number(hour.as_str())))?, minute)
            },
        ),
    ]
});

/// `Sunday 8-13`, `8:00–18`: hours of a day from and to, where no minutes are written.
static SPANS: LazyLock<Regex> = LazyLock::new(|| {
    form(
        r"(?:mon|tue|wed|thu|fri|sat|sun|daily|open|hours|周|每天|\d:\d\d)[a-z一二三四五六日末天]*[ ,:]*(?:from )?(\d{1,2})?\s?(?:-|to|~|至|到)\s?(\d{1,2})(?:[^\d:.,%]|$)",
    )
});

/// Takes dates and times out of a text: where they stand, blanks are left.
pub(super) fn take(text: &str) -> (String, Vec<Date>, Vec<Time>) {
    let mut text = text.to_owned();
    let mut times = Vec::new();
    for found in SPANS.captures_iter(&text) {
        times.extend([1, 2].into_iter().filter_map(|at| time(part(&found, at)?.try_into().ok()?, 0)));
    }
    let dates = DATES.iter().flat_map(|(form, read)| cut(&mut text, form, *read)).collect();
    times.extend(TIMES.iter().flat_map(|(form, read)| cut(&mut text, form, *read)).collect::<Vec<_>>());
    (text, dates, times)
}

fn cut<T>(text: &mut String, form: &Regex, read: fn(&Captures<'_>) -> Option<T>) -> Vec<T> {
    let mut all = Vec::new();
    let rest = form.replace_all(text, |found: &Captures<'_>| {
        let whole = found.get(0).map_or("", |whole| whole.as_str());
        match read(found) {
            Some(one) => {
                all.push(one);
                " ; ".to_owned()
            }
            None => whole.to_owned(),
        }
    });
    let rest = rest.into_owned();
    *text = rest;
    all
}
