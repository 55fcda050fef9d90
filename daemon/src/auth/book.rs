//! The keys and sessions that there are: kept by the store, so that every daemon over it takes the same ones, and remembered
//! here. Where this daemon has the store for itself, what is remembered holds until it is changed here; where others share
//! it, for a few seconds: a key that one daemon revokes is worth nothing at the others after that.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{credential::Credential, files::unpoisoned, token::Presented};
use crate::{
    backend::{
        error::BackendError,
        store::{CredentialClass, CredentialRecord, Store},
    },
    domain::time::Timestamp,
};

/// What is remembered at most; each takes some hundred bytes.
const MOST: usize = 20_000;
/// How long what another daemon may have changed is believed.
const FRESH: Duration = Duration::from_secs(5);
/// How long it is believed while the store is away.
const STALE: Duration = Duration::from_secs(300);
/// How long an id is known to be nobody's; and a secret of a known one to be wrong, before the store is asked whether
/// another daemon made it.
const WRONG: Duration = Duration::from_secs(1);
/// A use is noted when the last one noted is older.
const NOTE_EVERY: Duration = Duration::from_secs(60);
/// How often a change is made anew, when somebody else changes the same record.
const ROUNDS: usize = 5;

/// Why a change of the book was not made.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The store.
    #[error(transparent)]
    Store(#[from] BackendError),
    /// It is not there.
    #[error("there is no key with this id")]
    Unknown,
    /// Others changed it, each time.
    #[error("others change this key at the same time: try again")]
    Contended,
}

/// Whether the store may be asked for what is not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Yes.
    Store,
    /// No: whoever asks has shown too much that is worth nothing.
    MemoryOnly,
}

type Key = (CredentialClass, String);

struct Known {
    credential: Option<Arc<Credential>>,
    read: Instant,
}

/// See the module.
pub struct KeyBook {
    store: Arc<dyn Store>,
    known: Mutex<HashMap<Key, Known>>,
    used: Mutex<HashMap<Key, Timestamp>>,
}

