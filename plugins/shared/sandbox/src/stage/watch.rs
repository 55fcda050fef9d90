//! What the kernel counts for no tree without a control group: memory, processes and disk of all together.
//!
//! It is looked at, the more often the less is left: as often as a process that fills it at the speed of the
//! machine could pass the limit by about as much again.
//! What one process may take the kernel holds at once (`RLIMIT_DATA`, `RLIMIT_FSIZE`); memory that no process
//! answers for (shared and anonymous) cannot be made at all.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use super::tree::{Process, descendants, look_at};
use crate::policy::{Breach, Limits, Policy, Profile};

/// Bytes in a second that a disk or the memory may be filled with.
const FASTEST: u64 = 1 << 30;
const SHORTEST: Duration = Duration::from_millis(10);
/// A descriptor that is sent and not yet received belongs to no process, and so does what its file holds. It may
/// be on its way for so long.
const ON_ITS_WAY: Duration = Duration::from_millis(250);
/// Looking must not cost more than a twentieth of a CPU.
const SHARE: u32 = 20;

pub(super) struct Watch {
    limits: Limits,
    writes: Vec<PathBuf>,
    /// Tools start no processes.
    alone: bool,
    /// The control group holds memory and processes.
    grouped: bool,
    longest: Duration,
    pause: Duration,
    due: Instant,
    /// The number of the newest process of the machine when the tree was last looked up, and the tree.
    known: Option<(String, Vec<i32>)>,
    /// Since when there was, at each look, a descriptor on its way.
    sent: Option<Instant>,
}

impl Watch {
    pub(super) fn new(policy: &Policy) -> Self {
        let longest = if policy.profile == Profile::Agent { 1000 } else { 100 };
        let holds = |name: &str| {
            policy.group.as_ref().is_some_and(|group| {
                fs::read_to_string(format!("{group}/cgroup.controllers"))
                    .is_ok_and(|given| given.split_whitespace().any(|given| given == name))
            })
        };
        Self {
            limits: policy.limits,
            writes: policy.writes.iter().map(PathBuf::from).collect(),
            alone: policy.profile == Profile::Tool && policy.bwrap.is_none(),
            grouped: holds("memory") && holds("pids"),
            longest: Duration::from_millis(longest),
            pause: SHORTEST,
            due: Instant::now() + SHORTEST,
            known: None,
            sent: None,
        }
    }

    /// How long until the next look.
    pub(super) fn pause(&self) -> Duration {
        // Rounded up: a poll of zero milliseconds would spin.
        self.due.saturating_duration_since(Instant::now()) + Duration::from_millis(1)
    }

    /// Looks, when it is time to.
    pub(super) fn breach(&mut self, main: i32) -> Option<Breach> {
        let begun = Instant::now();
        if begun < self.due {
            return None;
        }
        let worked = cpu_time();
        let tree = self.tree(main);
        let mut left = u64::MAX;
        let found = self.memory(&tree, &mut left).or_else(|| self.disk(&tree, &mut left));
        let by_speed = Duration::from_millis(left.saturating_mul(1000) / FASTEST);
        // What it worked, not what it waited for: on a busy machine that would be a reason to look seldom.
        self.pause = by_speed.min(self.longest).max(SHORTEST).max(cpu_time().saturating_sub(worked) * SHARE);
        self.due = Instant::now() + self.pause;
        found
    }

    /// What lies in the folders when all have ended: who is quicker than the next look has not kept to the limit.
    pub(super) fn left_too_much(&self) -> Option<Breach> {
        let (bytes, files) = self.disk_limits()?;
        let mut used = Used::default();
        for folder in &self.writes {
            used.add_folder(folder.clone(), bytes, files);
        }
        used.exceeds(bytes, files).then_some(Breach::Disk)
    }

    /// Bytes and files, when anything of that is limited.
    fn disk_limits(&self) -> Option<(u64, u64)> {
        let (bytes, files) = (self.limits.disk_bytes, self.limits.disk_files);
        let limited = !self.writes.is_empty() && (bytes.is_some() || files.is_some());
        limited.then(|| (bytes.unwrap_or(u64::MAX), files.unwrap_or(u64::MAX)))
    }

    /// The tree now. Reading the whole table takes milliseconds; it is spared when no process was made since.
    fn tree(&mut self, main: i32) -> Vec<Process> {
        let own = || look_at(main).into_iter();
        if self.alone {
            return own().collect();
        }
        let newest = newest_process();
        if let (Some(newest), Some((then, known))) = (&newest, &self.known)
            && newest == then
        {
            return known.iter().filter_map(|pid| look_at(*pid)).collect();
        }
        let tree: Vec<Process> = own().chain(descendants(main)).collect();
        self.known = newest.map(|newest| (newest, tree.iter().map(|process| process.pid).collect()));
        tree
    }

    fn memory(&self, tree: &[Process], left: &mut u64) -> Option<Breach> {
        if self.grouped {
            return None;
        }
        if let Some(most) = self.limits.processes
            && tree.iter().map(|process| process.threads).sum::<u64>() > most
        {
            return Some(Breach::Processes);
        }
        // One process alone is held by its own limit.
        let most = self.limits.memory.filter(|_| !self.alone)?;
        let mut used: u64 = tree.iter().map(|process| resident(process.thread)).sum();
        if used > most && tree.len() > 1 {
            // Pages that a fork shares were counted for each.
            used = tree.iter().map(|process| proportional(process.thread)).sum();
        }
        *left = (*left).min(most.saturating_sub(used));
        (used > most).then_some(Breach::Memory)
    }

