//! What deploy handlers have in common, so that an agent is the same wherever it runs: what its folder says of itself,
//! which variables its deployment gives it, and how its answer is read.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

pub mod answer;
mod entrypoint;
mod recorded;
mod requirements;
mod variables;
mod wish;

pub use entrypoint::{Entrypoint, Listens};
pub use recorded::verify_recorded;
pub use requirements::{FILE as REQUIREMENTS_FILE, Requirements};
pub use variables::{is_variable_name, own_variables};
pub use wish::{Use, Wish};
