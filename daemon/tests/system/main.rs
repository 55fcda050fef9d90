//! The real `nexusd` from outside, as people and machines use it. One binary: most of these tests wait most of the time,
//! for a daemon or for the fuzzer, and so they do it side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::print_stdout)] // figures for the reader of the log

#[path = "../support/mod.rs"]
mod support;

mod access;
mod agents;
mod api_fuzz;
mod backup;
mod broken_plugins;
#[cfg(feature = "aws")]
mod chaos;
mod clients;
mod clock;
#[cfg(feature = "aws")]
mod cloud;
mod command_line;
mod crash;
mod evaluation;
mod files;
mod folders;
mod main_job;
mod messages;
mod model_agents;
mod model_author;
mod no_more_files;
mod products;
mod reload;
mod retention;
mod service;
mod stop;
mod suspects;
mod terminal;
mod told;
#[cfg(feature = "aws")]
mod verified;
mod words;
