//! Identifiers. A type each, so that a task's id cannot stand where a project's belongs.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest accepted identifier, in bytes.
const MAX_LEN: usize = 128;

/// A text that cannot be an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier: 1 to 128 letters, digits, '-', '_', '.' or ':' are allowed")]
pub struct InvalidId;

fn check(text: &str) -> Result<(), InvalidId> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    // "." and ".." would name folders.
    if text.is_empty() || text.len() > MAX_LEN || !text.bytes().all(allowed) || text.starts_with('.') {
        return Err(InvalidId);
    }
    Ok(())
}

/// What an agent may be called: the original made such ids of names. Nothing that leads to another folder, and nothing
/// that writes over a line where it is shown.
fn check_name(text: &str) -> Result<(), InvalidId> {
    let steers =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let refused = |c: char| c.is_control() || matches!(c, '/' | '\\') || steers(c);
    if text.is_empty() || text.len() > MAX_LEN || text.starts_with('.') || text.trim() != text || text.contains(refused)
    {
        return Err(InvalidId);
    }
    Ok(())
}

/// The characters of an id, which daemon and original agree on.
pub const ID_PATTERN: &str = "^[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,127}$";

/// The same for agents, which the original may have given any name.
pub const AGENT_ID_PATTERN: &str = r"^[^./\\\x00-\x20\x7f][^/\\\x00-\x1f\x7f]{0,127}$";

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $doc:literal, $example:literal) => {
        id!($(#[$meta])* $name, $doc, $example; check, ID_PATTERN);
    };
    ($(#[$meta:meta])* $name:ident, $doc:literal, $example:literal; $check:ident, $pattern:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text of the identifier.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> { $check(text)?; Ok(Self(text.into())) }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $doc, "examples": [$example] })
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(&self.0) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// `prefix` and 12 random hexadecimal digits, as the original makes its ids.
fn twelve_hex(prefix: &str) -> Arc<str> {
    let bits = rand::random::<u64>() & 0xffff_ffff_ffff;
    format!("{prefix}{bits:012x}").into()
}

id!(/** `proj_<12 hex>`. */ ProjectId, "A project.", "proj_3f9a0c1d2e4b");
id!(/** `task_<12 hex>`. */ TaskId, "A task: one piece of queued work.", "task_3f9a0c1d2e4b");
id!(/** `agent_<12 hex>`; the original's may be any name. */ AgentId, "An agent.", "agent_3f9a0c1d2e4b"; check_name, AGENT_ID_PATTERN);
id!(/** `inv_<12 hex>`. */ InvocationId, "The record of one question to an agent.", "inv_3f9a0c1d2e4b");
id!(/** `tool_<12 hex>`. */ ToolId, "A tool.", "tool_3f9a0c1d2e4b");
id!(/** `sess-<uuid>`: long enough for AgentCore, which wants 33 characters. */ SessionId, "A conversation with an agent.", "sess-0b8f2f0e-8a52-4b3f-9c6e-1f2d3c4b5a69");
id!(/** A ULID: sorts by time within a session. */ MessageId, "A message: a ULID, so that ids sort by time.", "01JX3Q5Y2M8F7T6R4W1K0ZB9CD");
id!(/** A daemon, among all that share a backend: `<host>-<pid>-<random>`. */ WorkerId, "A daemon.", "host-4711-9f3c");

impl ProjectId {
    /// A new random id.
    pub fn generate() -> Self {
        Self(twelve_hex("proj_"))
    }
}

impl TaskId {
    /// A new random id.
    pub fn generate() -> Self {
        Self(twelve_hex("task_"))
    }
}

impl TaskId {
    /// The id of the task that a project gets which has none. Derived, so that the same is made every time.
    pub fn of_project(project: &ProjectId) -> Self {
        let tail = project.as_str().strip_prefix("proj_").unwrap_or(project.as_str());
        Self(format!("task_{tail}").into())
    }
}

impl TaskId {
    /// The id of the task that takes the place of another. Derived, likewise.
    pub fn after(before: &Self) -> Self {
        let hashed = ToolId::of("task", "", before.as_str());
        Self(hashed.as_str().replacen("tool_", "task_", 1).into())
    }
}

impl AgentId {
    /// A new random id.
    pub fn generate() -> Self {
        Self(twelve_hex("agent_"))
    }

    /// The id of the agent that project `project` makes. Derived, so that a build that is run again
    /// after a crash finds its own agent instead of registering a second one.
    pub fn of_project(project: &ProjectId) -> Self {
        let tail = project.as_str().strip_prefix("proj_").unwrap_or(project.as_str());
        Self(format!("agent_{tail}").into())
    }

    /// The id of the agent that stands for what others deployed. Derived, so that it is registered once.
    pub fn of_deployment(target: &str, name: &str) -> Self {
        Self(ToolId::of("deployment", target, name).as_str().replacen("tool_", "agent_", 1).into())
    }
}

impl ToolId {
    /// The id of a tool by where it comes from, whose it is and how it is called: the same tool, found again, has
    /// the same id.
    pub fn of(source: &str, owner: &str, name: &str) -> Self {
        // FNV-1a: stable for ever, which the standard library's hashes do not promise.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in [source, owner, name].join("\n").bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Self(format!("tool_{:012x}", (hash ^ (hash >> 48)) & 0xffff_ffff_ffff).into())
    }
}

impl InvocationId {
    /// A new random id.
    pub fn generate() -> Self {
        Self(twelve_hex("inv_"))
    }
}

impl SessionId {
    /// A new random id (a version 4 UUID behind the prefix).
    pub fn generate() -> Self {
        let bits = (rand::random::<u128>() & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let (a, b, c) = (bits >> 96, (bits >> 80) & 0xffff, (bits >> 64) & 0xffff);
        let (d, e) = ((bits >> 48) & 0xffff, bits & 0xffff_ffff_ffff);
        Self(format!("sess-{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}").into())
    }
}

impl MessageId {
    pub fn from_ulid(ulid: ulid::Ulid) -> Self {
        Self(ulid.to_string().into())
    }
}

impl WorkerId {
    /// This process: host name, process id and a random part, for the start after this one.
    pub fn for_process(host: &str) -> Self {
        let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
        Self(format!("w-{host}-{}-{:08x}", std::process::id(), rand::random::<u32>()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_have_their_documented_form() {
        assert_eq!(ProjectId::generate().as_str().len(), "proj_".len() + 12);
        assert!(SessionId::generate().as_str().len() >= 33);
        assert_eq!(SessionId::generate().as_str().split('-').count(), 6);
    }

    #[test]
    fn a_path_is_no_id() {
        for bad in ["", "..", ".", "a/b", "a\\b", "a b", "a\n", "ü", "../x", &"x".repeat(129)] {
            assert_eq!(bad.parse::<ProjectId>(), Err(InvalidId), "{bad:?}");
        }
        assert!("proj_0123456789ab".parse::<ProjectId>().is_ok());
    }

    #[test]
    fn an_agent_may_have_any_name_but_none_that_leads_elsewhere() {
        for good in ["agent_0123456789ab", "price agent", "报价助手", "Müllers Agent (v2)", "50%", "a.b"] {
            assert_eq!(good.parse::<AgentId>().unwrap().as_str(), good);
        }
        for bad in ["", "..", ".x", "a/b", "a\\b", " a", "a\n", "a\u{7f}", "a\u{202e}b", "a\u{2028}b", &"ü".repeat(65)]
        {
            assert_eq!(bad.parse::<AgentId>(), Err(InvalidId), "{bad:?}");
        }
    }

    #[test]
    fn the_agent_of_a_project_is_always_the_same() {
        let project: ProjectId = "proj_0123456789ab".parse().unwrap();
        assert_eq!(AgentId::of_project(&project).as_str(), "agent_0123456789ab");
    }
}
