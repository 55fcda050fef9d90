//! The users who log in by name and password, as the original's form asks them: a file of TOML, one table each.
//!
//! ```toml
//! [users.ann]
//! role = "editor"
//! password = "$argon2id$v=19$…"
//! shared = ["agent_0123456789ab"]
//! ```

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Mutex,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use serde::{Deserialize, Serialize};

use super::files::{self, FileError, Stamp};
use crate::domain::{
    caller::{ANONYMOUS, Role, Scopes},
    ids::AgentId,
    secret::Secret,
};

/// Shortest password that is taken, in characters.
const SHORTEST: usize = 10;

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// What he may.
    pub role: Role,
    /// The argon2 hash of his password.
    password: String,
    /// Agents of others that are shared with him.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<AgentId>,
}

impl User {
    /// What his sessions carry.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        Scopes { shared: self.shared.clone(), ..Scopes::default() }
    }
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    users: BTreeMap<String, User>,
}

/// Why a user was not added.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The name.
    #[error("a name has 1 to 100 letters, digits, `.`, `_`, `-` or `@`, and is not `anonymous`")]
    Name,
    /// The password.
    #[error("a password has {SHORTEST} to 1000 characters")]
    Password,
    /// It is not there.
    #[error("there is no user of this name")]
    Unknown,
    /// The hash could not be made.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// The file, read again when it was changed.
pub struct Users {
    path: PathBuf,
    read: Mutex<(Option<Stamp>, Written)>,
    /// What an unknown user's password is compared with, so that it takes as long.
    nobody: String,
}

impl Users {
    /// Reads the file, which need not be there.
    ///
    /// # Errors
    /// It cannot be read, or says something else.
    pub fn open(path: &Path) -> Result<Self, UserError> {
        let nobody = hash(&super::token::random(43))?;
        let users = Self { path: path.to_owned(), read: Mutex::default(), nobody };
        let mut read = files::unpoisoned(&users.read);
        users.refresh(&mut read)?;
        drop(read);
        Ok(users)
    }

    fn refresh(&self, read: &mut (Option<Stamp>, Written)) -> Result<(), FileError> {
        let stamp = files::stamp(&self.path);
        if stamp != read.0 || stamp.is_none() {
            let written = match files::read(&self.path)? {
                None => Written::default(),
                Some(text) => toml::from_str(&text).map_err(|error: toml::de::Error| {
                    let line = error
                        .span()
                        .map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
                    FileError::told(&self.path, format!("line {line}: not of the form of a file of users"))
                })?,
            };
            *read = (stamp, written);
        }
        Ok(())
    }

    /// Whether there is anybody who could log in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        files::unpoisoned(&self.read).1.users.is_empty()
    }

    /// The user of this name, as the file says now. An unreadable file has none.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<User> {
        let mut read = files::unpoisoned(&self.read);
        if let Err(error) = self.refresh(&mut read) {
            tracing::error!(%error, "the file of users cannot be read again; what was known stays");
        }
        read.1.users.get(name).cloned()
    }

    /// The user, when that is his password. Takes some 20 ms and as many MiB: not on the runtime, and few at a time.
    #[must_use]
    pub fn verify(&self, name: &str, password: &Secret) -> Option<User> {
        let user = self.find(name);
        let known = user.as_ref().map_or(self.nobody.as_str(), |user| user.password.as_str());
        let right = PasswordHash::new(known)
            .is_ok_and(|hash| Argon2::default().verify_password(password.reveal().as_bytes(), &hash).is_ok());
        user.filter(|_| right)
    }

    /// All of them, by name.
    #[must_use]
    pub fn all(&self) -> Vec<(String, User)> {
        files::unpoisoned(&self.read).1.users.clone().into_iter().collect()
    }

    /// Adds a user, or changes what is known of him.
    ///
    /// # Errors
    /// Name or password are not good, or the file cannot be written.
    pub fn put(&self, name: &str, role: Role, shared: Vec<AgentId>, password: &Secret) -> Result<(), UserError> {
        if !is_name(name) {
            return Err(UserError::Name);
        }
        if !(SHORTEST..=1000).contains(&password.reveal().chars().count()) {
            return Err(UserError::Password);
        }
        let user = User { role, password: hash(password.reveal())?, shared };
        self.change(|users| {
            users.insert(name.to_owned(), user);
            Ok(())
        })
    }

    /// Removes a user.
    ///
    /// # Errors
    /// He is not there, or the file cannot be written.
    pub fn remove(&self, name: &str) -> Result<(), UserError> {
        self.change(|users| users.remove(name).map(|_| ()).ok_or(UserError::Unknown))
    }

    fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, User>) -> Result<(), UserError>,
    ) -> Result<(), UserError> {
        let _lock = files::lock(&self.path)?;
        let mut read = files::unpoisoned(&self.read);
        self.refresh(&mut read)?;
        let mut written = read.1.clone();
        change(&mut written.users)?;
        let text = toml::to_string_pretty(&written).map_err(|error| FileError::told(&self.path, error.to_string()))?;
        files::write(&self.path, &text)?;
        *read = (files::stamp(&self.path), written);
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    (1..=100).contains(&name.chars().count()) && name.chars().all(plain) && name != ANONYMOUS
}

fn hash(password: &str) -> Result<String, UserError> {
    let salt: [u8; 16] = rand::random();
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| UserError::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        text.to_owned().into()
    }

    #[test]
    fn a_user_comes_in_by_his_password_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.toml");
        let users = Users::open(&path).unwrap();
        assert!(users.is_empty());
        let password = secret("open sesame!");
        users.put("ann@example.org", Role::Editor, vec!["agent_1".parse().unwrap()], &password).unwrap();
        let found = users.verify("ann@example.org", &password).unwrap();
        assert_eq!((found.role, found.scopes().shared.len()), (Role::Editor, 1));
        for (name, wrong) in [("ann@example.org", "open sesame?"), ("bob", "open sesame!"), ("ann@example.org", "")] {
            assert!(users.verify(name, &secret(wrong)).is_none(), "{name} {wrong}");
        }
        assert!(!std::fs::read_to_string(&path).unwrap().contains("sesame"));
        // Another process sees it, and what it changes is seen here.
        let other = Users::open(&path).unwrap();
        assert!(other.verify("ann@example.org", &password).is_some());
        other.remove("ann@example.org").unwrap();
        assert!(users.verify("ann@example.org", &password).is_none());
        assert!(matches!(other.remove("ann@example.org"), Err(UserError::Unknown)));
    }

    #[test]
    fn bad_names_passwords_and_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.toml");
        let users = Users::open(&path).unwrap();
        for name in ["", "a b", "a/b", ANONYMOUS, "a\n"] {
            assert!(
                matches!(users.put(name, Role::User, vec![], &secret("long enough")), Err(UserError::Name)),
                "{name}"
            );
        }
        assert!(matches!(users.put("ann", Role::User, vec![], &secret("short")), Err(UserError::Password)));
        std::fs::write(&path, "[users.ann]\nrole = \"root\"\npassword = \"sesame\"\n").unwrap();
        let error = Users::open(&path).err().unwrap().to_string();
        assert!(error.contains("users.toml: line 2") && !error.contains("sesame"), "{error}");
    }
}
