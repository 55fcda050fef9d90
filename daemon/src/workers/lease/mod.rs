//! Leases of running work: the [`book`] lists them, the [`keeper`] renews them.

pub mod book;
pub mod keeper;

pub use book::{Claimant, Holding, LeaseBook, LeaseNews};
pub use keeper::{LeaseKeeper, LeaseMessage};
