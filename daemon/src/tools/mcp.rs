//! The MCP servers that people have written down: `mcp_servers.json` in the data folder, in the form that
//! MCP clients share (`{"mcpServers": {"<name>": {"command", "args", "env", "url", "disabled",
//! "autoApprove"}}}`). The daemon shows and switches them; it starts none.
//!
//! The file is read at every request, since people edit it, and written as a whole or not at all.

use schemars::JsonSchema;
use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::{domain::secret::shown_url, files};

use crate::backend::data_folder::MCP_SERVERS as FILE;
const MAX_BYTES: u64 = 1 << 20;
const SERVERS: &str = "mcpServers";
/// What stands in place of a secret.
const MASK: &str = "***";

/// Why the servers cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// The file is no JSON of the right form, or too large.
    #[error("{FILE} in the data folder is not of the form {{\"{SERVERS}\": {{\"<name>\": {{…}}}}}}")]
    Invalid,
    /// The file system refused.
    #[error("{FILE} in the data folder cannot be read or written")]
    Io(#[from] io::Error),
}

/// An MCP server. Values of its environment are never told.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct McpServer {
    /// Its name in the file.
    pub name: String,
    /// `stdio` or `http`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub command: Option<String>,
    /// As many as it has arguments, each masked.
    pub args: Vec<String>,
    pub url: Option<String>,
    /// Names, with masked values.
    pub env: Map<String, Value>,
    /// Not to be used.
    pub disabled: bool,
    /// Names of tools that need no approval.
    pub auto_approve: Vec<String>,
}

/// What changes of a server.
#[derive(Clone, Debug, Default)]
pub struct McpChange {
    /// See [`McpServer::disabled`].
    pub disabled: Option<bool>,
    /// See [`McpServer::auto_approve`].
    pub auto_approve: Option<Vec<String>>,
}

#[derive(Debug)]
pub struct McpServers {
    path: PathBuf,
    /// Held while the file is changed.
    turn: Mutex<()>,
}

impl McpServers {
    /// The servers of a data folder.
    #[must_use]
    pub fn new(data: &Path) -> Arc<Self> {
        Arc::new(Self { path: data.join(FILE), turn: Mutex::new(()) })
    }

    /// All of them, by name; none when there is no file.
    ///
    /// # Errors
    /// [`McpError`].
    pub async fn list(&self) -> Result<Vec<McpServer>, McpError> {
        let whole = self.read().await?;
        Ok(servers(&whole)?.iter().map(|(name, server)| shown(name, server)).collect())
    }

    /// Changes one; `None` when there is none of this name. What the daemon does not know stays as it is.
    ///
    /// # Errors
    /// [`McpError`].
    pub async fn change(&self, name: &str, change: McpChange) -> Result<Option<McpServer>, McpError> {
        let _turn = self.turn.lock().await;
        let mut whole = self.read().await?;
        let found = whole.get_mut(SERVERS).and_then(|all| all.get_mut(name)).and_then(Value::as_object_mut);
        let Some(server) = found else {
            servers(&whole)?;
            return Ok(None);
        };
        if let Some(disabled) = change.disabled {
            server.insert("disabled".to_owned(), disabled.into());
        }
        if let Some(tools) = change.auto_approve {
            server.remove("auto_approve");
            server.insert("autoApprove".to_owned(), tools.into());
        }
        let changed = shown(name, &Value::Object(server.clone()));
        let text = serde_json::to_string_pretty(&whole).map_err(io::Error::other)? + "\n";
        let path = self.path.clone();
        files::blocking(move || replace(&path, &text)).await??;
        Ok(Some(changed))
    }

    async fn read(&self) -> Result<Value, McpError> {
        let path = self.path.clone();
        let text = files::blocking(move || read(&path)).await??;
        match text {
            None => Ok(json!({ SERVERS: {} })),
            Some(text) => serde_json::from_slice(&text).map_err(|_| McpError::Invalid),
        }
    }
}

fn servers(whole: &Value) -> Result<&Map<String, Value>, McpError> {
    let all = whole.get(SERVERS).and_then(Value::as_object).ok_or(McpError::Invalid)?;
    if all.values().all(Value::is_object) { Ok(all) } else { Err(McpError::Invalid) }
}

fn shown(name: &str, server: &Value) -> McpServer {
    let text = |key: &str| server.get(key).and_then(Value::as_str).map(str::to_owned);
    let texts = |key: &str| -> Option<Vec<String>> {
        let items = server.get(key)?.as_array()?;
        Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let env = server.get("env").and_then(Value::as_object);
    McpServer {
        name: name.to_owned(),
        kind: if server.get("url").is_some() { "http" } else { "stdio" },
        command: text("command"),
        // Arguments are free texts: each may be a key. How many there are helps to tell servers apart.
        args: texts("args").unwrap_or_default().iter().map(|_| MASK.to_owned()).collect(),
        url: text("url").map(|url| shown_url(&url)),
        env: env.into_iter().flat_map(|env| env.keys()).map(|key| (key.clone(), MASK.into())).collect(),
        disabled: server.get("disabled").and_then(Value::as_bool).unwrap_or_default(),
        auto_approve: texts("autoApprove").or_else(|| texts("auto_approve")).unwrap_or_default(),
    }
}

/// The file's bytes; none when there is no file.
fn read(path: &Path) -> Result<Option<Vec<u8>>, McpError> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if !file.metadata()?.is_file() {
        return Err(McpError::Invalid);
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES { Err(McpError::Invalid) } else { Ok(Some(bytes)) }
}

/// Writes beside the file and moves over it: a reader sees the old or the new, also after a power loss.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let beside = path.with_extension(format!("json.{:08x}", rand::random::<u32>()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}
