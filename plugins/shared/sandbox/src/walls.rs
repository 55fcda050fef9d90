//! Which walls this system gives, and what is missing for a policy.
#![allow(unsafe_code)] // asks the kernel by bare system calls; each says why it is harmless

use std::{io, path::PathBuf};

use serde::Serialize;

use crate::{cgroup, policy::Policy};

/// What the kernel gives to an unprivileged process that confines itself. Probed, not guessed from a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Walls {
    /// Version of Landlock's interface; `None` where there is none.
    pub landlock: Option<u32>,
    /// Whether system calls can be filtered.
    pub seccomp: bool,
    /// Controllers of the delegated control group; `None` where none is delegated.
    pub cgroup: Option<Vec<String>>,
    /// Where `bwrap` is.
    pub bubblewrap: Option<PathBuf>,
    /// What is not there, or is made up for by something weaker; in words for people.
    pub missing: Vec<String>,
}

impl Walls {
    /// Asks the kernel. Cheap: some system calls.
    #[must_use]
    pub fn probe() -> Self {
        let (landlock, seccomp) = (landlock_version(), has_seccomp());
        let mut missing = Vec::new();
        match &landlock {
            Err(e) => missing.push(format!(
                "Landlock ({e}): files cannot be walled. It needs Linux 5.13 with `landlock` among the security modules (`lsm=` of the kernel's command line); under systemd, SystemCallFilter must let landlock_create_ruleset, landlock_add_rule and landlock_restrict_self through"
            )),
            Ok(version) => missing.extend(older(*version).map(Into::into)),
        }
        if !seccomp {
            missing.push(
                "seccomp filters: system calls cannot be walled; under systemd, SystemCallFilter must let seccomp through"
                    .into(),
            );
        }
        let cgroup = cgroup::delegated().map(|group| group.controllers().to_vec());
        match &cgroup {
            None => missing.push(
                "a delegated control group (Delegate=yes): memory and processes of a tree are counted by looking, some times a second"
                    .into(),
            ),
            Some(controllers) => {
                let without: Vec<&str> =
                    ["memory", "pids", "cpu"].into_iter().filter(|name| !controllers.iter().any(|c| c == name)).collect();
                if !without.is_empty() {
                    missing.push(format!("controllers of the delegated control group: {}", without.join(", ")));
                }
            }
        }
        Self { landlock: landlock.ok(), seccomp, cgroup, bubblewrap: bubblewrap(), missing }
    }

    /// Whether code can be confined at all.
    #[must_use]
    pub fn hold(&self) -> bool {
        self.landlock.is_some() && self.seccomp
    }

    /// One line for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let landlock = self.landlock.map_or("no Landlock".to_owned(), |version| format!("Landlock {version}"));
        let seccomp = if self.seccomp { "seccomp" } else { "no seccomp" };
        let cgroup = match &self.cgroup {
            Some(controllers) if controllers.is_empty() => "a control group without controllers".to_owned(),
            Some(controllers) => format!("a control group with {}", controllers.join(", ")),
            None => "no control group".to_owned(),
        };
        format!("{landlock}, {seccomp}, {cgroup}")
    }
}

/// What a Landlock that is no longer the newest does not know, where something else stands in for it.
fn older(version: u32) -> Option<&'static str> {
    match version {
        0..4 => Some(
            "Landlock's rules for TCP ports (Linux 6.7): agents get no TCP at all, but for the socket that is handed to them",
        ),
        4..6 => Some(
            "Landlock's scopes of signals and abstract sockets (Linux 6.12): signals reach the sender's own process and group only, unix sockets cannot be made",
        ),
        _ => None,
    }
}

/// What a policy needs and a Landlock of this version cannot give; empty when all of it holds.
pub(crate) fn missing_for(policy: &Policy, landlock: Option<u32>, seccomp: bool) -> Vec<String> {
    let mut missing = Vec::new();
    match landlock {
        None => missing.push("Landlock".to_owned()),
        Some(version) if version < 4 && !(policy.connect.is_empty() && policy.bind.is_empty()) => missing.push(
            "rules for TCP ports (Landlock 4, Linux 6.7), which the ports in `connect` or `bind` need".to_owned(),
        ),
        Some(_) => {}
    }
    if !seccomp {
        missing.push("seccomp".to_owned());
    }
    missing
}

/// The version, held down to `at_most`.
pub(crate) fn landlock_up_to(at_most: Option<u32>) -> Option<u32> {
    let version = landlock_version().ok()?;
    Some(version.min(at_most.unwrap_or(version))).filter(|version| *version > 0)
}

fn landlock_version() -> io::Result<u32> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag and no attributes the call only answers with a number.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) };
    u32::try_from(version).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn has_seccomp() -> bool {
    const ACTION_AVAILABLE: libc::c_uint = 2;
    let action: u32 = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the call reads the number behind the pointer, which lives as long as the call, and changes nothing.
    unsafe { libc::syscall(libc::SYS_seccomp, ACTION_AVAILABLE, 0, &raw const action) == 0 }
}

pub(crate) fn bubblewrap() -> Option<PathBuf> {
    ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"].map(PathBuf::from).into_iter().find(|path| path.is_file())
}
