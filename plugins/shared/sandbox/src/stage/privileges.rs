//! Gives up what a process of root's has beyond an ordinary one. For an ordinary one there is nothing to do.
#![allow(unsafe_code)] // bare system calls; the reasons stand at each use

use std::io;

use super::checked;

const LAST_CAPABILITY: i32 = 63;

/// No capability now, and none by any program that is executed later.
pub(super) fn drop_all() -> io::Result<()> {
    // SAFETY: bare system calls. The two structures have the layout of version 3 of the interface (a header, and two
    // sets of three words), and live as long as the call.
    unsafe {
        checked(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        const VERSION_3: u32 = 0x2008_0522;
        let header: [u32; 2] = [VERSION_3, 0];
        let mut sets = [0_u32; 6];
        checked(libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()))?;
        if sets == [0; 6] {
            return Ok(());
        }
        for capability in 0..=LAST_CAPABILITY {
            // Not every number is one.
            libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
        }
        checked(libc::syscall(libc::SYS_capset, header.as_ptr(), [0_u32; 6].as_ptr()))?;
    }
    Ok(())
}
