//! Everything, moved from one backend to another: `nexusd export` writes it as lines of JSON, `nexusd import` reads them.
//!
//! ```text
//! {"nexusd_export": 1, "version": "0.1.0", "at": "2026-01-27T09:14:29.123456Z", "backend": "embedded", "sums": "sha256"}
//! {"nexus_projects": {"project_id": "proj_0123456789ab", "status": "completed", …}, "sum": "0f3a…"}
//! …
//! {"end": {"nexus_projects": 1, "nexus_stages": 9, …}, "sha256": "…"}
//! ```
//!
//! A line for each record, by kind, in the order of [`Kind::ALL`]; fields are those of SPEC section 1 and what the daemon
//! adds to them. Neither side holds more than some lines. Both can be cut off anywhere: an export goes on behind the last
//! whole line of its file, and an import begins again, for what is there already stays as it is. A file without its last
//! line was cut off itself, and the import says so. Each line has a checksum, each file and the whole a SHA-256: a file is
//! verified before anything of it is written, and what comes through a pipe line by line.

mod acceptable;
mod backend;
mod export;
mod files;
mod import;
mod lines;
mod proof;

use std::{collections::BTreeMap, path::PathBuf};

pub use backend::Backend;
pub use export::{Exported, export};
pub use import::{Imported, Report, import};
use serde_json::{Map, Value};

use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        store::transfer::{Kind, Record},
    },
    domain::change,
};

/// The form of the lines.
const FORM: u64 = 1;

/// Why a move ended early.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("{what}: {source}{}", .source.details().map(|details| format!(" ({details})")).unwrap_or_default())]
    Store { what: String, source: BackendError },
    /// The file that is written or read.
    #[error("{what}: {source}")]
    File { what: String, source: std::io::Error },
    /// What is read is no export, or not whole.
    #[error("line {line}: {text}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong, and what to do.
        text: String,
    },
    /// An export cannot be gone on with.
    #[error("{0}")]
    Resume(String),
}

impl TransferError {
    fn store(what: impl Into<String>) -> impl FnOnce(BackendError) -> Self {
        let what = what.into();
        move |source| Self::Store { what, source }
    }

    fn file(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::File { what, source }
    }
}

pub type Counts = BTreeMap<Kind, u64>;

/// A line that is understood.
enum Line {
    /// The first; whether the others have sums.
    Head {
        sums: bool,
    },
    Record(Kind, Record),
    /// The last: counts, and the SHA-256 over all lines before it.
    End(Counts, Option<String>),
}

fn read_line(text: &[u8]) -> Result<Line, String> {
    let mut value: Map<String, Value> =
        serde_json::from_slice(text).map_err(|error| format!("this is no JSON object: {error}"))?;
    if let Some(form) = value.get("nexusd_export") {
        return match form.as_u64() {
            Some(FORM) => Ok(Line::Head { sums: value.get(proof::NAME).is_some_and(|form| form == proof::FORM) }),
            _ => Err(format!(
                "this export has form {form}, and this nexusd reads form {FORM}: use the one that wrote it"
            )),
        };
    }
    value.remove("sum");
    let sha256 = value.remove("sha256").and_then(|hash| hash.as_str().map(str::to_owned));
    let Some((name, value)) = value.into_iter().next() else { return Err("this object is empty".to_owned()) };
    let Value::Object(fields) = value else { return Err(format!("{name:?} is no object")) };
    if name == "end" {
        let count = |(name, count): (String, Value)| Some((Kind::named(&name)?, count.as_u64()?));
        return Ok(Line::End(fields.into_iter().filter_map(count).collect(), sha256));
    }
    match Kind::named(&name) {
        Some(kind) => Ok(Line::Record(kind, fields)),
        None => Err(format!("there are no records named {name:?}")),
    }
}

/// A record as it is to begin in its next place: nobody works on it.
fn settle(kind: Kind, record: &mut Record) {
    match kind {
        Kind::Projects => {
            record.remove("lease_worker");
            record.remove("last_step");
        }
        Kind::Tasks => {
            record.remove("lease_expires_at");
            // Its message is sent anew by whoever finds it.
            let status = record.get("status").and_then(|word| word.as_str()?.parse().ok());
            if let Some(status) = status.map(change::task::unsent) {
                record.insert("status".into(), status.as_str().into());
            }
        }
        _ => {}
    }
}

/// Where a file of records came from or goes to, for errors.
fn name_of(path: Option<&PathBuf>, standard: &str) -> String {
    path.map_or_else(|| standard.to_owned(), |path| path.display().to_string())
}

fn corrupt(text: impl Into<String>) -> BackendError {
    BackendError::new(BackendErrorKind::Corrupt, text)
}
