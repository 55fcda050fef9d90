//! What the readers of data find, and how it becomes data sets with the place of every entry.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{super::source::Range, faq};
use crate::spec::{
    Category, ClosedDays, Column, DataSet, Datum, OpeningHours, PriceItem, PriceRule, Quantity, QuestionAnswer, Rate,
    Span,
};

/// One entry of a data set.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Entry {
    Price(PriceItem),
    Rule(PriceRule),
    Row(Vec<Value>),
    Pair(QuestionAnswer),
    Passage(String),
    Category(Category),
    Rate(Rate),
    Open(OpeningHours),
    Closed(ClosedDays),
}

/// Entries of one kind that stand together.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Found {
    /// Empty when nothing names them.
    pub(in super::super) title: String,
    /// Where titles and names of columns stand.
    pub(in super::super) head: Vec<Range>,
    /// Of a table only.
    pub(in super::super) columns: Vec<Column>,
    pub(in super::super) entries: Vec<(Range, Entry)>,
}

impl Found {
    pub(in super::super) fn new(entries: Vec<(Range, Entry)>) -> Self {
        Self { entries, ..Self::default() }
    }

    pub(in super::super) fn titled(mut self, title: &str, head: Option<Range>) -> Self {
        if self.title.is_empty() {
            title.clone_into(&mut self.title);
        }
        self.head.extend(head);
        self
    }
}

pub(in super::super) fn span(range: &Range) -> Span {
    Span { start: range.start, end: range.end }
}

/// The data sets of everything found, and a datum for each entry.
pub(in super::super) fn assemble(text: &str, mut found: Vec<Found>, chinese: bool) -> (Vec<DataSet>, Vec<Datum>) {
    told_apart(&mut found);
    let priced = faq::priced(&found);
    found.extend(priced);
    let mut sets = Sets { text, chinese, sets: Vec::new(), data: Vec::new() };
    for group in found {
        sets.add(group);
    }
    sets.topics();
    sets.currency();
    (sets.sets, sets.data)
}

/// Prices of one name in several lists have the lists' names before theirs: `Screen: iPhone 13 - 159`, `Battery: iPhone 13 - 65`.
fn told_apart(found: &mut [Found]) {
    let mut titles: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let usable = |title: &str| !title.is_empty() && title.split_whitespace().count() <= 3;
    for group in found.iter().filter(|group| usable(&group.title)) {
        for (_, entry) in &group.entries {
            let Entry::Price(item) = entry else { continue };
            if item.base.is_empty() {
                titles.entry(item.name.to_lowercase()).or_default().insert(group.title.clone());
            }
        }
    }
    for group in found.iter_mut().filter(|group| usable(&group.title)) {
        for (_, entry) in &mut group.entries {
            let Entry::Price(item) = entry else { continue };
            let several = titles.get(&item.name.to_lowercase()).is_some_and(|titles| titles.len() > 1);
            if several && item.base.is_empty() {
                item.base.clone_from(&group.title);
                let name = format!("{} {}", group.title, item.name);
                item.variant = std::mem::replace(&mut item.name, name);
            }
        }
    }
}

struct Sets<'a> {
    text: &'a str,
    chinese: bool,
    sets: Vec<DataSet>,
    data: Vec<Datum>,
}

