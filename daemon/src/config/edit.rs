//! Settings and workflow files as people look at them and change them through the API: checked, written
//! whole or not at all, the version before kept, secrets hidden.
//!
//! What is changed here lies in the data folder, which comes after the operator's own folders: those are
//! never written.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::{Value, json};

use crate::domain::secret::shown_url;

use super::{
    Config, Problem,
    check::check,
    problem::{Place, Source},
    schema::CONFIG,
    tree,
    workflow::{SHIPPED, read_workflow},
};

/// Where the versions before are, below the folder of changed files.
const PREVIOUS: &str = ".previous";
/// Stands for a value that is not shown.
pub const MASK: &str = "***";
/// The name of the shipped workflow's file.
const SHIPPED_FILE: &str = "agent_build.toml";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `nexusd.toml`.
    Settings,
    /// A workflow.
    Workflow,
}

/// A file of the configuration.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    pub name: String,
    pub kind: FileKind,
    /// Where it lies; none for what is part of the program.
    pub path: Option<PathBuf>,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Option<SystemTime>,
}

/// The files of a running daemon.
#[derive(Clone, Debug)]
pub struct ConfigFiles {
    settings: Option<PathBuf>,
    dirs: Vec<PathBuf>,
    changed: PathBuf,
}

/// Whether a name is that of a file in one folder, without anything that leads elsewhere.
#[must_use]
pub fn is_file_name(name: &str) -> bool {
    let stem = name.strip_suffix(".toml").unwrap_or_default();
    (1..=64).contains(&stem.len()) && stem.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

impl ConfigFiles {
    /// Those of these settings, read from that file.
    #[must_use]
    pub fn new(config: &Config, settings: Option<&Path>) -> Self {
        let changed = config.data.workflows();
        Self { settings: settings.map(Path::to_owned), dirs: config.workflows.dirs.clone(), changed }
    }

    /// All files by name; of two of one name the one that counts.
    #[must_use]
    pub fn list(&self) -> Vec<ConfigFile> {
        let mut found = BTreeMap::new();
        let mut add = |file: ConfigFile| found.insert(file.name.clone(), file);
        add(ConfigFile {
            name: SHIPPED_FILE.to_owned(),
            kind: FileKind::Workflow,
            path: None,
            size: SHIPPED.1.len() as u64,
            modified: None,
        });
        for dir in self.dirs.iter().chain([&self.changed]) {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if is_file_name(&name) {
                    describe(entry.path(), name, FileKind::Workflow).map(&mut add);
                }
            }
        }
        if let Some(path) = &self.settings
            && let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned())
        {
            describe(path.clone(), name, FileKind::Settings).map(&mut add);
        }
        found.into_values().collect()
    }

    /// The file of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ConfigFile> {
        self.list().into_iter().find(|file| file.name == name)
    }

    /// The text of a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, file: &ConfigFile) -> Result<String, Problem> {
        match &file.path {
            None => Ok(SHIPPED.1.to_owned()),
            Some(path) => super::load::read(path).map(|source| source.text),
        }
    }

    /// Puts a text in place of a workflow file, for the daemon to try. What it replaces is set aside, and comes back
    /// unless [`ConfigFiles::accepted`] follows: the version kept before stays what it is until then.
    ///
    /// # Errors
    /// The folder cannot be written; nothing has changed.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        self.make_folders()?;
        let new = self.changed.join(format!(".{name}.new"));
        let mut file = fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        self.set_aside(name)?;
        fs::rename(&new, self.changed.join(name))?;
        self.sync()
    }

    /// Puts the version before in place of the current one, for the daemon to try; either may be none.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn swap(&self, name: &str) -> io::Result<()> {
        self.make_folders()?;
        let (current, kept) = (self.changed.join(name), self.kept(name));
        self.set_aside(name)?;
        match fs::read(&kept) {
            Ok(text) => {
                let new = self.changed.join(format!(".{name}.new"));
                fs::write(&new, text)?;
                fs::rename(&new, &current)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => remove(&current)?,
            Err(error) => return Err(error),
        }
        self.sync()
    }

    /// The daemon took the file: what it replaced is the version before from now on.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn accepted(&self, name: &str) -> io::Result<()> {
        let aside = self.aside(name);
        match fs::metadata(&aside)?.len() {
            // There was none.
            0 => {
                remove(&self.kept(name))?;
                remove(&aside)?;
            }
            _ => fs::rename(&aside, self.kept(name))?,
        }
        self.sync()
    }

    /// The daemon refused the file: what it replaced is back, and the version before is as it was.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn refused(&self, name: &str) -> io::Result<()> {
        let (aside, current) = (self.aside(name), self.changed.join(name));
        match fs::metadata(&aside)?.len() {
            0 => {
                remove(&current)?;
                remove(&aside)?;
            }
            _ => fs::rename(&aside, &current)?,
        }
        self.sync()
    }

    /// Puts back what was being tried when the daemon ended in between: nobody knows whether it would be taken. Answers
    /// whether there was anything: then the files are to be read again.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn settle(&self) -> io::Result<bool> {
        let mut settled = false;
        for entry in fs::read_dir(&self.changed).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let tried = name.strip_prefix('.').and_then(|name| name.strip_suffix(".aside"));
            if let Some(name) = tried.filter(|name| is_file_name(name)) {
                self.refused(name)?;
                settled = true;
            }
        }
        Ok(settled)
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.changed.join(PREVIOUS).join(name)
    }

    fn aside(&self, name: &str) -> PathBuf {
        self.changed.join(format!(".{name}.aside"))
    }

    /// A copy of what is in force; an empty one stands for none: an empty workflow file is never taken.
    fn set_aside(&self, name: &str) -> io::Result<()> {
        let text = match fs::read(self.changed.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let (aside, beside) = (self.aside(name), self.changed.join(format!(".{name}.part")));
        let mut file = fs::File::create(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(beside, aside)
    }

    fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.changed)?.sync_all()
    }

    /// Whether [`ConfigFiles::swap`] would change anything.
    #[must_use]
    pub fn can_swap(&self, name: &str) -> bool {
        self.changed.join(name).is_file() || self.changed.join(PREVIOUS).join(name).is_file()
    }

    fn make_folders(&self) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.changed.join(PREVIOUS))
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn describe(path: PathBuf, name: String, kind: FileKind) -> Option<ConfigFile> {
    let meta = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
    Some(ConfigFile { name, kind, path: Some(path), size: meta.len(), modified: meta.modified().ok() })
}

