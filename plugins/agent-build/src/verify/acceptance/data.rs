//! Cases about the data of the requirement: every kind of set has its questions.

use std::collections::BTreeMap;

use nexus_evaluation::{Expected, Oracle};
use serde_json::Value;

use super::{Case, CaseKind, MOST_OF_A_SET, asked, sampled};
use crate::spec::{
    Category, ClosedDays, Column, DataSet, Language, OpeningHours, PriceItem, QuestionAnswer, Rate, Requirements,
};

/// What no list of prices and no table has.
const UNKNOWN: [&str; 2] = ["zeppelin", "齐柏林飞艇"];

pub(super) fn cases(requirement: &str, requirements: &Requirements) -> Vec<Case> {
    let language = requirements.language;
    let all = requirements.data.iter().flat_map(|set| {
        let source = |entry: usize| {
            let of_entry = requirements.reading.data.iter().find(|d| d.set == set.id() && d.entry == Some(entry));
            of_entry
                .and_then(|datum| requirement.get(datum.span.start..datum.span.end))
                .map(|text| text.trim().to_owned())
        };
        let (entries, whole) = match set {
            DataSet::Prices { items, rules, .. } => prices(items, rules.is_empty(), language, &source),
            DataSet::Table { columns, rows, .. } => (table(columns, rows, language, &source), Vec::new()),
            DataSet::Faq { pairs, .. } => (faq(pairs, &source), Vec::new()),
            DataSet::Notes { passages, topics, .. } => (notes(passages, topics, language, &source), Vec::new()),
            DataSet::Hours { hours, closed, .. } => (opening(hours, closed, language, &source), Vec::new()),
            DataSet::Categories { categories, .. } => (sorting(categories, language, &source), Vec::new()),
            DataSet::Rates { rates, .. } => (exchange(rates, language, &source), Vec::new()),
        };
        let room = MOST_OF_A_SET.saturating_sub(whole.len());
        sampled(entries, room).into_iter().chain(whole).collect::<Vec<_>>()
    });
    all.collect()
}

type Source<'a> = dyn Fn(usize) -> Option<String> + 'a;

fn datum(ask: String, oracle: Oracle, source: Option<String>) -> Case {
    Case::new(CaseKind::Datum, ask, oracle, source)
}

fn must(text: impl Into<String>) -> Oracle {
    // A bar separates alternatives.
    Oracle { must: vec![text.into().replace('|', " ")], ..Oracle::default() }
}

fn figure(value: &str, unit: &str) -> Option<Expected> {
    value.replace(',', "").parse().ok().map(|value| Expected::number(value, unit))
}

fn figures(all: impl IntoIterator<Item = Expected>) -> Oracle {
    Oracle { figures: all.into_iter().collect(), ..Oracle::default() }
}

/// A name that reads as one in a question, whatever else the agent can do.
fn plain(name: &str) -> bool {
    let length = name.chars().count();
    (1..=40).contains(&length) && name.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '’'))
}

/// Names that stand once.
fn unique<'a>(names: impl Iterator<Item = &'a str>) -> impl Fn(&str) -> bool {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    names.for_each(|name| *count.entry(name.to_lowercase()).or_default() += 1);
    move |name| count.get(&name.to_lowercase()) == Some(&1)
}

