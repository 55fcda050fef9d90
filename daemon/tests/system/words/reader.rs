//! A reader who types what a page says, word for word, into a shell of their own. Only this is otherwise than at a
//! reader's: `cargo run --release` starts the tests' binary, the daemon has a port of its own in place of 8000, ids that a
//! page leaves open (`proj_…`) are the last ones that were printed, and crates share a target folder and the
//! workspace's versions, so that nothing is fetched.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{BufRead as _, BufReader, Read as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;

use super::blocks::{self, Block};
use crate::support::plugin_dir;

const PATIENCE: Duration = Duration::from_secs(120);
/// Kinds of ids that pages leave open.
const IDS: [&str; 3] = ["proj_", "agent_", "sess-"];

/// The repository.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub(crate) struct Reader {
    root: PathBuf,
    /// Where all of them build.
    shared: PathBuf,
    /// Where `cd` has led.
    here: PathBuf,
    daemon: Option<Child>,
    port: Option<u16>,
    ids: [Option<String>; 3],
    last: String,
    said: String,
    not_run: usize,
    _alone: fs::File,
}

impl Reader {
    /// In an empty folder beside a checkout, which is called `nexusd`. The folder is the same each time, so that cargo finds
    /// again what it has built, and outside of the repository, whose workspace no crate of a reader belongs to.
    pub(crate) fn new(name: &str) -> Self {
        let shared = plugin_dir().ancestors().nth(2).unwrap().join("words");
        fs::create_dir_all(&shared).unwrap();
        let alone = fs::File::create(shared.join(format!("{name}.lock"))).unwrap();
        alone.lock().unwrap();
        let mut hasher = DefaultHasher::new();
        shared.hash(&mut hasher);
        let root = std::env::temp_dir().join(format!("nexusd-words-{:x}-{name}", hasher.finish()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nexusd"), root.join("bin/nexusd")).unwrap();
        let here = root.join("desk");
        fs::create_dir(&here).unwrap();
        // Links, so that what a page writes into the checkout does not land in the real one.
        let clone = here.join("nexusd");
        mirror(&checkout(), &clone, &["plugins"]);
        mirror(&checkout().join("plugins"), &clone.join("plugins"), &["example-c"]);
        mirror(&checkout().join("plugins/example-c"), &clone.join("plugins/example-c"), &[]);
        Self {
            root,
            shared,
            here,
            daemon: None,
            port: None,
            ids: Default::default(),
            last: String::new(),
            said: String::new(),
            not_run: 0,
            _alone: alone,
        }
    }

    /// Goes into a folder.
    pub(crate) fn goes_to(&mut self, folder: &str) {
        self.here = self.here.join(folder);
    }

    /// Where it is.
    pub(crate) fn here(&self) -> &Path {
        &self.here
    }

    /// What the last command printed.
    pub(crate) fn last(&self) -> &str {
        &self.last
    }

    /// What all commands printed.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// Reads a page and does what every block says; answers how many it was told not to run.
    pub(crate) fn follows(&mut self, page: &str) -> usize {
        self.follows_some(page, |_| true)
    }

    /// Of a page the blocks that are wanted.
    pub(crate) fn follows_some(&mut self, page: &str, wanted: impl Fn(&Block) -> bool) -> usize {
        self.not_run = 0;
        let blocks = blocks::read(&checkout().join(page));
        assert!(!blocks.is_empty(), "{page} has no blocks");
        for block in blocks.iter().filter(|block| wanted(block)) {
            self.does(block);
        }
        self.not_run
    }

    fn does(&mut self, block: &Block) {
        if let Some(reason) = &block.not_run {
            assert!(reason.len() > 10, "{}: no reason", block.place);
            self.not_run += 1;
            return;
        }
        match block.language.as_str() {
            "sh" => self.types(block),
            "toml" | "rust" => self.keeps(block),
            "python" => {
                let script = self.root.join("script.py");
                fs::write(&script, self.filled(&block.text)).unwrap();
                self.run(&format!("python3 {script:?}"), &block.place);
            }
            "json" => self.compares(block),
            "text" => {}
            // With a real nginx: `.ci/proxy`.
            "nginx" => {}
            other => panic!("{}: what is a reader to do with a block of {other:?}?", block.place),
        }
    }

    /// A file that the page shows: written when it is not there, continued when the page says so, compared when it is there.
    fn keeps(&mut self, block: &Block) {
        let place = &block.place;
        let Some(name) = block.file() else {
            if block.language == "toml" {
                let file = self.root.join("shown.toml");
                fs::write(&file, &block.text).unwrap();
                return self.run(&format!("nexusd check-config {file:?}"), place);
            }
            return contains(&self.here.join("src/lib.rs"), &block.text, place);
        };
        let file = self.here.join(name);
        if block.before.starts_with("Add to") || block.before.contains(" Add to ") {
            let whole = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{place}: {name}: {error}"));
            fs::write(&file, format!("{whole}\n{}", block.text)).unwrap();
        } else if file.exists() {
            contains(&file, &block.text, place);
        } else {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &block.text).unwrap();
            self.furnish();
        }
    }

    /// An answer that the page shows: what it has is in the last command's output; `…` stands for what differs.
    fn compares(&self, block: &Block) {
        let shown: Value = serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place));
        let real: Value = serde_json::from_str(self.last.trim())
            .unwrap_or_else(|error| panic!("{}: the answer was {:?}: {error}", block.place, self.last));
        assert!(fits(&shown, &real), "{}: the page shows\n{shown:#}\nand the answer is\n{real:#}", block.place);
    }

    fn types(&mut self, block: &Block) {
        for command in commands(&block.text, &block.place) {
            let bare = command.split(" #").next().unwrap_or_default().trim();
            if bare == "cargo run --release" || bare == "nexusd" || bare == "nexusd --config nexusd.toml" {
                let options = bare.strip_prefix("nexusd").unwrap_or_default();
                self.starts(options, &block.place);
            } else if block.endless {
                self.watches(&command, &block.place);
            } else {
                self.run(&command, &block.place);
            }
        }
    }

    /// A shell in this folder, with this command.
    fn shell(&self, command: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("timeout");
        shell
            .args(["900", "bash", "-euo", "pipefail", "-c", command])
            .current_dir(&self.here)
            .env("PATH", format!("{}:{path}", self.root.join("bin").display()))
            .env("XDG_DATA_HOME", self.root.join("share"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("NEXUSD_LISTEN", format!("127.0.0.1:{}", self.port.unwrap_or(0)))
            .stdin(Stdio::null());
        for name in
            ["CARGO_TARGET_DIR", "STATE_DIRECTORY", "NEXUSD_URL", "NEXUSD_CONFIG", "NEXUSD_DATA_DIR", "RUST_LOG"]
        {
            shell.env_remove(name);
        }
        shell
    }

    /// Runs a command to its end, which must be a good one.
    pub(crate) fn run(&mut self, command: &str, place: &str) {
        let filled = self.filled(command);
        let after = self.root.join("pwd");
        let output = self.shell(&format!("{filled}\npwd > {after:?}")).output().expect("bash and timeout can be run");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let refused = said.replace(' ', "").contains("\"success\":false");
        assert!(
            output.status.success() && !refused,
            "{place}: {filled}\n{}\n{said}\n{}\n--- the daemon's log\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr),
            fs::read_to_string(self.root.join("nexusd.log")).unwrap_or_default()
        );
        self.here = PathBuf::from(fs::read_to_string(after).unwrap().trim());
        self.notes(&said);
        self.notes(&String::from_utf8_lossy(&output.stderr));
        self.said += &said;
        self.last = said;
        self.furnish();
    }

    /// Runs what goes on for ever until it has printed something.
    fn watches(&mut self, command: &str, place: &str) {
        let mut shell = self.shell(&self.filled(command));
        let mut child = shell.process_group(0).stdout(Stdio::piped()).spawn().expect("bash and timeout can be run");
        let mut stdout = child.stdout.take().unwrap();
        let (send, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut piece = [0; 64];
            let _ = send.send(stdout.read(&mut piece).unwrap_or(0));
        });
        let read = told.recv_timeout(PATIENCE);
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-s", "TERM", "--", &group]).status();
        let _ = child.wait();
        assert!(read.is_ok_and(|bytes| bytes > 0), "{place}: {command}: nothing came");
    }

    /// Starts the daemon, after the one before, if there is one, has ended.
    fn starts(&mut self, options: &str, place: &str) {
        self.ends();
        let log = self.root.join("nexusd.log");
        let mut shell = self.shell(&format!("exec nexusd {options}"));
        // Its end is this test's matter, so no `timeout` stands between.
        let words: Vec<_> = shell.get_args().skip(1).map(ToOwned::to_owned).collect();
        let environment: Vec<_> =
            shell.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
        shell = Command::new(&words[0]);
        shell.args(&words[1..]).current_dir(&self.here);
        for (name, value) in environment {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.env("NEXUSD_LISTEN", "127.0.0.1:0").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = shell.stderr(fs::File::create(&log).unwrap()).spawn().expect("bash can be run");
        let stdout = child.stdout.take().unwrap();
        self.daemon = Some(child);
        let (send, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("address    http://127.0.0.1:") {
                    let _ = send.send(address.trim().parse());
                }
            }
        });
        match told.recv_timeout(PATIENCE) {
            Ok(port) => self.port = Some(port.unwrap()),
            Err(_) => panic!("{place}: nexusd did not start:\n{}", fs::read_to_string(log).unwrap_or_default()),
        }
    }

    fn ends(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = Command::new("kill").args(["-s", "INT", &daemon.id().to_string()]).status();
            let _ = daemon.wait();
            self.port = None;
        }
    }

    /// A text of a page with the ids and the port of this run.
    fn filled(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        if let Some(port) = self.port {
            filled = filled.replace("localhost:8000", &format!("localhost:{port}"));
        }
        for (kind, id) in IDS.iter().zip(&self.ids) {
            if let Some(id) = id {
                filled = filled.replace(&format!("{kind}…"), id);
            }
        }
        filled
    }

    /// Keeps the last id of each kind that was printed.
    fn notes(&mut self, said: &str) {
        for (kind, kept) in IDS.iter().zip(&mut self.ids) {
            // The first of a list is the newest. Names of stages and workflows begin like ids, too.
            let ids = said.match_indices(kind).map(|(at, _)| {
                let letters = said[at..].chars();
                letters.take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect::<String>()
            });
            let real = ids.into_iter().find(|id| id.len() >= kind.len() + 12 && id.chars().any(|c| c.is_ascii_digit()));
            if real.is_some() {
                *kept = real;
            }
        }
    }

    /// New crates get the shared target folder and the versions of the workspace.
    fn furnish(&self) {
        let shared = &self.shared;
        for folder in [&self.root.join("desk"), &self.here] {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let krate = entry.path();
                // What is only linked here belongs to the checkout, and stays as it is.
                let linked = fs::symlink_metadata(&krate).is_ok_and(|known| known.is_symlink());
                if linked {
                    continue;
                }
                if krate.ends_with("nexusd") || !krate.join("Cargo.toml").is_file() || krate.join("target").exists() {
                    continue;
                }
                std::os::unix::fs::symlink(shared.join("target"), krate.join("target")).unwrap();
                fs::create_dir_all(shared.join("target")).unwrap();
                fs::copy(checkout().join("Cargo.lock"), krate.join("Cargo.lock")).unwrap();
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.ends();
        // What went wrong can be looked at.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// A folder of links to what another one has, without what builds leave and what is `left_out`; files of the innermost
/// folder are copies.
fn mirror(from: &Path, to: &Path, left_out: &[&str]) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text == "target" || text.starts_with(".git") || text.ends_with(".so") || left_out.contains(&&*text) {
            continue;
        }
        std::os::unix::fs::symlink(entry.path(), to.join(name)).unwrap();
    }
}

