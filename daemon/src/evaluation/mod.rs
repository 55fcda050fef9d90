//! Measures what agents are worth: builds an agent from each requirement of a set, asks its questions, judges the answers.
//!
//! - [`set`] reads the set; `run` does the asking, over a [`Subject`]; [`journal`] keeps every row, so that an
//!   interrupted run goes on and a crash of the harness never counts as a failure of an agent.
//! - [`results`] judges the rows: a pure function of set and journal. [`report`] puts them into words; [`compare`] sets two
//!   runs side by side.
//!
//! Rules judge, in `nexus-evaluation`; how a daemon is reached is the caller's matter (`cli/eval`).

pub mod compare;
pub mod journal;
pub mod report;
pub mod results;
pub mod run;
pub mod set;
mod tally;

pub use journal::{Built, Journal, Row};
pub use results::Results;
pub use run::{Interrupted, Plan, Subject, run};
pub use set::{Requirement, Set, SetError};
