//! What tokens cost: the settings first, then list prices that are shipped with their date. A model that nobody knows has no price,
//! and is not guessed: a name that only resembles another one may cost ten times as much.

use std::collections::BTreeMap;

use nexus_model::Price;

use crate::config;

/// When the shipped prices were read off the providers' lists.
pub const AS_OF: &str = "2025-10-15";

/// Model, and US dollars per million tokens: input, output, read from the cache, written to it.
const SHIPPED: &[(&str, [f64; 4])] = &[
    ("amazon.nova-lite", [0.06, 0.24, 0.015, 0.06]),
    ("amazon.nova-micro", [0.035, 0.14, 0.008_75, 0.035]),
    ("amazon.nova-pro", [0.8, 3.2, 0.2, 0.8]),
    ("claude-haiku-4-5", [1.0, 5.0, 0.1, 1.25]),
    ("claude-opus-4-1", [15.0, 75.0, 1.5, 18.75]),
    ("claude-sonnet-4", [3.0, 15.0, 0.3, 3.75]),
    ("claude-sonnet-4-5", [3.0, 15.0, 0.3, 3.75]),
    ("gpt-4.1", [2.0, 8.0, 0.5, 2.0]),
    ("gpt-4.1-mini", [0.4, 1.6, 0.1, 0.4]),
    ("gpt-4o", [2.5, 10.0, 1.25, 2.5]),
    ("gpt-4o-mini", [0.15, 0.6, 0.075, 0.15]),
    ("gpt-5", [1.25, 10.0, 0.125, 1.25]),
    ("gpt-5-mini", [0.25, 2.0, 0.025, 0.25]),
    ("gpt-5-nano", [0.05, 0.4, 0.005, 0.05]),
];

/// Dollars for a million tokens as whole numbers: millionths of a millionth of a dollar for one token. Rounded up.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the settings take numbers from 0, and `as` saturates
fn whole(dollars: f64) -> u64 {
    (dollars * 1e6 - 1e-6).ceil().max(0.0) as u64
}

fn of([input, output, cache_read, cache_write]: [f64; 4]) -> Price {
    Price { input: whole(input), output: whole(output), cache_read: whole(cache_read), cache_write: whole(cache_write) }
}

/// An id without the region, the vendor, the date and the revision that Bedrock and Anthropic write around a model's name.
fn bare(model: &str) -> &str {
    let name = model.find("anthropic.").and_then(|at| model.get(at + "anthropic.".len()..)).unwrap_or(model);
    let name = name.find("amazon.").and_then(|at| name.get(at..)).unwrap_or(name);
    let name = name.split_once("-v1:").map_or(name, |(name, _)| name);
    match name.rsplit_once('-') {
        Some((name, date)) if date.len() == 8 && date.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => name,
    }
}

/// The price of a provider's model; `None` if nobody knows it. What runs on this machine costs nothing.
#[must_use]
pub fn price(settings: &BTreeMap<String, config::Price>, provider: &str, local: bool, model: &str) -> Option<Price> {
    let written = settings.get(&format!("{provider}/{model}")).or_else(|| settings.get(model));
    if let Some(price) = written {
        let cached = |price: f64, input: f64| if price > 0.0 { price } else { input };
        let input = price.input_usd_per_million;
        return Some(of([
            input,
            price.output_usd_per_million,
            cached(price.cache_read_usd_per_million, input),
            cached(price.cache_write_usd_per_million, input),
        ]));
    }
    if local {
        return Some(Price::default());
    }
    let name = bare(model);
    // Bedrock takes a tenth more for Claude where a request stays within a region or a continent.
    let premium = if model.contains("anthropic.") && !model.starts_with("global.") { 1.1 } else { 1.0 };
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, prices)| of(prices.map(|price| price * premium)))
}

/// The price of a model by the id that a stage tells: `provider/model`, or a model's own.
#[must_use]
pub fn price_of_id(settings: &BTreeMap<String, config::Price>, id: &str) -> Option<Price> {
    let split = id.split_once('/').and_then(|(provider, model)| price(settings, provider, false, model));
    split.or_else(|| price(settings, "", false, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_found_by_every_form_of_an_id_and_by_no_other() {
        let none = BTreeMap::new();
        let sonnet = Some(Price { input: 3_000_000, output: 15_000_000, cache_read: 300_000, cache_write: 3_750_000 });
        for id in
            ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"]
        {
            assert_eq!(price(&none, "p", false, id), sonnet, "{id}");
        }
        for id in ["anthropic.claude-sonnet-4-5-20250929-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"] {
            let regional = price(&none, "bedrock", false, id).map(|price| (price.input, price.output));
            assert_eq!(regional, Some((3_300_000, 16_500_000)), "{id}");
        }
        assert_eq!(price(&none, "p", false, "us.amazon.nova-micro-v1:0").map(|price| price.input), Some(35_000));
        for id in ["claude-sonnet-4-6", "gpt-5-pro", "my-gpt-5", ""] {
            assert_eq!(price(&none, "p", false, id), None, "{id}");
        }
        assert_eq!(price(&none, "ollama", true, "qwen"), Some(Price::default()));
    }

    #[test]
    fn the_settings_come_first() {
        let mine = config::Price { input_usd_per_million: 7.0, output_usd_per_million: 9.1, ..Default::default() };
        let settings = BTreeMap::from([("p/gpt-5".to_owned(), mine)]);
        let found = price(&settings, "p", false, "gpt-5");
        assert_eq!(
            found,
            Some(Price { input: 7_000_000, output: 9_100_000, cache_read: 7_000_000, cache_write: 7_000_000 })
        );
        assert_eq!(price(&settings, "q", false, "gpt-5").map(|price| price.input), Some(1_250_000));
    }
}
