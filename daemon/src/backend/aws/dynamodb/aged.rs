//! What is past its time, found page by page: scans, so only retention asks, and seldom.

use serde_json::Value;

use super::{
    DynamoStore,
    client::Query,
    codec::{Reader, Record as _, StoredProject},
    table::Table,
    value::{self, Item},
};
use crate::{
    backend::store::{Aged, AgedKind, Result, transfer::Kind},
    domain::{
        ids::{AgentId, ProjectId},
        project::Project,
        time::Timestamp,
    },
};

impl DynamoStore {
    /// `Store::aged`.
    pub(crate) async fn find_aged(&self, kind: AgedKind, before: Timestamp, from: Option<Value>) -> Result<Aged> {
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
        Ok(self.read_agent(&AgentId::of_project(project)).await?.is_some())
    }

    /// `Store::delete_invocations`.
    pub(crate) async fn remove_invocations(&self, ids: &[String]) -> Result<u64> {
        let keys = ids.iter().map(|id| Table::Invocations.one(id)).collect();
        let items = self.tables.get_many(Table::Invocations, keys).await?;
        self.overflow.forget_of(&items).await?;
        let keys: Vec<Item> = items.iter().map(|item| Table::Invocations.key_of(item)).collect();
        let count = keys.len() as u64;
        self.tables.delete_many(Table::Invocations, keys).await?;
        Ok(count)
    }
}

/// When a project ended; none while it has not, and when it cannot be read.
fn ended(item: &Item) -> Option<Timestamp> {
    ended_at(&StoredProject::from_item(item).ok()?.project)
}

fn ended_at(project: &Project) -> Option<Timestamp> {
    project.status.is_final().then(|| project.completed_at.unwrap_or(project.updated_at))
}

/// Whether a project has ended, and before then.
pub(super) fn is_past(project: &Project, before: Timestamp) -> bool {
    ended_at(project).is_some_and(|at| at < before)
}
