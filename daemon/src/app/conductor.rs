//! The tree and the reload, as the services and the API ask for them.

use std::sync::Arc;

use async_trait::async_trait;
use ractor::{ActorRef, call_t};
use serde_json::{Value, json};

use crate::{
    api,
    domain::{
        control::ControlAction,
        ids::{ProjectId, TaskId},
    },
    projects,
    reload::{Reloaded, Reloader},
    workers::{dispatcher::DispatcherMessage, root::RootMessage},
};

/// The actor tree and the reload, as the API asks for them.
pub(super) struct Conductor {
    pub(super) root: ActorRef<RootMessage>,
    pub(super) reloader: Arc<Reloader>,
}

impl projects::Conductor for Conductor {
    fn controlled(&self, project: &ProjectId, task: Option<&TaskId>, action: ControlAction) {
        // Without a task nobody works on it.
        let Some(task) = task else { return };
        let message = DispatcherMessage::Control(project.clone(), task.clone(), action);
        let _ = self.root.cast(RootMessage::Dispatch(message));
    }

    fn deleted(&self, project: &ProjectId) {
        let _ = self.root.cast(RootMessage::Dispatch(DispatcherMessage::Forget(project.clone())));
    }
}

#[async_trait]
impl api::Operations for Conductor {
    async fn tree(&self) -> Value {
        call_t!(self.root, RootMessage::Tree, 1_000).unwrap_or_else(|error| json!({"error": error.to_string()}))
    }

    async fn reload(&self) -> Result<Reloaded, String> {
        self.reloader.reload().await
    }
}
