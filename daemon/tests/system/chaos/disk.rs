//! A small disk for one daemon, which the test fills: a tmpfs, mounted by root, or by anybody in a namespace of his own.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Room for a run of many hours.
const SIZE: &str = "size=512m,mode=0755";

/// The disk; it goes with this value.
pub(super) struct Disk {
    /// Where this process sees it.
    pub(super) seen: PathBuf,
    /// Keeps it mounted.
    holder: Child,
    /// It is mounted in a namespace of the holder's own.
    apart: bool,
}

/// Mounts, and takes the disk away when the pipe from here is closed, however this process ends.
const MOUNT: &str = "mount -t tmpfs -o \"$1\" nexusd-test \"$0\" && echo mounted && cat && umount --lazy \"$0\"";

impl Disk {
    /// Mounts one at `folder`, which is made.
    ///
    /// # Panics
    /// When that is not possible: says what is missing.
    pub(super) fn at(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder to mount at");
        match hold(&["sh", "-c", MOUNT], folder) {
            Ok(holder) => Self { seen: folder.to_owned(), holder, apart: false },
            Err(refused) => {
                let held = hold(&["unshare", "-rm", "sh", "-c", MOUNT], folder);
                let holder = held.unwrap_or_else(|error| {
                    panic!(
                        "the test needs a small disk that it can fill: run it as root, or where namespaces of users may \
                         be made (sysctl kernel.unprivileged_userns_clone=1). mount: {refused}; unshare -rm: {error}"
                    )
                });
                let within = folder.strip_prefix("/").expect("an absolute path");
                let seen = Path::new("/proc").join(holder.id().to_string()).join("root").join(within);
                Self { seen, holder, apart: true }
            }
        }
    }

    /// What a daemon must be started by to see the disk.
    pub(super) fn launcher(&self) -> Vec<String> {
        if !self.apart {
            return Vec::new();
        }
        let holder = self.holder.id().to_string();
        let words = ["nsenter", "--user", "--mount", "--preserve-credentials", "--target", &holder, "--"];
        words.map(str::to_owned).to_vec()
    }

    /// Fills it to the last byte. What is freed meanwhile is taken, too, with the next call.
    pub(super) fn fill(&self) {
        let ballast = fs::OpenOptions::new().create(true).append(true).open(self.seen.join("ballast"));
        let Ok(mut ballast) = ballast else { return };
        for size in [1 << 20, 4096, 1] {
            let bytes = vec![b'x'; size];
            while matches!(ballast.write(&bytes), Ok(written) if written > 0) {}
        }
    }

    /// Gives the room back.
    pub(super) fn free(&self) {
        let emptied = File::create(self.seen.join("ballast"));
        emptied.expect("the ballast can be cut");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The pipe is closed first, and with it the disk goes.
        let _ = self.holder.wait();
    }
}

/// Runs a command that mounts the disk and stays; what it says when it does not.
fn hold(words: &[&str], folder: &Path) -> Result<Child, String> {
    let (program, arguments) = words.split_first().ok_or("no command")?;
    let mut command = Command::new(program);
    command.args(arguments).arg(folder).arg(SIZE);
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut holder = spawned.map_err(|error| error.to_string())?;
    let mut line = String::new();
    if let Some(said) = holder.stdout.take() {
        let _ = BufReader::new(said).read_line(&mut line);
    }
    if line.trim() == "mounted" {
        return Ok(holder);
    }
    let output = holder.wait_with_output().map_err(|error| error.to_string())?;
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
