//! The files that an agent is made of: its code, its prompt, its tools. They are read and changed in its folder,
//! and never anywhere else; what a change replaces is kept.

use std::{
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use sha2::{Digest as _, Sha256};

use crate::{
    domain::{agent::Agent, rel_path::RelPath},
    files,
};

/// Largest file that is shown or taken, in bytes.
pub const MAX_FILE: u64 = 1 << 20;
/// Versions kept of a file.
const VERSIONS: usize = 20;
/// Most tools that are listed.
const MAX_TOOLS: usize = 200;
/// Changes one after the other: between the look at what is there and the change nobody else changes it.
static CHANGES: Mutex<()> = Mutex::new(());

/// Where an agent's files are.
#[derive(Clone, Debug)]
pub struct Package {
    /// The agent's folder.
    pub root: PathBuf,
    /// The daemon's own folder for the agent.
    pub state: PathBuf,
    /// Its folder within its project, which record paths begin with.
    prefix: String,
    code: Option<String>,
    prompt: Option<String>,
}

/// A file of an agent.
#[derive(Clone, Debug, Default)]
pub struct AgentFile {
    /// Relative to the agent's folder.
    pub path: String,
    /// None when it is not there, is no text, or is too large.
    pub content: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Whether it is there.
    pub exists: bool,
    /// SHA-256 of the content, hexadecimal.
    pub checksum: Option<String>,
}

/// What an agent's `manifest.json` tells beside its record.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Manifest {
    /// The model that it was built for.
    #[serde(default)]
    pub model_id: Option<String>,
}

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file is not what the caller thinks it is.
    #[error("the file was changed meanwhile")]
    Changed,
    /// It cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Package {
    /// The files of an agent whose folders are these.
    #[must_use]
    pub fn new(agent: &Agent, root: PathBuf, state: PathBuf) -> Self {
        let prefix = format!("{}/", agent.agent_dir.trim_end_matches('/'));
        Self { root, state, prefix, code: agent.code_path.clone(), prompt: agent.prompt_path.clone() }
    }

    /// A path of the record as it is within the agent's folder.
    fn within(&self, path: &str) -> String {
        path.strip_prefix(&self.prefix).unwrap_or(path).to_owned()
    }

    /// The path of its code, when it has one.
    #[must_use]
    pub fn code_path(&self) -> Option<String> {
        self.code.as_deref().map(|path| self.within(path))
    }

    /// The path of its prompt, when it has one.
    #[must_use]
    pub fn prompt_path(&self) -> Option<String> {
        self.prompt.as_deref().map(|path| self.within(path))
    }

    /// Paths of its tools. Blocks.
    #[must_use]
    pub fn tool_paths(&self) -> Vec<String> {
        let folder = "tools".parse().ok().and_then(|tools| files::Folder::open(&self.root, Some(&tools)).ok());
        let Some(folder) = folder else { return Vec::new() };
        let found = folder.files().unwrap_or_default().into_iter().map(|(name, _)| name);
        let mut names: Vec<_> = found.filter(|name| name.ends_with(".py") && name != "__init__.py").collect();
        names.sort();
        names.truncate(MAX_TOOLS);
        names.into_iter().map(|name| format!("tools/{name}")).collect()
    }

    /// Reads a file. Blocks.
    #[must_use]
    pub fn read(&self, path: &str) -> AgentFile {
        let nothing = || AgentFile { path: path.to_owned(), ..AgentFile::default() };
        let found = path.parse::<RelPath>().ok().and_then(|path| files::open(&self.root, &path));
        let Some((file, meta)) = found else { return nothing() };
        let mut bytes = Vec::new();
        let read = io::Read::read_to_end(&mut io::Read::take(file, MAX_FILE + 1), &mut bytes);
        let whole = read.is_ok() && bytes.len() as u64 <= MAX_FILE;
        AgentFile {
            path: path.to_owned(),
            size: meta.len(),
            exists: true,
            checksum: whole.then(|| checksum(&bytes)),
            content: String::from_utf8(bytes).ok().filter(|text| whole && !text.contains('\0')),
        }
    }

    /// Its manifest; one that is missing or broken tells nothing. Blocks.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        let text = self.read("manifest.json").content.unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Replaces a file, whole or not at all; the version before is kept. Answers the number of versions kept. Blocks.
    ///
    /// # Errors
    /// See [`WriteError`]; nothing has changed.
    pub fn write(&self, path: &RelPath, content: &str, expected: Option<&str>) -> Result<usize, WriteError> {
        let _alone = CHANGES.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = files::Folder::make(&self.root, path.parent().as_ref())?;
        let old = folder.read(path.name(), MAX_FILE)?;
        let now = old.as_deref().map(checksum).unwrap_or_default();
        if expected.is_some_and(|expected| !expected.eq_ignore_ascii_case(&now)) {
            return Err(WriteError::Changed);
        }
        let history = self.history(path)?;
        if let Some(old) = old.filter(|old| old.as_slice() != content.as_bytes()) {
            let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            history.put(&format!("{:020}", at.as_micros()), &old)?;
        }
        folder.put(path.name(), content.as_bytes())?;
        let mut kept = names(&history)?;
        while kept.len() > VERSIONS {
            history.remove(&kept.remove(0));
        }
        Ok(kept.len())
    }

    /// When the versions before were replaced, in microseconds since 1970, the oldest first. Blocks.
    #[must_use]
    pub fn versions(&self, path: &RelPath) -> Vec<i64> {
        let kept = self.history(path).and_then(|history| names(&history)).unwrap_or_default();
        kept.iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// The folder with the versions before of a file.
    fn history(&self, path: &RelPath) -> io::Result<files::Folder> {
        // One name for each path, without its slashes.
        let name = path.as_str().replace('%', "%25").replace('/', "%2f");
        let folder = format!("versions/{name}").parse().map_err(io::Error::other)?;
        files::Folder::make(&self.state, Some(&folder))
    }
}

fn names(folder: &files::Folder) -> io::Result<Vec<String>> {
    let found = folder.files()?.into_iter().map(|(name, _)| name);
    let mut names: Vec<_> = found.filter(|name| name.bytes().all(|b| b.is_ascii_digit())).collect();
    names.sort();
    Ok(names)
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
