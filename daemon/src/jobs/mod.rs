//! Work that a plugin does for the daemon: a stage of a build, a deployment, a question to an agent. Whatever it is, it goes
//! through [`run_job`].

pub mod agent_ref;
pub mod deployed;
pub mod executor;
mod fetched;
pub mod host;
pub mod run;
pub mod targets;

pub use deployed::{ANSWER_LIMIT, BuildsHere, DeployedAgents, Question, public_message};
pub use run::{Counts, Late, Limit, Listener, Order, run_job};
