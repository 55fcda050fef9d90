//! Store and queue: one contract over every backend, and what only one of them can do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(unreachable_pub, missing_docs)]

#[path = "../support/mod.rs"]
mod support;

#[macro_use]
mod contract;
#[cfg(feature = "aws")]
mod aws;
mod sqlite;
