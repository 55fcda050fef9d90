//! Code that the daemon did not write, run by the real host: plugins that behave, fail, hang and lie, and tools under test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(unreachable_pub, missing_docs)]

#[path = "../support/alone.rs"]
mod alone;
mod c;
mod faults;
mod host;
mod place;
mod refusals;
mod reload;
mod tool_tests;

nexus_sandbox::stage_before_main!();
