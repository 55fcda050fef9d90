//! An agent's files by their hashes: the daemon's own attribute, JSON.

use std::collections::BTreeMap;

use super::{Item, Reader, Result, value};

const FILES: &str = "file_hashes";

pub(super) fn write(files: &BTreeMap<String, String>, item: &mut Item) -> Result<()> {
    if !files.is_empty() {
        item.insert(FILES.into(), value::text(serde_json::to_string(files)?));
    }
    Ok(())
}

/// A record that cannot be read is one that no file is like: nothing of the agent starts until somebody writes it anew.
pub(super) fn read(read: &Reader<'_>) -> BTreeMap<String, String> {
    let Some(found) = read.document(FILES) else { return BTreeMap::new() };
    serde_json::from_value(found).unwrap_or_else(|_| BTreeMap::from([(FILES.to_owned(), "not readable".to_owned())]))
}