fn prices(items: &[PriceItem], no_rules: bool, language: Language, source: &Source<'_>) -> (Vec<Case>, Vec<Case>) {
    let is_unique = unique(items.iter().map(|item| item.name.as_str()));
    let (mut entries, mut whole) = (Vec::new(), Vec::new());
    let fixed = |item: &&PriceItem| item.to.is_empty() && plain(&item.name) && is_unique(&item.name);
    for (at, item) in items.iter().enumerate() {
        let ask = asked(language, &format!("How much is {}?", item.name), &format!("{}多少钱？", item.name));
        let Some(price) = figure(&item.amount, &item.currency).filter(|_| is_unique(&item.name)) else {
            entries.push(Case::unproven(
                CaseKind::Datum,
                ask,
                source(at),
                "two entries have this name, or its price is no number",
            ));
            continue;
        };
        let upper = figure(&item.to, &item.currency);
        entries.push(datum(ask, figures([Some(price), upper].into_iter().flatten()), source(at)));
        let Some(total) = item.amount.parse::<rust_decimal::Decimal>().ok().filter(|_| no_rules && fixed(&item)) else {
            continue;
        };
        let three = total * rust_decimal::Decimal::from(3);
        let (name, per) = (&item.name, &item.per);
        let ask = if per.is_empty() {
            asked(language, &format!("How much are 3 {name}?"), &format!("3个{name}多少钱？"))
        } else {
            asked(language, &format!("How much is 3 {per} of {name}?"), &format!("3{per}{name}多少钱？"))
        };
        // One that can be bought by number or by a unit of number is enough to see quantities.
        if whole.len() < 2 {
            whole.push(datum(ask, figures([Expected::number(three, &item.currency)]), source(at)));
        }
    }
    let comparable: Vec<&PriceItem> = items.iter().filter(fixed).collect();
    let alike = comparable.len() == items.len()
        && items
            .windows(2)
            .all(|two| matches!(two, [a, b] if a.per == b.per && a.currency == b.currency && a.variant == b.variant));
    let amount = |item: &&&PriceItem| item.amount.parse::<rust_decimal::Decimal>().unwrap_or_default();
    let extremes = [
        (comparable.iter().min_by_key(amount), "What is the cheapest?", "最便宜的是什么？"),
        (comparable.iter().max_by_key(amount), "What is the most expensive?", "最贵的是什么？"),
    ];
    for (item, en, zh) in extremes {
        let Some(item) = item.filter(|_| alike && items.len() > 1) else { continue };
        if items
            .iter()
            .filter(|other| other.amount.parse::<rust_decimal::Decimal>().ok() == item.amount.parse().ok())
            .count()
            == 1
        {
            whole.push(datum(asked(language, en, zh), must(&item.name), None));
        }
    }
    let [en, zh] = UNKNOWN;
    let ask = asked(language, &format!("How much is a {en}?"), &format!("{zh}多少钱？"));
    whole.push(Case::new(CaseKind::Trap, ask, Oracle::refusal(), None));
    if let Some(item) = comparable.first().filter(|item| item.per.is_empty()) {
        let name = &item.name;
        let ask =
            asked(language, &format!("How much are 2 {name} and 1 {en}?"), &format!("2个{name}和1个{zh}多少钱？"));
        whole.push(Case::new(CaseKind::Trap, ask, must(language.pick(en, zh)), None));
    }
    (entries, whole)
}

fn table(columns: &[Column], rows: &[Vec<Value>], language: Language, source: &Source<'_>) -> Vec<Case> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let names: Vec<String> = rows.iter().filter_map(|row| row.first()).map(text).collect();
    let is_unique = unique(names.iter().map(String::as_str));
    let mut cases = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        for (column, value) in columns.iter().zip(row).skip(1) {
            let (Some(name), value) = (names.get(at), text(value)) else { continue };
            let ask = asked(
                language,
                &format!("What is the {} of {name}?", column.name),
                &format!("{name}的{}是多少？", column.name),
            );
            if value.trim().is_empty() {
                continue;
            }
            if !is_unique(name) {
                cases.push(Case::unproven(CaseKind::Datum, ask, source(at), "two rows have this name"));
                continue;
            }
            let number = (column.kind == "number").then(|| figure(&value, "")).flatten();
            cases.push(datum(ask, number.map_or_else(|| must(&value), |number| figures([number])), source(at)));
        }
    }
    for (at, column) in columns.iter().enumerate().skip(1).filter(|(_, column)| column.kind == "number").take(1) {
        let value = |row: &Vec<Value>| {
            row.get(at).map(text).and_then(|text| text.replace(',', "").parse::<rust_decimal::Decimal>().ok())
        };
        let values: Vec<rust_decimal::Decimal> = rows.iter().filter_map(value).collect();
        if let Some(highest) = values.iter().max()
            && values.len() == rows.len()
            && values.iter().filter(|one| *one == highest).count() == 1
            && let Some(name) =
                rows.iter().zip(&names).find(|(row, _)| value(row) == Some(*highest)).map(|(_, name)| name)
        {
            let ask = asked(
                language,
                &format!("Which has the highest {}?", column.name),
                &format!("哪个的{}最高？", column.name),
            );
            cases.push(datum(ask, must(name), None));
        }
    }
    cases
}

