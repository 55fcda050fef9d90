//! System calls that may be made with some arguments only.

use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};

use crate::policy::{Policy, Profile};

type Conditions = Vec<Vec<SeccompCondition>>;

/// Each call with the ways in which it may be made.
pub(super) fn conditional(policy: &Policy, landlock: Option<u32>) -> Vec<(i64, Conditions)> {
    let version = landlock.unwrap_or(0);
    let mut calls = vec![
        (libc::SYS_mmap, memory()),
        (libc::SYS_fcntl, descriptors()),
        (libc::SYS_ioctl, one_of(1, DEVICE_COMMANDS)),
        (libc::SYS_prctl, one_of(0, OWN_ATTRIBUTES)),
        (libc::SYS_prlimit64, limits(policy.profile)),
        (libc::SYS_clone, clones(policy.profile)),
        // Datagrams could be sent to any socket of the machine.
        (libc::SYS_socketpair, vec![vec![equals(0, libc::AF_UNIX), masked(1, 0xf, libc::SOCK_STREAM)]]),
        (libc::SYS_sendto, without(3, NEVER_SENT)),
        (libc::SYS_sendmsg, without(2, NEVER_SENT)),
        (libc::SYS_sendmmsg, without(3, NEVER_SENT)),
        (libc::SYS_setsockopt, socket_options()),
        (libc::SYS_openat, opens(2, version)),
    ];
    #[cfg(target_arch = "x86_64")]
    calls.push((libc::SYS_open, opens(1, version)));
    calls.extend(signals(version));
    if policy.profile == Profile::Agent {
        calls.extend(own_scheduling());
        calls.extend(network(policy));
    }
    calls
}

/// No memory that belongs to nobody: shared and without a file it outlives its process's limit; on the stack's
/// account or in huge pages it is not counted.
fn memory() -> Conditions {
    const UNCOUNTED: i32 = libc::MAP_GROWSDOWN | libc::MAP_HUGETLB;
    vec![vec![masked(3, UNCOUNTED | libc::MAP_SHARED, 0)], vec![masked(3, UNCOUNTED | libc::MAP_ANONYMOUS, 0)]]
}

/// No owner of a descriptor to whom signals go, no leases, no seals, no larger pipes.
fn descriptors() -> Conditions {
    const COMMANDS: &[i32] = &[
        libc::F_DUPFD,
        libc::F_DUPFD_CLOEXEC,
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
        libc::F_GETLK,
        libc::F_SETLK,
        libc::F_SETLKW,
        libc::F_OFD_GETLK,
        libc::F_OFD_SETLK,
        libc::F_OFD_SETLKW,
        libc::F_GETPIPE_SZ,
        libc::F_GETOWN,
        libc::F_GETLEASE,
        libc::F_GET_SEALS,
    ];
    let mut ways: Conditions = COMMANDS.iter().map(|command| vec![equals(1, *command)]).collect();
    ways.push(vec![equals(1, libc::F_SETFL), masked(2, libc::O_ASYNC, 0)]);
    ways
}

/// Connecting by sending; urgent bytes (of unix sockets, an old nest of faults) and pages that stay the sender's.
const NEVER_SENT: i32 = libc::MSG_FASTOPEN | libc::MSG_OOB | libc::MSG_ZEROCOPY;

/// No programs in the kernel, and no second protocol on top of TCP.
fn socket_options() -> Conditions {
    const PROGRAMS: [i32; 4] =
        [libc::SO_ATTACH_FILTER, libc::SO_ATTACH_BPF, libc::SO_ATTACH_REUSEPORT_CBPF, libc::SO_ATTACH_REUSEPORT_EBPF];
    let other_than = |argument: u8, value: i32| half(argument, SeccompCmpOp::Ne, value);
    let of_sockets = PROGRAMS.iter().map(|program| other_than(2, *program));
    vec![
        [equals(1, libc::SOL_SOCKET)].into_iter().chain(of_sockets).collect(),
        vec![equals(1, libc::IPPROTO_TCP), other_than(2, libc::TCP_ULP)],
        vec![other_than(1, libc::SOL_SOCKET), other_than(1, libc::IPPROTO_TCP)],
    ]
}

/// Sizes and modes; nothing that writes to a terminal, and no owner for signals.
const DEVICE_COMMANDS: &[u64] = &[
    libc::TCGETS,
    libc::TIOCGWINSZ,
    libc::TIOCGPGRP,
    libc::FIONREAD,
    libc::FIONBIO,
    libc::FIOCLEX,
    libc::FIONCLEX,
    FICLONE,
];
/// Shares the blocks of one open file with another.
const FICLONE: u64 = 0x4004_9409;

/// A name and what can be asked; not whether the keeper may look, and not the signal of the keeper's death.
const OWN_ATTRIBUTES: &[u64] = &[
    libc::PR_SET_NAME as u64,
    libc::PR_GET_NAME as u64,
    libc::PR_GET_DUMPABLE as u64,
    libc::PR_GET_PDEATHSIG as u64,
    libc::PR_CAPBSET_READ as u64,
    libc::PR_GET_SECCOMP as u64,
    libc::PR_SET_NO_NEW_PRIVS as u64,
    libc::PR_GET_NO_NEW_PRIVS as u64,
    libc::PR_SET_TIMERSLACK as u64,
    libc::PR_GET_TIMERSLACK as u64,
    libc::PR_SET_THP_DISABLE as u64,
    libc::PR_GET_THP_DISABLE as u64,
    libc::PR_SET_VMA as u64,
];

