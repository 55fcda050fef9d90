//! A note of how the process ends, for the next one: a plugin that breaks it leaves a mark, a kill from outside leaves
//! none. The store judges by it which work is to blame (`store::sqlite::recover`).
//!
//! A signal that says "this program is broken", and an `exit` that nobody of the daemon called, write one word over
//! what stands in a file that was opened before. A handler may do no more: no allocation, no lock, and the file has its
//! block already, so that it works on a full disk. Then whoever handled the signal before does what it did. A stack that
//! overflows on a plugin's own thread leaves no mark: the handler has no stack there.
#![allow(unsafe_code)] // handles signals

use std::{
    fs::File,
    mem::MaybeUninit,
    os::fd::{AsRawFd, IntoRawFd},
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
};

/// What a broken program is told, and the word of it in the file.
const SIGNALS: [(libc::c_int, &[u8]); 7] = [
    (libc::SIGSEGV, b"SIGSEGV\n"),
    (libc::SIGBUS, b"SIGBUS\n"),
    (libc::SIGILL, b"SIGILL\n"),
    (libc::SIGFPE, b"SIGFPE\n"),
    (libc::SIGABRT, b"SIGABRT\n"),
    (libc::SIGSYS, b"SIGSYS\n"),
    (libc::SIGTRAP, b"SIGTRAP\n"),
];

/// Exit code of a process that something other than the daemon ended.
pub const EXIT_NOT_MEANT: u8 = 70;

/// The file; below zero until there is one.
static FILE: AtomicI32 = AtomicI32::new(-1);
/// The daemon itself ends the process.
static MEANT: AtomicBool = AtomicBool::new(false);
/// What handled the signals before, in the order of [`SIGNALS`].
static BEFORE: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// From now on an end of this process that nobody meant is noted at the begin of `file`. Done once per process; the
/// file stays open until it ends.
///
/// # Errors
/// When the system refuses a handler.
pub fn note_in(file: File) -> std::io::Result<()> {
    if FILE.compare_exchange(-1, file.as_raw_fd(), Ordering::SeqCst, Ordering::SeqCst).is_err() {
        return Ok(());
    }
    let _open_for_good = file.into_raw_fd();
    let mut before = [NOTHING; SIGNALS.len()];
    for ((signal, _), before) in SIGNALS.iter().zip(&mut before) {
        // SAFETY: asks only what handles the signal now.
        check(unsafe { libc::sigaction(*signal, ptr::null(), before) })?;
    }
    let _first = BEFORE.set(before);
    for (signal, _) in SIGNALS {
        let mut action = NOTHING;
        action.sa_sigaction = handle as *const () as libc::sighandler_t;
        // On the stack that the standard library set apart: the thread's own may be what overflowed.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: `handle` has the signature that SA_SIGINFO asks for, and calls only what a handler may call.
        check(unsafe { libc::sigaction(signal, &action, ptr::null_mut()) })?;
    }
    Ok(())
}

/// From now on an `exit` of this process that the daemon did not call (a plugin did) has the code [`EXIT_NOT_MEANT`],
/// whatever the caller said: service managers take a 0 for the end of the work, and start nothing anew.
///
/// # Errors
/// When the system has no room for the handler.
pub fn watch_for_exits() -> std::io::Result<()> {
    // SAFETY: `at_exit` is a function that lives as long as the process.
    check(unsafe { libc::atexit(at_exit) })
}

/// The daemon is about to end the process by itself, which is nobody's fault.
pub fn end_is_meant() {
    MEANT.store(true, Ordering::SeqCst);
}

/// What breaks a program ends this process from now on, as the kernel has it: the standard library's handler lets a first
/// signal that was sent pass.
pub(super) fn break_at_once() {
    for (signal, _) in SIGNALS {
        // SAFETY: takes a handler away; the default action is the kernel's.
        unsafe { libc::sigaction(signal, &NOTHING, ptr::null_mut()) };
    }
}

/// No handler, no flag, no mask.
const NOTHING: libc::sigaction = {
    // SAFETY: all zeros are a valid value of this plain structure: the default action and an empty mask.
    unsafe { MaybeUninit::zeroed().assume_init() }
};

fn check(answer: libc::c_int) -> std::io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

fn mark(word: &[u8]) {
    let file = FILE.load(Ordering::SeqCst);
    if file >= 0 {
        // SAFETY: the word lives, and the descriptor is never closed; nothing can be done about an error.
        let _written = unsafe { libc::pwrite(file, word.as_ptr().cast(), word.len(), 0) };
    }
}

extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    let Some(place) = SIGNALS.iter().position(|(known, _)| *known == signal) else { return };
    // SAFETY: `info` is the kernel's; the sender is there for what was sent. `getpid` may be called in a handler.
    let (was_sent, by_us) = unsafe { ((*info).si_code <= 0, (*info).si_pid() == libc::getpid()) };
    // What another process sends (an operator who wants a core, the service manager's watchdog) is no fault of ours.
    if let Some((_, word)) = SIGNALS.get(place).filter(|_| !was_sent || by_us) {
        mark(word);
    }
    let before = BEFORE.get().and_then(|before| before.get(place)).unwrap_or(&NOTHING);
    // SAFETY: `sigaction` and `raise` may be called in a handler.
    unsafe {
        if !was_sent {
            // What the processor refused is refused again as soon as this returns.
            libc::sigaction(signal, before, ptr::null_mut());
        } else {
            // What was sent would not come again, and the standard library's handler waits for that.
            libc::sigaction(signal, &NOTHING, ptr::null_mut());
            libc::raise(signal);
        }
    }
}

extern "C" fn at_exit() {
    if !MEANT.load(Ordering::SeqCst) {
        mark(b"exit\n");
        const WORDS: &[u8] =
            b"error: something in this process called exit, which was not the daemon: most likely a plugin\n";
        // SAFETY: the words live; `_exit` ends the process here, with a code of ours.
        unsafe {
            let _written = libc::write(libc::STDERR_FILENO, WORDS.as_ptr().cast(), WORDS.len());
            libc::_exit(EXIT_NOT_MEANT.into());
        }
    }
}
