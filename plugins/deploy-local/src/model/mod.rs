//! Whether an agent asks a language model, and what it is told of it: the way to the daemon's gate, never a provider's key.

mod access;
mod run;

pub(crate) use access::{Access, gate_variables, takes_own_model};
pub(crate) use run::{Planning, Run, plan};
