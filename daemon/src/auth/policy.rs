//! What a caller may: one pure function over (caller, right, resource). Everything that is asked of the daemon passes
//! [`Policy::check`], the only maker of a [`Permit`].
//!
//! First it is asked whether the caller may see the thing at all: what he may not see is not there for him (404). Then
//! whether he may do this with it (403).

use std::borrow::Cow;

use crate::domain::caller::{ANONYMOUS, Caller, Right, Role};

/// What an operation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The daemon: settings, plugins, tools, keys.
    Daemon,
    /// What everybody has taken together: figures, the state of the daemon.
    Everything,
    /// Lists that show each caller his own, and records that do not exist yet.
    Own,
    /// A project, its stages, tasks, events and files.
    Project {
        /// Its `user_id`.
        owner: Cow<'a, str>,
    },
    /// An agent.
    Agent {
        /// Which.
        id: Cow<'a, str>,
        /// The `user_id` of its project; nobody's when that is gone.
        owner: Option<Cow<'a, str>>,
    },
    /// A conversation.
    Session {
        /// With which agent.
        agent: Cow<'a, str>,
        /// Its `user_id`.
        owner: Option<Cow<'a, str>>,
    },
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The caller may not even know that it is there.
    #[error("there is no such thing for this caller")]
    Hidden,
    /// The role does not have the right.
    #[error("the role of this caller does not allow it")]
    Role,
    /// It is somebody else's, who let the caller see it.
    #[error("it is somebody else's")]
    NotOwn,
    /// The credential is narrowed to less.
    #[error("the credential's scopes do not include it")]
    Scope,
    /// Nobody may.
    #[error("`[agents] editable = false` keeps everybody from changing code")]
    SwitchedOff,
}

/// Shows that somebody may do something. Only [`Policy::check`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    right: Right,
}

impl Permit {
    /// What it is for.
    #[must_use]
    pub const fn right(&self) -> Right {
        self.right
    }
}

/// What holds for everybody.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Whether agents' code may be changed through the API at all.
    pub code_is_editable: bool,
}

impl Policy {
    /// Whether the caller may do this with that.
    ///
    /// # Errors
    /// He may not.
    pub fn check(&self, caller: &Caller, right: Right, resource: &Resource<'_>) -> Result<Permit, Denial> {
        if !sees(caller, resource) {
            return Err(Denial::Hidden);
        }
        if right == Right::ChangeCode && !self.code_is_editable {
            return Err(Denial::SwitchedOff);
        }
        let shared_by_all = match resource {
            Resource::Daemon => caller.is_admin(),
            Resource::Everything => matches!(caller.role, Role::Admin | Role::Viewer | Role::Metrics),
            _ => true,
        };
        if !shared_by_all || !role_has(caller.role, right) {
            return Err(Denial::Role);
        }
        if caller.scopes.rights.as_ref().is_some_and(|rights| !rights.contains(&right)) {
            return Err(Denial::Scope);
        }
        // A credential for certain agents reaches those and their conversations, and nothing beside them.
        let beside =
            matches!(resource, Resource::Daemon | Resource::Everything | Resource::Own | Resource::Project { .. });
        if caller.scopes.agents.is_some() && beside {
            return Err(Denial::Scope);
        }
        if changes_it(right) && !caller.is_admin() && !owns(caller, resource) {
            return Err(Denial::NotOwn);
        }
        Ok(Permit { right })
    }
}

/// What the role may do with what is its own or is shown to it.
const fn role_has(role: Role, right: Right) -> bool {
    use Right::{Build, ChangeAgent, ChangeCode, Control, Converse, Read, ReadFiles, Scrape, Statistics};
    match role {
        Role::Admin => true,
        Role::Editor => matches!(right, Read | ReadFiles | Build | Control | ChangeAgent | ChangeCode | Converse),
        Role::User => matches!(right, Read | ReadFiles | Converse),
        Role::Viewer => matches!(right, Read | Statistics),
        Role::Metrics => matches!(right, Scrape),
    }
}

/// Whether the right is one over the thing, which its owner has. (Whoever sees an agent may talk to it.)
const fn changes_it(right: Right) -> bool {
    matches!(right, Right::Control | Right::ChangeAgent | Right::ChangeCode | Right::ReadFiles)
}

/// Whether the thing is there for the caller.
fn sees(caller: &Caller, resource: &Resource<'_>) -> bool {
    let reads_all = matches!(caller.role, Role::Admin | Role::Viewer);
    let in_scope = |agent: &str| {
        let agents = caller.scopes.agents.as_ref();
        agents.is_none_or(|agents| agents.iter().any(|one| one.as_str() == agent))
    };
    let shared = |agent: &str| {
        let listed = |agents: &[crate::domain::ids::AgentId]| agents.iter().any(|one| one.as_str() == agent);
        listed(&caller.scopes.shared) || caller.scopes.agents.as_deref().is_some_and(listed)
    };
    match resource {
        Resource::Daemon | Resource::Everything | Resource::Own => true,
        Resource::Project { .. } => reads_all || owns(caller, resource),
        Resource::Agent { id, .. } => in_scope(id) && (reads_all || owns(caller, resource) || shared(id)),
        Resource::Session { agent, .. } => in_scope(agent) && (caller.is_admin() || owns(caller, resource)),
    }
}

fn owns(caller: &Caller, resource: &Resource<'_>) -> bool {
    let owner = match resource {
        Resource::Daemon | Resource::Everything => return false,
        Resource::Own => return true,
        Resource::Project { owner } => Some(owner),
        Resource::Agent { owner, .. } | Resource::Session { owner, .. } => owner.as_ref(),
    };
    // What nobody in particular made belongs to nobody, whatever a caller calls himself.
    owner.is_some_and(|owner| **owner == *caller.user_id && *owner != ANONYMOUS)
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
