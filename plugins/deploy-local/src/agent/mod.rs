//! One agent: its keeper decides alone about its process, so nothing has to be locked.
//!
//! ```text
//!          first use                ready                  crash
//!   Idle ────────────▶ Starting ──────────▶ Running ────────────────▶ Backoff ──▶ Starting
//!     ▲                    │                   │                         │
//!     │                    ▼ not ready         │ rested, evicted         ▼ budget spent
//!     │                  Failed ◀──────────────┼───────────────────── Failed
//!     └────────────────────────────────────────┘     (the next use after a wait tries again)
//! ```

mod code;
mod command;
mod crashes;
mod keeper;
mod lease;
mod ready;
mod start;
mod state;
mod view;

pub(crate) use code::Code;
pub(crate) use command::{Command, Waiter};
pub(crate) use keeper::{House, Keeper, forget};
pub(crate) use lease::{End, Lease, Usage};
pub(crate) use start::{prepared, with_output_in_log};
pub(crate) use view::{View, status};