fn faq(pairs: &[QuestionAnswer], source: &Source<'_>) -> Vec<Case> {
    let is_unique = unique(pairs.iter().map(|pair| pair.question.as_str()));
    let each = pairs.iter().enumerate().map(|(at, pair)| {
        let ask = pair.question.clone();
        if is_unique(&ask) {
            datum(ask, must(opening_words(&pair.answer)), source(at))
        } else {
            Case::unproven(CaseKind::Datum, ask, source(at), "the same question has two answers")
        }
    });
    each.collect()
}

/// How a text begins: its first sentence, at most 120 signs.
fn opening_words(text: &str) -> String {
    const MOST: usize = 120;
    let first = text.trim().lines().next().unwrap_or_default();
    let end = first.char_indices().find(|(_, c)| "。！？!?".contains(*c)).map_or(first.len(), |(at, _)| at);
    let first = first.get(..end).unwrap_or(first);
    let mut words: String = first.chars().take(MOST).collect();
    // No word is cut in two.
    if first.chars().count() > MOST
        && let Some(end) = words.rfind(' ')
    {
        words.truncate(end);
    }
    words.trim_end_matches('.').trim().to_owned()
}

fn notes(passages: &[String], topics: &[Vec<String>], language: Language, source: &Source<'_>) -> Vec<Case> {
    let each = passages.iter().enumerate().map(|(at, passage)| {
        let topic = topics.get(at).and_then(|topics| topics.first());
        let words = telling(passage, passages);
        let ask = match topic {
            _ if !words.is_empty() => asked(language, &format!("Tell me about {words}"), &format!("关于{words}")),
            Some(topic) => asked(language, &format!("What is the {topic}?"), &format!("{topic}是什么？")),
            None => return Case::unproven(CaseKind::Datum, passage.clone(), source(at), "no word of it is its own"),
        };
        datum(ask, must(opening_words(passage)), source(at))
    });
    each.collect()
}

/// Words of a passage that stand in no other: two long ones, or the beginning of a Chinese one.
fn telling(passage: &str, all: &[String]) -> String {
    let others =
        |word: &str| all.iter().filter(|other| other.to_lowercase().contains(&word.to_lowercase())).count() > 1;
    let chinese: Vec<char> = passage.chars().filter(|c| nexus_evaluation::text::is_chinese(*c)).collect();
    if chinese.len() * 2 > passage.chars().count() {
        let found = chinese
            .windows(6)
            .map(|six| six.iter().collect::<String>())
            .find(|six| passage.contains(six.as_str()) && !others(six));
        return found.unwrap_or_default();
    }
    let mut words: Vec<&str> =
        passage.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 4 && !others(word)).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.truncate(2);
    words.join(" ")
}

const DAYS: [[&str; 2]; 7] = [
    ["Monday", "星期一"],
    ["Tuesday", "星期二"],
    ["Wednesday", "星期三"],
    ["Thursday", "星期四"],
    ["Friday", "星期五"],
    ["Saturday", "星期六"],
    ["Sunday", "星期日"],
];

