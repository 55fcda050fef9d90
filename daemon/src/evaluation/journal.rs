//! Every row of a run, kept as it happens: a line of JSON each, at the end of one file.
//!
//! A run of a requirement counts when its row `done` is there. Rows of one that broke off are left out, and it is run again
//! when the journal is taken up; so neither a crash of the harness nor Ctrl-C looks like a failure of an agent.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use nexus_evaluation::Answer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub enum Row {
    /// What is measured.
    Begin {
        /// SHA-256 of the set.
        set: String,
        /// The daemon's version, for people.
        version: String,
    },
    /// A build came to an end.
    Build {
        /// Of which requirement.
        requirement: String,
        /// Counted from 1.
        run: usize,
        /// From the request to the running agent.
        seconds: f64,
        /// What came out.
        built: Built,
    },
    /// A question was answered.
    Answer {
        /// Of which requirement.
        requirement: String,
        /// Counted from 1.
        run: usize,
        /// Counted from 0.
        session: usize,
        /// Counted from 0.
        question: usize,
        /// What came; an agent that failed has said nothing.
        answer: Answer,
        /// Why the agent gave none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
        /// Round trip.
        milliseconds: f64,
    },
    /// All questions of a requirement were asked.
    Done {
        /// Of which requirement.
        requirement: String,
        /// Counted from 1.
        run: usize,
    },
    /// The harness or the daemon broke off.
    Incomplete {
        /// Of which requirement.
        requirement: String,
        /// Counted from 1.
        run: usize,
        /// Why.
        reason: String,
    },
}

/// What came out of a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Built {
    /// A running agent.
    Agent {
        /// Its id.
        id: String,
        /// Its project's id.
        project: String,
        /// What the project says of itself: `coverage`, `not_served`, `acceptance`.
        #[serde(default)]
        said: Value,
    },
    /// None, by the build's own word.
    Failed {
        /// Its project's id.
        project: String,
        /// Why, as the project says.
        reason: String,
    },
}

/// The file of a run.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    rows: Vec<Row>,
}

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It belongs to another set.
    #[error("{} belongs to another set of requirements, or to a changed one; begin a new one", path.display())]
    Foreign {
        /// Where it is.
        path: PathBuf,
    },
}

impl Journal {
    /// Opens or begins a journal for this set.
    ///
    /// # Errors
    /// The file cannot be used, or belongs to another set.
    pub fn open(path: &Path, set: &str, version: &str) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        let file = File::options().create(true).read(true).append(true).open(path).map_err(io)?;
        let lines = BufReader::new(&file).lines().collect::<Result<Vec<_>, _>>().map_err(io)?;
        // A last line that was cut off is as good as not written.
        let rows: Vec<Row> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let mut journal = Self { path: path.to_owned(), file, rows };
        match journal.rows.first() {
            Some(Row::Begin { set: own, .. }) if own == set => {
                // Behind a cut line a new one begins.
                journal.file.write_all(b"\n").map_err(io)?;
            }
            None if lines.is_empty() => {
                journal.add(Row::Begin { set: set.to_owned(), version: version.to_owned() })?;
            }
            _ => return Err(JournalError::Foreign { path: path.to_owned() }),
        }
        Ok(journal)
    }

    /// Adds a row; it is with the system when this returns.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, row: Row) -> Result<(), JournalError> {
        let io = |source| JournalError::Io { path: self.path.clone(), source };
        let mut line = serde_json::to_string(&row).map_err(|error| io(error.into()))?;
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(io)?;
        self.rows.push(row);
        Ok(())
    }

    /// All rows so far.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether this run of a requirement came to its end.
    #[must_use]
    pub fn has(&self, requirement: &str, run: usize) -> bool {
        self.rows
            .iter()
            .any(|row| matches!(row, Row::Done { requirement: one, run: at } if one == requirement && *at == run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_journal_goes_on_and_a_foreign_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let done = |run| Row::Done { requirement: "a".into(), run };
        let mut journal = Journal::open(&path, "set", "1").unwrap();
        journal.add(done(1)).unwrap();
        journal.add(done(2)).unwrap();
        drop(journal);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        let mut journal = Journal::open(&path, "set", "1").unwrap();
        assert!(journal.has("a", 1) && !journal.has("a", 2));
        journal.add(done(2)).unwrap();
        drop(journal);
        assert!(Journal::open(&path, "set", "1").unwrap().has("a", 2));
        assert!(matches!(Journal::open(&path, "other", "1"), Err(JournalError::Foreign { .. })));
    }
}
