//! Limits that the kernel holds for each process.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};

use crate::policy::Limits;

/// Locked memory of a process: what cryptographic libraries use for keys.
const LOCKED_MEMORY: u64 = 64 << 10;
/// Queued signals and timers, which the kernel keeps for the user as a whole.
const QUEUED: u64 = 512;
/// Addresses that a process may reserve, a multiple of its memory: what maps them is memory too, one byte in 512,
/// and `RLIMIT_DATA` counts neither it nor memory that is only read.
const ADDRESSES: u64 = 64;
/// What allocators and runtimes reserve, however little they use.
const FEWEST_ADDRESSES: u64 = 16 << 30;

fn addresses(memory: u64) -> u64 {
    memory.saturating_mul(ADDRESSES).max(FEWEST_ADDRESSES)
}

pub(super) fn set(limits: &Limits) -> io::Result<()> {
    let wanted = [
        (Resource::Data, limits.memory),
        (Resource::As, limits.address_space.or(limits.memory.map(addresses))),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nofile, limits.open_files),
        (Resource::Nproc, limits.user_processes),
        // A core file would hold secrets and fill the disk.
        (Resource::Core, Some(0)),
        (Resource::Memlock, Some(LOCKED_MEMORY)),
        (Resource::Sigpending, Some(QUEUED)),
        (Resource::Msgqueue, Some(0)),
        (Resource::Nice, Some(0)),
        (Resource::Rtprio, Some(0)),
    ];
    for (resource, wanted) in wanted {
        let Some(wanted) = wanted else { continue };
        // None above what the daemon itself may have.
        let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        // A second for the signal that says why, before the one that says nothing.
        let more = u64::from(resource == Resource::Cpu);
        let (current, maximum) = (ceiling.min(wanted), ceiling.min(wanted.saturating_add(more)));
        setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })?;
    }
    if limits.nice > 0 {
        nice(i32::from(limits.nice.min(19)))?;
    }
    Ok(())
}
