//! The walls against code that tries them, as an ordinary user.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bench;
mod life;

nexus_sandbox::stage_before_main!();