impl KeyBook {
    /// Over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: Mutex::default(), used: Mutex::default() }
    }

    /// Whose token this is, when it is one.
    ///
    /// # Errors
    /// Nobody can say: the store is away.
    pub async fn find(
        &self,
        presented: &Presented<'_>,
        now: Timestamp,
        look: Look,
    ) -> Result<Option<Arc<Credential>>, BackendError> {
        let key = (presented.kind.class(), presented.id.to_owned());
        let takes = |one: &Arc<Credential>| one.takes(presented.kind, &presented.hash, now);
        let remembered = {
            let known = unpoisoned(&self.known);
            known.get(&key).map(|known| (known.credential.clone(), known.read.elapsed()))
        };
        let found = match remembered {
            Some((Some(one), age)) if takes(&one) && (age < FRESH || !self.store.is_shared()) => Some(one),
            Some((_, age)) if age < WRONG => None,
            // A wrong secret of what this daemon alone keeps stays one.
            Some((Some(_), _)) if !self.store.is_shared() => None,
            _ if look == Look::MemoryOnly => None,
            remembered => match self.read(&key).await {
                Ok(found) => found.filter(takes),
                Err(error) => match remembered {
                    Some((Some(one), age)) if age < STALE && takes(&one) => Some(one),
                    _ => return Err(error),
                },
            },
        };
        if let Some(one) = &found {
            self.note_use(key, one, now);
        }
        Ok(found)
    }

    /// Reads one from the store, and remembers what that says.
    async fn read(&self, key: &Key) -> Result<Option<Arc<Credential>>, BackendError> {
        let begun = Instant::now();
        let found = self.store.credential(key.0, &key.1).await?;
        let credential = found.and_then(|record| read(&record)).map(Arc::new);
        self.remember(key.clone(), credential.clone(), begun);
        Ok(credential)
    }

    fn remember(&self, key: Key, credential: Option<Arc<Credential>>, read: Instant) {
        let mut known = unpoisoned(&self.known);
        if known.len() >= MOST {
            known.retain(|_, one| one.credential.is_some() && one.read.elapsed() < STALE);
            if known.len() >= MOST {
                known.clear();
            }
        }
        // What was read before a change was made here is not what there is.
        if known.get(&key).is_none_or(|known| known.read <= read) {
            known.insert(key, Known { credential, read });
        }
    }

    fn note_use(&self, key: Key, one: &Credential, now: Timestamp) {
        let mut used = unpoisoned(&self.used);
        let last = used.get(&key).copied().or(one.last_used_at);
        if last.is_none_or(|last| now.since(last) >= NOTE_EVERY) {
            used.insert(key, now);
        }
    }

    /// All keys, with their last use.
    ///
    /// # Errors
    /// The store is away.
    pub async fn keys(&self) -> Result<Vec<Credential>, BackendError> {
        let mut all: Vec<Credential> = self.store.keys().await?.iter().filter_map(read).collect();
        let used = unpoisoned(&self.used);
        for one in &mut all {
            one.last_used_at = one.last_used_at.max(used.get(&(one.class(), one.id.clone())).copied());
        }
        Ok(all)
    }

    /// Keeps a new one.
    ///
    /// # Errors
    /// The store is away.
    pub async fn add(&self, new: Credential) -> Result<(), BookError> {
        if self.store.keep_credential(record(&new)?, None).await? {
            self.remember((new.class(), new.id.clone()), Some(Arc::new(new)), Instant::now());
            return Ok(());
        }
        // Its id has sixty random bits: that was the same request, sent twice.
        Err(BookError::Contended)
    }

    /// Changes a key.
    ///
    /// # Errors
    /// It is not there, or the store is away; then nothing has changed.
    pub async fn update<T>(&self, id: &str, change: impl Fn(&mut Credential) -> T) -> Result<T, BookError> {
        let key = (CredentialClass::Key, id.to_owned());
        for _ in 0..ROUNDS {
            let Some(before) = self.read(&key).await? else { return Err(BookError::Unknown) };
            let mut changed = Credential::clone(&before);
            let answer = change(&mut changed);
            changed.revision = before.revision.saturating_add(1);
            if self.store.keep_credential(record(&changed)?, Some(before.revision)).await? {
                self.remember(key, Some(Arc::new(changed)), Instant::now());
                return Ok(answer);
            }
        }
        Err(BookError::Contended)
    }

    /// Forgets one.
    ///
    /// # Errors
    /// It is not there, or the store is away.
    pub async fn remove(&self, class: CredentialClass, id: &str) -> Result<(), BookError> {
        let there = self.store.remove_credential(class, id).await?;
        self.remember((class, id.to_owned()), None, Instant::now());
        if there { Ok(()) } else { Err(BookError::Unknown) }
    }

    /// Writes the uses noted since.
    ///
    /// # Errors
    /// The store is away; they are written the next time.
    pub async fn settle(&self) -> Result<(), BackendError> {
        let used = std::mem::take(&mut *unpoisoned(&self.used));
        if used.is_empty() {
            return Ok(());
        }
        let uses = used.iter().map(|((class, id), at)| (*class, id.clone(), *at)).collect();
        if let Err(error) = self.store.note_uses(uses).await {
            unpoisoned(&self.used).extend(used);
            return Err(error);
        }
        // What is remembered knows of them, too: the next use within the minute is none to be noted.
        let mut known = unpoisoned(&self.known);
        for (key, at) in used {
            if let Some(one) = known.get_mut(&key).and_then(|known| known.credential.as_mut()) {
                Arc::make_mut(one).last_used_at = Some(at);
            }
        }
        Ok(())
    }
}

fn record(one: &Credential) -> Result<CredentialRecord, BackendError> {
    let mut stored = one.clone();
    stored.last_used_at = None;
    Ok(CredentialRecord {
        class: one.class(),
        id: one.id.clone(),
        revision: one.revision,
        ends: one.expires_at,
        last_used: one.last_used_at,
        record: serde_json::to_value(stored)?,
    })
}

/// A record that this version cannot read lets nobody in.
fn read(record: &CredentialRecord) -> Option<Credential> {
    match serde_json::from_value::<Credential>(record.record.clone()) {
        // Who could change the key of a record could make one credential another.
        Ok(mut one) if one.id == record.id && one.class() == record.class => {
            one.revision = record.revision;
            one.last_used_at = record.last_used;
            Some(one)
        }
        Ok(_) => {
            tracing::warn!(id = record.id, "the record of a credential is another's");
            None
        }
        Err(error) => {
            tracing::warn!(id = record.id, line = error.line(), "the record of a credential cannot be read");
            None
        }
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
