//! The walls against code that tries them, as an ordinary user.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod attacks;
mod bench;
mod bounds;
mod controls;
mod groups;
mod hidden;
mod life;
mod unit;
mod victim;

nexus_sandbox::stage_before_main!();
