//! What the child does between fork and exec: it ties itself to the daemon's life and limits itself.
#![allow(unsafe_code)] // pre_exec and close_range have no safe form; the reasons stand at each use

use std::io;

use rustix::process::{
    Resource, Rlimit, Signal, getpid, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};
use tokio::process::Command;

use crate::Settings;

/// Resource limits of a child; `None` leaves the daemon's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    memory: Option<u64>,
    cpu_secs: Option<u64>,
    files: Option<u64>,
    processes: Option<u64>,
}

impl Limits {
    pub(crate) fn from_settings(settings: &Settings) -> Self {
        let limit = |value: u64| (value > 0).then_some(value);
        Self {
            memory: limit(settings.memory_limit_mb.saturating_mul(1024 * 1024)),
            cpu_secs: limit(settings.cpu_limit_secs),
            files: limit(settings.max_open_files),
            processes: limit(settings.max_processes),
        }
    }

    /// The limits as the kernel takes them, none above what the daemon itself may have.
    fn resolved(self) -> [Option<(Resource, Rlimit)>; 5] {
        [
            resolve(Resource::Data, self.memory),
            resolve(Resource::Cpu, self.cpu_secs),
            resolve(Resource::Nofile, self.files),
            resolve(Resource::Nproc, self.processes),
            // A core file would hold the agent's secrets and fill the disk.
            resolve(Resource::Core, Some(0)),
        ]
    }

    /// Makes `command`'s child obey these limits and die with this process.
    pub(crate) fn confine(self, command: &mut Command) {
        let limits = self.resolved();
        let parent = getpid();
        let prepare = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The daemon may have died between fork and the line above: then no signal will come.
            if getppid() != Some(parent) {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            for (resource, limit) in limits.iter().flatten() {
                setrlimit(*resource, *limit)?;
            }
            keep_no_descriptors();
            Ok(())
        };
        // SAFETY: between fork and exec only async-signal-safe work is allowed. The closure makes bare
        // system calls (rustix and libc wrappers), allocates nothing and takes no lock; errors are plain numbers.
        unsafe { command.pre_exec(prepare) };
    }
}

/// Makes `command`'s child inherit nothing but its standard streams.
pub(crate) fn seal(command: &mut Command) {
    let prepare = || {
        keep_no_descriptors();
        Ok(())
    };
    // SAFETY: as above, one bare system call.
    unsafe { command.pre_exec(prepare) };
}

fn resolve(resource: Resource, wanted: Option<u64>) -> Option<(Resource, Rlimit)> {
    let wanted = wanted?;
    let value = getrlimit(resource).maximum.map_or(wanted, |ceiling| ceiling.min(wanted));
    Some((resource, Rlimit { current: Some(value), maximum: Some(value) }))
}

/// Marks everything but the standard streams close-on-exec. Rust's own descriptors are already; one
/// that a C library or systemd handed over might not be. Marking, not closing, because the standard
/// library's own pipe, which reports a failed exec, must live until then.
fn keep_no_descriptors() {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: a bare system call without pointers. An old kernel answers ENOSYS, which changes nothing.
    unsafe { libc::syscall(libc::SYS_close_range, 3 as libc::c_uint, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC) };
}
