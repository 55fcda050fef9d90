//! Tokens that the daemon makes: `nxk_<id>_<secret><checksum>` for keys, `nxs_…` for sessions of a login.
//!
//! The secret has 256 random bits, so a plain SHA-256 of it is kept: nobody guesses it, and a slow hash would only slow
//! every request. The checksum tells a mistyped token from a wrong one without a look at what is kept, and lets scanners
//! of leaked secrets know one when they see it.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{backend::store::CredentialClass, domain::secret::Secret};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is above 2^256.
const SECRET_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
const ID_CHARS: usize = 12;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A key, for programs.
    Key,
    /// A session of a login, for browsers.
    Session,
}

impl TokenKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Key => "nxk",
            Self::Session => "nxs",
        }
    }

    /// Of what the store keeps the record.
    #[must_use]
    pub const fn class(self) -> CredentialClass {
        match self {
            Self::Key => CredentialClass::Key,
            Self::Session => CredentialClass::Session,
        }
    }
}

/// The SHA-256 of a secret. Compared in constant time, whatever it is compared with.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Written in hexadecimal digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }

    /// Read from there.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Whether they are the same; takes as long when they are not.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A token that was just made; the only time that its text exists here.
pub struct NewToken {
    /// Under which its record is found.
    pub id: String,
    /// For its owner, once.
    pub text: Secret,
    /// For the record.
    pub hash: SecretHash,
}

/// Makes a token of this kind, with a new id or the one that it has already.
#[must_use]
pub fn generate(kind: TokenKind, id: Option<&str>) -> NewToken {
    let id = id.map_or_else(|| random(ID_CHARS).to_ascii_lowercase(), str::to_owned);
    let secret = random(SECRET_CHARS);
    let text = format!("{}_{id}_{secret}{}", kind.prefix(), checksum(&id, &secret));
    NewToken { id, text: text.into(), hash: SecretHash::of(&secret) }
}

/// What a well-formed token says.
#[derive(Debug)]
pub struct Presented<'a> {
    /// Of what kind it says it is.
    pub kind: TokenKind,
    /// Which record it says it belongs to.
    pub id: &'a str,
    /// Of the secret in it.
    pub hash: SecretHash,
}

/// Reads a token; `None` for what cannot be one.
#[must_use]
pub fn parse(text: &str) -> Option<Presented<'_>> {
    let (prefix, rest) = text.split_once('_')?;
    let kind = [TokenKind::Key, TokenKind::Session].into_iter().find(|kind| kind.prefix() == prefix)?;
    let (id, tail) = rest.split_once('_')?;
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !plain(id) || id.len() > 32 || !plain(tail) || tail.len() != SECRET_CHARS + CHECKSUM_CHARS {
        return None;
    }
    let (secret, sum) = tail.split_at_checked(SECRET_CHARS)?;
    (checksum(id, secret) == sum).then(|| Presented { kind, id, hash: SecretHash::of(secret) })
}

/// Random text of letters and digits, each as likely as any other.
pub(super) fn random(chars: usize) -> String {
    use rand::Rng as _;
    let mut source = rand::rng();
    (0..chars)
        .filter_map(|_| ALPHABET.get(source.random_range(0..ALPHABET.len())))
        .map(|byte| char::from(*byte))
        .collect()
}

fn checksum(id: &str, secret: &str) -> String {
    let digest = Sha256::digest(format!("nexusd {id} {secret}").as_bytes());
    let digit = |byte: &u8| ALPHABET.get(usize::from(*byte) % ALPHABET.len()).map(|byte| char::from(*byte));
    digest.iter().take(CHECKSUM_CHARS).filter_map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_made() {
        for kind in [TokenKind::Key, TokenKind::Session] {
            let made = generate(kind, None);
            let read = parse(made.text.reveal()).unwrap();
            assert_eq!((read.kind, read.id), (kind, made.id.as_str()));
            assert!(read.hash.matches(&made.hash));
            assert!(SecretHash::from_hex(&made.hash.to_hex()).unwrap().matches(&made.hash));
            assert!(!generate(kind, Some(&made.id)).hash.matches(&made.hash));
        }
        assert!(generate(TokenKind::Key, Some("admin")).text.reveal().starts_with("nxk_admin_"));
    }

    /// Nothing that is kept is ever compared with what somebody shows, only their digests are, in constant time: a guess
    /// that is right but for its end is as far from it as one that is all wrong. `benches/wrong_key.py` measures the same.
    #[test]
    fn how_much_of_a_guess_is_right_cannot_be_seen() {
        let made = generate(TokenKind::Key, None);
        let (_, tail) = made.text.reveal().rsplit_once('_').unwrap();
        let secret = &tail[..SECRET_CHARS];
        let (mut nearest, mut bits) = (0, Vec::new());
        for right in 0..SECRET_CHARS {
            for _ in 0..8 {
                let guess = loop {
                    let guess = format!("{}{}", &secret[..right], random(SECRET_CHARS - right));
                    if guess != secret {
                        break guess;
                    }
                };
                // With a good checksum, or it would not get so far.
                let text = format!("nxk_{}_{guess}{}", made.id, checksum(&made.id, &guess));
                let shown = parse(&text).unwrap();
                assert!(!shown.hash.matches(&made.hash));
                let both = shown.hash.0.iter().zip(made.hash.0);
                nearest = nearest.max(both.clone().take_while(|(shown, kept)| **shown == *kept).count());
                bits.push(both.map(|(shown, kept)| (shown ^ kept).count_ones()).sum::<u32>());
            }
        }
        // Of 344 guesses: a common beginning of four bytes, or 64 of 256 bits that differ instead of 128, come once in
        // ten million runs.
        assert!(nearest < 4, "{nearest} bytes");
        assert!(bits.iter().all(|bits| (64..192).contains(bits)), "{bits:?}");
    }

    #[test]
    fn one_changed_character_makes_it_no_token() {
        let made = generate(TokenKind::Key, None);
        let text = made.text.reveal();
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(parse(&changed).is_none_or(|read| !read.hash.matches(&made.hash)), "{at}");
        }
        for bad in [
            "",
            "nxk",
            "nxk_",
            "nxk__",
            "nxk_a_b",
            "Bearer",
            &text[..text.len() - 1],
            &format!("{text}a"),
            &text.replace("nxk", "nxs")[..5],
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
        assert!(parse("nxk_é_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").is_none());
    }
}
