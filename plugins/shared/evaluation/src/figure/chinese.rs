//! Chinese numerals: 三十五, 两百零五, 一万二千, 二〇二六.

use rust_decimal::Decimal;

fn digit(c: char) -> Option<u64> {
    "零一二三四五六七八九".chars().position(|one| one == c).map(|at| at as u64).or(match c {
        '〇' => Some(0),
        '两' => Some(2),
        _ => None,
    })
}

fn power(c: char) -> Option<u64> {
    match c {
        '十' => Some(10),
        '百' => Some(100),
        '千' => Some(1_000),
        '万' => Some(10_000),
        '亿' => Some(100_000_000),
        _ => None,
    }
}

/// Whether a sign can stand in a Chinese numeral.
pub(super) fn is_numeral(c: char) -> bool {
    digit(c).is_some() || power(c).is_some()
}

/// The value of a numeral; `None` for what is none.
pub(super) fn value(text: &str) -> Option<Decimal> {
    let signs: Vec<char> = text.chars().collect();
    if signs.iter().all(|c| digit(*c).is_some()) {
        // 二〇二六, but a single digit as well.
        return signs.iter().try_fold(0_u64, |all, c| all.checked_mul(10)?.checked_add(digit(*c)?)).map(Decimal::from);
    }
    let (mut total, mut section, mut last) = (0_u64, 0_u64, None);
    let mut previous = 1_u64;
    for c in signs {
        if let Some(digit) = digit(c) {
            // Two digits in a row are no number of this kind; a zero only fills a gap.
            if last.is_some_and(|last| last != 0) {
                return None;
            }
            last = Some(digit);
            if digit == 0 {
                previous = 1;
            }
            continue;
        }
        let power = power(c)?;
        if power < 10_000 {
            section = section.checked_add(last.unwrap_or(1).checked_mul(power)?)?;
        } else {
            section = section.checked_add(last.unwrap_or(0))?;
            if section == 0 && total == 0 {
                return None;
            }
            total = total.checked_add(section)?.checked_mul(power)?;
            section = 0;
        }
        previous = power;
        last = None;
    }
    // 一万二 is 12,000; 一万零二 is 10,002.
    let rest = last.unwrap_or(0).checked_mul(if previous >= 100 { previous / 10 } else { 1 })?;
    total.checked_add(section)?.checked_add(rest).map(Decimal::from)
}

/// A number below 100,000,000 as it is written.
#[cfg(test)]
pub(super) fn written(number: u32) -> String {
    fn section(number: u32, out: &mut String) {
        let mut gap = false;
        for (power, name) in [(1000, "千"), (100, "百"), (10, "十"), (1, "")] {
            let digit = number / power % 10;
            if digit == 0 {
                gap = !out.is_empty();
                continue;
            }
            if gap {
                out.push('零');
                gap = false;
            }
            out.push("零一二三四五六七八九".chars().nth(digit as usize).unwrap());
            out.push_str(name);
        }
    }
    let mut out = String::new();
    if number >= 10_000 {
        section(number / 10_000, &mut out);
        out.push('万');
        let rest = number % 10_000;
        if rest > 0 {
            if rest < 1_000 {
                out.push('零');
            }
            let mut low = String::new();
            section(rest, &mut low);
            out.push_str(&low);
        }
    } else {
        section(number, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerals() {
        for (text, number) in [
            ("十", 10),
            ("十二", 12),
            ("三十五", 35),
            ("两百零五", 205),
            ("一百二", 120),
            ("一万二", 12_000),
            ("一万零二", 10_002),
            ("二〇二六", 2026),
            ("一千五百", 1500),
            ("三百万", 3_000_000),
            ("一亿", 100_000_000),
        ] {
            assert_eq!(value(text), Some(Decimal::from(number)), "{text}");
        }
        assert_eq!(value("万"), None);
        assert_eq!(value("一二十"), None);
    }
}
