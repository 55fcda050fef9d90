//! The supervision tree.

pub mod events;
