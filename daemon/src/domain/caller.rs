//! Who calls, and what he may in general. `auth` finds the caller of a request; `auth::policy` decides.

use serde::{Deserialize, Serialize};

use super::ids::AgentId;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// How logs and the audit name the credential: `key:ci:<id>`, `user:ann`, `token:admin`.
    pub name: String,
    /// What a caller of this kind may.
    pub role: Role,
    /// What narrows or widens that for this credential.
    pub scopes: Scopes,
    /// Whose things are the caller's own: the `user_id` of records.
    pub user_id: String,
}

/// The `user_id` of callers that nobody knows.
pub const ANONYMOUS: &str = "anonymous";

impl Caller {
    /// Everybody, where there is no access control.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(ANONYMOUS, Role::Admin, ANONYMOUS)
    }

    /// Somebody who is not known, behind an operation that is open to everybody: may nothing, owns nothing.
    #[must_use]
    pub fn nobody() -> Self {
        let mut nobody = Self::new("nobody", Role::Metrics, "");
        nobody.scopes.rights = Some(Vec::new());
        nobody
    }

    /// A caller without scopes.
    #[must_use]
    pub fn new(name: &str, role: Role, user_id: &str) -> Self {
        Self { name: name.to_owned(), role, scopes: Scopes::default(), user_id: user_id.to_owned() }
    }

    /// Whether there is no access control.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.user_id == ANONYMOUS
    }

    /// Whether everything is his to see and to change.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// Whose records a list shows this caller: `None` for those of everybody.
    #[must_use]
    pub fn sees_only(&self) -> Option<&str> {
        (!matches!(self.role, Role::Admin | Role::Viewer)).then_some(&self.user_id)
    }

    /// Whose conversations a list shows this caller: these are nobody's but their owner's and an admin's.
    #[must_use]
    pub fn hears_only(&self) -> Option<&str> {
        (!self.is_admin()).then_some(&self.user_id)
    }

    /// The `user_id` that a new record gets: an admin may act for others, all others act for themselves.
    #[must_use]
    pub fn acting_for(&self, asked: Option<String>) -> String {
        match asked.filter(|asked| !asked.is_empty()) {
            Some(asked) if self.is_admin() => asked,
            _ => self.user_id.clone(),
        }
    }
}

super::words! {
    /// Kinds of callers, by what they may.
    CallerRole {
        /// Everything.
        Admin = "admin",
        /// Builds, and changes what is his own.
        Editor = "editor",
        /// Reads his own projects, talks to agents that are his or shared with him.
        User = "user",
        /// Reads projects, agents and figures of everybody; no conversations.
        Viewer = "viewer",
        /// Scrapes figures.
        Metrics = "metrics",
    }
}

/// The same, where no other role is meant.
pub use CallerRole as Role;

super::words! {
    /// What an operation needs.
    Right {
        /// Look at a thing.
        Read = "read",
        /// Read the files of a project or an agent.
        ReadFiles = "read_files",
        /// Start a build.
        Build = "build",
        /// Steer a build, or delete a project.
        Control = "control",
        /// Change an agent's record or state, or delete it.
        ChangeAgent = "change_agent",
        /// Change an agent's code, prompt or tools.
        ChangeCode = "change_code",
        /// Talk to an agent.
        Converse = "converse",
        /// Read figures over everything, and the state of the daemon.
        Statistics = "statistics",
        /// Settings, plugins, tools, keys.
        Administer = "administer",
        /// Scrape metrics.
        Scrape = "scrape",
    }
}

/// What one credential may beside, or short of, what its role may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scopes {
    /// Only these rights of the role's; `None`: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rights: Option<Vec<Right>>,
    /// Only these agents and what belongs to them; `None`: all that the role sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<AgentId>>,
    /// Agents of others that are shared with this caller.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<AgentId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_admin_acts_for_others() {
        let acts = |role, asked: Option<&str>| Caller::new("n", role, "ann").acting_for(asked.map(str::to_owned));
        assert_eq!(acts(Role::Admin, Some("bob")), "bob");
        assert_eq!(acts(Role::Admin, Some("")), "ann");
        for role in [Role::Editor, Role::User, Role::Viewer] {
            assert_eq!((acts(role, Some("bob")).as_str(), acts(role, None).as_str()), ("ann", "ann"));
        }
    }
}
