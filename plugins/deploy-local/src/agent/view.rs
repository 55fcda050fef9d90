//! What others may know of an agent without asking its keeper, who may be busy stopping it.

use std::sync::{Arc, Mutex, PoisonError};

use nexus_plugin_api::payload::{AgentState, AgentStatus};
use serde_json::{Map, Value};

use super::Usage;

/// The keeper writes it, `status` reads it.
pub(crate) struct View {
    status: Mutex<AgentStatus>,
    pub(crate) usage: Arc<Usage>,
}

impl View {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { status: Mutex::new(status(AgentState::Idle, "starts on first use")), usage: Usage::new() })
    }

    pub(crate) fn set(&self, status: AgentStatus) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    pub(crate) fn status(&self) -> AgentStatus {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        status.details.insert("requests_running".into(), Value::from(self.usage.active()));
        status
    }
}

/// A status without details.
pub(crate) fn status(state: AgentState, message: impl Into<String>) -> AgentStatus {
    AgentStatus { state, message: message.into(), details: Map::new() }
}
