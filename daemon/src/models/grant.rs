//! Tokens: who carries one may ask for models on the account that it names. They are signed, not kept: a restart changes nothing,
//! and there is no list that could leak. They end by themselves.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::domain::time::Timestamp;

/// Whose calls these are. Short names: a token is sent with every call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// One build, or one process of an agent.
    #[serde(rename = "r", skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The person or service on whose behalf it is.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The end of its token in seconds since 1970; whoever signs it sets it.
    #[serde(rename = "e")]
    pub expires: i64,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    #[error("the request has no token: send `Authorization: Bearer <token>`")]
    Missing,
    #[error("the token is none of this daemon's")]
    Unknown,
    #[error("the token has expired: take a new one")]
    Expired,
}

const BEGIN: &str = "nxm";
/// No token is longer; more is not even looked at.
const LONGEST: usize = 2048;

/// Signs and reads tokens.
#[derive(Clone)]
pub struct Grants {
    mac: Hmac<Sha256>,
}

impl Grants {
    /// With the key in this file, which is made if there is none.
    ///
    /// # Errors
    /// The file cannot be read or written, or is no key.
    pub fn open(path: &Path) -> io::Result<Self> {
        match std::fs::read(path) {
            Ok(key) if key.len() == 32 => Ok(Self::with_key(&key)),
            Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the file holds no key of 32 bytes: remove it")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key: [u8; 32] = rand::random();
                let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                file.write_all(&key)?;
                file.sync_all()?;
                Ok(Self::with_key(&key))
            }
            Err(error) => Err(error),
        }
    }

    #[must_use]
    pub fn with_key(key: &[u8]) -> Self {
        let mac = Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        Self { mac }
    }

    /// A token that ends after this time.
    #[must_use]
    pub fn mint(&self, grant: &Grant, lasts: Duration) -> String {
        let expires = Timestamp::now().plus(lasts).as_micros() / 1_000_000;
        let grant = Grant { expires, ..grant.clone() };
        let claims = BASE64.encode(serde_json::to_vec(&grant).unwrap_or_default());
        let signature = BASE64.encode(self.signed(&claims).finalize().into_bytes());
        format!("{BEGIN}.{claims}.{signature}")
    }

    fn signed(&self, claims: &str) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(claims.as_bytes());
        mac
    }

    /// What a token allows.
    ///
    /// # Errors
    /// It is none, none of ours, or past its time.
    pub fn read(&self, token: &str) -> Result<Grant, GrantError> {
        let unknown = GrantError::Unknown;
        let rest =
            token.strip_prefix(BEGIN).and_then(|rest| rest.strip_prefix('.')).filter(|rest| rest.len() <= LONGEST);
        let (claims, signature) = rest.and_then(|rest| rest.split_once('.')).ok_or(unknown)?;
        let signature = BASE64.decode(signature).map_err(|_| unknown)?;
        // In the same time whatever differs.
        self.signed(claims).verify_slice(&signature).map_err(|_| unknown)?;
        let grant = BASE64.decode(claims).map_err(|_| unknown)?;
        let grant: Grant = serde_json::from_slice(&grant).map_err(|_| unknown)?;
        if grant.expires <= Timestamp::now().as_micros() / 1_000_000 {
            return Err(GrantError::Expired);
        }
        Ok(grant)
    }

    /// The grant of an `Authorization` header.
    ///
    /// # Errors
    /// As [`Grants::read`].
    pub fn of_header(&self, header: Option<&str>) -> Result<Grant, GrantError> {
        let token = header
            .and_then(|header| header.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, token) = token.ok_or(GrantError::Missing)?;
        self.read(token.trim())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn grant() -> Grant {
        Grant { project: Some("p".into()), agent: Some("a".into()), ..Grant::default() }
    }

    #[test]
    fn only_what_was_signed_here_is_read_and_only_in_its_time() {
        let grants = Grants::with_key(b"one key");
        let token = grants.mint(&grant(), Duration::from_secs(60));
        let read = grants.read(&token).unwrap();
        assert_eq!((read.project.as_deref(), read.agent.as_deref(), read.run), (Some("p"), Some("a"), None));
        assert_eq!(grants.of_header(Some(&format!("bearer {token}"))).unwrap().project.as_deref(), Some("p"));

        assert_eq!(Grants::with_key(b"another").read(&token), Err(GrantError::Unknown));
        assert_eq!(grants.read(&grants.mint(&grant(), Duration::ZERO)), Err(GrantError::Expired));
        assert_eq!(grants.of_header(None), Err(GrantError::Missing));
        // No byte of it can be another one.
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last letter of base64 may have bits that mean nothing; the decoder refuses those too.
            assert!(grants.read(&changed).is_err(), "{place}");
        }
        for garbage in ["", "nxm", "nxm.", "nxm..", "nxm.e30.", &"nxm.".repeat(4000)] {
            assert_eq!(grants.read(garbage), Err(GrantError::Unknown));
        }
    }

    #[test]
    fn the_key_outlives_the_daemon_and_is_nobody_elses() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("models.key");
        let token = Grants::open(&path).unwrap().mint(&grant(), Duration::from_secs(60));
        assert!(Grants::open(&path).unwrap().read(&token).is_ok());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "short").unwrap();
        assert!(Grants::open(&path).is_err());
    }
}
