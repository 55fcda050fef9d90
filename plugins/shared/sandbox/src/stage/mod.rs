//! The hidden run of a program that confines others: a keeper, which stays outside the walls, and its child, which
//! walls itself in and becomes the confined program.
//!
//! ```text
//! keeper   reads the policy, forks, watches limits of the whole tree, ends it, tells how it ended
//! child    session, limits, privileges → files (Landlock) → calls (seccomp) → exec
//! tree     who belongs to the tree, and its end
//! namespaces   the same inside bubblewrap's
//! watch    what the kernel counts for no tree: memory, processes and disk of all together
//! ```
//!
//! Both have one thread, so the child may do what it likes between fork and exec.

mod calls;
mod child;
mod files;
mod keeper;
mod limits;
mod namespaces;
mod privileges;
mod tree;
mod watch;

pub(crate) use namespaces::inner;

use std::io;

use crate::policy::{Fault, Step};

/// The whole run; it ends here.
pub(crate) fn run() -> ! {
    let code = keeper::keep();
    std::process::exit(code)
}

/// Says at which step an error came.
trait At<T> {
    fn at(self, step: Step) -> Result<T, Fault>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, step: Step) -> Result<T, Fault> {
        self.map_err(|error| Fault { step, message: error.to_string(), code: error.raw_os_error() })
    }
}

/// The answer of a bare system call.
fn checked(answer: impl Into<i64>) -> io::Result<i64> {
    let answer = answer.into();
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

#[cfg(test)]
mod tests {
    use crate::policy::{Limits, Policy, Profile};

    /// What tests change something of.
    pub(super) fn policy() -> Policy {
        Policy {
            profile: Profile::Agent,
            program: "/bin/true".into(),
            arguments: Vec::new(),
            folder: "/tmp".into(),
            environment: Vec::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            connect: vec![1],
            bind: vec![0],
            socket: None,
            limits: Limits::default(),
            allow_weaker: false,
            landlock_at_most: None,
            group: None,
            bwrap: None,
        }
    }
}
