//! Builds with a model: a double on loopback says what a model would, everything else is real.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]
#![allow(dead_code, unreachable_pub)]

mod answers;
mod build;
#[path = "../common/mod.rs"]
mod common;
mod double;
mod failures;
mod nine_stages;
#[path = "../../../shared/model/tests/support/server.rs"]
mod server;
mod written;
