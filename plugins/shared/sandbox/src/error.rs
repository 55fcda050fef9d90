//! Why a process was not confined, and so not started.

use std::{io, path::PathBuf};

use crate::policy::{Fault, Step};

/// Why a process was not started, or was lost.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The kernel lacks walls that the policy needs.
    #[error(
        "this system cannot confine it, for it lacks {}; [sandbox] allow_weaker = true starts it all the same, without",
        .missing.join("; ")
    )]
    Weak {
        /// The walls.
        missing: Vec<String>,
    },
    /// This process is no program that has the hidden stage.
    #[error("this program cannot confine others: it does not call nexus_sandbox::run_if_asked() first")]
    NoStage,
    /// `[sandbox] mode = "bwrap"`, and there is no bwrap.
    #[error("bubblewrap is not installed (no bwrap in /usr/bin); install it, or set [sandbox] mode = \"landlock\"")]
    NoBubblewrap,
    /// It is installed, and may not make namespaces.
    #[error(
        "this system lets this user make no namespaces, so bubblewrap confines nothing; set [sandbox] mode = \"landlock\""
    )]
    NoNamespaces,
    /// The policy cannot be told.
    #[error("{what} {value:?} {why}")]
    Policy {
        /// Which part.
        what: &'static str,
        /// Its value.
        value: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A step on the way to the program failed.
    #[error("{doing}: {message}")]
    Start {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        message: String,
        /// `errno`, when there is one.
        code: Option<i32>,
    },
    /// The program cannot be run.
    #[error("{}: {source}", .program.display())]
    Program {
        /// Which.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process that keeps the confined one was lost.
    #[error("the keeper of the confined process was lost: {0}")]
    Lost(#[source] io::Error),
}

impl SandboxError {
    /// As an error of input and output, for callers that treat any start alike.
    #[must_use]
    pub fn into_io(self) -> io::Error {
        let kind = match &self {
            Self::Program { source, .. } => source.kind(),
            Self::Start { code: Some(code), .. } => io::Error::from_raw_os_error(*code).kind(),
            Self::Policy { .. } => io::ErrorKind::InvalidInput,
            Self::Weak { .. } | Self::NoStage | Self::NoBubblewrap | Self::NoNamespaces => io::ErrorKind::Unsupported,
            Self::Start { .. } | Self::Lost(_) => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }

    pub(crate) fn of(fault: Fault, program: &str) -> Self {
        match (fault.step, fault.code) {
            (Step::Walls, _) => Self::Weak { missing: fault.message.split("; ").map(Into::into).collect() },
            (Step::Namespaces, _) => Self::NoNamespaces,
            (Step::Program, Some(code)) => {
                Self::Program { program: program.into(), source: io::Error::from_raw_os_error(code) }
            }
            (step, code) => Self::Start { doing: step.words(), message: fault.message, code },
        }
    }
}

impl From<SandboxError> for io::Error {
    fn from(error: SandboxError) -> Self {
        error.into_io()
    }
}
