//! Deploy targets: which handler serves an agent, by the settings of the moment.

use crate::{
    config::DeployConfig,
    domain::failure::{Failure, FailureKind},
};

/// The target that deploys nothing.
pub const NONE: &str = "none";
/// The target whose agents run on this machine.
pub const LOCAL: &str = "local";

/// The handler of a target, as `plugin/handler`.
///
/// # Errors
/// No target has this name (any more).
pub fn handler_of(deploy: &DeployConfig, target: &str) -> Result<String, Failure> {
    deploy.targets.get(target).cloned().ok_or_else(|| {
        let known: Vec<&str> = deploy.targets.keys().map(String::as_str).collect();
        let message = format!("no deploy target is named {target:?}; configured are: {}", known.join(", "));
        Failure::new(FailureKind::Permanent, message)
    })
}
