//! The queues that the daemon works with.

/// The queues of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// Build tasks.
    Build,
    /// Deploy tasks.
    Deploy,
    /// Build messages that were received too often or could not be read.
    BuildDead,
    /// Deploy messages likewise.
    DeployDead,
}

impl QueueName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Build, Self::Deploy, Self::BuildDead, Self::DeployDead];

    /// The name of SPEC section 2.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Build => "nexus-build-queue",
            Self::Deploy => "nexus-deploy-queue",
            Self::BuildDead => "nexus-build-dlq",
            Self::DeployDead => "nexus-deploy-dlq",
        }
    }

    /// Where its dead letters go; a dead-letter queue has none.
    #[must_use]
    pub const fn dead_letters(self) -> Option<Self> {
        match self {
            Self::Build => Some(Self::BuildDead),
            Self::Deploy => Some(Self::DeployDead),
            Self::BuildDead | Self::DeployDead => None,
        }
    }
}

impl std::fmt::Display for QueueName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
