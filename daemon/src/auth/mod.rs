//! Who calls, and what a caller may.
//!
//! | file | role |
//! |---|---|
//! | `mod` | [`Access`]: finds the caller of a request by what it brings |
//! | `token`, `credential`, `book` | keys and sessions that the daemon made |
//! | `users`, `codes` | logins by name and password, and by a code of one use |
//! | `jwt` | tokens that somebody else signed |
//! | `peer` | the other end of the Unix socket |
//! | `policy` | what a caller may: the one function |
//! | `limits` | how much of it |
//! | `audit` | what was changed and what was refused |
//! | `files` | how all of that is written |

pub mod audit;
pub mod book;
pub mod codes;
pub mod credential;
mod files;
mod jwt;
pub mod limits;
pub mod peer;
pub mod policy;
pub mod token;
pub mod users;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::Semaphore;

use self::{
    audit::{Audit, AuditError},
    book::{BookError, KeyBook, Look},
    codes::Codes,
    credential::{Credential, CredentialKind, NewCredential},
    files::FileError,
    jwt::Jwt,
    limits::Limits,
    token::{NewToken, SecretHash, TokenKind},
    users::{User, UserError, Users},
};
use crate::{
    backend::{
        error::BackendError,
        store::{CredentialClass, Store},
    },
    config::{AuthMode, Config},
    domain::{
        caller::{Caller, Role, Scopes},
        secret::Secret,
        time::Timestamp,
    },
};

/// The id in the token of the first start, and the `user_id` of who comes with it.
pub const ADMIN: &str = "admin";
/// Who made a session that no user of the file has.
const BY_LINK: &str = "link";
/// Uses and limits are written in this pause.
const SETTLE: Duration = Duration::from_secs(10);
/// Passwords that are judged at a time: each takes a processor and 19 MiB.
const PASSWORDS: usize = 2;