    fn disk(&mut self, tree: &[Process], left: &mut u64) -> Option<Breach> {
        let (bytes, files) = self.disk_limits()?;
        let mut used = Used::default();
        for folder in &self.writes {
            used.add_folder(folder.clone(), bytes, files);
        }
        // Files that were removed and are still open.
        for process in tree {
            used.add_open(process.thread);
        }
        self.sent = (used.sent > 0).then(|| self.sent.unwrap_or_else(Instant::now));
        if let Some(since) = self.sent {
            if since.elapsed() > ON_ITS_WAY {
                return Some(Breach::Disk);
            }
            *left = 0;
        }
        *left = (*left).min(bytes.saturating_sub(used.bytes));
        // Small files fill the table before the disk.
        *left = (*left).min(files.saturating_sub(used.files).saturating_mul(64 << 10));
        used.exceeds(bytes, files).then_some(Breach::Disk)
    }
}

/// CPU time of this thread, the only one that the keeper has.
fn cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

#[derive(Default)]
struct Used {
    bytes: u64,
    files: u64,
    /// Descriptors on their way from one socket to another.
    sent: u64,
    /// There is a folder into which nobody can look: made without the right to list it, or deeper than a path is long.
    hidden: bool,
}

impl Used {
    fn exceeds(&self, bytes: u64, files: u64) -> bool {
        self.hidden || self.bytes > bytes || self.files > files
    }

    fn add_folder(&mut self, folder: PathBuf, bytes: u64, files: u64) {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(folder) {
                Ok(entries) => entries,
                Err(e) => {
                    // Not when it is gone meanwhile.
                    self.hidden |= matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidFilename);
                    continue;
                }
            };
            for entry in entries.filter_map(Result::ok) {
                self.files += 1;
                let Ok(found) = entry.metadata() else { continue };
                self.bytes += found.blocks().saturating_mul(512);
                if found.is_dir() {
                    folders.push(entry.path());
                }
                if self.bytes > bytes || self.files > files {
                    return;
                }
            }
        }
    }

    fn add_open(&mut self, pid: i32) {
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().filter_map(Result::ok) {
            let Ok(found) = fs::metadata(entry.path()) else { continue };
            if found.is_file() && found.nlink() == 0 {
                self.bytes += found.blocks().saturating_mul(512);
                self.files += 1;
            } else if found.file_type().is_socket() {
                self.sent += sent(pid, &entry.file_name());
            }
        }
        // The same, mapped and closed.
        for line in fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default().lines() {
            self.bytes += mapped_and_removed(line).unwrap_or(0);
        }
    }
}

/// How many descriptors wait in a socket to be received. Nothing is said of sockets that carry none.
fn sent(pid: i32, descriptor: &std::ffi::OsStr) -> u64 {
    let about = PathBuf::from(format!("/proc/{pid}/fdinfo")).join(descriptor);
    let text = fs::read_to_string(about).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("scm_fds:")?.trim().parse().ok()).unwrap_or(0)
}

/// `from-to perms …`: how much of a removed file it shares.
fn mapped_and_removed(line: &str) -> Option<u64> {
    let (range, rest) = line.split_once(' ')?;
    let shared = rest.as_bytes().get(3) == Some(&b's') && rest.ends_with("(deleted)");
    let (from, to) = range.split_once('-').filter(|_| shared)?;
    u64::from_str_radix(to, 16).ok()?.checked_sub(u64::from_str_radix(from, 16).ok()?)
}

/// Bytes that this process keeps in memory for itself or shares without a file, and what the kernel keeps to map them.
fn resident(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kilobytes = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    let counts = |line: &&str| ["RssAnon:", "RssShmem:", "VmPTE:"].iter().any(|name| line.starts_with(name));
    status.lines().filter(counts).filter_map(kilobytes).sum::<u64>().saturating_mul(1024)
}

/// The same, each page divided by the number of those who share it. Slower.
fn proportional(pid: i32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let kilobytes = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let lines = rollup.lines().chain(status.lines());
    let counts = |line: &&str| ["Pss_Anon:", "Pss_Shmem:", "VmPTE:"].iter().any(|name| line.starts_with(name));
    lines.filter(counts).filter_map(kilobytes).sum::<u64>().saturating_mul(1024)
}

/// The last field of the load averages is the number that was given to the newest process or thread.
fn newest_process() -> Option<String> {
    let averages = fs::read_to_string("/proc/loadavg").ok()?;
    averages.split_whitespace().next_back().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_files_that_were_removed_and_are_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone");
        let file = fs::File::create(&path).unwrap();
        fs::write(&path, vec![1; 1 << 20]).unwrap();
        file.sync_all().unwrap();
        fs::remove_file(&path).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let (mut open, mut named) = (Used::default(), Used::default());
        open.add_open(own);
        named.add_folder(folder.path().to_owned(), u64::MAX, u64::MAX);
        assert!(open.bytes >= 1 << 20 && open.files >= 1, "{}", open.bytes);
        assert_eq!(named.files, 0);
    }

    #[test]
    fn counts_removed_files_that_are_mapped() {
        let line = "7f0000000000-7f0000100000 rw-s 00000000 08:01 5   /srv/x (deleted)";
        assert_eq!(mapped_and_removed(line), Some(1 << 20));
        assert_eq!(mapped_and_removed(&line.replace("rw-s", "rw-p")), None);
        assert_eq!(mapped_and_removed(line.trim_end_matches(" (deleted)")), None);
    }

    #[test]
    fn sees_what_a_process_keeps_in_memory() {
        let kept = vec![1_u8; 32 << 20];
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(resident(own) >= kept.len() as u64 && proportional(own) >= kept.len() as u64);
    }
}
