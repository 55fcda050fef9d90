//! Files of agents that outlive their project, in the store that all daemons share: they lie under the agent's own name,
//! so any daemon can bring them to its machine, and they go with the agent.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::{
    Owner, Result, SIDE_BY_SIDE, away, content_path,
    folder::Manifest,
    manifests::{self, Number},
};
use crate::domain::{deletion::KeptAgent, ids::ProjectId};

/// Makes an agent's files its own before those of its project go. Safe to repeat: the manifest comes last, and once it is
/// there nothing happens.
pub(crate) async fn keep(store: &Arc<dyn ObjectStore>, project: &ProjectId, agent: &KeptAgent) -> Result<()> {
    let (from, to) = (Owner::Project(project.clone()), Owner::Agent(agent.agent_id.clone()));
    if manifests::newest_place(store, &to).await?.is_some() {
        return Ok(());
    }
    let Some((_, whole)) = manifests::newest(store, &from).await? else { return Ok(()) };
    let below = format!("{}/", agent.agent_dir.trim_end_matches('/'));
    let own = |(name, entry): (String, super::folder::Entry)| Some((name.strip_prefix(&below)?.to_owned(), entry));
    let own = Manifest { files: whole.files.into_iter().filter_map(own).collect() };
    if own.files.is_empty() {
        return Ok(());
    }
    let mut copies = Vec::new();
    for entry in own.files.values() {
        let (from, to) = (content_path(&from, &entry.sha256), content_path(&to, &entry.sha256));
        copies.push(async move { store.copy(&from, &to).await });
    }
    stream::iter(copies).buffer_unordered(SIDE_BY_SIDE).try_collect::<Vec<()>>().await.map_err(away)?;
    // One that is there was written by another daemon, which did the same.
    manifests::create(store, &Number::first(1).path(&to), &own).await.map(drop)
}
