//! Files below the data folder as records: what stages wrote, what is kept of agents, workflows that were changed.
//!
//! `{root, path, size, offset, executable, data}`: a file in pieces of half a megabyte, in order; the last one has the
//! `sha256` of all of them. A root is
//! `projects/<id>`, `agents/<id>/package`, `agents/<id>/versions`, `workflows` or `mcp`. Where daemons share files
//! (`[backend] artifacts`), those of projects come from there and go there. Links are left out, and what Python makes by
//! itself.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::corrupt;
use crate::{
    backend::{
        aws::dynamodb::transfer::lacks,
        backup::hex,
        error::BackendError,
        files::{Artifacts, folder::walk},
        store::{
            Result,
            transfer::{Record, Written},
        },
    },
    domain::{
        ids::{AgentId, ProjectId, TaskId, WorkerId},
        rel_path::RelPath,
        task::Lease,
    },
    files,
};

/// Bytes of a piece.
const PIECE: usize = 512 << 10;
/// What is kept of an agent.
const OF_AGENTS: [&str; 2] = ["package", "versions"];
/// The root of the one file with the MCP servers.
const MCP: &str = "mcp";

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    files::blocking(act).await.map_err(BackendError::data_folder)?
}

/// The roots that are on this machine, in order.
fn roots(data: &Path) -> io::Result<BTreeSet<String>> {
    let folders = |name: &str| -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(data.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_str().map(str::to_owned)));
        Ok(names.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
    };
    let mut roots: BTreeSet<String> = ["workflows".to_owned(), MCP.to_owned()].into();
    roots.extend(folders("projects")?.iter().map(|id| format!("projects/{id}")));
    for id in folders("agents")? {
        roots.extend(OF_AGENTS.iter().map(|part| format!("agents/{id}/{part}")));
    }
    // What is no project's and no agent's is nobody's.
    roots.retain(|root| is_root(root) && data.join(root).is_dir() || root == MCP);
    Ok(roots)
}

/// Whether files can go there.
fn is_root(root: &str) -> bool {
    match root.split('/').collect::<Vec<&str>>().as_slice() {
        ["projects", id] => id.parse::<ProjectId>().is_ok(),
        ["agents", id, part] => id.parse::<AgentId>().is_ok() && OF_AGENTS.contains(part),
        ["workflows"] => true,
        [MCP] => true,
        _ => false,
    }
}

fn project_of(root: &str) -> Option<ProjectId> {
    root.strip_prefix("projects/")?.parse().ok()
}

/// What is to be given out.
pub(super) struct Giver {
    data: PathBuf,
    shared: Option<Arc<Artifacts>>,
    roots: BTreeSet<String>,
}

impl Giver {
    /// Of this data folder and these projects.
    pub(super) async fn new(data: PathBuf, shared: Option<Arc<Artifacts>>, projects: Vec<String>) -> Result<Self> {
        let folder = data.clone();
        let mut roots = blocking(move || roots(&folder).map_err(BackendError::data_folder)).await?;
        if shared.is_some() {
            roots.extend(projects.iter().map(|id| format!("projects/{id}")));
        }
        Ok(Self { data, shared, roots })
    }

    /// The next root from there on.
    pub(super) fn next(&self, from: Option<&str>, inclusive: bool) -> Option<String> {
        let from = from.unwrap_or_default();
        self.roots.iter().find(|root| root.as_str() > from || (inclusive && root.as_str() == from)).cloned()
    }

    /// Gives the pieces of a root's files out, one at a time.
    pub(super) async fn pieces(&self, root: &str) -> Result<Pieces> {
        let mut folder = self.data.join(root);
        let mut kept = None;
        if let (Some(shared), Some(id)) = (&self.shared, project_of(root)) {
            // Not over what is here: this machine's folder may be older, and is nobody's business.
            let there = scratch(&self.data).map_err(BackendError::data_folder)?;
            if shared.restore(&id, there.0.clone()).await? {
                folder.clone_from(&there.0);
            }
            kept = Some(there);
        }
        let (at, mcp) = (folder.clone(), root == MCP);
        let (names, strange) = if mcp {
            folder.clone_from(&self.data);
            let file = crate::backend::data_folder::MCP_SERVERS;
            (if folder.join(file).is_file() { vec![file.to_owned()] } else { Vec::new() }, Vec::new())
        } else {
            blocking(move || names(&at).map_err(BackendError::data_folder)).await?
        };
        Ok(Pieces { root: root.to_owned(), folder, names, strange, open: None, _kept: kept })
    }
}

