//! Numerals of both scripts as decimal numbers.

/// A decimal number times a power of ten, exactly.
pub(super) fn scaled(value: &str, power: i32) -> String {
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let point = i32::try_from(whole.len()).unwrap_or(0) + power;
    let digits = format!("{whole}{part}");
    let (digits, point) = match usize::try_from(point) {
        Ok(point) => (digits, point),
        Err(_) => (format!("{}{digits}", "0".repeat(point.unsigned_abs() as usize)), 0),
    };
    let digits = if digits.len() < point { digits.clone() + &"0".repeat(point - digits.len()) } else { digits };
    let (whole, part) = digits.split_at_checked(point).unwrap_or((digits.as_str(), ""));
    let whole = whole.trim_start_matches('0');
    let part = part.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}

const DIGITS: &str = "零一二三四五六七八九";

/// The value of a Chinese numeral such as 三十二, 两百零五 or 一万二.
pub(super) fn chinese(text: &str) -> Option<u64> {
    let (mut total, mut section, mut digit, mut last) = (0_u64, 0_u64, None::<u64>, 1_u64);
    for c in text.chars() {
        let c = if c == '两' {
            '二'
        } else if c == '〇' {
            '零'
        } else {
            c
        };
        if let Some(at) = DIGITS.chars().position(|d| d == c) {
            if digit.is_some_and(|d| d > 0) {
                return None;
            }
            digit = Some(at as u64);
            if at == 0 {
                last = 1;
            }
            continue;
        }
        let unit = match c {
            '十' => 10,
            '百' => 100,
            '千' => 1000,
            '万' => 10_000,
            '亿' => 100_000_000,
            _ => return None,
        };
        if unit >= 10_000 {
            total = (total + section + digit.unwrap_or(0)).checked_mul(unit)?;
            section = 0;
        } else {
            section += digit.unwrap_or(1) * unit;
        }
        (digit, last) = (None, unit);
    }
    // 三千五 is 3500: a digit alone at the end counts for the next smaller unit.
    let end = match digit {
        Some(d) if last >= 100 => d * (last / 10),
        Some(d) => d,
        None => 0,
    };
    Some(total + section + end)
}

/// The text with Chinese numerals before money words as digits, padded so that every byte keeps its place.
pub(super) fn before_money(text: &str) -> String {
    let is_numeral = |c: char| "零〇一二两三四五六七八九十百千万亿".contains(c);
    if !text.chars().any(is_numeral) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_numeral) {
        let (before, from) = rest.split_at(start);
        let run: usize = from.chars().take_while(|c| is_numeral(*c)).map(char::len_utf8).sum();
        let (numeral, after) = from.split_at(run);
        out.push_str(before);
        // 块 is money only where no measured thing follows: 三块蛋糕 are three pieces of cake.
        let money = ["元", "块", "欧", "美元", "英镑", "日元"].iter().any(|word| after.starts_with(word));
        let counted = before.ends_with(|c: char| c.is_ascii_digit());
        let pieces = after.strip_prefix('块').is_some_and(|rest| {
            rest.chars()
                .next()
                .is_some_and(|c| c.is_alphanumeric() && !"钱一二三四五六七八九半每".contains(c) && !c.is_ascii_digit())
        });
        let tenth = before.ends_with('块') || before.ends_with('元');
        // 一斤 and 一杯 say of what the price is, not how much.
        match chinese(numeral).map(|value| value.to_string()) {
            Some(digits)
                if !counted
                    && (money && !pieces
                        || tenth && after.chars().next().is_none_or(|c| "毛角，,。；;、 ".contains(c)))
                    && digits.len() <= run =>
            {
                if tenth {
                    // The amount goes on without a gap: 两块五.
                    out.push_str(&digits);
                    out.push_str(&" ".repeat(run - digits.len()));
                } else {
                    out.push_str(&" ".repeat(run - digits.len()));
                    out.push_str(&digits);
                }
            }
            _ => out.push_str(numeral),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_scripts() {
        for (text, value) in [
            ("三十二", 32),
            ("两百零五", 205),
            ("十二", 12),
            ("三千五", 3500),
            ("一万二", 12000),
            ("一百二", 120),
            ("八", 8),
        ] {
            assert_eq!(chinese(text), Some(value), "{text}");
        }
        for (value, power, expected) in
            [("1.2", 3, "1200"), ("5", -1, "0.5"), ("12.5", 4, "125000"), ("0", 2, "0"), ("35", -2, "0.35")]
        {
            assert_eq!(scaled(value, power), expected);
        }
        assert_eq!(before_money("包子两块五，糖三元").len(), "包子两块五，糖三元".len());
        assert!(before_money("三块蛋糕").contains('三'));
    }
}