impl Sets<'_> {
    fn add(&mut self, group: Found) {
        let Some((_, first)) = group.entries.first() else { return };
        // Tables stay apart; entries of any other kind are one data set, whatever stood between them.
        let kind = kind(first);
        let at = self.sets.iter().position(|set| set.kind() == kind && kind != "table").unwrap_or_else(|| {
            let number = self.sets.iter().filter(|set| set.kind() == kind).count() + 1;
            let id = if number == 1 { kind.to_owned() } else { format!("{kind}_{number}") };
            self.sets.push(empty(kind, id, self.title(kind, &group.title), &group.columns));
            self.sets.len() - 1
        });
        let Some(set) = self.sets.get_mut(at) else { return };
        let id = set.id().to_owned();
        for range in &group.head {
            let names =
                vec![super::super::source::at(self.text, range).split_whitespace().collect::<Vec<_>>().join(" ")];
            self.data.push(Datum {
                span: span(range),
                kind: kind.into(),
                set: id.clone(),
                entry: None,
                names,
                values: Vec::new(),
                words: Vec::new(),
            });
        }
        for (range, entry) in group.entries {
            let (names, values, words) = said(&entry, &group.columns);
            if let Some(number) = push(set, entry, &group.title) {
                let kind = kind.to_owned();
                self.data.push(Datum {
                    span: span(&range),
                    kind,
                    set: id.clone(),
                    entry: Some(number),
                    names,
                    values,
                    words,
                });
            }
        }
    }

    fn title(&self, kind: &str, given: &str) -> String {
        let own = match kind {
            "prices" => ("Prices", "价格"),
            "faq" => ("FAQ", "常见问题"),
            "notes" => ("Notes", "资料"),
            "categories" => ("Categories", "类别"),
            "rates" => ("Exchange rates", "汇率"),
            "hours" => ("Opening hours", "营业时间"),
            _ => ("Table", "表格"),
        };
        let joined = ["faq", "notes", "hours"].contains(&kind) || given.is_empty();
        if joined { if self.chinese { own.1 } else { own.0 }.to_owned() } else { given.to_owned() }
    }

    /// Prices without a currency have that of all the others.
    fn currency(&mut self) {
        for set in &mut self.sets {
            let DataSet::Prices { items, .. } = set else { continue };
            let mut known: Vec<String> =
                items.iter().map(|item| item.currency.clone()).filter(|c| !c.is_empty()).collect();
            known.sort();
            known.dedup();
            if let [only] = known.as_slice() {
                items
                    .iter_mut()
                    .filter(|item| item.currency.is_empty())
                    .for_each(|item| item.currency.clone_from(only));
                let data = self.data.iter_mut().filter(|datum| datum.kind == "prices");
                data.flat_map(|datum| &mut datum.values)
                    .filter(|v| v.of == "price" && v.unit.is_empty())
                    .for_each(|v| v.unit.clone_from(only));
            }
        }
    }

    fn topics(&mut self) {
        for set in &mut self.sets {
            if let DataSet::Notes { passages, topics, .. } = set {
                *topics = passages.iter().map(|passage| super::topics::of(passage)).collect();
                if topics.iter().all(Vec::is_empty) {
                    topics.clear();
                }
            }
        }
    }
}

fn kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::Price(_) | Entry::Rule(_) => "prices",
        Entry::Row(_) => "table",
        Entry::Pair(_) => "faq",
        Entry::Passage(_) => "notes",
        Entry::Category(_) => "categories",
        Entry::Rate(_) => "rates",
        Entry::Open(_) | Entry::Closed(_) => "hours",
    }
}

fn empty(kind: &str, id: String, title: String, columns: &[Column]) -> DataSet {
    match kind {
        "prices" => DataSet::Prices { id, title, items: Vec::new(), rules: Vec::new() },
        "faq" => DataSet::Faq { id, title, pairs: Vec::new() },
        "notes" => DataSet::Notes { id, title, passages: Vec::new(), topics: Vec::new() },
        "categories" => DataSet::Categories { id, title, categories: Vec::new() },
        "rates" => DataSet::Rates { id, title, rates: Vec::new() },
        "hours" => DataSet::Hours { id, title, hours: Vec::new(), closed: Vec::new() },
        _ => DataSet::Table { id, title, columns: columns.to_vec(), rows: Vec::new() },
    }
}

/// Puts an entry into its set and tells its number there.
fn push(set: &mut DataSet, entry: Entry, title: &str) -> Option<usize> {
    fn add<T: PartialEq>(list: &mut Vec<T>, one: T) -> Option<usize> {
        let known = list.iter().position(|other| *other == one);
        known.or_else(|| {
            list.push(one);
            Some(list.len() - 1)
        })
    }
    match (set, entry) {
        (DataSet::Prices { items, .. }, Entry::Price(item)) => Some(price(items, item, title)),
        (DataSet::Prices { rules, .. }, Entry::Rule(rule)) => add(rules, rule),
        // The same row twice is two rows.
        (DataSet::Table { rows, .. }, Entry::Row(row)) => {
            rows.push(row);
            Some(rows.len() - 1)
        }
        (DataSet::Faq { pairs, .. }, Entry::Pair(pair)) => add(pairs, pair),
        (DataSet::Notes { passages, .. }, Entry::Passage(passage)) => add(passages, passage),
        (DataSet::Categories { categories, .. }, Entry::Category(category)) => {
            match categories.iter_mut().position(|c| c.name == category.name) {
                Some(at) => {
                    if let Some(known) = categories.get_mut(at) {
                        category.words.into_iter().for_each(|word| {
                            add(&mut known.words, word);
                        });
                    }
                    Some(at)
                }
                None => add(categories, category),
            }
        }
        (DataSet::Rates { rates, .. }, Entry::Rate(rate)) => add(rates, rate),
        (DataSet::Hours { hours, .. }, Entry::Open(open)) => add(hours, open),
        (DataSet::Hours { hours, closed, .. }, Entry::Closed(days)) => add(closed, days).map(|at| at + hours.len()),
        _ => None,
    }
}