/// The names of the files below a folder, the last first, and of those that have none.
fn names(root: &Path) -> io::Result<(Vec<String>, Vec<String>)> {
    let (mut names, mut strange) = (BTreeSet::new(), Vec::new());
    walk(root, &mut |path| {
        let below = path.strip_prefix(root).unwrap_or(path);
        match below.to_str() {
            Some(name) => drop(names.insert(name.to_owned())),
            None => strange.push(below.display().to_string()),
        }
        Ok(())
    })?;
    Ok((names.into_iter().rev().collect(), strange))
}

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn scratch(data: &Path) -> io::Result<Scratch> {
    let folder = data.join("run").join(format!("export-{}", rand::random::<u64>()));
    private(&folder)?;
    Ok(Scratch(folder))
}

/// Folders for the daemon's user only.
fn private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

struct Open {
    name: String,
    hash: Sha256,
    file: File,
    size: u64,
    offset: u64,
    executable: bool,
}

/// The pieces of a root.
pub(super) struct Pieces {
    root: String,
    folder: PathBuf,
    /// Those that are left, the last first.
    names: Vec<String>,
    /// Those whose names are no text.
    strange: Vec<String>,
    open: Option<Open>,
    _kept: Option<Scratch>,
}

pub(super) enum Piece {
    Record(Record),
    /// A file that cannot be read.
    Unreadable(String),
    /// There are no more.
    End,
}

impl Pieces {
    pub(super) async fn next(mut self) -> Result<(Self, Piece)> {
        blocking(move || {
            let piece = match self.read() {
                Ok(piece) => piece,
                Err(error) => {
                    let name = self.open.take().map(|open| open.name).unwrap_or_default();
                    Piece::Unreadable(format!("files of {}: {name}: {error}", self.root))
                }
            };
            Ok((self, piece))
        })
        .await
    }

    fn read(&mut self) -> io::Result<Piece> {
        use std::os::unix::fs::PermissionsExt as _;
        if let Some(name) = self.strange.pop() {
            return Ok(Piece::Unreadable(format!("files of {}: the name {name:?} is no text", self.root)));
        }
        if self.open.is_none() {
            let Some(name) = self.names.pop() else { return Ok(Piece::End) };
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
            let file = File::open(self.folder.join(&name)).map_err(named)?;
            let known = file.metadata().map_err(named)?;
            let executable = known.permissions().mode() & 0o111 != 0;
            self.open = Some(Open { name, hash: Sha256::new(), file, size: known.len(), offset: 0, executable });
        }
        let Some(open) = &mut self.open else { return Ok(Piece::End) };
        let mut piece = Vec::new();
        let left = (PIECE as u64).min(open.size - open.offset);
        io::Read::by_ref(&mut open.file).take(left).read_to_end(&mut piece)?;
        if piece.is_empty() && open.offset < open.size {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        open.hash.update(&piece);
        let mut record = Record::from_iter([
            ("root".to_owned(), self.root.as_str().into()),
            ("path".to_owned(), open.name.as_str().into()),
            ("size".to_owned(), open.size.into()),
            ("offset".to_owned(), open.offset.into()),
            ("executable".to_owned(), open.executable.into()),
            ("data".to_owned(), BASE64.encode(&piece).into()),
        ]);
        open.offset += piece.len() as u64;
        if open.offset >= open.size {
            record.insert("sha256".to_owned(), hex(&open.hash.clone().finalize()).into());
            self.open = None;
        }
        Ok(Piece::Record(record))
    }
}

/// What takes files in.
pub(super) struct Taker {
    data: PathBuf,
    shared: Option<Arc<Artifacts>>,
    root: Option<String>,
    /// The file that is being written, in a place of its own, and where it goes.
    part: Option<(PathBuf, PathBuf)>,
    /// Over the pieces of that file.
    hash: Sha256,
    /// The file that is there already.
    passed: Option<PathBuf>,
    /// Lease numbers of projects: files belong to one.
    pub(super) epochs: HashMap<ProjectId, u32>,
}

impl Taker {
    pub(super) fn new(data: PathBuf, shared: Option<Arc<Artifacts>>) -> Self {
        Self { data, shared, root: None, part: None, hash: Sha256::new(), passed: None, epochs: HashMap::new() }
    }

    /// Whether files of projects go to where others find them.
    pub(super) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    pub(super) async fn take(mut self, record: Record) -> Result<(Self, Written)> {
        let root = record.get("root").and_then(Value::as_str).ok_or_else(|| lacks("root"))?.to_owned();
        if self.root.as_ref() != Some(&root) {
            self.finish().await?;
            self.root = Some(root);
        }
        blocking(move || {
            let written = self.write(&record)?;
            Ok((self, written))
        })
        .await
    }

