//! What is kept of a key or of a session of a login: everything but its secret.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::token::{self, NewToken, SecretHash, TokenKind};
use crate::{
    backend::store::CredentialClass,
    domain::{
        caller::{Caller, Role, Scopes},
        time::Timestamp,
    },
};

/// Whether a record is that of a key or of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialKind {
    /// A key.
    Key,
    /// A session.
    Session,
}

/// A secret that is taken, as its hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Live {
    sha256: String,
    /// Past this it is taken no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

/// See the module.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// The part of the token by which it is found.
    pub id: String,
    /// What it is.
    pub kind: CredentialKind,
    /// What its owner calls it.
    pub name: String,
    /// What it may.
    pub role: Role,
    /// Whose things are its own.
    pub user_id: String,
    /// What narrows it.
    #[serde(default)]
    pub scopes: Scopes,
    /// One; two while it is being rotated.
    secrets: Vec<Live>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// Past this it is taken no longer.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// Goes up with every change: a change is refused that was made from an older one.
    #[serde(default)]
    pub revision: u64,
}

/// What somebody asks to have made.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// What it is.
    pub kind: CredentialKind,
    /// What it is called.
    pub name: String,
    /// What it may.
    pub role: Role,
    /// Whose things are its own.
    pub user_id: String,
    /// What narrows it.
    pub scopes: Scopes,
    /// How long it is taken; `None`: until it is revoked.
    pub lasts: Option<Duration>,
    /// Who asks.
    pub created_by: String,
}

impl Credential {
    /// A new one, and its token.
    #[must_use]
    pub fn make(new: NewCredential, now: Timestamp) -> (Self, NewToken) {
        let kind = match new.kind {
            CredentialKind::Key => TokenKind::Key,
            CredentialKind::Session => TokenKind::Session,
        };
        let made = token::generate(kind, None);
        let record = Self {
            id: made.id.clone(),
            kind: new.kind,
            name: new.name,
            role: new.role,
            user_id: new.user_id,
            scopes: new.scopes,
            secrets: vec![Live { sha256: made.hash.to_hex(), until: None }],
            created_at: now,
            created_by: new.created_by,
            expires_at: new.lasts.map(|lasts| now.plus(lasts)),
            last_used_at: None,
            revision: 1,
        };
        (record, made)
    }

    /// A further secret; those before are taken for `grace` more, and at most one of them.
    #[must_use]
    pub fn rotate(&mut self, grace: Duration, now: Timestamp) -> NewToken {
        let made = token::generate(TokenKind::Key, Some(&self.id));
        let last = self.secrets.pop().map(|live| Live { until: Some(now.plus(grace)), ..live });
        self.secrets = last.into_iter().filter(|_| !grace.is_zero()).collect();
        self.secrets.push(Live { sha256: made.hash.to_hex(), until: None });
        made
    }

    /// Whether this is its secret, now.
    #[must_use]
    pub fn takes(&self, kind: TokenKind, hash: &SecretHash, now: Timestamp) -> bool {
        let same_kind = matches!(
            (self.kind, kind),
            (CredentialKind::Key, TokenKind::Key) | (CredentialKind::Session, TokenKind::Session)
        );
        // All are compared, whichever matches.
        let matches = self.secrets.iter().fold(false, |found, live| {
            let same = SecretHash::from_hex(&live.sha256).is_some_and(|known| known.matches(hash));
            found | (same & live.until.is_none_or(|until| now < until))
        });
        same_kind && matches && !self.is_expired(now)
    }

    /// Of what the store keeps its record.
    #[must_use]
    pub const fn class(&self) -> CredentialClass {
        match self.kind {
            CredentialKind::Key => CredentialClass::Key,
            CredentialKind::Session => CredentialClass::Session,
        }
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Who comes with it.
    #[must_use]
    pub fn caller(&self) -> Caller {
        // Keys may have one name; limits and the audit tell them apart.
        let name = match self.kind {
            CredentialKind::Key => format!("key:{}:{}", self.name, self.id),
            CredentialKind::Session => format!("user:{}", self.name),
        };
        let mut caller = Caller::new(&name, self.role, &self.user_id);
        caller.scopes = self.scopes.clone();
        caller
    }

    /// What an admin is shown: no secret, no hash.
    #[must_use]
    pub fn shown(&self, now: Timestamp) -> Value {
        let live = self.secrets.iter().filter(|live| live.until.is_none_or(|until| now < until));
        json!({
            "id": self.id, "name": self.name, "role": self.role, "user_id": self.user_id,
            "rights": self.scopes.rights, "agents": self.scopes.agents, "shared": self.scopes.shared,
            "live_secrets": live.count(), "created_at": self.created_at, "created_by": self.created_by,
            "expires_at": self.expires_at, "expired": self.is_expired(now), "last_used_at": self.last_used_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(lasts: Option<Duration>) -> NewCredential {
        NewCredential {
            kind: CredentialKind::Key,
            name: "ci".to_owned(),
            role: Role::Editor,
            user_id: "ann".to_owned(),
            scopes: Scopes::default(),
            lasts,
            created_by: "token:admin".to_owned(),
        }
    }

    #[test]
    fn two_secrets_are_live_while_one_rotates() {
        let start = Timestamp::from_micros(0);
        let later = start.plus(Duration::from_secs(100));
        let (mut key, first) = Credential::make(new(None), start);
        let second = key.rotate(Duration::from_secs(60), start);
        let takes = |key: &Credential, token: &NewToken, at| key.takes(TokenKind::Key, &token.hash, at);
        assert!(takes(&key, &first, start) && takes(&key, &second, start));
        assert!(!takes(&key, &first, later) && takes(&key, &second, later));
        // A third one ends the first at once, and a rotation without grace all but itself.
        let third = key.rotate(Duration::from_secs(60), start);
        assert!(!takes(&key, &first, start) && takes(&key, &second, start) && takes(&key, &third, start));
        let fourth = key.rotate(Duration::ZERO, start);
        assert!(!takes(&key, &third, start) && takes(&key, &fourth, start));
        assert!(!key.takes(TokenKind::Session, &fourth.hash, start), "a key is no session");
    }

    #[test]
    fn past_its_time_it_is_not_taken() {
        let start = Timestamp::from_micros(0);
        let (key, token) = Credential::make(new(Some(Duration::from_secs(10))), start);
        assert!(key.takes(TokenKind::Key, &token.hash, start));
        assert!(!key.takes(TokenKind::Key, &token.hash, start.plus(Duration::from_secs(10))));
    }

    #[test]
    fn neither_what_is_kept_nor_what_is_shown_has_the_secret() {
        let (key, token) = Credential::make(new(None), Timestamp::now());
        let secret = token.text.reveal().rsplit('_').next().unwrap();
        let kept = serde_json::to_string(&key).unwrap();
        assert!(!kept.contains(secret) && !format!("{key:?}").contains(secret));
        let shown = key.shown(Timestamp::now()).to_string();
        assert!(!shown.contains(secret) && !shown.contains(&token.hash.to_hex()));
    }
}