/// Of items with one name the last price counts, unless they stand in lists with names of their own.
fn price(items: &mut Vec<PriceItem>, mut item: PriceItem, title: &str) -> usize {
    let same = |a: &PriceItem, b: &PriceItem| a.name.to_lowercase() == b.name.to_lowercase();
    let known = items.iter().position(|known| same(known, &item));
    if let Some(at) = known
        && let Some(old) = items.get_mut(at)
    {
        if title.is_empty() || !item.base.is_empty() || old == &item || title.split_whitespace().count() > 3 {
            *old = item;
            return at;
        }
        item.base = title.to_owned();
        item.variant.clone_from(&item.name);
        item.name = format!("{title} {}", item.name);
        if let Some(at) = items.iter().position(|known| same(known, &item)) {
            // Which of two prices counts cannot be told: both are.
            if let Some(old) = items.get_mut(at) {
                spread(old, &item);
            }
            return at;
        }
    }
    items.push(item);
    items.len() - 1
}

/// Makes one item's price a span that holds the other's.
fn spread(item: &mut PriceItem, other: &PriceItem) {
    let number = |text: &str| text.parse::<f64>().unwrap_or_default();
    let ends = [&item.amount, &item.to, &other.amount, &other.to];
    let mut ends: Vec<String> = ends.into_iter().filter(|end| !end.is_empty()).cloned().collect();
    ends.sort_by(|a, b| number(a).total_cmp(&number(b)));
    if let [first, .., last] = ends.as_slice()
        && first != last
    {
        item.to.clone_from(last);
        item.amount.clone_from(first);
    }
}

type Said = (Vec<String>, Vec<Quantity>, Vec<String>);

/// What an entry is asked by, its figures, and its words.
fn said(entry: &Entry, columns: &[Column]) -> Said {
    let some = |texts: &[&String]| texts.iter().filter(|t| !t.is_empty()).map(|t| (*t).clone()).collect::<Vec<_>>();
    let figure = |value: &str, of: &str| Quantity { value: value.to_owned(), of: of.to_owned(), ..Quantity::default() };
    match entry {
        Entry::Price(item) => (
            some(&[&item.name, &item.base, &item.variant]),
            vec![Quantity {
                value: item.amount.clone(),
                to: item.to.clone(),
                unit: item.currency.clone(),
                per: item.per.clone(),
                of: "price".into(),
            }],
            some(&[&item.note]),
        ),
        Entry::Rule(rule) => {
            let values =
                [(&rule.percent_off, "percent"), (&rule.from_quantity, "quantity"), (&rule.from_total, "total")];
            let values = values
                .into_iter()
                .filter(|(value, _)| !value.is_empty())
                .map(|(value, of)| figure(value, of))
                .collect();
            (some(&[&rule.applies_to]), values, vec![rule.text.clone()])
        }
        Entry::Row(cells) => {
            let mut names = Vec::new();
            let (mut values, mut words) = (Vec::new(), Vec::new());
            for (number, cell) in cells.iter().enumerate() {
                let column = columns.get(number).map_or("", |c| c.name.as_str());
                match cell {
                    Value::String(text) if number == 0 => names.push(text.clone()),
                    Value::String(text) => words.push(text.clone()),
                    Value::Null => {}
                    other => values.push(figure(&other.to_string(), column)),
                }
            }
            (names, values, words)
        }
        Entry::Pair(pair) => (vec![pair.question.clone()], Vec::new(), vec![pair.answer.clone()]),
        Entry::Passage(text) => (Vec::new(), Vec::new(), vec![text.clone()]),
        Entry::Category(category) => (vec![category.name.clone()], Vec::new(), category.words.clone()),
        Entry::Rate(rate) => (
            vec![rate.from.clone(), rate.to.clone()],
            vec![Quantity {
                value: rate.rate.clone(),
                unit: rate.to.clone(),
                per: rate.from.clone(),
                of: "rate".into(),
                ..Quantity::default()
            }],
            Vec::new(),
        ),
        Entry::Open(open) => (
            some(&[&open.subject]),
            vec![Quantity {
                value: open.from.clone(),
                to: open.to.clone(),
                per: days(&open.days),
                of: "hours".into(),
                ..Quantity::default()
            }],
            Vec::new(),
        ),
        Entry::Closed(closed) => (
            some(&[&closed.subject]),
            vec![Quantity { per: days(&closed.days), of: "closed".into(), ..Quantity::default() }],
            Vec::new(),
        ),
    }
}

fn days(days: &[u8]) -> String {
    days.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
}
