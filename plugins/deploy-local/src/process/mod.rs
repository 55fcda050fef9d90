//! One agent process: what it is started with, what becomes of its output, and how it ends.

mod child;
mod entrypoint;
mod environment;
mod limits;
mod listening;
mod log;
mod output;
mod spawner;
mod strays;
mod tether;

pub(crate) use child::{Launch, Process};
pub(crate) use entrypoint::Entrypoint;
pub(crate) use environment::environment;
pub(crate) use limits::Limits;
pub(crate) use listening::ports_of_group;
pub(crate) use log::{LOG_NAME, remove_logs};
pub(crate) use output::Output;
pub(crate) use spawner::Spawner;
