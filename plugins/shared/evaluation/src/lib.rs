//! Judges what an agent answers, by rules alone: the same answer always gets the same verdict.
//!
//! - [`figure`] reads numbers, dates and times of day out of a text, in Latin and Chinese script.
//! - [`Oracle`] says what a right answer states, what it must not state, or that it must be a refusal.
//! - [`judge`] compares an answer with its oracle.
//! - [`Acceptance`] is what a build found out about its agent.
//! - [`statistics`] counts over many verdicts: pass@k, pass^k, Wilson's band, Fisher's exact test.
//!
//! Used by the daemon (`nexusd eval`) and by the build's manager stage, so that both mean the same by "right".
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod acceptance;
mod decline;
pub mod figure;
mod nonsense;
mod oracle;
pub mod statistics;
pub mod text;
mod verdict;

pub use acceptance::{Acceptance, Coverage, Item, NotServed, Outcome};
pub use oracle::{Expected, Oracle, OracleError};
pub use verdict::{Answer, Call, Judgement, Turn, Verdict, judge};
