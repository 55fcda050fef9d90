//! JSON ↔ attribute values. What DynamoDB cannot hold as it is (numbers out of its range, deep nesting) travels as
//! JSON text in a marked map, so that every document comes back as it went in.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Marks a map that holds a document as JSON text.
const AS_TEXT: &str = "$json";
/// DynamoDB nests 32 levels; the attribute itself and the marked map take two.
const MOST_LEVELS: usize = 28;
/// Numbers beyond these powers of ten are refused.
const LARGEST: f64 = 1e125;
const SMALLEST: f64 = 1e-129;

fn number_fits(number: &Number) -> bool {
    number.as_f64().is_none_or(|n| n == 0.0 || (n.abs() < LARGEST && n.abs() > SMALLEST))
}

fn fits(value: &Value, levels: usize) -> bool {
    match value {
        Value::Number(number) => number_fits(number),
        Value::Array(items) => levels > 0 && items.iter().all(|item| fits(item, levels - 1)),
        Value::Object(map) => levels > 0 && map.values().all(|item| fits(item, levels - 1)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn plain(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(items) => AttributeValue::L(items.iter().map(plain).collect()),
        Value::Object(map) => AttributeValue::M(map.iter().map(|(key, item)| (key.clone(), plain(item))).collect()),
    }
}

/// The attribute of a JSON value.
pub(crate) fn attribute(value: &Value) -> AttributeValue {
    let marked = value.as_object().is_some_and(|map| map.contains_key(AS_TEXT));
    if !marked && fits(value, MOST_LEVELS) {
        return plain(value);
    }
    AttributeValue::M(HashMap::from([(AS_TEXT.to_owned(), AttributeValue::S(value.to_string()))]))
}

fn number(text: &str) -> Value {
    // Decimals of the original's come as `3` or `3.0`; whole ones stay whole.
    if let Ok(whole) = text.parse::<u64>() {
        return whole.into();
    }
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    text.parse::<f64>().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

/// The JSON of an attribute. Binary values become null: none of the tables has any.
pub(crate) fn json(attribute: &AttributeValue) -> Value {
    match attribute {
        AttributeValue::Bool(flag) => (*flag).into(),
        AttributeValue::N(text) => number(text),
        AttributeValue::S(text) => text.as_str().into(),
        AttributeValue::L(items) => items.iter().map(json).collect(),
        AttributeValue::Ss(items) => items.iter().map(String::as_str).collect(),
        AttributeValue::Ns(items) => items.iter().map(|text| number(text)).collect(),
        AttributeValue::M(map) => {
            if let (Some(AttributeValue::S(text)), 1) = (map.get(AS_TEXT), map.len())
                && let Ok(value) = serde_json::from_str(text)
            {
                return value;
            }
            map.iter().map(|(key, item)| (key.clone(), json(item))).collect::<Map<_, _>>().into()
        }
        _ => Value::Null,
    }
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn whole(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// Bytes that an item counts against the limits, nearly.
pub(crate) fn item_size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size(value)).sum()
}

/// Bytes that an attribute counts against the item's limit, nearly.
pub(crate) fn size(attribute: &AttributeValue) -> usize {
    match attribute {
        AttributeValue::S(text) => text.len() + 1,
        AttributeValue::N(text) => text.len() / 2 + 2,
        AttributeValue::L(items) => 3 + items.iter().map(|item| 1 + size(item)).sum::<usize>(),
        AttributeValue::M(map) => 3 + map.iter().map(|(key, item)| key.len() + 1 + size(item)).sum::<usize>(),
        _ => 8,
    }
}

/// An empty list is no attribute.
pub(crate) fn without_empty(item: &mut Item, name: &str) {
    if matches!(item.get(name), Some(AttributeValue::L(list)) if list.is_empty()) {
        item.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter_map("finite", |n| Number::from_f64(n).map(Value::Number)),
            ".{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map("[a-z$]{0,5}", inner, 0..6)
                    .prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
            ]
        })
    }

    /// As JSON, where 1 and 1.0 are one number.
    fn same(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => {
                // The JSON reader errs in the last digit of what travels as text.
                let (x, y) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
                a == b || (x - y).abs() <= x.abs() * 1e-15
            }
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
            }
            (a, b) => a == b,
        }
    }

    proptest! {
        #[test]
        fn every_document_comes_back(document in documents()) {
            let back = json(&attribute(&document));
            prop_assert!(same(&document, &back), "{document} {back}");
        }
    }

    #[test]
    fn what_does_not_fit_travels_as_text() {
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!([deep]);
        }
        for document in [json!({"x": 1e300}), json!(1e-200), deep, json!({"$json": "no"}), json!({"$json": 1, "b": 2})]
        {
            assert!(matches!(attribute(&document), AttributeValue::M(_)));
            assert_eq!(json(&attribute(&document)), document);
        }
    }
}
