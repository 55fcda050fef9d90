//! What the process does to itself before it does anything else: files that it makes are its user's alone, nobody looks
//! into its memory, and it does not run as root unless it is told to.

use rustix::{
    fs::Mode,
    process::{DumpableBehavior, geteuid, set_dumpable_behavior, umask},
};

/// Files and folders that are made from now on are for this user alone.
pub(super) fn keep_files_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Whether somebody said that it may run as root, by the option or by the variable. The variable is no default of the
/// option: a command that is given nothing shows its help, and a default would be something.
pub(super) fn may_be_root(option: bool) -> bool {
    let no = |value: &str| ["", "0", "n", "no", "f", "false", "off"].contains(&value.to_ascii_lowercase().as_str());
    option || std::env::var("NEXUSD_ALLOW_ROOT").is_ok_and(|value| !no(&value))
}

/// Shuts the daemon in.
///
/// # Errors
/// It runs as root, and nobody said that it may.
pub(super) fn shut_in(allow_root: bool) -> Result<(), String> {
    if geteuid().is_root() && !allow_root {
        return Err(
            "nexusd does not run as root: it runs code that nobody wrote, and whatever gets out of its walls would have the \
             whole machine\n  run it as a user of its own (the unit in systemd/ does), or say --allow-root, or set \
             NEXUSD_ALLOW_ROOT=1, where the machine is nothing but its container"
                .to_owned(),
        );
    }
    // No core dump, no ptrace, no look into /proc/<pid>/mem and environ by processes of the same user: agents are such.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| format!("the kernel does not let the process shut itself in: {error}"))
}
