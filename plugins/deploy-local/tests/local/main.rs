//! The plugin against real Python processes.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
mod bench;
mod confinement;
mod host_death;
mod lifecycle;
mod misbehaviour;
mod model;
mod races;
mod strands;

nexus_sandbox::stage_before_main!();
