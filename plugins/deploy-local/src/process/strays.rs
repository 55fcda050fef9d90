//! Processes that left the agent's group (`setsid`), found by a mark in their environment.
//!
//! A process that also cleans its environment is not found; only a container would hold that one.

use std::{
    fs, process,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::process::{Pid, Signal, kill_process};

/// The variable that holds the mark; every descendant inherits it.
pub(crate) const MARK_NAME: &str = "NEXUS_AGENT_RUN";
/// A sweep can miss a process that is just being forked: again until nothing is found, but not for ever.
const SWEEPS: usize = 5;

/// A mark that no other run has, of this daemon or an earlier one.
pub(crate) fn new_mark() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    format!("{}-{since_epoch}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Kills every process that carries the mark. Reads all of `/proc`, so it blocks, for some milliseconds.
pub(crate) fn kill_strays(mark: &str) {
    let entry = format!("{MARK_NAME}={mark}");
    for _ in 0..SWEEPS {
        let strays = carriers(entry.as_bytes());
        if strays.is_empty() {
            return;
        }
        for stray in strays {
            let _ = kill_process(stray, Signal::KILL);
        }
    }
}

/// The environment of a zombie is empty: the dead are not found.
fn carriers(entry: &[u8]) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|process| process.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environment| environment.split(|b| *b == 0).any(|variable| variable == entry))
        })
        .filter_map(Pid::from_raw)
        .collect()
}
