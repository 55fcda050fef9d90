//! The tables: SPEC section 1, and two of the daemon's own.

use super::value::{self, Item};

/// An index of a table: its name, its keys, and whether it sorts by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    /// As in SPEC section 1.
    pub name: &'static str,
    pub partition: &'static str,
    pub sort: &'static str,
    /// Whether the sort key is a number.
    pub number: bool,
}

const fn index(name: &'static str, partition: &'static str, sort: &'static str) -> Index {
    Index { name, partition, sort, number: false }
}

/// The tables of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    Projects,
    Stages,
    Agents,
    Invocations,
    Sessions,
    Messages,
    Tasks,
    Tools,
    /// The daemon's own: events of projects, with the number of the last event of an item as sort key.
    Events,
    /// The daemon's own: keys of requests, keys and sessions of callers, figures by day, the store's id,
    /// what was deleted.
    State,
}

/// Attribute that DynamoDB deletes items by, in the daemon's own tables: seconds since 1970.
pub const EXPIRES: &str = "expires_at";

impl Table {
    pub const ALL: [Self; 10] = [
        Self::Projects,
        Self::Stages,
        Self::Agents,
        Self::Invocations,
        Self::Sessions,
        Self::Messages,
        Self::Tasks,
        Self::Tools,
        Self::Events,
        Self::State,
    ];

    /// Its name without a prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Projects => "nexus_projects",
            Self::Stages => "nexus_stages",
            Self::Agents => "nexus_agents",
            Self::Invocations => "nexus_invocations",
            Self::Sessions => "nexus_sessions",
            Self::Messages => "nexus_messages",
            Self::Tasks => "nexus_tasks",
            Self::Tools => "nexus_tools",
            Self::Events => "nexus_project_events",
            Self::State => "nexus_daemon_state",
        }
    }

    /// Partition key, and sort key if it has one.
    pub const fn key(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Projects => ("project_id", None),
            Self::Stages => ("project_id", Some("stage_name")),
            Self::Agents => ("agent_id", None),
            Self::Invocations => ("invocation_id", None),
            Self::Sessions => ("session_id", None),
            Self::Messages => ("session_id", Some("message_id")),
            Self::Tasks => ("task_id", None),
            Self::Tools => ("tool_id", None),
            Self::Events => ("project_id", Some("seq")),
            Self::State => ("pk", Some("sk")),
        }
    }

    pub const fn indexes(self) -> &'static [Index] {
        const PROJECTS: [Index; 2] =
            [index("UserIndex", "user_id", "created_at"), index("StatusIndex", "status", "created_at")];
        const AGENTS: [Index; 3] = [
            index("ProjectIndex", "project_id", "created_at"),
            index("StatusIndex", "status", "created_at"),
            index("CategoryIndex", "category", "created_at"),
        ];
        const INVOCATIONS: [Index; 2] =
            [index("AgentIndex", "agent_id", "created_at"), index("SessionIndex", "session_id", "created_at")];
        const SESSIONS: [Index; 2] =
            [index("AgentIndex", "agent_id", "last_active_at"), index("UserIndex", "user_id", "last_active_at")];
        const TASKS: [Index; 2] =
            [index("StatusIndex", "status", "created_at"), index("ProjectIndex", "project_id", "created_at")];
        const TOOLS: [Index; 2] = [
            Index { name: "CategoryIndex", partition: "category", sort: "usage_count", number: true },
            index("SourceIndex", "source", "created_at"),
        ];
        const EVENTS: [Index; 1] = [index("FeedIndex", "feed", "feed_at")];
        match self {
            Self::Projects => &PROJECTS,
            Self::Agents => &AGENTS,
            Self::Invocations => &INVOCATIONS,
            Self::Sessions => &SESSIONS,
            Self::Tasks => &TASKS,
            Self::Tools => &TOOLS,
            Self::Events => &EVENTS,
            Self::Stages | Self::Messages | Self::State => &[],
        }
    }

    /// Whether its sort key is a number.
    pub const fn sorts_by_number(self) -> bool {
        matches!(self, Self::Events)
    }

    /// Whether its items end by [`EXPIRES`].
    pub const fn expires(self) -> bool {
        matches!(self, Self::Events | Self::State)
    }

    /// The key of an item without sort key.
    pub(crate) fn one(self, id: &str) -> Item {
        Item::from([(self.key().0.to_owned(), value::text(id))])
    }

    /// The key of an item with a text as sort key.
    pub(crate) fn two(self, id: &str, sort: &str) -> Item {
        let mut key = self.one(id);
        if let Some(name) = self.key().1 {
            key.insert(name.to_owned(), value::text(sort));
        }
        key
    }

    /// The key that is in an item.
    pub(crate) fn key_of(self, item: &Item) -> Item {
        let (partition, sort) = self.key();
        let names = [Some(partition), sort];
        let part = |name: &str| item.get(name).map(|value| (name.to_owned(), value.clone()));
        names.into_iter().flatten().filter_map(part).collect()
    }
}
