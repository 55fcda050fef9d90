//! Points in time as the tables write them.

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// UTC, microseconds. Written as `2026-01-27T09:14:29.123456Z`, which sorts as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "examples": ["2026-01-27T09:14:29.123456Z"] })
    }
}

/// A text that is no timestamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no ISO-8601 timestamp")]
pub struct InvalidTimestamp(String);

impl Timestamp {
    /// The system clock's time.
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This much later; saturates.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Time since `earlier`; zero when that is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Bytes of the written form.
const WRITTEN: usize = 27;

impl Timestamp {
    /// The written form. Lists write many of these, so the digits are put down one by one.
    fn written(self) -> Option<[u8; WRITTEN]> {
        use chrono::{Datelike as _, Timelike as _};
        let at = DateTime::<Utc>::from_timestamp_micros(self.0)?;
        let year = u32::try_from(at.year()).ok().filter(|year| *year < 10_000)?;
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let fields = [
            (0, 4, year),
            (5, 2, at.month()),
            (8, 2, at.day()),
            (11, 2, at.hour()),
            (14, 2, at.minute()),
            (17, 2, at.second()),
            (20, 6, at.timestamp_subsec_micros()),
        ];
        for (from, digits, mut number) in fields {
            for byte in text.get_mut(from..from + digits)?.iter_mut().rev() {
                *byte = b'0' + u8::try_from(number % 10).unwrap_or(0);
                number /= 10;
            }
        }
        Some(text)
    }

    /// Reads the written form, and nothing else.
    fn read(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
        if bytes.len() != WRITTEN || marks.iter().any(|(at, mark)| bytes.get(*at) != Some(mark)) {
            return None;
        }
        let number = |from: usize, digits: usize| -> Option<u32> {
            let field = bytes.get(from..from + digits)?;
            field.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
        };
        let date = chrono::NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 2)?, number(8, 2)?)?;
        let at = date.and_hms_micro_opt(number(11, 2)?, number(14, 2)?, number(17, 2)?, number(20, 6)?)?;
        Some(Self(at.and_utc().timestamp_micros()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.written().unwrap_or(*b"1970-01-01T00:00:00.000000Z");
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Takes any offset, and none at all as UTC: the original's services wrote both.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(at) = Self::read(text) {
            return Ok(at);
        }
        let with_zone = DateTime::parse_from_rfc3339(text).map(|at| at.timestamp_micros());
        let micros = with_zone.or_else(|_| {
            chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .map(|at| at.and_utc().timestamp_micros())
        });
        micros.map(Self).map_err(|_| InvalidTimestamp(text.chars().take(64).collect()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let text = self.written().unwrap_or(*b"1970-01-01T00:00:00.000000Z");
        s.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_the_contract_form() {
        let at: Timestamp = "2026-01-27T09:14:29.123456Z".parse().unwrap();
        assert_eq!(at.to_string(), "2026-01-27T09:14:29.123456Z");
        assert_eq!("2026-01-27T09:14:29.123456".parse::<Timestamp>().unwrap(), at);
        assert_eq!("2026-01-27T10:14:29.123456+01:00".parse::<Timestamp>().unwrap(), at);
        for bad in
            ["yesterday", "2026-13-27T09:14:29.123456Z", "2026-01-27T25:14:29.123456Z", "2026-01-27T09:14:29.12345xZ"]
        {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
        for micros in [0, -1, 1, 951_782_400_000_000, 4_102_444_799_999_999, 253_402_300_799_999_999] {
            let at = Timestamp::from_micros(micros);
            assert_eq!(at.to_string().parse(), Ok(at), "{at}");
        }
        // Leap years, month ends, the year 2000: as chrono has them.
        for day in 0..40_000 {
            let at = Timestamp::from_micros(day * 86_400_000_000 + 123_456);
            let known = DateTime::<Utc>::from_timestamp_micros(at.as_micros()).unwrap();
            assert_eq!(at.to_string(), known.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
        }
    }
}
