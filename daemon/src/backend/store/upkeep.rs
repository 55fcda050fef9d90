//! What keeps the store itself in order: keys, records of deletions, retention.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{Aged, AgedKind, KeyRecord, Pressure, Result, StoreCounts, Trouble};
use crate::domain::{
    deletion::{DeletedKind, Deletion},
    time::Timestamp,
};

/// Requests that may come twice.
#[async_trait]
pub trait IdempotencyKeys: Send + Sync + 'static {
    /// What was answered under this key in the last day.
    async fn key_record(&self, key: &str) -> Result<Option<KeyRecord>>;

    /// Takes a key for work that is no single unit, or answers what is known of it. The key is the holder's for as long
    /// as `lasts` says; a holder that is gone does not extend it, and then the key is free.
    async fn take_key(&self, key: &str, fingerprint: &str, holder: &str, lasts: Duration) -> Result<Option<KeyRecord>>;

    /// Extends the holder's right to an unanswered key; whether it is still his.
    async fn extend_key(&self, key: &str, holder: &str, lasts: Duration) -> Result<bool>;

    /// Gives an unanswered key back, when it is the holder's.
    async fn release_key(&self, key: &str, holder: &str) -> Result<()>;
}

/// What is known of things that were deleted.
#[async_trait]
pub trait Deletions: Send + Sync + 'static {
    /// The store's id: made once, never changed. A data folder belongs to the store whose id it carries.
    async fn identity(&self) -> Result<String>;

    /// The record of a deletion. A thing of that id may be there again, so ask for that, too.
    async fn deletion(&self, kind: DeletedKind, id: &str) -> Result<Option<Deletion>>;

    /// Deletions of which something is still to be done outside of the store, oldest first.
    async fn open_deletions(&self, limit: usize) -> Result<Vec<Deletion>>;

    /// Projects and agents that were deleted since then, by whichever daemon, where several share the store. This
    /// machine's clock; one that lives again is among them.
    async fn deletions_since(&self, _since: Timestamp) -> Result<Vec<(DeletedKind, String)>> {
        Ok(Vec::new())
    }

    /// Notes that nothing is left to be done for a deletion. The record stays for
    /// [`KEPT_FOR`](crate::domain::deletion::KEPT_FOR).
    async fn settle_deletion(&self, kind: DeletedKind, id: &str) -> Result<()>;
}

/// What is past its time.
#[async_trait]
pub trait PastTime: Send + Sync + 'static {
    /// Some of what ended, or was used last, before a time, from a place on. Reads only.
    async fn aged(&self, kind: AgedKind, before: Timestamp, from: Option<Value>) -> Result<Aged>;
}

#[async_trait]
pub trait Upkeep: Send + Sync + 'static {
    /// Answers when the store can write.
    async fn ping(&self) -> Result<()>;

    /// Counts for the metrics page.
    async fn counts(&self) -> Result<StoreCounts>;

    /// Removes what is older than its retention (events of ended projects); answers how many rows.
    async fn clean(&self, older_than: Duration) -> Result<u64>;

    /// Writes what is still deferred and closes. Later calls fail.
    async fn close(&self) -> Result<()>;

    /// How much waits for the store now. Cheap: asked before every request.
    fn pressure(&self) -> Pressure;

    /// Whether other daemons may take over what this one works on.
    fn is_shared(&self) -> bool {
        false
    }

    /// What it has had to contend with in the last half minute, although it goes on.
    fn trouble(&self) -> Option<Trouble> {
        None
    }

    /// For diagnostics at `GET /api/v2/system`: kind, file or region, schema version.
    fn describe(&self) -> Value;
}