/// Checks a text as what it shall be; answers what it says, secrets hidden.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check_text(kind: FileKind, name: &str, text: &str) -> Result<Value, Vec<Problem>> {
    let source = Source { name: name.to_owned(), text: text.to_owned() };
    match kind {
        FileKind::Workflow => {
            read_workflow(source, 0)?;
        }
        FileKind::Settings => {
            let tree = tree::parse(&source)?;
            let problems = check(&tree, &CONFIG, &source);
            if !problems.is_empty() {
                return Err(problems);
            }
        }
    }
    Ok(shown(kind, text).0)
}

/// What a file says and its text, both without secrets. Settings are shown by a list of what may be shown; a file that
/// cannot be read as TOML is not shown at all, since nobody knows which of it is a secret.
#[must_use]
pub fn shown(kind: FileKind, text: &str) -> (Value, String) {
    let Ok(mut whole) = text.parse::<toml::Table>() else { return (Value::Null, UNREADABLE.to_owned()) };
    let hidden = match kind {
        FileKind::Settings => {
            // Comments may hold what was a value once.
            whole = keep_what_may_be_shown(whole, "");
            true
        }
        FileKind::Workflow => hide(&mut whole),
    };
    let parsed = serde_json::to_value(&whole).unwrap_or_default();
    let text = if hidden { toml::to_string_pretty(&whole).unwrap_or_default() } else { text.to_owned() };
    (parsed, text)
}

/// In place of a text that cannot be read.
const UNREADABLE: &str =
    "# This file is not valid TOML, so it is not shown here: nobody knows which of it is a secret.\n";

/// Sections whose plain values (numbers, truth values, words of a closed set, names) are no secrets.
const OPEN: [&str; 16] = [
    "version",
    "roles",
    "server",
    "auth.mode",
    "auth.session_hours",
    "auth.limits",
    "data",
    "store",
    "retention",
    "queues",
    "worker",
    "workflows",
    "deploy",
    "agents",
    "tools",
    "log",
];
/// Further keys, in sections that are not shown as a whole.
const OPEN_KEYS: [&str; 16] = [
    "backend.kind",
    "backend.region",
    "backend.prefix",
    "backend.artifacts",
    "pricing",
    "plugins.dirs",
    "plugins.shipped",
    "plugins.max_jobs",
    "plugins.cancel_grace_secs",
    "plugins.max_stuck",
    "plugins.max_result_bytes",
    "plugins.max_event_bytes",
    "auth.oidc.user_claim",
    "auth.oidc.role_claim",
    "auth.oidc.shared_claim",
    "auth.oidc.default_role",
];
/// Addresses: shown without user, password and query.
const ADDRESSES: [&str; 5] = [
    "backend.endpoint_url",
    "backend.dynamodb_endpoint_url",
    "backend.sqs_endpoint_url",
    "server.public_url",
    "auth.oidc.issuer",
];

fn keep_what_may_be_shown(table: toml::Table, above: &str) -> toml::Table {
    let below =
        |known: &str, path: &str| path == known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('.'));
    let one = |(key, value): (String, toml::Value)| {
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        let open = OPEN.iter().chain(&OPEN_KEYS).any(|known| below(known, &path))
            || (path.starts_with("plugins.") && path.matches('.').count() == 2 && key == "max_jobs");
        let value = match value {
            toml::Value::Table(inner) => toml::Value::Table(keep_what_may_be_shown(inner, &path)),
            toml::Value::String(text) if ADDRESSES.contains(&path.as_str()) => shown_url(&text).into(),
            value if open => value,
            _ => toml::Value::String(MASK.to_owned()),
        };
        (key, value)
    };
    table.into_iter().map(one).collect()
}

