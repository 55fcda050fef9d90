//! What shows that an export is as it was written: a sum at the end of each record's line, and a SHA-256 over all lines
//! in the last one. The sum names the line that was changed; the whole names that lines are missing, moved or doubled.
//!
//! A sum is the begin of the SHA-256 of the line's text without it: a changed line is not taken for a good one by chance.

use sha2::{Digest as _, Sha256};

use crate::backend::backup::hex;

/// The name under which the first line says that the others have sums.
pub(super) const NAME: &str = "sums";
/// The form of the sums.
pub(super) const FORM: &str = "sha256";
const KEY: &str = ",\"sum\":\"";
const END: &str = "\"}";
/// Letters of a sum.
const LETTERS: usize = 16;

fn sum(text: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in text {
        hash.update(part);
    }
    let mut sum = hex(&hash.finalize());
    sum.truncate(LETTERS);
    sum
}

/// The text of a record with its sum.
pub(super) fn seal(text: &str) -> String {
    let open = text.strip_suffix('}').unwrap_or(text);
    format!("{open}{KEY}{}{END}", sum(&[text.as_bytes()]))
}

/// Whether a line has a sum, and is as it was written. The end of the line does not count.
pub(super) fn is_whole(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let Some(at) = line.len().checked_sub(KEY.len() + LETTERS + END.len()) else { return false };
    let (open, rest) = line.split_at(at);
    let found = rest.strip_prefix(KEY.as_bytes()).and_then(|rest| rest.strip_suffix(END.as_bytes()));
    found.is_some_and(|found| found == sum(&[open, b"}"]).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_a_line_is_seen() {
        let line = seal(r#"{"nexus_projects":{"project_id":"proj_1","requirement":"für 3 €"}}"#);
        assert!(is_whole(line.as_bytes()) && is_whole(format!("{line}\n").as_bytes()));
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
        let bytes = line.as_bytes();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.to_vec();
                changed[at] ^= 1 << bit;
                assert!(!is_whole(&changed), "{at}");
            }
            assert!(!is_whole(&bytes[..at]) && !is_whole(&[&bytes[..at], b" ", &bytes[at..]].concat()));
        }
    }
}
