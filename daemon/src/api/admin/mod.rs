//! For the operator: health, figures, settings, plugins, tools, workflows.

pub(crate) mod config;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod plugins;
pub(crate) mod statistics;
pub(crate) mod system;
pub(crate) mod tools;
pub(crate) mod workflows;