/// One's own; a tool only asks for them.
fn limits(profile: Profile) -> Conditions {
    let mut way = vec![equals(0, 0)];
    if profile == Profile::Tool {
        way.push(word(2, SeccompCmpOp::Eq, 0));
    }
    vec![way]
}

/// No namespaces, no siblings, nobody traced; no thread with descriptors of its own, which the keeper would not see;
/// for a tool nothing but threads.
fn clones(profile: Profile) -> Conditions {
    const NEVER: i32 = libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_PTRACE
        | libc::CLONE_UNTRACED
        | libc::CLONE_PARENT;
    const THREAD: i32 = libc::CLONE_THREAD | libc::CLONE_FILES;
    let thread = vec![masked(0, NEVER | THREAD, THREAD)];
    match profile {
        Profile::Tool => vec![thread],
        Profile::Test | Profile::Agent => vec![thread, vec![masked(0, NEVER | libc::CLONE_THREAD, 0)]],
    }
}

/// An older Landlock lets a file be emptied by opening it to read.
fn opens(flags: u8, version: u32) -> Conditions {
    if version >= 3 {
        return whatever(flags);
    }
    vec![
        vec![masked(flags, libc::O_TRUNC, 0)],
        vec![masked(flags, libc::O_ACCMODE, libc::O_WRONLY)],
        vec![masked(flags, libc::O_ACCMODE, libc::O_RDWR)],
    ]
}

/// Landlock scopes signals from version 6 on. Before, only the sender's own process and group can be named here:
/// its number is known, since the filter is made in the process that it is for.
fn signals(version: u32) -> Vec<(i64, Conditions)> {
    if version >= 6 {
        return vec![
            (libc::SYS_kill, whatever(0)),
            (libc::SYS_tgkill, whatever(0)),
            (libc::SYS_tkill, whatever(0)),
            (libc::SYS_rt_sigqueueinfo, whatever(0)),
            (libc::SYS_rt_tgsigqueueinfo, whatever(0)),
        ];
    }
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let own_group = own.wrapping_neg();
    vec![
        (libc::SYS_kill, vec![vec![equals(0, 0)], vec![equals(0, own)], vec![equals(0, own_group)]]),
        (libc::SYS_tgkill, vec![vec![equals(0, own)]]),
    ]
}

/// Numeric libraries place their threads.
fn own_scheduling() -> Vec<(i64, Conditions)> {
    vec![
        (libc::SYS_sched_setaffinity, vec![vec![equals(0, 0)]]),
        (libc::SYS_setpriority, vec![vec![equals(0, 0), equals(1, 0)]]),
        (libc::SYS_setrlimit, whatever(0)),
    ]
}

/// TCP where ports were given. Not unix sockets, which no Landlock of today holds; not the protocols that Landlock's
/// rules for TCP do not see (multipath TCP among them).
fn network(policy: &Policy) -> Vec<(i64, Conditions)> {
    let (connects, binds) = (!policy.connect.is_empty(), !policy.bind.is_empty());
    let mut calls = vec![(libc::SYS_accept, whatever(0))];
    if policy.socket.is_some() || binds {
        // Python's servers say it once more of a socket that listens already.
        calls.push((libc::SYS_listen, whatever(0)));
    }
    if connects || binds {
        let mut ways = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            for protocol in [0, libc::IPPROTO_TCP] {
                ways.push(vec![equals(0, family), masked(1, 0xf, libc::SOCK_STREAM), equals(2, protocol)]);
            }
        }
        calls.push((libc::SYS_socket, ways));
    }
    if connects {
        calls.push((libc::SYS_connect, whatever(0)));
    }
    if binds {
        calls.push((libc::SYS_bind, whatever(0)));
    }
    calls
}

/// Any argument will do: true for every number.
fn whatever(argument: u8) -> Conditions {
    vec![vec![word(argument, SeccompCmpOp::Ge, 0)]]
}

fn one_of(argument: u8, values: &[u64]) -> Conditions {
    values.iter().map(|value| vec![word(argument, SeccompCmpOp::Eq, *value)]).collect()
}

fn without(argument: u8, flag: i32) -> Conditions {
    vec![vec![masked(argument, flag, 0)]]
}

/// The kernel looks at the lower half of what is a number of 32 bits.
fn equals(argument: u8, value: i32) -> SeccompCondition {
    half(argument, SeccompCmpOp::Eq, value)
}

fn masked(argument: u8, mask: i32, value: i32) -> SeccompCondition {
    half(argument, SeccompCmpOp::MaskedEq(u64::from(mask.cast_unsigned())), value)
}

fn half(argument: u8, operation: SeccompCmpOp, value: i32) -> SeccompCondition {
    condition(argument, SeccompCmpArgLen::Dword, operation, u64::from(value.cast_unsigned()))
}

fn word(argument: u8, operation: SeccompCmpOp, value: u64) -> SeccompCondition {
    condition(argument, SeccompCmpArgLen::Qword, operation, value)
}

fn condition(argument: u8, length: SeccompCmpArgLen, operation: SeccompCmpOp, value: u64) -> SeccompCondition {
    match SeccompCondition::new(argument, length, operation, value) {
        Ok(condition) => condition,
        Err(_) => unreachable!("a system call has six arguments"),
    }
}
