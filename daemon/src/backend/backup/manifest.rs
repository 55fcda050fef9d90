//! What an archive has, entry by entry, with hashes.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Its name in the archive.
pub(crate) const MANIFEST: &str = "nexusd-backup.jsonl";
/// The name of the entry with its hash.
pub(crate) const SEAL: &str = "nexusd-backup.sha256";
/// The form of archive and manifest.
pub(crate) const FORM: u64 = 1;

/// The manifest's first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The form of the archive.
    pub nexusd_backup: u64,
    /// The nexusd that wrote it.
    pub version: String,
    /// When the database was as it is in here.
    pub at: String,
    /// The schema version of the database.
    pub schema: i64,
    /// Paths that could not be read and are not in here, and why.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// Files that were written to all the time: they are as they were at some moment.
    #[serde(default)]
    pub unsteady: Vec<String>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    File,
    Folder,
    Link,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) form: Form,
    pub(crate) mode: u32,
    pub(crate) size: u64,
    /// Of a file's content, or of the text of a link.
    pub(crate) sha256: String,
}

/// Bytes as people write hashes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn write(head: &Head, entries: &[Entry]) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(head)?;
    text.push(b'\n');
    for entry in entries {
        serde_json::to_writer(&mut text, entry)?;
        text.push(b'\n');
    }
    Ok(text)
}

pub(crate) fn read(text: &[u8]) -> Result<(Head, Vec<Entry>), String> {
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).zip(1_u64..);
    let Some((first, _)) = lines.next() else { return Err("its manifest is empty".to_owned()) };
    #[derive(Deserialize)]
    struct Named {
        nexusd_backup: u64,
    }
    let form: Named = serde_json::from_slice(first).map_err(|error| format!("its manifest, line 1: {error}"))?;
    if form.nexusd_backup != FORM {
        return Err(format!(
            "it has form {}, and this nexusd reads form {FORM}: use the one that wrote it",
            form.nexusd_backup
        ));
    }
    let wrong = |line: u64| move |error: serde_json::Error| format!("its manifest, line {line}: {error}");
    let head = serde_json::from_slice(first).map_err(wrong(1))?;
    let entries = lines.map(|(line, number)| serde_json::from_slice(line).map_err(wrong(number)));
    Ok((head, entries.collect::<Result<_, _>>()?))
}
