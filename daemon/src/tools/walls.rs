//! What holds code that nobody here wrote: the operator's choice, what this kernel gives, and what is said of both at the
//! start, by `/health` and by `nexusd check-config`.

use nexus_sandbox::{Mode, Settings, Walls};

use crate::config::SandboxConfig;

/// Hands the choice on to all that confines, plugins included, and says what it comes to.
pub fn put_up(config: SandboxConfig) {
    if let Err(error) = nexus_sandbox::configure(Settings { mode: config.mode, allow_weaker: config.allow_weaker }) {
        tracing::error!(%error, "tools, tests and agents cannot be confined, so none is started");
        return;
    }
    let walls = Walls::probe();
    tracing::info!(walls = walls.summary(), mode = ?config.mode, "tools, tests and agents are confined");
    for trouble in troubles(config, &walls) {
        tracing::warn!("{trouble}");
    }
}

/// What keeps such code from being started, or is missing while it is started all the same.
#[must_use]
pub fn troubles(config: SandboxConfig, walls: &Walls) -> Vec<String> {
    let mut troubles = Vec::new();
    if !walls.hold() {
        let lacking = [(walls.landlock.is_some(), "Landlock"), (walls.seccomp, "seccomp")];
        let lacking: Vec<&str> = lacking.iter().filter(|(there, _)| !there).map(|(_, name)| *name).collect();
        let lacking = lacking.join(" and ");
        troubles.push(if config.allow_weaker {
            format!("this system gives no {lacking}: tools, tests and agents run without ([sandbox] allow_weaker)")
        } else {
            format!("this system gives no {lacking}: tools are not tried out, agents neither verified nor started")
        });
    }
    if config.mode == Mode::Bwrap && walls.bubblewrap.is_none() {
        troubles
            .push("[sandbox] mode is \"bwrap\", and bubblewrap is not installed: no such code is started".to_owned());
    }
    troubles
}

/// What to do about it.
pub const REMEDY: &str = "use a Linux of 5.13 or newer with `landlock` among its security modules, let the unit's \
    SystemCallFilter pass landlock_create_ruleset, landlock_add_rule, landlock_restrict_self and seccomp, or set \
    [sandbox] allow_weaker = true";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_and_what_follows_from_it() {
        let mut walls = Walls::probe();
        walls.bubblewrap = None;
        (walls.landlock, walls.seccomp) = (Some(7), true);
        let config = SandboxConfig::default();
        assert_eq!(troubles(config, &walls), Vec::<String>::new());
        assert_eq!(troubles(SandboxConfig { mode: Mode::Bwrap, ..config }, &walls).len(), 1);
        walls.landlock = None;
        assert!(troubles(config, &walls)[0].contains("neither verified nor started"));
        let allowed = SandboxConfig { allow_weaker: true, ..config };
        assert!(troubles(allowed, &walls)[0].contains("run without"));
    }
}
