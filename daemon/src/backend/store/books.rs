//! The books of what language models cost: before a call the most that it can cost is set aside, afterwards what it did cost stays.
//!
//! An account holds what is spent and what is set aside in one figure, so that nothing has to happen for a call whose daemon
//! died: what it had set aside counts as spent from the first moment. Only a settlement ever lowers it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::domain::time::Timestamp;

/// Money in millionths of a millionth of a dollar, and tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub cost: u64,
    pub tokens: u64,
}

impl Amount {
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { cost: self.cost.saturating_add(other.cost), tokens: self.tokens.saturating_add(other.tokens) }
    }

    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self { cost: self.cost.saturating_sub(other.cost), tokens: self.tokens.saturating_sub(other.tokens) }
    }
}

/// An account that a call is booked on, with its limits; `None` is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Such as `project:<id>` or `day:2026-11-29`.
    pub name: String,
    pub most_cost: Option<u64>,
    pub most_tokens: Option<u64>,
}

impl Account {
    /// The account with its own limits, too: of two the narrower one holds.
    #[must_use]
    pub fn within(&self, own: Limits) -> Self {
        let narrower = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        Self {
            name: self.name.clone(),
            most_cost: narrower(self.most_cost, own.cost),
            most_tokens: narrower(self.most_tokens, own.tokens),
        }
    }

    /// Whether the account can hold this much.
    #[must_use]
    pub fn holds(&self, used: Amount) -> bool {
        self.most_cost.is_none_or(|most| used.cost <= most) && self.most_tokens.is_none_or(|most| used.tokens <= most)
    }
}

/// Limits that are kept with an account itself; `None` is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    pub cost: Option<u64>,
    pub tokens: Option<u64>,
}

/// An account as it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statement {
    /// Calls under way included.
    pub used: Amount,
    pub limits: Limits,
}

/// What is set aside for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCall {
    /// A repeated reservation under one id is one reservation.
    pub call_id: String,
    /// The most that one attempt can cost.
    pub most: Amount,
    /// Past it nobody is expected to settle the call any more.
    pub ends_at: Timestamp,
    /// No account twice.
    pub accounts: Vec<Account>,
}

/// Whether an amount was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Booking {
    Done,
    /// The account that cannot hold it, with what is used of it; nothing was booked on any.
    Exhausted {
        account: Account,
        used: Amount,
    },
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    Reserved,
    /// What was set aside is spent for good, unless a settlement comes after all.
    Expired,
    Settled,
}

impl CallState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Expired => "expired",
            Self::Settled => "settled",
        }
    }
}

/// See the module. Each method is one unit.
#[async_trait]
pub trait Books: Send + Sync + 'static {
    /// Sets aside the most that the call can cost, on all of its accounts or on none.
    async fn reserve_call(&self, call: NewCall) -> Result<Booking>;

    /// Sets aside as much once more, for another attempt under the same id. The call's accounts with their limits of now.
    async fn extend_call(&self, call_id: &str, accounts: Vec<Account>) -> Result<Booking>;

    /// Books what the call did cost in place of what was set aside; `None` keeps that. Answers what is booked, or nothing
    /// when the call is unknown. A second settlement changes nothing.
    async fn settle_call(&self, call_id: &str, spent: Option<Amount>) -> Result<Option<Amount>>;

    /// Marks calls that nobody settled in time, and forgets settled ones that ended before `forget`; answers how many were marked.
    async fn expire_calls(&self, now: Timestamp, forget: Timestamp) -> Result<u64>;

    /// Replaces the limits that an account has of its own. They hold from the next reservation on.
    async fn limit_account(&self, name: &str, limits: Limits) -> Result<()>;

    /// What is used of an account, and its own limits; nothing and none when nobody knows it.
    async fn account(&self, name: &str) -> Result<Statement>;
}
