//! Keys and sessions, as what the store keeps of them: every daemon that shares the store takes the same ones. What is in a
//! record is `auth`'s; the store sees no secret, only what it finds and orders records by.

use async_trait::async_trait;
use serde_json::Value;

use super::Result;
use crate::domain::time::Timestamp;

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialClass {
    /// A key of a program: listed, kept until somebody removes it.
    Key,
    /// A session of a login: never listed, and removed some time after its end.
    Session,
}

impl CredentialClass {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Session => "session",
        }
    }
}

/// The record of one key or session.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialRecord {
    /// Of what.
    pub class: CredentialClass,
    /// Under which it is found.
    pub id: String,
    /// Goes up with every change.
    pub revision: u64,
    /// When it ends; `None`: never.
    pub ends: Option<Timestamp>,
    /// When it was last used, roughly. Not part of what a revision guards.
    pub last_used: Option<Timestamp>,
    /// The rest.
    pub record: Value,
}

/// Keys and sessions.
#[async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// One of them, also one whose time is over.
    async fn credential(&self, class: CredentialClass, id: &str) -> Result<Option<CredentialRecord>>;

    /// All keys, by their ids.
    async fn keys(&self) -> Result<Vec<CredentialRecord>>;

    /// Keeps a record in place of the one of revision `from`, or as a new one; whether that was what is there.
    async fn keep_credential(&self, new: CredentialRecord, from: Option<u64>) -> Result<bool>;

    /// Removes one; whether it was there.
    async fn remove_credential(&self, class: CredentialClass, id: &str) -> Result<bool>;

    /// Notes when some were last used. One that is gone stays gone.
    async fn note_uses(&self, uses: Vec<(CredentialClass, String, Timestamp)>) -> Result<()>;
}
