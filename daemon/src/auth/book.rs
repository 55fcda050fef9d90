//! The keys and sessions that there are: kept in a file of the data folder, looked up in memory.
//!
//! The file is written whole and moved into place; each request looks into memory only. What another process wrote
//! (`nexusd keys --offline`) is seen when the file is another than before.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use super::{
    credential::{Credential, CredentialKind},
    files::{self, FileError},
    token::Presented,
};
use crate::domain::time::Timestamp;

/// At most so many sessions and keys: a login costs a record.
const MOST: usize = 100_000;
/// The file is looked at again after this, when a token names what is not known.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A use is noted when the last one noted is older.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// Why a change of the book was not made.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not there.
    #[error("there is no key with this id")]
    Unknown,
    /// No more are kept.
    #[error("there are {MOST} keys and sessions already: revoke some")]
    Full,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    version: u32,
    credentials: Vec<Credential>,
}

type Map = HashMap<String, Arc<Credential>>;

/// See the module.
pub struct KeyBook {
    path: PathBuf,
    known: ArcSwap<Map>,
    writing: Mutex<Seen>,
    used: Mutex<HashMap<String, Timestamp>>,
}

#[derive(Default)]
struct Seen {
    stamp: Option<files::Stamp>,
    looked: Option<Instant>,
}

