//! Calculates what a model wrote as plain arithmetic: so a model says how a figure comes about, and rules say which it is.

use std::{iter::Peekable, str::Chars};

/// Deeper nesting is no calculation that a worked example needs.
const DEEPEST: usize = 24;

/// The value of an expression of numbers, `+ - * / % ^ **`, parentheses, and `round min max abs sqrt floor ceil`.
pub(super) fn calculate(text: &str) -> Result<f64, String> {
    let text = text.replace("**", "^").replace(['×', '·'], "*").replace('÷', "/").replace('−', "-");
    // What it comes to may be written behind it.
    let text = text.split('=').next().unwrap_or_default();
    let mut reader = Reader { signs: text.chars().peekable(), depth: 0 };
    let value = reader.sum()?;
    match reader.next() {
        Some(sign) => Err(format!("`{sign}` does not belong into a calculation; use numbers and + - * / ( ) only")),
        None if value.is_finite() => Ok(value),
        None => Err("it has no result".to_owned()),
    }
}

/// Whether something is calculated at all, and not only stated.
pub(super) fn is_calculation(text: &str) -> bool {
    let numbers = text.split(|c: char| !(c.is_ascii_digit() || c == '.')).filter(|part| !part.is_empty());
    numbers.count() > 1
}

struct Reader<'a> {
    signs: Peekable<Chars<'a>>,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        while self.signs.peek().is_some_and(|sign| sign.is_whitespace()) {
            self.signs.next();
        }
        self.signs.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        self.peek()?;
        self.signs.next()
    }

    fn sum(&mut self) -> Result<f64, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        let mut value = self.product()?;
        while let Some(sign @ ('+' | '-')) = self.peek() {
            self.next();
            let other = self.product()?;
            value = if sign == '+' { value + other } else { value - other };
        }
        self.depth -= 1;
        Ok(value)
    }

    fn product(&mut self) -> Result<f64, String> {
        let mut value = self.signed()?;
        while let Some(sign @ ('*' | '/' | '%')) = self.peek() {
            self.next();
            let other = self.signed()?;
            if sign != '*' && other == 0.0 {
                return Err("it divides by zero".to_owned());
            }
            value = match sign {
                '*' => value * other,
                '/' => value / other,
                _ => value.rem_euclid(other),
            };
        }
        Ok(value)
    }

    fn signed(&mut self) -> Result<f64, String> {
        match self.peek() {
            Some('-') => {
                self.next();
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err("it is nested too deeply".to_owned());
                }
                let value = self.signed();
                self.depth -= 1;
                Ok(-value?)
            }
            Some('+') => {
                self.next();
                self.power()
            }
            _ => self.power(),
        }
    }

    fn power(&mut self) -> Result<f64, String> {
        let value = self.atom()?;
        if self.peek() == Some('^') {
            self.next();
            return Ok(value.powf(self.signed()?));
        }
        Ok(value)
    }

    fn atom(&mut self) -> Result<f64, String> {
        match self.peek() {
            Some('(') => {
                self.next();
                let value = self.sum()?;
                self.close()?;
                Ok(value)
            }
            Some(sign) if sign.is_ascii_digit() || sign == '.' => {
                let number = self.taken(|sign| sign.is_ascii_digit() || sign == '.' || sign == '_');
                number.replace('_', "").parse().map_err(|_| format!("`{number}` is no number"))
            }
            Some(sign) if sign.is_ascii_alphabetic() => {
                let name = self.taken(|sign| sign.is_ascii_alphabetic() || sign == '.');
                self.function(&name)
            }
            Some(sign) => Err(format!("`{sign}` stands where a number should")),
            None => Err("it ends before it is complete".to_owned()),
        }
    }

    fn function(&mut self, name: &str) -> Result<f64, String> {
        if self.next() != Some('(') {
            return Err(format!("`{name}` is no number: write the number itself"));
        }
        let mut given = vec![self.sum()?];
        while self.peek() == Some(',') {
            self.next();
            given.push(self.sum()?);
        }
        self.close()?;
        match (name.trim_start_matches("math."), given.as_slice()) {
            ("round", [value]) => Ok(value.round()),
            ("round", [value, places]) => {
                let scale = 10_f64.powf(places.clamp(0.0, 12.0));
                Ok((value * scale).round() / scale)
            }
            ("abs", [value]) => Ok(value.abs()),
            ("sqrt", [value]) if *value >= 0.0 => Ok(value.sqrt()),
            ("floor" | "int", [value]) => Ok(value.floor()),
            ("ceil", [value]) => Ok(value.ceil()),
            ("min", all) => Ok(all.iter().copied().fold(f64::INFINITY, f64::min)),
            ("max", all) => Ok(all.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            ("sum", all) => Ok(all.iter().sum()),
            _ => Err(format!("`{name}` cannot be calculated here; use + - * / ( ) only")),
        }
    }

    fn close(&mut self) -> Result<(), String> {
        if self.next() == Some(')') { Ok(()) } else { Err("a parenthesis is not closed".to_owned()) }
    }

    fn taken(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(sign) = self.signs.next_if(|sign| belongs(*sign)) {
            text.push(sign);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_calculated_as_people_do() {
        for (text, value) in [
            ("1 + 2 * 3", 7.0),
            ("70 / (1.75 * 1.75)", 22.857_142_857_142_858),
            ("2 ** 3 ^ 2", 512.0),
            ("-2 ^ 2", -4.0),
            ("2 - -3", 5.0),
            ("10 % 4", 2.0),
            ("round(10 / 3, 2)", 3.33),
            ("max(1, 2) + math.sqrt(9)", 5.0),
            ("100 × 1.2 ÷ 4", 30.0),
            ("80 * 0.15 = 12", 12.0),
            ("1_000 + .5", 1000.5),
        ] {
            assert!((calculate(text).unwrap() - value).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn what_is_no_calculation_is_refused() {
        let deep = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
        for text in ["", "weight / 2", "1 +", "(1", "1 2", "1 / 0", "exp(1)", "1; import os", "sqrt(-1)", "1..2", &deep]
        {
            assert!(calculate(text).is_err(), "{text:.40}");
        }
        assert!(calculate(&"-".repeat(100_000)).is_err());
        assert!(is_calculation("3 * 4") && !is_calculation(" 12 "));
    }
}
