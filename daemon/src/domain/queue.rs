//! The queues that the daemon works with.

/// Whether a receive counts towards the dead letters: one that the message is not to blame for does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    Counted,
    Uncounted,
}

impl Receive {
    /// A failure that may pass by itself is none of the message's.
    pub const fn after(retryable: bool) -> Self {
        if retryable { Self::Uncounted } else { Self::Counted }
    }
}

/// The queues of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    Build,
    Deploy,
    /// Build messages that were received too often or could not be read.
    BuildDead,
    DeployDead,
}

impl QueueName {
    pub const ALL: [Self; 4] = [Self::Build, Self::Deploy, Self::BuildDead, Self::DeployDead];

    /// The name of SPEC section 2.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Build => "nexus-build-queue",
            Self::Deploy => "nexus-deploy-queue",
            Self::BuildDead => "nexus-build-dlq",
            Self::DeployDead => "nexus-deploy-dlq",
        }
    }

    /// Where its dead letters go; a dead-letter queue has none.
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