impl KeyBook {
    /// Reads the file, which need not be there.
    ///
    /// # Errors
    /// It cannot be read, or is no such file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let book = Self {
            path: path.to_owned(),
            known: ArcSwap::default(),
            writing: Mutex::default(),
            used: Mutex::default(),
        };
        book.read(&mut Seen::default())?;
        Ok(book)
    }

    fn read(&self, seen: &mut Seen) -> Result<(), FileError> {
        seen.looked = Some(Instant::now());
        seen.stamp = files::stamp(&self.path);
        let kept = match files::read(&self.path)? {
            None => Kept::default(),
            Some(text) => serde_json::from_str(&text).map_err(|error| FileError::form(&self.path, &error))?,
        };
        let map = kept.credentials.into_iter().map(|one| (one.id.clone(), Arc::new(one))).collect();
        self.known.store(Arc::new(map));
        Ok(())
    }

    /// Whose token this is, when it is one.
    #[must_use]
    pub fn find(&self, presented: &Presented<'_>, now: Timestamp) -> Option<Arc<Credential>> {
        let mut known = self.known.load().get(presented.id).cloned();
        if known.is_none() && self.look_again() {
            known = self.known.load().get(presented.id).cloned();
        }
        let found = known.filter(|one| one.takes(presented.kind, &presented.hash, now))?;
        self.note_use(&found, now);
        Some(found)
    }

    /// Reads the file again when another process wrote it; whether it did.
    fn look_again(&self) -> bool {
        let Ok(mut seen) = self.writing.try_lock() else { return false };
        if seen.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return false;
        }
        seen.looked = Some(Instant::now());
        if files::stamp(&self.path) == seen.stamp {
            return false;
        }
        match self.read(&mut seen) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the file of keys cannot be read again; what was known stays");
                false
            }
        }
    }

    fn note_use(&self, one: &Credential, now: Timestamp) {
        let mut used = files::unpoisoned(&self.used);
        let last = used.get(&one.id).copied().or(one.last_used_at);
        if last.is_none_or(|last| now.since(last) >= NOTE_EVERY) {
            used.insert(one.id.clone(), now);
        }
    }

    /// All of them, with their last use.
    #[must_use]
    pub fn all(&self) -> Vec<Credential> {
        let used = files::unpoisoned(&self.used);
        let mut all: Vec<Credential> = self.known.load().values().map(|one| Credential::clone(one)).collect();
        for one in &mut all {
            one.last_used_at = one.last_used_at.max(used.get(&one.id).copied());
        }
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        all
    }

    /// Keeps a new one.
    ///
    /// # Errors
    /// It cannot be written; then it does not exist.
    pub fn add(&self, one: Credential) -> Result<(), BookError> {
        self.change(|map| {
            if map.len() >= MOST {
                return Err(BookError::Full);
            }
            map.insert(one.id.clone(), Arc::new(one));
            Ok(())
        })
    }

    /// Changes one.
    ///
    /// # Errors
    /// It is not there, or cannot be written; then nothing has changed.
    pub fn update<T>(&self, id: &str, change: impl FnOnce(&mut Credential) -> T) -> Result<T, BookError> {
        self.change(|map| {
            let mut one = map.get(id).map(|one| Credential::clone(one)).ok_or(BookError::Unknown)?;
            let answer = change(&mut one);
            map.insert(id.to_owned(), Arc::new(one));
            Ok(answer)
        })
    }

    /// Forgets one.
    ///
    /// # Errors
    /// It is not there, or cannot be written.
    pub fn remove(&self, id: &str) -> Result<(), BookError> {
        self.change(|map| map.remove(id).map(|_| ()).ok_or(BookError::Unknown))
    }

    /// Forgets all of those, such as the sessions of a user who is gone.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remove_where(&self, gone: impl Fn(&Credential) -> bool) -> Result<usize, BookError> {
        self.change(|map| {
            let before = map.len();
            map.retain(|_, one| !gone(one));
            Ok(before - map.len())
        })
    }

    /// Sees what other processes wrote, writes the uses noted since, and forgets what is past its time.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn settle(&self, now: Timestamp) -> Result<(), BookError> {
        let over = |one: &Arc<Credential>| one.kind == CredentialKind::Session && one.is_expired(now);
        if !files::unpoisoned(&self.used).is_empty() || self.known.load().values().any(over) {
            return self.change(|_| Ok(()));
        }
        let mut seen = files::unpoisoned(&self.writing);
        if files::stamp(&self.path) != seen.stamp {
            self.read(&mut seen)?;
        }
        Ok(())
    }

    /// One change, made from what the file says now, under its lock.
    fn change<T>(&self, change: impl FnOnce(&mut Map) -> Result<T, BookError>) -> Result<T, BookError> {
        let mut seen = files::unpoisoned(&self.writing);
        let _lock = files::lock(&self.path)?;
        if files::stamp(&self.path) != seen.stamp {
            self.read(&mut seen)?;
        }
        let mut map = Map::clone(&self.known.load());
        let answer = change(&mut map)?;
        let now = Timestamp::now();
        // A session that ended a while ago is of no interest; a key that did is shown until it is revoked.
        map.retain(|_, one| !(one.kind == CredentialKind::Session && one.is_expired(now)));
        let used = std::mem::take(&mut *files::unpoisoned(&self.used));
        for (id, at) in used {
            if let Some(one) = map.get_mut(&id) {
                Arc::make_mut(one).last_used_at = Some(at);
            }
        }
        let mut credentials: Vec<Credential> = map.values().map(|one| Credential::clone(one)).collect();
        credentials.sort_by(|a, b| a.id.cmp(&b.id));
        let text = serde_json::to_string_pretty(&Kept { version: 1, credentials })
            .map_err(|error| FileError::io(&self.path, io::Error::other(error)))?;
        files::write(&self.path, &text)?;
        seen.stamp = files::stamp(&self.path);
        self.known.store(Arc::new(map));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{
            credential::NewCredential,
            token::{NewToken, parse},
        },
        domain::caller::{Role, Scopes},
    };

    fn make(kind: CredentialKind, lasts: Option<Duration>) -> (Credential, NewToken) {
        let (name, user_id, created_by) = ("n".to_owned(), "ann".to_owned(), "test".to_owned());
        let scopes = Scopes::default();
        Credential::make(
            NewCredential { kind, name, role: Role::User, user_id, scopes, lasts, created_by },
            Timestamp::now(),
        )
    }

    fn finds(book: &KeyBook, token: &NewToken) -> bool {
        book.find(&parse(token.text.reveal()).unwrap(), Timestamp::now()).is_some()
    }

    #[test]
    fn what_is_kept_is_there_after_a_restart_and_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let book = KeyBook::open(&path).unwrap();
        let (one, token) = make(CredentialKind::Key, None);
        book.add(one.clone()).unwrap();
        assert!(finds(&book, &token));
        let again = KeyBook::open(&path).unwrap();
        assert!(finds(&again, &token));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!std::fs::read_to_string(&path).unwrap().contains(token.text.reveal().rsplit('_').next().unwrap()));
        // The other process removes it; this one learns of it.
        again.remove(&one.id).unwrap();
        book.settle(Timestamp::now()).unwrap();
        assert!(!finds(&book, &token) && matches!(again.remove(&one.id), Err(BookError::Unknown)));
    }

    #[test]
    fn two_processes_lose_no_change_of_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let books = [KeyBook::open(&path).unwrap(), KeyBook::open(&path).unwrap()];
        std::thread::scope(|scope| {
            for book in &books {
                scope.spawn(|| (0..20).for_each(|_| book.add(make(CredentialKind::Key, None).0).unwrap()));
            }
        });
        assert_eq!(KeyBook::open(&path).unwrap().all().len(), 40);
    }

    #[test]
    fn the_last_use_is_shown_and_sessions_go_when_they_end() {
        let folder = tempfile::tempdir().unwrap();
        let book = KeyBook::open(&folder.path().join("keys.json")).unwrap();
        let (key, token) = make(CredentialKind::Key, Some(Duration::ZERO));
        let (session, _) = make(CredentialKind::Session, Some(Duration::ZERO));
        let (used, used_token) = make(CredentialKind::Key, None);
        for one in [&key, &session, &used] {
            book.add(one.clone()).unwrap();
        }
        assert!(!finds(&book, &token) && finds(&book, &used_token));
        assert!(book.all().iter().any(|one| one.id == used.id && one.last_used_at.is_some()));
        book.settle(Timestamp::now()).unwrap();
        let ids: Vec<String> = book.all().into_iter().map(|one| one.id).collect();
        assert!(ids.contains(&key.id) && !ids.contains(&session.id));
    }

    #[test]
    fn a_file_of_another_form_is_an_error_that_shows_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        std::fs::write(&path, "{\"version\": 1, \"credentials\": [{\"sesame\": 1}]}").unwrap();
        let error = KeyBook::open(&path).err().unwrap().to_string();
        assert!(error.contains("keys.json") && error.contains("line 1") && !error.contains("sesame"), "{error}");
    }
}
