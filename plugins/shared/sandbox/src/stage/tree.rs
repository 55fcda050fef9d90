//! Everything below the keeper, and its end.
//!
//! Whoever loses its parent becomes the keeper's child, whatever session, group or environment it gave itself. So the
//! tree is what the process table says, and it is gone when the keeper has no child left.
#![allow(unsafe_code)] // kill and waitpid on numbers

use std::{
    collections::HashSet,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::cgroup;

/// See the module.
pub(super) struct Tree {
    main: i32,
    group: Option<PathBuf>,
    /// The main process is bubblewrap, which would end at once when asked gently.
    wrapped: bool,
}

/// A line of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) threads: u64,
    /// A thread of it that lives, mostly the first: what the kernel tells of files and memory it tells of that one.
    pub(super) thread: i32,
}

impl Tree {
    pub(super) fn new(main: i32, group: Option<PathBuf>, wrapped: bool) -> Self {
        Self { main, group, wrapped }
    }

    /// SIGTERM to the main process's group.
    pub(super) fn terminate(&self) {
        if !self.wrapped {
            kill(-self.main, libc::SIGTERM);
            return;
        }
        // bubblewrap, its first process in the namespace, and then the program.
        for process in descendants(self.main).iter().filter(|process| process.parent != self.main) {
            kill(process.pid, libc::SIGTERM);
        }
    }

    /// Reaps whoever ended; the status of the main process, if it is among them.
    pub(super) fn reap(&self) -> Option<i32> {
        let mut found = None;
        while let Some((pid, status)) = wait(libc::WNOHANG).ok().flatten() {
            if pid == self.main {
                found = Some(status);
            }
        }
        found
    }

    /// Whether nobody is left, without ending anybody.
    fn has_gone(&self, main_ended: bool, status: &mut Option<i32>) -> bool {
        let begun = Instant::now();
        let patience = if self.wrapped && main_ended { NAMESPACES_END } else { Duration::ZERO };
        loop {
            match wait(libc::WNOHANG) {
                Err(_) => return true,
                Ok(Some((pid, how))) if pid == self.main => *status = Some(how),
                Ok(Some(_)) => {}
                Ok(None) if begun.elapsed() >= patience => return false,
                Ok(None) => std::thread::sleep(LOOK),
            }
        }
    }

    /// Ends all of it, and returns when nothing is left: the main process's status, if it was still there, and how
    /// many others were ended.
    pub(super) fn end(&self, main_ended: bool) -> (Option<i32>, u32) {
        let (mut status, mut killed) = (None, HashSet::new());
        // Most trees have gone by themselves. Who has no child has no descendant either: to read the whole table of
        // processes would take longer than the start of this one did.
        if self.has_gone(main_ended, &mut status) {
            return (status, 0);
        }
        loop {
            if let Some(group) = &self.group {
                cgroup::kill(group);
            }
            kill_all(&mut killed);
            // Whoever was missed, because it was being forked, is found in the next round: by then something of the
            // tree has ended, and what it left is the keeper's child.
            match wait(0) {
                Ok(Some((pid, how))) => {
                    if pid == self.main {
                        status = Some(how);
                    }
                    while let Ok(Some((pid, how))) = wait(libc::WNOHANG) {
                        if pid == self.main {
                            status = Some(how);
                        }
                    }
                }
                Ok(None) => {}
                // Nobody is left.
                Err(_) => break,
            }
        }
        killed.remove(&self.main);
        (status, u32::try_from(killed.len()).unwrap_or(u32::MAX))
    }
}

/// How long bubblewrap's namespaces may take to end once their first process has, before they are ended.
const NAMESPACES_END: Duration = Duration::from_millis(10);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_micros(500);

/// The next child that ended; an error when there are no children.
fn wait(options: i32) -> Result<Option<(i32, i32)>, i32> {
    let mut status = 0;
    // SAFETY: the status lives on this stack as long as the call.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, options) };
    match pid {
        0 => Ok(None),
        1.. => Ok(Some((pid, status))),
        _ if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => Ok(None),
        _ => Err(libc::ECHILD),
    }
}

pub(super) fn kill(pid: i32, signal: i32) {
    // SAFETY: a bare system call on numbers. The callers name processes below the keeper, which reaps them itself,
    // so their numbers belong to nobody else.
    unsafe { libc::kill(pid, signal) };
}

/// Kills each as soon as it is seen: a process that forks and ends, over and over, is gone a moment later. The table
/// is read in the order of the numbers, so who is forked meanwhile is mostly still to come.
fn kill_all(killed: &mut HashSet<i32>) {
    let mut ours = HashSet::from([own_pid()]);
    for process in processes() {
        if ours.contains(&process.parent) {
            ours.insert(process.pid);
            kill(process.pid, libc::SIGKILL);
            killed.insert(process.pid);
        }
    }
}

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(0)
}

/// All living processes below this one, itself not included.
pub(super) fn descendants(root: i32) -> Vec<Process> {
    let all: Vec<Process> = processes().collect();
    let mut ours = HashSet::from([root]);
    // Numbers start anew some day, so a child may stand before its parent.
    loop {
        let before = ours.len();
        ours.extend(
            all.iter().filter(|process| ours.contains(&process.parent)).map(|process| process.pid).collect::<Vec<_>>(),
        );
        if ours.len() == before {
            break;
        }
    }
    all.into_iter().filter(|process| process.pid != root && ours.contains(&process.pid)).collect()
}

fn processes() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(look_at)
}

/// What the table says of one; the dead, who wait to be reaped, count as gone.
pub(super) fn look_at(pid: i32) -> Option<Process> {
    let process = parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    if process.thread != 0 {
        return Some(process);
    }
    // Its first thread is dead and others run: to kill, to count, and to be asked in its place.
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().filter_map(Result::ok);
    let lives = |thread: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/task/{thread}/stat")).unwrap_or_default();
        parse(*thread, &stat).is_some_and(|found| found.thread != 0)
    };
    let thread = threads.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(lives)?;
    Some(Process { thread, ..process })
}

/// The second field, the name in parentheses, may hold anything.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let threads = fields.nth(15)?.parse().ok()?;
    match state {
        "Z" | "X" if threads <= 1 => None,
        "Z" | "X" => Some(Process { pid, parent, threads, thread: 0 }),
        _ => Some(Process { pid, parent, threads, thread: pid }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_parent_and_threads() {
        let own = look_at(own_pid()).unwrap();
        assert_eq!(own.parent, i32::try_from(std::os::unix::process::parent_id()).unwrap());
        assert!(own.threads >= 1);
        let stat = "7 (a) S 9 (b) R 5 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 42 0 1";
        assert_eq!(parse(7, stat), Some(Process { pid: 7, parent: 5, threads: 42, thread: 7 }));
        let first_is_dead = stat.replace("R", "Z");
        assert_eq!(parse(7, &first_is_dead), Some(Process { pid: 7, parent: 5, threads: 42, thread: 0 }));
        assert_eq!(parse(7, &first_is_dead.replace(" 42 ", " 1 ")), None);
    }
}
