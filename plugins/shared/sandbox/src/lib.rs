//! The one way in which nexusd and its plugins start a process whose code is not theirs: generated tools and tests,
//! and agents.
//!
//! ```text
//! sandbox   what a caller says: program, reads, writes, connect, bind, limits, environment
//! policy    the same, as it travels
//! host      how a program comes to its hidden stage
//! confined  the running process as its owner holds it
//! stage/    the hidden run: keeper, child, walls
//! walls     what this kernel gives; cgroup: what systemd delegates
//! socket    how an owner reaches what it confined
//! python    which files belong to an interpreter
//! leftovers removes what confined code has written
//! recorded  whether a folder's files are what somebody wrote
//! ```
//!
//! A program that confines others calls [`run_if_asked`] first of all in its `main`; a test binary says
//! [`stage_before_main!`]. Then [`Sandbox::spawn`] works in it and in the plugins that it loaded.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic))]

pub mod cgroup;
mod confined;
mod error;
mod host;
pub mod leftovers;
mod policy;
mod python;
pub mod recorded;
mod sandbox;
mod socket;
mod stage;
mod walls;

pub use confined::{Confined, Ending};
pub use error::SandboxError;
pub use host::{STAGE, Settings, configure, run_if_asked, settings};
pub use policy::{Breach, Limits, Mode, Profile};
pub use python::Interpreter;
pub use sandbox::{Sandbox, Stdio};
pub use socket::{connect, token};
pub use walls::Walls;

#[cfg(test)]
stage_before_main!();
