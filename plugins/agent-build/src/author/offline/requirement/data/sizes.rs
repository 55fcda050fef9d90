//! Prices of sizes in a row, without marks between name and price: `margherita S 7 M 9 L 11`, `牛肉面 小碗14 大碗18`.

use std::sync::LazyLock;

use regex::Regex;

use crate::author::offline::requirement::language::is_cjk;

const SIZE: &str =
    r"(?:XXL|XL|XS|S|M|L|small|medium|large|regular|tall|小杯|中杯|大杯|小份|中份|大份|小碗|中碗|大碗|小|中|大)";
const PRICE: &str = r"(?:\p{Sc}\s?)?\d+(?:[.,]\d{1,2})?(?:\s?(?:\p{Sc}|元|块|EUR|USD|GBP|CHF)\b?)?";

static ROW: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)^(?P<base>[^\d:：]*?[^\d\s:：,，(（–—-])[\s,，–—-]+(?P<pairs>(?:{SIZE}\s*[:=]?\s*{PRICE}[\s,，;；/、|]*){{2,}})\.?$"
    ))
    .ok()
});
static PAIR: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"(?i)(?P<size>{SIZE})\s*[:=]?\s*(?P<price>{PRICE})")).ok());

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

/// Whether most parts of an enumeration end in a price: `Adult swim 5.20, kids (3-15) 3.10`, `纯色98、猫眼128、法式138`.
pub(super) fn ends_in_prices(body: &str) -> bool {
    let parts: Vec<&str> = body
        .split(SEPARATORS)
        .flat_map(|part| part.split(" / "))
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    let ends = |part: &&&str| {
        let part = part.trim_end_matches(['.', '!', '起', '元', '块']);
        // "potatoes 1.20 per kg", "eggs 3.60 a dozen"
        let part = [" per ", " a ", " each", "/"].iter().filter_map(|mark| part.rfind(mark)).min().map_or(part, |at| {
            let number = part.get(..at).unwrap_or_default();
            if number.ends_with(|c: char| c.is_ascii_digit()) { number } else { part }
        });
        let name = part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = part.get(name.len()..).unwrap_or_default();
        let chinese = name.ends_with(is_cjk) && number.len() >= 2 && name.chars().count() <= 10;
        name.chars().any(char::is_alphabetic) && (has_cents(number) || chinese && is_price(number))
    };
    // Two parts are few: addresses and telephone numbers look alike.
    let plain = parts.iter().all(|part| {
        let name = part.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '起' | '元' | '块'));
        let digits = part.chars().filter(char::is_ascii_digit).count();
        digits <= 4 && !name.ends_with(['路', '街', '道', '话', '号', '室', '楼', '座', '栋'])
    });
    let many = parts.iter().filter(ends).count();
    many >= 2 && many * 2 > parts.len() && (many >= 3 || many == parts.len() && plain || !body.chars().any(is_cjk))
}

const SEPARATORS: [char; 7] = [',', ';', '，', '；', '、', '。', '\n'];

/// Whether a number ends its part of an enumeration.
pub(super) fn ends_part(body: &str, end: usize) -> bool {
    let rest = body.get(end..).unwrap_or_default().trim_start_matches(['起', '元', '块', '.', '!', ' ']);
    rest.is_empty()
        || rest.starts_with(SEPARATORS)
        || ["/", "per ", "a ", "each"].iter().any(|mark| rest.starts_with(mark))
}

/// Whether a number can be a price: whole, or with cents.
pub(super) fn is_price(number: &str) -> bool {
    has_cents(number) || !number.is_empty() && number.chars().all(|c| c.is_ascii_digit())
}

fn has_cents(number: &str) -> bool {
    number.rsplit_once('.').is_some_and(|(whole, part)| part.len() == 2 && !whole.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enumerations_that_end_in_prices() {
        for yes in [
            "Adult swim 5.20, kids (3-15) 3.10, under 3s free, family card (2 adults + up to 3 kids) 14.50.",
            "纯色98、猫眼128、法式138、手绘158起，卸甲30",
            "eggs 3.60 a dozen / potatoes 1.20 per kg / honey 500 g jar 7.50",
        ] {
            assert!(ends_in_prices(yes), "{yes}");
        }
        for no in ["It opened in 1998, was closed in 2004", "room 12.10", "地址人民路12、电话5550101", "one, two, 3.10"]
        {
            assert!(!ends_in_prices(no), "{no}");
        }
    }

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
