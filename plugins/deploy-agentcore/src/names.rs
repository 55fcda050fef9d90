//! Names that follow from what they name, so that whoever comes later finds the same things.

use sha2::{Digest as _, Sha256};

/// AgentCore's bounds of a session id.
const SESSION_LENGTH: std::ops::RangeInclusive<usize> = 33..=256;

/// SHA-256 of all parts, each told apart from the next, in hexadecimal digits.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The runtime of an agent: its id as far as AgentCore takes it, and a part of its hash, since ids may be any text.
pub(crate) fn runtime(agent_id: &str) -> String {
    let plain: String = agent_id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(24).collect();
    let mut digits = hash([agent_id.as_bytes()]);
    digits.truncate(12);
    format!("nexusd_{plain}_{digits}")
}

/// Makes a request that is sent again the same request. The number of the deployment is part of it: an agent that was
/// removed and comes back as it was is not taken for a repetition.
pub(crate) fn client_token(agent_id: &str, generation: u64, fingerprint: &str) -> String {
    hash([agent_id.as_bytes(), &generation.to_le_bytes(), fingerprint.as_bytes()])
}

/// AgentCore's session for one of ours: the same id where it fits.
pub(crate) fn session(ours: &str) -> String {
    let fits = SESSION_LENGTH.contains(&ours.len())
        && ours.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if fits { ours.to_owned() } else { format!("nexusd-{}", hash([ours.as_bytes()])) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_has_a_runtime_of_its_own_that_agentcore_takes() {
        for id in ["agent_0123456789ab", "proj_1:客服", "A.b", "a_b", &"x".repeat(128)] {
            let name = runtime(id);
            assert!(name.len() <= 48 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{name}");
        }
        assert_ne!(runtime("a.b"), runtime("a_b"));
        assert_eq!(runtime("agent_0123456789ab"), runtime("agent_0123456789ab"));
    }

    #[test]
    fn sessions_fit_and_stay() {
        let long = "sess_0123456789abcdef000000000000000";
        assert_eq!(session(long), long);
        for odd in ["short", "with a blank, which is no part of an id!", &"x".repeat(300)] {
            let id = session(odd);
            assert!(SESSION_LENGTH.contains(&id.len()), "{id}");
            assert_eq!(id, session(odd));
        }
        assert_ne!(session("a"), session("b"));
    }

    #[test]
    fn tokens_are_as_long_as_agentcore_wants_them() {
        let token = client_token("agent_1", 1, "f");
        assert!((33..=256).contains(&token.len()));
        assert_ne!(token, client_token("agent_1", 2, "f"));
    }
}
