//! Reads figures out of a text: numbers with their units, dates, times of day.
//!
//! A number may be read in more than one way (`1,234` with a separator of thousands or a decimal comma, `5m` metres or
//! millions): all readings are kept, and it states what any of them says.

mod chinese;
mod moment;
mod scan;
mod unit;

use rust_decimal::Decimal;

pub use moment::{Date, Time};
pub(crate) use unit::named as units_of;
pub use unit::{Unit, words_for};

/// A number in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// As it stands there, without its unit.
    pub text: String,
    /// What it can mean.
    pub readings: Vec<Reading>,
    /// Whether it is a word (`三`, `百`), which may be no number at all in its place.
    pub in_words: bool,
}

/// One meaning of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its value.
    pub value: Decimal,
    /// What its last written place is worth: 0.01 in `2.50`, 100 in `0.56万`.
    pub step: Decimal,
    /// What it counts, when that is said by a word known here. `¥` may be two.
    pub units: Vec<Unit>,
}

/// All that a text states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Numbers, without those of dates and times.
    pub numbers: Vec<Figure>,
    /// Days.
    pub dates: Vec<Date>,
    /// Times of day.
    pub times: Vec<Time>,
}

impl Figures {
    /// Reads a text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        scan::scan(text)
    }

    /// Whether the text states this number.
    #[must_use]
    pub fn states(&self, value: Decimal, units: &[Unit], tolerance: Option<Decimal>) -> bool {
        self.numbers.iter().flat_map(|figure| &figure.readings).any(|reading| reading.says(value, units, tolerance))
    }

    /// Numbers of this text that stand in none of the others. Numbers in words are left out: `一共` counts nothing.
    pub fn beyond<'a>(&'a self, others: &'a [Figures]) -> impl Iterator<Item = &'a Figure> {
        self.numbers.iter().filter(|figure| !figure.in_words).filter(move |figure| {
            !figure.readings.iter().any(|reading| others.iter().any(|other| other.states(reading.value, &[], None)))
        })
    }
}

