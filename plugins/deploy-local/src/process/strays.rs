//! Processes that left the agent's group (`setsid`), found by a mark in their environment.
//!
//! A process that also cleans its environment is not found; only a container would hold that one.

use std::{
    fs, process,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::{Pid, Signal, kill_process};

/// The variable that holds the mark; every descendant inherits it.
pub(crate) const MARK_NAME: &str = "NEXUS_AGENT_RUN";
/// A process can be forked while others are killed: again until nothing is found, but not for ever.
const SWEEPS: usize = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// A mark that no other run has, of this daemon or an earlier one.
pub(crate) fn new_mark() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    format!("{}-{since_epoch}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Kills every process that carries the mark. Reads all of `/proc`, so it blocks: some milliseconds as
/// a rule, a second at the most.
pub(crate) fn kill_strays(mark: &str) {
    let entry = format!("{MARK_NAME}={mark}");
    for _ in 0..SWEEPS {
        let mut again = false;
        for (process, finding) in processes(entry.as_bytes()) {
            if finding == Finding::Carrier {
                let _ = kill_process(process, Signal::KILL);
            }
            again |= finding != Finding::Stranger;
        }
        if !again {
            return;
        }
        thread::sleep(PAUSE);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    Carrier,
    /// In the middle of `exec`: its environment is not set up yet. (It can stay so for half a second on
    /// a loaded machine, and was the reason for strays left behind.)
    Unknown,
    /// Also the dead and the kernel's own.
    Stranger,
}

fn processes(entry: &[u8]) -> Vec<(Pid, Finding)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|process| process.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(Pid::from_raw)
        .map(|pid| (pid, look_at(pid, entry)))
        .collect()
}

fn look_at(pid: Pid, entry: &[u8]) -> Finding {
    let folder = format!("/proc/{}", pid.as_raw_nonzero());
    let Ok(environment) = fs::read(format!("{folder}/environ")) else { return Finding::Stranger };
    if environment.split(|b| *b == 0).any(|variable| variable == entry) {
        return Finding::Carrier;
    }
    // Where the environment ends is the 51st field, the 49th after the name; zero until `exec` has set it up.
    let stat = fs::read_to_string(format!("{folder}/stat")).unwrap_or_default();
    let end = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(48));
    if environment.is_empty() && end == Some("0") { Finding::Unknown } else { Finding::Stranger }
}