fn opening(hours: &[OpeningHours], closed: &[ClosedDays], language: Language, source: &Source<'_>) -> Vec<Case> {
    let day = |number: u8| DAYS.get(usize::from(number).wrapping_sub(1)).map(|[en, zh]| language.pick(en, zh));
    let mut cases = Vec::new();
    for (at, entry) in hours.iter().enumerate() {
        for number in entry.days.iter().copied().take(2) {
            let Some(day) = day(number) else { continue };
            let same = hours.iter().filter(|other| other.subject == entry.subject && other.days.contains(&number));
            let times = same.flat_map(|other| [other.from.clone(), other.to.clone()]).filter(|time| time != "24:00");
            let oracle = Oracle { times: times.collect(), ..Oracle::default() };
            let subject = &entry.subject;
            let ask = if subject.is_empty() {
                asked(language, &format!("When are you open on {day}?"), &format!("{day}的营业时间是几点到几点？"))
            } else {
                asked(
                    language,
                    &format!("When is the {subject} open on {day}?"),
                    &format!("{subject}{day}几点到几点？"),
                )
            };
            cases.push(datum(ask, oracle, source(at)));
        }
    }
    for entry in closed.iter().filter(|entry| entry.subject.is_empty()) {
        for number in entry.days.iter().copied().take(2) {
            let Some(day) = day(number) else { continue };
            let ask = asked(language, &format!("Are you open on {day}?"), &format!("{day}开门吗？"));
            cases.push(datum(
                ask,
                must_any(&["closed", "not open", "休息", "关门", "不营业", "不开", "闭馆", "休业", "不上班"]),
                None,
            ));
        }
    }
    cases
}

fn must_any(words: &[&str]) -> Oracle {
    Oracle { must: vec![words.join("|")], ..Oracle::default() }
}

fn sorting(categories: &[Category], language: Language, source: &Source<'_>) -> Vec<Case> {
    let is_unique = unique(categories.iter().flat_map(|category| &category.words).map(String::as_str));
    let mut cases = Vec::new();
    for (at, category) in categories.iter().enumerate() {
        let own: Vec<&str> = category.words.iter().map(String::as_str).filter(|word| is_unique(word)).collect();
        for words in own.chunks(2).take(2) {
            let ask =
                asked(language, &format!("Classify: {}", words.join(" and ")), &format!("分类：{}", words.join("，")));
            cases.push(datum(ask, must(&category.name), source(at)));
        }
        if own.is_empty() {
            let ask = asked(language, &format!("Classify: {}", category.name), &format!("分类：{}", category.name));
            cases.push(Case::unproven(CaseKind::Datum, ask, source(at), "no word speaks for it alone"));
        }
    }
    cases
}

fn exchange(rates: &[Rate], language: Language, source: &Source<'_>) -> Vec<Case> {
    let mut cases = Vec::new();
    for (at, rate) in rates.iter().enumerate() {
        let Some(value) = rate.rate.parse::<rust_decimal::Decimal>().ok().filter(|value| !value.is_zero()) else {
            continue;
        };
        let (from, to) = (&rate.from, &rate.to);
        let ask = |amount: &str, from: &str, to: &str| {
            asked(language, &format!("{amount} {from} in {to}"), &format!("{amount} {from} 等于多少 {to}？"))
        };
        // The currency is part of the answer.
        let oracle = |amount: rust_decimal::Decimal, of: &str| Oracle {
            must: vec![nexus_evaluation::figure::words_for(of).join("|")],
            ..figures([Expected::number(amount.round_dp(6), of)])
        };
        cases.push(datum(ask("200", from, to), oracle(value * rust_decimal::Decimal::from(200), to), source(at)));
        cases.push(datum(ask("5000", to, from), oracle(rust_decimal::Decimal::from(5000) / value, from), source(at)));
    }
    if let Some(rate) = rates.first()
        && !rates.iter().any(|one| one.from == "CHF" || one.to == "CHF")
    {
        let ask = asked(language, &format!("100 {} in CHF", rate.from), &format!("100 {} 等于多少 CHF？", rate.from));
        cases.push(Case::new(CaseKind::Trap, ask, Oracle::refusal(), None));
    }
    cases
}