impl Reading {
    /// Whether this is the number: rounded to the places that are shown, off by half a percent at most.
    fn says(&self, value: Decimal, units: &[Unit], tolerance: Option<Decimal>) -> bool {
        let unit_fits = units.is_empty() || self.units.is_empty() || self.units.iter().any(|one| units.contains(one));
        let half = Decimal::new(5, 1);
        let off = self.value.checked_sub(value).map(|difference| difference.abs());
        let value_fits = off.is_some_and(|off| match tolerance {
            Some(tolerance) => off <= tolerance,
            None => off.is_zero() || (off <= self.step * half && off <= value.abs() * Decimal::new(5, 3)),
        });
        unit_fits && value_fits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn states(text: &str, value: &str, unit: &str) -> bool {
        let units = unit::named(unit);
        Figures::read(text).states(value.parse().unwrap(), &units, None)
    }

    #[test]
    fn numbers_of_both_scripts() {
        for (text, value, unit) in [
            ("Total: 14.00 EUR", "14", "EUR"),
            ("€14,00", "14", "EUR"),
            ("that is $1,299.00 a month", "1299", "USD"),
            ("1.299,00 €", "1299", "EUR"),
            ("1 299,50 €", "1299.5", "EUR"),
            ("£0.80.", "0.8", "GBP"),
            ("300k", "300000", ""),
            ("0.5M people", "500000", ""),
            ("5万元", "50000", "元"),
            ("1.5亿", "150000000", ""),
            ("三十五块", "35", "元"),
            ("一共两百零五元", "205", "元"),
            ("一万二千", "12000", ""),
            ("二十", "20", ""),
            ("8 % more", "8", "%"),
            ("12 percent", "12", "%"),
            ("-3.5 °C", "-3.5", "°C"),
            ("−3.5℃", "-3.5", "°C"),
            ("6.61 lb", "6.6138678655", "lb"),
            ("= **6.614 磅**", "6.6138678655", "lb"),
            ("1/2", "0.5", ""),
            ("half: 226.8 g", "226.796185", "g"),
            ("1.5e3", "1500", ""),
            ("１２．５元", "12.5", "元"),
            ("16,777,216 bytes", "16777216", ""),
            ("3 apples = 7.50", "7.5", "EUR"),
        ] {
            assert!(states(text, value, unit), "{text} → {value} {unit}: {:?}", Figures::read(text));
        }
    }

    #[test]
    fn what_is_another_number() {
        for (text, value, unit) in [
            ("Total: 14.50 EUR", "14", "EUR"),
            ("14 USD", "14", "EUR"),
            ("6.6 kg", "6.6138678655", "lb"),
            ("7 lb", "6.6138678655", "lb"),
            ("31000 g = 68.34 lb", "6.6138678655", "lb"),
            ("SHA-256 of it", "256", ""),
            ("Base64", "64", ""),
            ("at 14:30", "14", ""),
            ("2026-03-14", "14", ""),
            ("114", "14", ""),
        ] {
            assert!(!states(text, value, unit), "{text} → {value} {unit}: {:?}", Figures::read(text));
        }
    }

    #[test]
    fn days_and_times() {
        let date = |text: &str, iso: &str| {
            assert!(
                Figures::read(text).dates.contains(&iso.parse().unwrap()),
                "{text}: {:?}",
                Figures::read(text).dates
            )
        };
        for text in [
            "2026-03-01",
            "on 1 March 2026",
            "March 1st, 2026",
            "2026年3月1日",
            "2026/3/1",
            "Sunday, 01 Mar 2026",
            "1.3.2026",
            "2026年3月1号",
        ] {
            date(text, "2026-03-01");
        }
        let time = |text: &str, at: &str| {
            assert!(Figures::read(text).times.contains(&at.parse().unwrap()), "{text}: {:?}", Figures::read(text).times)
        };
        for text in
            ["17:30", "5:30 pm", "5.30pm", "5:30 p.m.", "下午5点半", "下午五点半", "17点30分", "17：30", "下午5:30"]
        {
            time(text, "17:30");
        }
        for text in ["9 a.m.", "9am", "早上9点", "9:00", "09:00", "上午九点", "9点"] {
            time(text, "09:00");
        }
        time("Sunday 8-13", "13:00");
        time("open 8:00–18", "18:00");
    }

    #[test]
    fn figures_beyond_those_that_are_known() {
        let known = [Figures::read("3 apples"), Figures::read("apple 2.50 EUR")];
        let new = |text: &str| Figures::read(text).beyond(&known).map(|figure| figure.text.clone()).collect::<Vec<_>>();
        assert_eq!(new("3 × 2.50 = 7.50 EUR"), ["7.50"]);
        assert!(new("I do not know 3 apples at 2.5").is_empty() && new("一共没有").is_empty());
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_it_was_written(units in 0_i64..10_000_000, cents in 0_u32..100) {
            let value = Decimal::new(units * 100 + i64::from(cents), 2);
            let grouped = grouped(units);
            for text in [format!("it is {value} EUR."), format!("€{grouped}.{cents:02}"), format!("一共{units}.{cents:02}元。")] {
                let figures = Figures::read(&text);
                prop_assert!(figures.states(value, &[], None), "{} {:?}", text, figures);
                // One more in the last place is another number.
                prop_assert!(!figures.states(value + Decimal::new(2, 2), &[], None), "{} {:?}", text, figures);
            }
        }

        #[test]
        fn chinese_numerals_are_read(number in 1_u32..99_999_999) {
            let text = format!("共{}个", chinese::written(number));
            prop_assert!(Figures::read(&text).states(Decimal::from(number), &[], None), "{} {}", number, text);
        }

        #[test]
        fn any_text_can_be_read(text in "\\PC{0,80}") {
            let _ = Figures::read(&text);
        }

        #[test]
        fn any_text_of_figures_can_be_read(text in "[0-9.,:/万亿千百十一二点半月日年kKmM%€$¥ a-c-]{0,40}") {
            let _ = Figures::read(&text);
        }
    }

    fn grouped(number: i64) -> String {
        let digits = number.to_string();
        let mut out = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        out
    }
}