/// Replaces what looks like a secret by its name; whether there was any.
fn hide(table: &mut toml::Table) -> bool {
    const SECRET: [&str; 7] = ["secret", "password", "passwd", "token", "api_key", "apikey", "credential"];
    let mut hidden = false;
    for (key, value) in table.iter_mut() {
        let name = key.to_ascii_lowercase().replace('-', "_");
        let text = value.is_str();
        if text && SECRET.iter().any(|word| name.contains(word)) {
            *value = toml::Value::String(MASK.to_owned());
            hidden = true;
        } else {
            hidden |= hide_in(value);
        }
    }
    hidden
}

fn hide_in(value: &mut toml::Value) -> bool {
    match value {
        toml::Value::Table(table) => hide(table),
        toml::Value::Array(items) => items.iter_mut().fold(false, |hidden, item| hide_in(item) | hidden),
        _ => false,
    }
}

/// A problem for a client: no path of this machine.
#[must_use]
pub fn told(problem: &Problem) -> Value {
    let (line, column) = match &problem.place {
        Place::Spot(spot) => (json!(spot.line), json!(spot.column)),
        _ => (Value::Null, Value::Null),
    };
    json!({ "message": problem.message, "line": line, "column": column, "help": problem.help })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for good in ["a.toml", "agent_build.toml", "x-1.toml"] {
            assert!(is_file_name(good), "{good}");
        }
        for bad in ["", ".toml", "..", "../a.toml", "a/b.toml", "a.toml/", ".a.toml", "a.txt", "a b.toml", "a\0.toml"] {
            assert!(!is_file_name(bad), "{bad}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let text = "[plugins]\nmax_jobs = 3\n[plugins.x]\nmodel = \"m\"\nmax_jobs = 2\n[a]\napi-key = \"k\"\nb = [{ token = \"t\" }]";
        let (parsed, raw) = shown(FileKind::Settings, text);
        for secret in ["\"m\"", "\"k\"", "\"t\""] {
            assert!(!parsed.to_string().contains(secret) && !raw.contains(secret), "{secret}: {raw}");
        }
        assert_eq!((&parsed["plugins"]["max_jobs"], &parsed["plugins"]["x"]["max_jobs"]), (&json!(3), &json!(2)));
        // An address is shown without what may be a password, and what cannot be read is not shown.
        let text = "[backend]\nregion = \"r\"\nendpoint_url = \"https://u:sesame@host/?k=sesame\"\nfuture = \"sesame\" # sesame";
        let (parsed, raw) = shown(FileKind::Settings, text);
        assert!(!raw.contains("sesame") && raw.contains("https://***@host/"), "{raw}");
        assert_eq!(parsed["backend"]["region"], "r");
        for kind in [FileKind::Settings, FileKind::Workflow] {
            let (parsed, raw) = shown(kind, "[backend]\nkey = \"sesame\"\n[backend");
            assert!(parsed.is_null() && !raw.contains("sesame"), "{raw}");
        }
        // Without any, the text stays as it was written.
        let plain = "# why\nname = \"w\"";
        assert_eq!(shown(FileKind::Workflow, plain).1, plain);
    }

    #[test]
    fn the_version_before_comes_back_and_goes_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.data.dir = dir.path().to_owned();
        let files = ConfigFiles::new(&config, None);
        let read = |name: &str| files.find(name).map(|file| files.read(&file).unwrap());
        assert!(!files.can_swap("w.toml"));
        let put = |text: &str| files.write("w.toml", text).and_then(|()| files.accepted("w.toml")).unwrap();
        let swap = || files.swap("w.toml").and_then(|()| files.accepted("w.toml")).unwrap();
        put("one");
        swap();
        assert_eq!(read("w.toml"), None);
        swap();
        assert_eq!(read("w.toml").as_deref(), Some("one"));
        put("two");
        swap();
        assert_eq!(read("w.toml").as_deref(), Some("one"));
        swap();
        // What is refused is never kept, whether it was new or the version before.
        files.write("w.toml", "three").unwrap();
        files.refused("w.toml").unwrap();
        assert_eq!(read("w.toml").as_deref(), Some("two"));
        files.swap("w.toml").unwrap();
        files.refused("w.toml").unwrap();
        assert_eq!(read("w.toml").as_deref(), Some("two"));
        // An end in between: what was in force is back, and so is the version before.
        files.write("w.toml", "four").unwrap();
        files.settle().unwrap();
        assert_eq!(read("w.toml").as_deref(), Some("two"));
        swap();
        assert_eq!(read("w.toml").as_deref(), Some("one"));
        files.write("x.toml", "first of its name").unwrap();
        files.settle().unwrap();
        assert!(read("x.toml").is_none() && !files.can_swap("x.toml"));
        assert!(read("agent_build.toml").unwrap().contains("orchestrator"));
    }
}
