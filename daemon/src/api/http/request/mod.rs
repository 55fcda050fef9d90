//! Reading a request: its fields by rules that are its schema too, its body within a limit, its arguments for handlers.

pub(crate) mod bodies;
pub(crate) mod extract;
pub(crate) mod fields;
pub(crate) mod input;
pub(crate) mod rules;