/// The commands of a block: lines that end open go on in the next, which bash itself is asked about.
fn commands(text: &str, place: &str) -> Vec<String> {
    let (mut commands, mut open) = (Vec::new(), String::new());
    for line in text.lines() {
        open += line;
        let asked = Command::new("bash").args(["-n", "-c", &open]).output().expect("bash can be run");
        if !asked.status.success() || !asked.stderr.is_empty() || line.ends_with('\\') {
            open.push('\n');
        } else if !open.trim().is_empty() {
            commands.push(std::mem::take(&mut open));
        }
    }
    assert!(open.is_empty(), "{place}: this does not end: {open}");
    commands
}

/// Every line of what a page shows is in the file, in this order, comments at their ends aside.
fn contains(file: &Path, shown: &str, place: &str) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{place}: {}: {error}", file.display()));
    let mut lines = text.lines().map(str::trim);
    for wanted in shown.lines().map(str::trim).filter(|line| !line.is_empty()) {
        assert!(lines.any(|line| line == wanted), "{place}: {} has no line (in this order)\n{wanted}", file.display());
    }
}

fn fits(shown: &Value, real: &Value) -> bool {
    match (shown, real) {
        (Value::Object(shown), Value::Object(real)) => {
            shown.iter().all(|(key, value)| key == "…" || real.get(key).is_some_and(|real| fits(value, real)))
        }
        (Value::String(shown), Value::String(real)) if shown.ends_with('…') => {
            real.starts_with(shown.trim_end_matches('…'))
        }
        _ => shown == real,
    }
}
