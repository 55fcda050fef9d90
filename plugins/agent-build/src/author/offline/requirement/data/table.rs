//! What a grid of cells holds: a table with typed columns, and a price list too when a column holds money.

use serde_json::Value;

use super::amount;
use crate::spec::{Column, DataSet, PriceItem};

const MAX_ROWS: usize = 2000;

/// Adds a grid as a table, and as a price list too when a column holds money.
pub(super) fn add(grid: Vec<Vec<String>>, title: String, found: &mut Vec<DataSet>) {
    let mut grid = grid.into_iter();
    let Some(header) = grid.next().filter(|header| !header.is_empty()) else { return };
    let names: Vec<String> = header
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let name = name.trim_matches(['*', '`', ' ']);
            if name.is_empty() || header.iter().take(i).any(|other| other.trim_matches(['*', '`', ' ']) == name) {
                format!("column {}", i + 1)
            } else {
                name.to_owned()
            }
        })
        .collect();
    let rows: Vec<Vec<String>> = grid
        .take(MAX_ROWS)
        .map(|mut row| {
            row.resize(names.len(), String::new());
            row
        })
        .filter(|row| row.iter().any(|cell| !cell.is_empty()))
        .collect();
    if rows.is_empty() {
        return;
    }
    prices(&names, &rows, &title, found);
    let columns = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let numbers = i > 0
                && rows
                    .iter()
                    .filter_map(|row| row.get(i))
                    .filter(|cell| !cell.is_empty())
                    .all(|cell| number(cell).is_some());
            Column { name: name.clone(), kind: if numbers { "number" } else { "text" }.into() }
        })
        .collect::<Vec<_>>();
    let typed =
        rows.into_iter()
            .map(|row| {
                row.into_iter()
                    .zip(&columns)
                    .map(|(cell, column)| {
                        if column.kind == "number" { number(&cell).unwrap_or(Value::Null) } else { Value::String(cell) }
                    })
                    .collect()
            })
            .collect();
    found.push(DataSet::Table { id: String::new(), title, columns, rows: typed });
}

fn prices(names: &[String], rows: &[Vec<String>], title: &str, found: &mut Vec<DataSet>) {
    let is_price = |name: &str| {
        ["price", "cost", "价格", "单价", "售价", "价"].iter().any(|word| name.to_lowercase().contains(word))
    };
    let Some(at) = names.iter().skip(1).position(|name| is_price(name)).map(|i| i + 1) else { return };
    let heading_currency = names
        .get(at)
        .map(|name| {
            name.split(|c: char| !c.is_alphanumeric() && !"€$£¥".contains(c))
                .map(amount::currency)
                .find(|c| ["EUR", "USD", "GBP", "CNY", "JPY", "CHF", "元"].contains(&c.as_str()))
                .unwrap_or_default()
        })
        .unwrap_or_default();
    let items: Vec<PriceItem> = rows
        .iter()
        .filter_map(|row| {
            let (name, cell) = (row.first()?, row.get(at)?);
            let item =
                |amount: String, currency: String, per: String| PriceItem { name: name.clone(), amount, currency, per };
            if name.is_empty() {
                return None;
            }
            match amount::find(cell, false).into_iter().next() {
                Some(money) => Some(item(money.value, money.currency, money.per)),
                None => {
                    number(cell).map(|_| item(amount::decimal(cell.trim()), heading_currency.clone(), String::new()))
                }
            }
        })
        .collect();
    if !items.is_empty() {
        found.push(DataSet::Prices { id: String::new(), title: title.to_owned(), items });
    }
}

/// A cell that is a number and nothing else; codes with leading zeros and phone numbers are text.
pub(super) fn number(cell: &str) -> Option<Value> {
    let plain = cell.trim();
    let digits = plain.strip_prefix('-').unwrap_or(plain);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if leading_zero
        || digits.is_empty()
        || !digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
        || digits.starts_with(['.', ','])
    {
        return None;
    }
    let decimal = amount::decimal(plain);
    decimal.parse::<i64>().map(Value::from).or_else(|_| decimal.parse::<f64>().map(Value::from)).ok()
}
