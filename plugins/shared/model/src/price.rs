//! What tokens cost. Whole numbers only: budgets must add up to the digit.

use serde::{Deserialize, Serialize};

use crate::Usage;

/// Money in millionths of a millionth of a dollar: with prices in millionths of a dollar for a million tokens, no call is rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cost(pub u64);

impl Cost {
    pub const ZERO: Self = Self(0);
    const A_DOLLAR: u64 = 1_000_000_000_000;

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// For people and for JSON; never for adding up.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shown, not added up")]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / Self::A_DOLLAR as f64
    }
}

/// Prices of one model, in millionths of a dollar for a million tokens (which is picodollars for one token).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Price {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

impl Price {
    #[must_use]
    pub fn of(&self, usage: &Usage) -> Cost {
        let parts = [
            (usage.input, self.input),
            (usage.output, self.output),
            (usage.cache_read, self.cache_read),
            (usage.cache_write, self.cache_write),
        ];
        Cost(parts.iter().fold(0_u64, |sum, (tokens, price)| sum.saturating_add(tokens.saturating_mul(*price))))
    }

    /// The most that so many tokens can cost, however the provider sorts the input.
    #[must_use]
    pub fn most(&self, input: u64, output: u64) -> Cost {
        let dearest = self.input.max(self.cache_read).max(self.cache_write);
        Cost(input.saturating_mul(dearest).saturating_add(output.saturating_mul(self.output)))
    }
}
