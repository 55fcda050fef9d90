//! What a grid of cells holds: a table with typed columns, and a price list too when a column holds money.

use serde_json::Value;

use super::{super::source::Range, Entry, Found, amount};
use crate::spec::{Column, PriceItem};

const MAX_ROWS: usize = 2000;

/// A grid: names of columns, and rows with their places.
#[derive(Default)]
pub(super) struct Grid {
    pub(super) header: Vec<String>,
    pub(super) header_range: Option<Range>,
    pub(super) rows: Vec<(Range, Vec<String>)>,
}

/// A grid as a table, and as a price list too when a column holds money.
pub(super) fn found(grid: Grid, title: &str) -> Vec<Found> {
    let names = unique(&grid.header);
    let mut rows: Vec<(Range, Vec<String>)> = grid.rows;
    // What is too much for a table is told by the check of the reading.
    rows.truncate(MAX_ROWS);
    rows.iter_mut().for_each(|(_, row)| row.resize(names.len(), String::new()));
    rows.retain(|(_, row)| row.iter().any(|cell| !cell.is_empty()));
    if names.is_empty() || rows.is_empty() {
        return Vec::new();
    }
    let columns: Vec<Column> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let mut cells = rows.iter().filter_map(|(_, row)| row.get(i)).filter(|cell| !cell.is_empty()).peekable();
            let numbers = i > 0 && cells.peek().is_some() && cells.all(|cell| number(cell).is_some());
            Column { name: name.clone(), kind: if numbers { "number" } else { "text" }.into() }
        })
        .collect();
    let typed = |cell: &String, column: &Column| {
        if column.kind == "number" { number(cell).unwrap_or(Value::Null) } else { Value::String(cell.clone()) }
    };
    let entries = rows
        .iter()
        .map(|(range, row)| {
            (range.clone(), Entry::Row(row.iter().zip(&columns).map(|(cell, column)| typed(cell, column)).collect()))
        })
        .collect();
    let table = Found { title: title.to_owned(), head: grid.header_range.into_iter().collect(), columns, entries };
    let priced = prices(&names, &rows);
    let prices = (!priced.is_empty()).then(|| Found { title: title.to_owned(), ..Found::new(priced) });
    prices.into_iter().chain([table]).collect()
}

/// The names of columns: each not empty, none twice.
fn unique(header: &[String]) -> Vec<String> {
    let bare = |name: &String| name.trim_matches(['*', '`', ' ']).to_owned();
    let twice = |i: usize, name: &String| header.iter().take(i).any(|other| bare(other) == bare(name));
    let name = |(i, name): (usize, &String)| {
        if bare(name).is_empty() || twice(i, name) { format!("column {}", i + 1) } else { bare(name) }
    };
    header.iter().enumerate().map(name).collect()
}

fn is_price(name: &str) -> bool {
    let lower = name.to_lowercase();
    ["price", "cost", "fee", "价格", "单价", "售价", "价", "费用", "金额"].iter().any(|word| lower.contains(word))
        || !amount_currency(name).is_empty()
}

fn amount_currency(name: &str) -> String {
    name.split(|c: char| !c.is_alphanumeric() && !"€$£¥￥".contains(c))
        .map(amount::currency)
        .find(|c| ["EUR", "USD", "GBP", "CNY", "JPY", "CHF", "元"].contains(&c.as_str()))
        .unwrap_or_default()
}

/// The price columns as items: one column gives the items, several give variants of them.
fn prices(names: &[String], rows: &[(Range, Vec<String>)]) -> Vec<(Range, Entry)> {
    let holds = |i: usize| rows.iter().filter_map(|(_, row)| row.get(i)).any(|cell| !amount::find(cell).is_empty());
    let named: Vec<usize> = (1..names.len()).filter(|i| names.get(*i).is_some_and(|name| is_price(name))).collect();
    let money: Vec<usize> = (1..names.len()).filter(|i| holds(*i)).collect();
    let columns = if named.len() == 1 || money.is_empty() { named } else { money };
    let mut items = Vec::new();
    for (range, row) in rows {
        let Some(base) = row.first().filter(|name| !name.is_empty()) else { continue };
        for at in &columns {
            let (Some(cell), Some(column)) = (row.get(*at), names.get(*at)) else { continue };
            let found = amount::find(cell).into_iter().next();
            let mut item = match found {
                Some(money) => PriceItem {
                    amount: money.value,
                    to: money.to,
                    currency: money.currency,
                    per: money.per,
                    ..PriceItem::default()
                },
                None if number(cell).is_some() => PriceItem {
                    amount: amount::decimal(cell),
                    currency: amount_currency(column),
                    ..PriceItem::default()
                },
                None => continue,
            };
            if item.per.is_empty() {
                item.per = per_of(column);
            }
            item.name.clone_from(base);
            if columns.len() > 1 {
                item.name = format!("{base} {column}");
                item.base.clone_from(base);
                item.variant.clone_from(column);
            }
            items.push((range.clone(), Entry::Price(item)));
        }
    }
    items
}

/// The unit in the name of a column: "Price per hour", 每小时价格.
fn per_of(column: &str) -> String {
    let lower = column.to_lowercase();
    let english = lower
        .split_once(" per ")
        .map(|(_, unit)| unit.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default());
    let chinese = ["小时", "天", "晚", "月", "年", "斤", "公斤", "米", "位"]
        .into_iter()
        .find(|unit| column.contains(&format!("每{unit}")));
    let piece = ["piece", "item", "unit", "one"];
    english.filter(|unit| !piece.contains(unit)).or(chinese).unwrap_or_default().to_owned()
}

/// A cell that is a number and nothing else; codes with leading zeros and phone numbers are text.
pub(super) fn number(cell: &str) -> Option<Value> {
    let plain = cell.trim();
    let digits = plain.strip_prefix('-').unwrap_or(plain);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let telephone = digits.len() > 9 && !digits.contains(['.', ',']);
    if leading_zero
        || telephone
        || digits.is_empty()
        || !digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
        || digits.starts_with(['.', ','])
        || digits.ends_with(['.', ','])
    {
        return None;
    }
    let decimal = amount::decimal(plain);
    decimal.parse::<i64>().map(Value::from).or_else(|_| decimal.parse::<f64>().map(Value::from)).ok()
}
