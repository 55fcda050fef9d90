//! What the daemon tells about itself: log lines and metrics.
//!
//! `names` lists every metric; whoever counts something takes its name from there, `zeros` makes counters stand at 0; `told` writes the operator's lines. `init` sets both up at start.

mod init;
pub mod names;
mod plain;
pub mod told;
pub mod zeros;

pub use init::{Readers, Telemetry, TelemetryError};
