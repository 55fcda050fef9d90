//! Where an agent is asked.

use std::{fmt, path::PathBuf, sync::Arc};

/// The place, and what its agent wants to hear first.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) place: Place,
    /// Known to this run of the agent and to nobody else.
    pub(crate) token: Arc<str>,
}

/// A socket of the agent's own, or a port of the loopback interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Socket(Arc<PathBuf>),
    Port(u16),
}

impl Address {
    /// For the head of a request.
    pub(crate) fn host(&self) -> String {
        match &self.place {
            Place::Socket(_) => "localhost".to_owned(),
            Place::Port(port) => format!("127.0.0.1:{port}"),
        }
    }

    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

/// As an endpoint is written.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
            Self::Port(port) => write!(f, "http://127.0.0.1:{port}"),
        }
    }
}
