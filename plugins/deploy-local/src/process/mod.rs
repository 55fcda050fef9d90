//! One agent process: what it is started with, what becomes of its output, and how it ends. Its walls are
//! `nexus_sandbox`'s.

mod child;
mod environment;
mod listening;
mod log;
mod output;
mod walls;

pub(crate) use child::Process;
pub(crate) use environment::environment;
pub(crate) use listening::ports_of_group;
pub(crate) use log::{LOG_NAME, remove_logs};
pub(crate) use output::Output;
pub(crate) use walls::{SOCKET_NAME, sandbox};
