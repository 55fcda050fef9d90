//! What this program calls itself. `build.rs` says what it was built from.

/// The version, and the commit of a release build.
pub const FULL: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("NEXUSD_BUILT_FROM"), ")");
