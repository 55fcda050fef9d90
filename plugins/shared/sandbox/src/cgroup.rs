//! Control groups: one below the daemon's own for each confined tree, where systemd delegates them.
//!
//! A process may only be moved within the part of the tree that is delegated, and a group that has children
//! with controllers must hold no process itself. So the daemon first moves itself into a leaf of its own
//! ([`take_over`]); the groups of confined trees are made beside it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::policy::Limits;

/// The daemon's own leaf.
const OWN: &str = "nexusd";
const WANTED: [&str; 3] = ["memory", "pids", "cpu"];
/// Names of the groups of confined trees begin so.
const TREE: &str = "confined-";

/// A group below which groups can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegated {
    path: PathBuf,
    controllers: Vec<String>,
}

impl Delegated {
    /// Which controllers hold trees below it.
    #[must_use]
    pub fn controllers(&self) -> &[String] {
        &self.controllers
    }

    /// Makes the group of a tree and sets its limits.
    pub(crate) fn make(&self, limits: &Limits) -> io::Result<PathBuf> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{TREE}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = self.path.join(name);
        fs::create_dir(&path)?;
        self.limit(&path, limits).inspect_err(|_| {
            let _ = fs::remove_dir(&path);
        })?;
        Ok(path)
    }

    fn limit(&self, path: &Path, limits: &Limits) -> io::Result<()> {
        let has = |name: &str| self.controllers.iter().any(|controller| controller == name);
        if let Some(memory) = limits.memory.filter(|_| has("memory")) {
            fs::write(path.join("memory.max"), memory.to_string())?;
            // Without it the rest is swapped out, not refused. Not there without swap accounting.
            let _ = fs::write(path.join("memory.swap.max"), "0");
            let _ = fs::write(path.join("memory.oom.group"), "1");
        }
        if let Some(processes) = limits.processes.filter(|_| has("pids")) {
            fs::write(path.join("pids.max"), processes.to_string())?;
        }
        if let Some(percent) = limits.cpu_percent.filter(|_| has("cpu")) {
            fs::write(path.join("cpu.max"), format!("{} 100000", percent.saturating_mul(1000)))?;
        }
        Ok(())
    }
}

/// The group below which this process may make others: its own, or, after [`take_over`], the one around its leaf.
/// `None` where nothing is delegated.
#[must_use]
pub fn delegated() -> Option<Delegated> {
    static FOUND: OnceLock<Option<Delegated>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

/// Moves this process into a leaf of its delegated group and hands the controllers down. To be called once, early,
/// while the process is alone in its group. Without delegation nothing happens.
///
/// # Errors
/// When the group is writable and it cannot be done all the same.
pub fn take_over() -> io::Result<()> {
    let Some(own) = own_group().filter(|own| is_delegated(own)) else { return Ok(()) };
    if own.file_name().is_some_and(|name| name == OWN) {
        return Ok(());
    }
    let leaf = own.join(OWN);
    match fs::create_dir(&leaf) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    fs::write(leaf.join("cgroup.procs"), "0")?;
    let offered = fs::read_to_string(own.join("cgroup.controllers"))?;
    for name in WANTED.into_iter().filter(|name| offered.split_whitespace().any(|offer| offer == *name)) {
        // One by one: one that cannot be had must not cost the others.
        let _ = fs::write(own.join("cgroup.subtree_control"), format!("+{name}"));
    }
    // Groups of a daemon that was killed; what is in them is ended.
    for entry in fs::read_dir(&own)?.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(TREE) {
            kill(&entry.path());
            remove(&entry.path());
        }
    }
    Ok(())
}

/// Ends every process of a group at once.
pub(crate) fn kill(group: &Path) {
    let _ = fs::write(group.join("cgroup.kill"), "1");
}

/// Removes an empty group. The kernel needs a moment after the last process.
pub(crate) fn remove(group: &Path) {
    for _ in 0..50 {
        match fs::remove_dir(group) {
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) => std::thread::sleep(Duration::from_millis(2)),
            _ => return,
        }
    }
}

/// Whether the kernel ended something of the group for want of memory.
pub(crate) fn ran_out_of_memory(group: &Path) -> bool {
    let events = fs::read_to_string(group.join("memory.events")).unwrap_or_default();
    events.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0"))
}

fn find() -> Option<Delegated> {
    let own = own_group()?;
    let path = if own.file_name().is_some_and(|name| name == OWN) { own.parent()?.to_owned() } else { own };
    // In a group of its own this process would keep controllers from its children.
    let alone = path.join(OWN).is_dir();
    if !alone || !is_delegated(&path) {
        return None;
    }
    let given = fs::read_to_string(path.join("cgroup.subtree_control")).unwrap_or_default();
    Some(Delegated { path, controllers: given.split_whitespace().map(Into::into).collect() })
}

/// The root of the hierarchy belongs to the system, whoever may write there.
fn is_delegated(group: &Path) -> bool {
    use rustix::fs::{Access, access};
    let may = |path: &Path| access(path, Access::WRITE_OK).is_ok();
    group.join("cgroup.kill").exists() && may(group) && may(&group.join("cgroup.procs"))
}

/// The folder of this process's group in the unified hierarchy; `None` in its root.
fn own_group() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, place, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place))
    })?;
    (!path.is_empty()).then(|| mount.join(path))
}
