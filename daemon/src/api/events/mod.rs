//! Watching all projects at once.

pub(crate) mod all;
pub(crate) mod wanted;
pub(crate) mod websocket;