/// Why nobody can be let in.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file of credentials.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file of users.
    #[error(transparent)]
    Users(#[from] UserError),
    /// The audit.
    #[error("the audit cannot be written: {0}")]
    Audit(#[from] AuditError),
}

/// Finds the caller of a request.
pub struct Access {
    mode: AuthMode,
    session_lasts: Duration,
    admin: Option<SecretHash>,
    /// The keys and sessions that there are.
    pub book: KeyBook,
    /// Who logs in by name and password.
    pub users: Users,
    /// How much each may ask for.
    pub limits: Limits,
    /// What was changed and refused.
    pub audit: Audit,
    codes: Codes,
    jwt: Option<Jwt>,
    passwords: Semaphore,
}

/// What a request brings to show who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// `Authorization: Bearer …`.
    Bearer(&'a str),
    /// The cookie of a login.
    Cookie(&'a str),
}

/// The file of users of these settings.
#[must_use]
pub fn users_file(config: &Config) -> PathBuf {
    let named = &config.auth.users_file;
    if named.as_os_str().is_empty() { config.data.users() } else { named.clone() }
}

impl Access {
    /// Opens what there is; makes the token of the first start, when the mode has one and there is none yet.
    ///
    /// # Errors
    /// A file cannot be used. Then nobody is let in: the daemon must not start.
    pub fn open(config: &Config, store: Arc<dyn Store>) -> Result<Arc<Self>, AccessError> {
        let auth = &config.auth;
        let by_token = matches!(auth.mode, AuthMode::Token | AuthMode::Oidc);
        let admin = if by_token { Some(admin_token(&config.data.admin_token())?) } else { None };
        let jwt = if auth.mode == AuthMode::Oidc { Some(Jwt::open(&auth.oidc)?) } else { None };
        Ok(Arc::new(Self {
            mode: auth.mode,
            session_lasts: auth.session_hours.duration(),
            admin,
            book: KeyBook::new(store),
            users: Users::open(&users_file(config))?,
            limits: Limits::open(&auth.limits, &config.data.dir.join("usage.json"))?,
            audit: Audit::open(&config.data.audit())?,
            codes: Codes::default(),
            jwt,
            passwords: Semaphore::new(PASSWORDS),
        }))
    }

    /// Which ways in there are.
    #[must_use]
    pub const fn mode(&self) -> AuthMode {
        self.mode
    }

    /// Who comes with that; `None` when it is nobody's, or not any more.
    ///
    /// # Errors
    /// Nobody can say: the store is away.
    pub async fn identify(&self, shown: Shown<'_>, look: Look) -> Result<Option<Caller>, BackendError> {
        let (text, by_cookie) = match shown {
            Shown::Bearer(text) => (text, false),
            Shown::Cookie(text) => (text, true),
        };
        let now = Timestamp::now();
        let Some(presented) = token::parse(text) else {
            return Ok(self.signed(text).await);
        };
        if presented.kind == TokenKind::Key && presented.id == ADMIN {
            let right = self.admin.as_ref().is_some_and(|admin| admin.matches(&presented.hash));
            return Ok(right.then(|| Caller::new("token:admin", Role::Admin, ADMIN)));
        }
        // A key in a cookie was put there by a page; only sessions belong there.
        if by_cookie && presented.kind != TokenKind::Session {
            return Ok(None);
        }
        let found = self.book.find(&presented, now, look).await?;
        Ok(found.and_then(|found| self.alive(&found)).map(|credential| credential.caller()))
    }

    /// Who comes with a token that somebody else signed.
    async fn signed(&self, text: &str) -> Option<Caller> {
        match self.jwt.as_ref()?.verify(text).await {
            Ok(caller) => Some(caller),
            Err(error) => {
                tracing::debug!(%error, "a signed token is not taken");
                None
            }
        }
    }

    /// A session of somebody who is in the file of users is his as long as he is there, with what he may now.
    fn alive(&self, found: &Credential) -> Option<Credential> {
        let mut found = found.clone();
        if found.kind == CredentialKind::Session && found.created_by != BY_LINK {
            let user = self.users.find(&found.name)?;
            found.role = user.role;
            found.scopes = user.scopes();
        }
        Some(found)
    }

    /// The user, when that is his password.
    pub async fn log_in(self: &Arc<Self>, name: &str, password: Secret) -> Option<User> {
        let _turn = self.passwords.acquire().await.ok()?;
        let (access, name) = (Arc::clone(self), name.to_owned());
        tokio::task::spawn_blocking(move || access.users.verify(&name, &password)).await.ok().flatten()
    }

    /// A session for a user who has logged in; `None` stands for who came by the link of the start screen.
    ///
    /// # Errors
    /// It cannot be kept.
    pub async fn begin_session(&self, user: Option<(&str, &User)>) -> Result<Secret, BookError> {
        let (name, role, scopes, created_by) = match user {
            Some((name, user)) => (name.to_owned(), user.role, user.scopes(), "login"),
            None => (ADMIN.to_owned(), Role::Admin, Scopes::default(), BY_LINK),
        };
        let new = NewCredential {
            kind: CredentialKind::Session,
            user_id: name.clone(),
            created_by: created_by.to_owned(),
            name,
            role,
            scopes,
            lasts: Some(self.session_lasts),
        };
        let (credential, made) = Credential::make(new, Timestamp::now());
        self.book.add(credential).await?;
        Ok(made.text)
    }

    /// Ends the session that a token belongs to, when it is one.
    pub async fn end_session(&self, text: &str) {
        let Some(presented) = token::parse(text).filter(|presented| presented.kind == TokenKind::Session) else {
            return;
        };
        let ended = match self.book.find(&presented, Timestamp::now(), Look::Store).await {
            Ok(Some(found)) => self.book.remove(CredentialClass::Session, &found.id).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "a session could not be ended");
        }
    }

    /// A new key.
    ///
    /// # Errors
    /// It cannot be kept.
    pub async fn make_key(&self, new: NewCredential) -> Result<(Credential, NewToken), BookError> {
        let (credential, made) = Credential::make(new, Timestamp::now());
        self.book.add(credential.clone()).await?;
        Ok((credential, made))
    }

    /// A code of one use, by which its bearer becomes an admin.
    #[must_use]
    pub fn make_code(&self) -> Secret {
        self.codes.make(Caller::new("code:admin", Role::Admin, ADMIN))
    }

    /// Uses a code up; whether it was one.
    #[must_use]
    pub fn take_code(&self, code: &str) -> bool {
        self.codes.take(code).is_some()
    }

    /// Sees and writes what has changed, now and then, until the daemon stops.
    pub async fn upkeep(self: Arc<Self>, stop: tokio_util::sync::CancellationToken) {
        loop {
            let stopping = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(SETTLE) => false,
            };
            if let Err(error) = self.book.settle().await {
                tracing::warn!(%error, "uses of keys could not be written");
            }
            let access = Arc::clone(&self);
            let settled = tokio::task::spawn_blocking(move || access.limits.settle());
            if let Ok(Err(error)) = settled.await {
                tracing::warn!(%error, "what callers have used today could not be written");
            }
            if stopping {
                return;
            }
        }
    }
}

/// The token of the first start: read, or made.
fn admin_token(path: &Path) -> Result<SecretHash, FileError> {
    if let Some(text) = files::read(path)? {
        let presented = token::parse(text.trim()).filter(|presented| presented.id == ADMIN);
        let hash = presented.map(|presented| presented.hash);
        return hash.ok_or_else(|| FileError::told(path, "this is no token; remove the file to have one made"));
    }
    let made = token::generate(TokenKind::Key, Some(ADMIN));
    files::write(path, &format!("{}\n", made.text.reveal()))?;
    Ok(made.hash)
}

/// The token of the first start, for commands that speak to a daemon on this machine.
#[must_use]
pub fn read_admin_token(path: &Path) -> Option<Secret> {
    let text = std::fs::read_to_string(path).ok()?;
    token::parse(text.trim()).map(|_| Secret::new(text.trim().to_owned()))
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
