//! Why a command of the client failed, and the exit code that says so.

use std::process::ExitCode;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ClientError {
    /// Nobody listens there.
    #[error(
        "no daemon answers at {url} ({reason})\n  start one with `nexusd serve`, or say where it is with --url or $NEXUSD_URL"
    )]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What the connection met.
        reason: String,
    },
    /// Somebody else listens there.
    #[error(
        "what listens at {url} is the process of another user (uid {uid}), not the daemon whose token this would send\n  \
         start the daemon on another port, or say where it is with --url; a token in $NEXUSD_TOKEN is sent all the same"
    )]
    Stranger {
        /// Where.
        url: String,
        /// The user.
        uid: u32,
    },
    /// The connection broke, and what had been asked for may have been done.
    #[error("the connection to the daemon broke: {0}")]
    Broken(String),
    /// The daemon said no.
    #[error("{message}{details}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The daemon's own word for it.
        code: String,
        /// For people.
        message: String,
        /// What else the daemon said, on further lines; empty when nothing.
        details: String,
    },
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// The answer is none of this version.
    #[error("{url} does not answer as nexusd does: {reason}")]
    Foreign {
        /// What was asked.
        url: String,
        /// What came instead.
        reason: String,
    },
    /// What was waited for came to a bad end.
    #[error("{0}")]
    Failed(String),
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
}

impl ClientError {
    /// 1 refused, 2 usage, 3 no daemon, 4 no such thing, 5 it was done and failed.
    pub(in crate::cli) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Refused { status: 404, .. } | Self::Missing(_) => 4,
            Self::Refused { .. } | Self::Foreign { .. } | Self::Stranger { .. } => 1,
            Self::Usage(_) => 2,
            Self::Unreachable { .. } | Self::Broken(_) => 3,
            Self::Failed(_) => 5,
        })
    }
}
