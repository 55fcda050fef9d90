//! `/projects/{id}/files`: what the stages wrote, bounded, and never anything outside of the project's
//! folder, whatever the path says and wherever a symlink points.

use schemars::JsonSchema;
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use salvo::{Writer as _, oapi::endpoint};
use serde::Serialize;
use serde_json::Value;

use crate::api::{
    http::{
        error::{ApiError, Resource},
        request::extract::{FilePath, Id, Part, State},
        response::{Answer, Reply},
    },
    state::AppState,
};
use crate::{
    domain::{ids::ProjectId, rel_path::RelPath, time::Timestamp},
    files,
};

pub(crate) use crate::files::kind_of;

/// Most files of a listing.
const MAX_FILES: usize = 5_000;
/// Deepest folder of a listing.
const MAX_DEPTH: usize = 16;
/// Most bytes shown of a file.
pub(crate) const MAX_SHOWN: u64 = 1 << 20;

/// The files of a project.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FileListing")]
struct Listing {
    /// By path.
    files: Vec<Entry>,
    /// Relative to the data folder.
    project_path: String,
    /// There are more than are listed.
    truncated: bool,
}

/// A file of a project.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FileEntry")]
struct Entry {
    name: String,
    /// Relative to the project's folder.
    path: String,
    /// Bytes.
    size: u64,
    /// A word for its kind, by its ending.
    #[serde(rename = "type")]
    kind: &'static str,
    modified_at: Option<Timestamp>,
}

/// A file with its content.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FileContent")]
pub(crate) struct Shown {
    filename: String,
    /// Relative to the project's folder.
    path: String,
    /// A word for its kind; `binary` when it is no text.
    #[serde(rename = "type")]
    kind: &'static str,
    /// None for a binary file.
    pub(crate) content: Option<String>,
    /// What a YAML or JSON file says.
    pub(crate) parsed_content: Option<Value>,
    /// Bytes.
    size: u64,
    /// The content is only the begin.
    truncated: bool,
}

/// `GET /projects/{id}/files`
///
/// List the files of a project.
#[endpoint(operation_id = "listProjectFiles", tags("projects"))]
pub(crate) async fn list(state: State, id: Id<ProjectId>) -> Answer<Listing> {
    let Id(id) = id;
    state.projects.get(state.caller(), &id).await?;
    let fetched = fetch(&state, &id).await;
    let root = folder(&state.project_root, &id);
    let (files, truncated) = blocking(move || walk(&root)).await?;
    if let (Err(error), true) = (fetched, files.is_empty()) {
        return Err(error);
    }
    Ok(Reply::new(Listing { files, project_path: format!("projects/{id}"), truncated }))
}

/// `GET /projects/{id}/files/{path}`
///
/// Read a file of a project. Nothing outside of its folder is shown, wherever a link points.
#[endpoint(operation_id = "getProjectFile", tags("projects"))]
pub(crate) async fn show_file(state: State, id: Id<ProjectId>, path: Part<FilePath>) -> Answer<Shown> {
    let (Id(id), path) = (id, path.text);
    state.projects.get(state.caller(), &id).await?;
    let found = read(&state, &id, &path).await?;
    found.map(Reply::new).ok_or_else(|| ApiError::not_found(Resource::File, &path))
}

/// What is here is shown, also when it cannot be made new. That something is not there is said by who could look only.
async fn fetch(state: &AppState, id: &ProjectId) -> Result<(), ApiError> {
    state.agents.deployed.fetch_files(id).await.map_err(|error| {
        tracing::warn!(project_id = %id, %error, "the files of a project could not be brought here");
        ApiError::from(error)
    })
}

/// The project's folder; the id is checked, so this is always directly below the root.
pub(crate) fn folder(root: &Path, id: &ProjectId) -> PathBuf {
    root.join(id.as_str())
}

/// Runs file work off the runtime.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    files::blocking(work).await.map_err(ApiError::internal)
}

/// A file of the project, or `None` when there is none that may be shown.
///
/// # Errors
/// It is not here, and the store that daemons share cannot be asked for it.
pub(crate) async fn read(state: &AppState, id: &ProjectId, path: &str) -> Result<Option<Shown>, ApiError> {
    let Ok(path) = RelPath::parse(path) else { return Ok(None) };
    let fetched = fetch(state, id).await;
    let root = folder(&state.project_root, id);
    match (blocking(move || show(&root, &path)).await?, fetched) {
        (None, Err(error)) => Err(error),
        (found, _) => Ok(found),
    }
}

