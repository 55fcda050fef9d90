//! An ordinary user, a folder, Python, and means to look at processes.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use nexus_sandbox::{Confined, Ending, Interpreter, Limits, Profile, Sandbox};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

/// Nobody.
const ORDINARY: u32 = 65534;

/// Root walks through walls that hold others. So a test that runs as root runs itself once more as nobody, and is
/// over then.
pub(crate) fn as_ordinary_user(test: &str) -> bool {
    use std::os::unix::process::CommandExt as _;
    if !rustix::process::geteuid().is_root() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_clear()
        // A Python in root's home is nobody's.
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .uid(ORDINARY)
        .gid(ORDINARY)
        .current_dir("/")
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "as an ordinary user: {text}");
    print!("{text}");
    false
}

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) python: Interpreter,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["code", "work"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, python: Interpreter::find("python3").await.expect("these tests need `python3` in PATH") }
    }

    pub(crate) fn code(&self) -> PathBuf {
        self.folder.path().join("code")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(crate) fn empty_work(&self) {
        std::fs::remove_dir_all(self.work()).unwrap();
        std::fs::create_dir(self.work()).unwrap();
    }

    /// Python that may read its code and write its work.
    pub(crate) fn sandbox(&self, profile: Profile, script: &str) -> Sandbox {
        let mut sandbox = Sandbox::new(profile, &self.python.program, self.code()).arguments(["-I", "-c", script]);
        sandbox.reads = self.python.files.clone();
        sandbox.writes = vec![self.work()];
        sandbox.limits = limits();
        sandbox
    }
}

/// Those of a tool.
pub(crate) fn limits() -> Limits {
    Limits {
        memory: Some(256 << 20),
        cpu_seconds: Some(20),
        file_bytes: Some(4 << 20),
        open_files: Some(64),
        processes: Some(64),
        // All tests run as one user, a fork bomb among them, which has less.
        user_processes: Some(8192),
        disk_bytes: Some(16 << 20),
        disk_files: Some(200),
        ..Limits::default()
    }
}

pub(crate) struct Finished {
    pub(crate) ending: Ending,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Starts it and waits for its end.
pub(crate) async fn finish(sandbox: &Sandbox) -> Finished {
    read_to_the_end(sandbox.spawn().await.unwrap()).await
}

pub(crate) async fn read_to_the_end(mut confined: Confined) -> Finished {
    let (mut out, mut err) = (confined.stdout.take().unwrap(), confined.stderr.take().unwrap());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (ending, ..) = tokio::join!(confined.ended(), out.read_to_end(&mut stdout), err.read_to_end(&mut stderr));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Finished { ending: ending.unwrap(), stdout: text(&stdout), stderr: text(&stderr) }
}

/// A zombie counts as gone: it runs nothing and holds nothing.
pub(crate) fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.trim_start().starts_with(['Z', 'X']))
}

/// Waits for a condition that nothing announces.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Living processes that work in a folder.
pub(crate) fn processes_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path());
    entries.filter(|path| std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))).collect()
}
