//! Paths that only the original's clients use: its login, its flat control paths, its forms of tools. Removable in one piece.

pub(crate) mod auth;
pub(crate) mod tools;
pub(crate) mod workflow;
