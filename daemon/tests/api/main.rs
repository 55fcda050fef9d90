//! The API: what it promises, refuses and survives. Over the real listener and the embedded store in this process
//! (`support/api`), or over the real binary where a process counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(unreachable_pub, missing_docs)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod agent_files;
mod agents;
mod answers;
mod attacks;
mod bad_input;
mod budget;
mod client;
mod connections;
mod contract;
mod conversation;
mod faults;
mod flat;
mod full_disk;
mod keys;
mod once;
mod openapi;
mod safety;
mod shed;
mod sse;
mod table;
mod tools;
mod watch;
