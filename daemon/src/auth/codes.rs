//! Codes of one use: what the link of the start screen carries in its fragment. The page exchanges one for a session.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

use super::{files::unpoisoned, token::random};
use crate::domain::{caller::Caller, secret::Secret};

/// How long a code is taken.
pub const LASTS: Duration = Duration::from_secs(30 * 60);
/// At most so many wait to be used; the oldest makes room.
const MOST: usize = 64;

/// See the module. Kept by their hashes, in memory: a restart ends them.
#[derive(Default)]
pub struct Codes(Mutex<HashMap<[u8; 32], (Instant, Caller)>>);

impl Codes {
    /// A new code, for whoever asked.
    #[must_use]
    pub fn make(&self, caller: Caller) -> Secret {
        let code = random(32);
        let mut codes = unpoisoned(&self.0);
        codes.retain(|_, (made, _)| made.elapsed() < LASTS);
        if codes.len() >= MOST
            && let Some(oldest) = codes.iter().min_by_key(|(_, (made, _))| *made).map(|(code, _)| *code)
        {
            codes.remove(&oldest);
        }
        codes.insert(digest(&code), (Instant::now(), caller));
        code.into()
    }

    /// Uses a code up: who it was made for.
    #[must_use]
    pub fn take(&self, code: &str) -> Option<Caller> {
        let (made, caller) = unpoisoned(&self.0).remove(&digest(code))?;
        (made.elapsed() < LASTS).then_some(caller)
    }
}

/// Looked up by its hash, a code tells nothing by the time that takes.
fn digest(code: &str) -> [u8; 32] {
    Sha256::digest(code.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_taken_once() {
        let codes = Codes::default();
        let code = codes.make(Caller::anonymous());
        assert!(codes.take("").is_none() && codes.take("nonsense").is_none());
        assert!(codes.take(code.reveal()).is_some());
        assert!(codes.take(code.reveal()).is_none());
    }

    #[test]
    fn the_oldest_makes_room() {
        let codes = Codes::default();
        let all: Vec<Secret> = (0..=MOST).map(|_| codes.make(Caller::anonymous())).collect();
        assert!(codes.take(all[0].reveal()).is_none());
        assert!(all[1..].iter().all(|code| codes.take(code.reveal()).is_some()));
    }
}
