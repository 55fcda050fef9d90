//! nexusd.
fn main() {}