fn show(root: &Path, path: &RelPath) -> Option<Shown> {
    let (file, meta) = files::open(root, path)?;
    let mut bytes = Vec::new();
    file.take(MAX_SHOWN).read_to_end(&mut bytes).ok()?;
    let truncated = meta.len() > MAX_SHOWN;
    if truncated {
        cut_to_character(&mut bytes);
    }
    let content = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    let kind = if content.is_some() { kind_of(path.as_path()) } else { "binary" };
    let parsed_content = content.as_deref().filter(|_| !truncated).and_then(|text| parse(kind, text));
    Some(Shown {
        filename: path.name().to_owned(),
        path: path.to_string(),
        kind,
        content,
        parsed_content,
        size: meta.len(),
        truncated,
    })
}

/// Removes a character that the limit cut in two.
fn cut_to_character(bytes: &mut Vec<u8>) {
    let whole = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    bytes.truncate(whole);
}

/// What a structured document says.
pub(crate) fn parse(kind: &str, text: &str) -> Option<Value> {
    match kind {
        "json" => serde_json::from_str(text).ok(),
        // Aliases are expanded within the crate's budget only.
        "yaml" => serde_saphyr::from_str(text).ok(),
        _ => None,
    }
}

/// All regular files below `root`, sorted; symlinks are neither listed nor followed.
fn walk(root: &Path) -> (Vec<Entry>, bool) {
    let mut found = Vec::new();
    let mut open = vec![(root.to_owned(), String::new(), 0)];
    let mut truncated = false;
    while let Some((dir, prefix, depth)) = open.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries.flatten() {
            let Ok(meta) = entry.path().symlink_metadata() else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            if meta.is_dir() && name == "__pycache__" {
                // What Python makes of the files that are listed.
            } else if meta.is_dir() {
                if depth < MAX_DEPTH && open.len() < MAX_FILES {
                    open.push((entry.path(), path, depth + 1));
                } else {
                    truncated = true;
                }
            } else if meta.is_file() {
                if found.len() == MAX_FILES {
                    return (sorted(found), true);
                }
                let kind = kind_of(Path::new(&name));
                let modified_at = meta.modified().ok().and_then(timestamp);
                found.push(Entry { name, path, size: meta.len(), kind, modified_at });
            }
        }
    }
    (sorted(found), truncated)
}

fn sorted(mut files: Vec<Entry>) -> Vec<Entry> {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

pub(crate) fn timestamp(at: SystemTime) -> Option<Timestamp> {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("proj_1");
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(dir.path().join("secret"), "s").unwrap();
        fs::write(root.join("a/ok.json"), "{\"x\":1}").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), root.join("link")).unwrap();
        std::os::unix::fs::symlink(dir.path(), root.join("up")).unwrap();
        for bad in ["../secret", "/etc/passwd", "a/../../secret", "a\\b", "", ".", "a\0"] {
            assert_eq!(bad.parse().ok().and_then(|path| show(&root, &path)).map(|shown| shown.path), None, "{bad:?}");
        }
        for bad in ["link", "up/secret", "a", "none"] {
            assert!(show(&root, &bad.parse().unwrap()).is_none(), "{bad:?}");
        }
        let shown = show(&root, &"a/ok.json".parse().unwrap()).unwrap();
        assert_eq!(shown.parsed_content, Some(serde_json::json!({"x": 1})));
        assert_eq!(walk(&root).0.iter().map(|e| e.path.as_str()).collect::<Vec<_>>(), ["a/ok.json"]);
    }

    #[test]
    fn a_yaml_bomb_is_not_expanded() {
        assert_eq!(parse("yaml", "a: [1, two]"), Some(serde_json::json!({ "a": [1, "two"] })));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let last = format!("*a{}, ", n - 1).repeat(9);
            bomb.push_str(&format!("a{n}: &a{n} [{last}]\n"));
        }
        assert_eq!(parse("yaml", &bomb), None);
    }

    #[test]
    fn large_and_binary_files_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("big.txt"), "ä".repeat(1 << 20)).unwrap();
        fs::write(dir.path().join("odd.txt"), format!("x{}", "ä".repeat(1 << 20))).unwrap();
        fs::write(dir.path().join("bin"), [0xff, 0, 1]).unwrap();
        for name in ["big.txt", "odd.txt"] {
            let big = show(dir.path(), &name.parse().unwrap()).unwrap();
            assert!(big.truncated && big.content.unwrap().len() <= 1 << 20);
        }
        assert_eq!(show(dir.path(), &"bin".parse().unwrap()).unwrap().kind, "binary");
    }
}
