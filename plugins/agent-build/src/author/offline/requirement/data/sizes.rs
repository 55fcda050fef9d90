//! Prices of sizes in a row, without marks between name and price: `margherita S 7 M 9 L 11`, `牛肉面 小碗14 大碗18`.

use std::sync::LazyLock;

use regex::Regex;

const SIZE: &str = r"(?:XXL|XL|XS|S|M|L|small|medium|large|regular|tall|小杯|中杯|大杯|小份|中份|大份|小碗|中碗|大碗|小|中|大)";
const PRICE: &str = r"(?:\p{Sc}\s?)?\d+(?:[.,]\d{1,2})?(?:\s?(?:\p{Sc}|元|块|EUR|USD|GBP|CHF)\b?)?";

static ROW: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)^(?P<base>[^\d:：]*?[^\d\s:：,，(（–—-])[\s,，–—-]+(?P<pairs>(?:{SIZE}\s*[:=]?\s*{PRICE}[\s,，;；/、|]*){{2,}})\.?$"
    ))
    .ok()
});
static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i)(?P<size>{SIZE})\s*[:=]?\s*(?P<price>{PRICE})")).ok()
});

/// A size, its price, and the currency that is written beside it.
pub(super) struct Size<'a> {
    pub(super) name: &'a str,
    pub(super) number: &'a str,
    pub(super) sign: &'a str,
}

/// The name of what comes in sizes, and the sizes.
pub(super) fn row(line: &str) -> Option<(&str, Vec<Size<'_>>)> {
    let found = ROW.as_ref()?.captures(line.trim())?;
    let base = found.name("base")?.as_str();
    let pairs = found.name("pairs")?.as_str();
    let sizes = PAIR.as_ref()?.captures_iter(pairs).filter_map(|pair| {
        let price = pair.name("price")?.as_str();
        let digit = |c: char| c.is_ascii_digit();
        let (start, end) = (price.find(digit)?, price.rfind(digit)? + 1);
        let (before, after) = (price.get(..start)?.trim(), price.get(end..)?.trim());
        let sign = if before.is_empty() { after } else { before };
        Some(Size { name: pair.name("size")?.as_str(), number: price.get(start..end)?, sign })
    });
    Some((base, sizes.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        let read = |text| {
            row(text).map(|(base, sizes)| {
                let sizes: Vec<String> = sizes.iter().map(|s| format!("{}={}{}", s.name, s.number, s.sign)).collect();
                format!("{base}: {}", sizes.join(" "))
            })
        };
        assert_eq!(read("margherita S 7 M 9 L 11").as_deref(), Some("margherita: S=7 M=9 L=11"));
        assert_eq!(read("salami S 8 M 10.50 L 13").as_deref(), Some("salami: S=8 M=10.50 L=13"));
        assert_eq!(read("cold brew - small $3, large $4.50").as_deref(), Some("cold brew: small=3$ large=4.50$"));
        assert_eq!(read("牛肉面 小碗14 大碗18").as_deref(), Some("牛肉面: 小碗=14 大碗=18"));
        for none in ["Galaxy S 22 is new", "S 7 M 9", "room 7 and room 9", "pizza L 11"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
