//! What is past its time, found page by page: scans, so only retention asks, and seldom.

use async_trait::async_trait;
use serde_json::Value;

use super::{
    DynamoStore,
    client::Query,
    codec::{Reader, Record as _, StoredProject},
    table::Table,
    value::{self, Item},
};
use crate::{
    backend::store::{Aged, AgedKind, Agents as _, PastTime, Result, transfer::Kind},
    domain::{
        ids::{AgentId, ProjectId},
        time::Timestamp,
    },
};

impl DynamoStore {
    /// A project that has an agent is its agent's code.
    async fn has_agents_of(&self, project: &str) -> Result<bool> {
        match project.parse() {
            Ok(id) => self.has_agents(&id).await,
            Err(_) => Ok(true),
        }
    }

    pub(super) async fn has_agents(&self, project: &ProjectId) -> Result<bool> {
        let by = Query::by(Table::Agents, "ProjectIndex", "project_id", value::text(project.as_str()));
        if !self.tables.all(by, 1).await?.is_empty() {
            return Ok(true);
        }
        // The index may lag behind: a build's own agent is known by its name.
        Ok(self.agent(&AgentId::of_project(project)).await?.is_some())
    }
}

/// When a project ended; none while it has not, and when it cannot be read.
fn ended(item: &Item) -> Option<Timestamp> {
    StoredProject::from_item(item).ok()?.project.ended_at()
}

#[async_trait]
impl PastTime for DynamoStore {
    async fn aged(&self, kind: AgedKind, before: Timestamp, from: Option<Value>) -> Result<Aged> {
        let (of, id, time) = match kind {
            AgedKind::Projects => (Kind::Projects, "project_id", "completed_at"),
            AgedKind::Sessions => (Kind::Sessions, "session_id", "last_active_at"),
            AgedKind::Invocations => (Kind::Invocations, "invocation_id", "created_at"),
        };
        let (found, next) = self.scan(of, from).await?;
        let mut items = Vec::new();
        for item in found {
            let read = Reader(&item);
            let at = match kind {
                AgedKind::Projects => ended(&item),
                // One that never was used is as old as it is.
                _ => read.word::<Timestamp>(time).or_else(|| read.word("created_at")),
            };
            let (Some(id), Some(at)) = (read.text(id), at.filter(|at| *at < before)) else { continue };
            if kind == AgedKind::Projects && self.has_agents_of(&id).await? {
                continue;
            }
            items.push((id, at));
        }
        Ok(Aged { items, next })
    }
}
