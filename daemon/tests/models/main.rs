//! The gate to language models: real store, real doors, and providers that say what a test wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(unreachable_pub, missing_docs)]

mod books;
mod doors;
mod page;
mod world;
