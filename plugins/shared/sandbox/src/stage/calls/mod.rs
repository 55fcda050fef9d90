//! The wall around the kernel itself: a list of the system calls that exist for a profile, with what may be asked of
//! each. Whatever is not on it is refused, also what a later kernel will know.

mod lists;
mod rules;

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, sock_filter};

use crate::policy::{Fault, Policy, Step};

/// What is refused as if the kernel did not know it: the C library and Python then take another way, which is on the
/// list. (`clone3` and `openat2` hide in memory what is asked of them, where a filter cannot look.)
const UNKNOWN: &[i64] = &[
    libc::SYS_clone3,
    libc::SYS_openat2,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_futex_waitv,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_pkey_alloc,
];
#[cfg(target_arch = "x86_64")]
const ARCH: (TargetArch, u32) = (TargetArch::x86_64, 0xC000_003E);
#[cfg(target_arch = "aarch64")]
const ARCH: (TargetArch, u32) = (TargetArch::aarch64, 0xC000_00B7);

/// Compiles the list for a policy and a version of Landlock: what that one leaves open is closed here.
pub(super) fn filter(policy: &Policy, landlock: Option<u32>) -> Result<BpfProgram, Fault> {
    let mut allowed: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in lists::free(policy.profile, landlock) {
        allowed.insert(call, Vec::new());
    }
    for (call, conditions) in rules::conditional(policy, landlock) {
        let rules: Result<Vec<_>, _> = conditions.into_iter().map(SeccompRule::new).collect();
        allowed.insert(call, rules.map_err(fault)?);
    }
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(allowed, refused, SeccompAction::Allow, ARCH.0).map_err(fault)?;
    let list: BpfProgram = filter.try_into().map_err(fault)?;
    Ok(unknown().into_iter().chain(list).collect())
}

/// Puts the filter in force, for this process and all that it starts.
pub(super) fn apply(filter: &BpfProgram) -> Result<(), Fault> {
    seccompiler::apply_filter(filter).map_err(fault)
}

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault { step: Step::Calls, message: error.to_string(), code: None }
}

/// Runs before the list, since that has one answer only for what is not on it.
fn unknown() -> BpfProgram {
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const NUMBER: u32 = 0;
    const ARCHITECTURE: u32 = 4;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let mut program = vec![
        step(LOAD, 0, 0, ARCHITECTURE),
        step(EQUAL, 1, 0, ARCH.1),
        step(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        step(LOAD, 0, 0, NUMBER),
    ];
    for call in UNKNOWN.iter().filter_map(|call| u32::try_from(*call).ok()) {
        program.push(step(EQUAL, 0, 1, call));
        program.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs()));
    }
    program
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Profile;

    #[test]
    fn every_profile_compiles_for_every_landlock() {
        for profile in Profile::ALL {
            for landlock in [None, Some(1), Some(3), Some(5), Some(7)] {
                let policy = Policy { profile, ..crate::stage::tests::policy() };
                let program = filter(&policy, landlock).unwrap();
                assert!((200..4096).contains(&program.len()), "{profile:?}: {}", program.len());
            }
        }
    }

    #[test]
    fn a_call_has_one_entry() {
        for profile in Profile::ALL {
            let policy = Policy { profile, ..crate::stage::tests::policy() };
            let free = lists::free(profile, Some(7));
            let mut once = free.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), free.len());
            for (call, conditions) in rules::conditional(&policy, Some(7)) {
                assert!(!free.contains(&call), "{call} is free and conditional");
                assert!(!conditions.is_empty(), "{call} would be free");
            }
        }
    }
}
