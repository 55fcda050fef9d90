//! What a store gives out and takes in when everything moves to another backend: records by kind, as JSON with the
//! names of SPEC section 1.

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::Result;
use crate::backend::error::{BackendError, BackendErrorKind};
use crate::domain::deletion::DeletedKind;

/// A record: its fields by their names, those that are null left out.
pub type Record = Map<String, Value>;

/// Kinds of records, in the order in which they move: what others refer to first, and tasks last, so that nothing
/// begins to work on a project before all of it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Projects,
    Stages,
    /// Their events: `{project_id, seq (of the last), at, events}`.
    Events,
    Agents,
    /// Tools; those of builds carry their `code` when no file has it.
    Tools,
    Sessions,
    Messages,
    /// Questions to agents, answered.
    Invocations,
    /// Sums by day: `{kind, day, good, bad, spent_ms}`.
    Figures,
    /// Answers to requests that may come twice: `{key, fingerprint, answer, created_at}`.
    Answers,
    /// Dead letters: `{queue, id, reason, priority, body}`.
    DeadLetters,
    /// Files below the data folder, in pieces: see `transfer::files`.
    Files,
    Tasks,
}

impl Kind {
    /// Every kind, in order.
    pub const ALL: [Self; 13] = [
        Self::Projects,
        Self::Stages,
        Self::Events,
        Self::Agents,
        Self::Tools,
        Self::Sessions,
        Self::Messages,
        Self::Invocations,
        Self::Figures,
        Self::Answers,
        Self::DeadLetters,
        Self::Files,
        Self::Tasks,
    ];

    /// Its name: of those that SPEC names, the table's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Projects => "nexus_projects",
            Self::Stages => "nexus_stages",
            Self::Events => "project_events",
            Self::Agents => "nexus_agents",
            Self::Tools => "nexus_tools",
            Self::Sessions => "nexus_sessions",
            Self::Messages => "nexus_messages",
            Self::Invocations => "nexus_invocations",
            Self::Figures => "day_figures",
            Self::Answers => "idempotency_keys",
            Self::DeadLetters => "dead_letters",
            Self::Files => "files",
            Self::Tasks => "nexus_tasks",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Some records of a kind.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order of the place.
    pub records: Vec<Record>,
    /// What cannot be read and is left out, for people.
    pub unreadable: Vec<String>,
    /// Where the next ones begin; none after the last.
    pub next: Option<Value>,
}

/// What became of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub written: u64,
    /// There already, and left as they are.
    pub present: u64,
    /// Of something that is not there (a stage without its project), and left out.
    pub orphaned: u64,
}

impl Written {
    pub fn add(&mut self, other: Self) {
        self.written += other.written;
        self.present += other.present;
        self.orphaned += other.orphaned;
    }
}

/// A store that gives out what it has.
#[async_trait]
pub trait Source: Send + Sync {
    /// Some records of a kind, from a place on.
    async fn batch(&self, kind: Kind, from: Option<Value>) -> Result<Batch>;

    /// The place behind a record that was given out before.
    ///
    /// # Errors
    /// `super::BackendErrorKind::NotFound` when it is not there any more.
    async fn behind(&self, kind: Kind, last: &Record) -> Result<Value>;
}

/// A store that takes records in. What is there already stays as it is, so everything can be sent again.
#[async_trait]
pub trait Target: Send + Sync {
    /// Writes records.
    ///
    /// # Errors
    /// `super::BackendErrorKind::Corrupt` when one is no record of its kind; some before it may be written.
    async fn put(&self, kind: Kind, records: Vec<Record>) -> Result<Written>;

    /// Writes a task for a project that waits for one and has none.
    async fn adopt(&self, task: Record) -> Result<Written> {
        self.put(Kind::Tasks, vec![task]).await
    }

    /// Sets what came in no order right, when all is there.
    async fn finish(&self) -> Result<()> {
        Ok(())
    }
}

/// Why a thing is not written under the id of one that was deleted and is not all gone: what is still to be removed of
/// that one, and what comes, would be taken for each other.
pub(crate) fn being_deleted(kind: DeletedKind, id: &str) -> BackendError {
    let text = format!(
        "the {kind} {id} was deleted, and not all that belonged to it is removed yet: let a daemon run until that is done \
         (`nexusd doctor` lists what is left), then import again"
    );
    BackendError::new(BackendErrorKind::Conflict, text)
}