    /// A file without its last piece: its export was gone on with from its root's begin, or it could not be read on.
    fn drop_part(&mut self) -> bool {
        let part = self.part.take();
        part.inspect(|(part, _)| drop(fs::remove_file(part))).is_some()
    }

    /// Shares what is whole.
    pub(super) async fn finish(&mut self) -> Result<()> {
        let root = self.root.take();
        self.drop_part();
        let (Some(shared), Some(root)) = (&self.shared, root) else { return Ok(()) };
        let Some(project_id) = project_of(&root) else { return Ok(()) };
        let epoch = self.epochs.get(&project_id).copied().unwrap_or(0);
        // The lease that they were made under: the next owner's are newer.
        let task_id = TaskId::of_project(&project_id);
        let worker_id: WorkerId = "import".parse().map_err(|_| lacks("worker_id"))?;
        let lease = Lease { task_id, project_id, worker_id, epoch };
        shared.save_first(&lease, self.data.join(&root)).await
    }

    fn write(&mut self, record: &Record) -> Result<Written> {
        let text = |name: &str| record.get(name).and_then(Value::as_str).ok_or_else(|| lacks(name));
        let whole = |name: &str| record.get(name).and_then(Value::as_u64).ok_or_else(|| lacks(name));
        let (root, path) = (text("root")?, text("path")?);
        let to = self.place(root, path)?;
        let (size, offset) = (whole("size")?, whole("offset")?);
        let piece = BASE64.decode(text("data")?).map_err(|_| lacks("data"))?;
        if offset == 0 {
            self.drop_part();
            if to.symlink_metadata().is_ok() {
                // As it is now: somebody may have changed it since.
                self.passed = Some(to);
                return Ok(Written { present: 1, ..Written::default() });
            }
            private(to.parent().unwrap_or(&self.data)).map_err(BackendError::data_folder)?;
            let run = self.data.join("run");
            private(&run).map_err(BackendError::data_folder)?;
            let part = run.join(format!("import-{}.part", std::process::id()));
            File::create(&part).map_err(BackendError::data_folder)?;
            self.part = Some((part, to.clone()));
            self.hash = Sha256::new();
        } else if self.passed.as_ref() == Some(&to) {
            return Ok(Written { present: 1, ..Written::default() });
        }
        let Some((part, _)) = self.part.clone().filter(|(_, of)| *of == to) else {
            return Err(corrupt(format!("a piece of {path} comes without those before it")));
        };
        let executable = record.get("executable").and_then(Value::as_bool).unwrap_or(false);
        self.hash.update(&piece);
        let is_whole = append(&part, offset, &piece, size, executable).map_err(BackendError::data_folder)?;
        if is_whole {
            let (found, stated) = (hex(&self.hash.finalize_reset()), record.get("sha256").and_then(Value::as_str));
            if stated.is_some_and(|stated| stated != found) {
                self.drop_part();
                return Err(corrupt(format!(
                    "{path} of {root} is not what was exported: its SHA-256 is {found}; export it again"
                )));
            }
            crate::backend::data_folder::moving::relocate(&part, &to).map_err(BackendError::data_folder)?;
            self.part = None;
        }
        Ok(Written { written: 1, ..Written::default() })
    }

    /// Where a file goes: below the roots there are, and nowhere else.
    fn place(&self, root: &str, path: &str) -> Result<PathBuf> {
        let outside = || corrupt(format!("the file {path:?} of {root:?} does not belong into the data folder"));
        let read = |text| RelPath::of_file(text).map_err(|_| outside());
        let (below, file) = (read(root)?, read(path)?);
        match root {
            MCP if path == crate::backend::data_folder::MCP_SERVERS => Ok(file.below(&self.data)),
            MCP => Err(outside()),
            root if is_root(root) => Ok(file.below(&below.below(&self.data))),
            _ => Err(outside()),
        }
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.drop_part();
    }
}

/// Writes a piece; answers whether the file is whole.
fn append(part: &Path, offset: u64, piece: &[u8], size: u64, executable: bool) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut file = File::options().write(true).open(part)?;
    if file.metadata()?.len() != offset {
        return Err(io::Error::other(format!("{} has not the length of the pieces before", part.display())));
    }
    file.seek(SeekFrom::End(0))?;
    file.write_all(piece)?;
    if offset + (piece.len() as u64) < size {
        return Ok(false);
    }
    file.set_permissions(fs::Permissions::from_mode(if executable { 0o700 } else { 0o600 }))?;
    file.sync_all()?;
    Ok(true)
}
