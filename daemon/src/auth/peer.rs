//! Who is at the other end of the Unix socket, by what the kernel says of it: the daemon's own user and root are admins,
//! and nobody else comes in.
//!
//! Code that nobody wrote runs as the daemon's user, too. It is confined, and what is confined shows: it has a seccomp
//! filter and cannot gain privileges. Such a process is nobody here, whatever its uid is.

use std::fs;

/// Who connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The user.
    pub uid: u32,
    /// The process, when the kernel says.
    pub pid: Option<i32>,
}

/// Why a peer does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// Another user.
    #[error("the peer is another user")]
    User,
    /// A process of the daemon's user that is confined.
    #[error("the peer is a confined process")]
    Confined,
    /// A process that cannot be looked at.
    #[error("the peer's process is unknown")]
    Unknown,
}

impl Peer {
    /// Whether it may act as an admin.
    ///
    /// # Errors
    /// It may not.
    pub fn admit(self) -> Result<(), Stranger> {
        let own = rustix::process::geteuid().as_raw();
        if self.uid != own && self.uid != 0 {
            return Err(Stranger::User);
        }
        let pid = self.pid.ok_or(Stranger::Unknown)?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| Stranger::Unknown)?;
        if is_confined(&status) && !is_confined_as_we_are(&status) { Err(Stranger::Confined) } else { Ok(()) }
    }
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim()
}

/// By a filter of system calls and the mark that it cannot be shed.
fn is_confined(status: &str) -> bool {
    field(status, "Seccomp") == "2" && field(status, "NoNewPrivs") == "1"
}

/// A container, or a service manager, may have put filters on everything here; what has no more of them than the daemon
/// is not confined by it.
fn is_confined_as_we_are(status: &str) -> bool {
    let own = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let filters = |status: &str| field(status, "Seccomp_filters").parse::<u32>().ok();
    is_confined(&own) && filters(status).is_some() && filters(status) <= filters(&own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_user_and_root_come_in() {
        let uid = rustix::process::geteuid().as_raw();
        let pid = i32::try_from(std::process::id()).ok();
        assert_eq!(Peer { uid, pid }.admit(), Ok(()));
        assert_eq!(Peer { uid: uid + 1, pid }.admit(), Err(Stranger::User));
        assert_eq!(Peer { uid, pid: None }.admit(), Err(Stranger::Unknown));
        assert_eq!(Peer { uid, pid: Some(i32::MAX) }.admit(), Err(Stranger::Unknown));
    }

    #[test]
    fn a_filter_that_cannot_be_shed_marks_what_is_confined() {
        assert!(is_confined("Name:\tpython3\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n"));
        assert!(!is_confined("NoNewPrivs:\t0\nSeccomp:\t2\n") && !is_confined("NoNewPrivs:\t1\nSeccomp:\t0\n"));
    }
}
