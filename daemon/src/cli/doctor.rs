//! `nexusd doctor` and `nexusd adopt-folder`: what lies in the data folder, seen from the store, and whose it is.

use std::{process::ExitCode, sync::Arc};

use super::{cloud_store, failed, loaded, run_to_end};
use crate::terminal::print;
use crate::{
    backend::{
        data_folder::{Survey, binding, survey},
        sqlite::look::SqliteLook,
        store::{Nobody, Store},
    },
    config::{BackendKind, Config, Inputs, Loaded},
    domain::deletion::Deletion,
};

/// Lines of one kind that are printed.
const LINES: usize = 50;
/// Deletions that are looked at.
const OPEN: usize = 10_000;

fn told(result: Result<bool, String>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

/// Says what is there. Exit code 1 when somebody should look. A daemon may run meanwhile.
pub(super) fn doctor(inputs: &Inputs) -> ExitCode {
    match loaded(inputs) {
        Ok(Loaded { config, .. }) => run_to_end(async { told(look(&config).await) }),
        Err(code) => code,
    }
}

async fn look(config: &Config) -> Result<bool, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let bound = binding::bound_to(&config.data).map_err(|e| text(&e))?;
    print(&format!("data folder  {}", config.data.dir.display()));
    print(&format!("  belongs to {}", bound.as_deref().unwrap_or("no store yet")));
    if config.backend.kind == BackendKind::Embedded && !config.data.database().is_file() {
        let there = binding::there(&config.data).map_err(|e| text(&e))?;
        print(&format!("store        none: {} is not there; {there}", config.data.database().display()));
        return Ok(there.is_empty());
    }
    let (id, found, open) = if config.backend.kind == BackendKind::Aws {
        let store = cloud_store(config).await?;
        let id = store.identity().await.map_err(|e| text(&e))?;
        let found = survey(store.as_ref(), &config.data).await.map_err(|e| text(&e))?;
        (id, found, store.open_deletions(OPEN).await.map_err(|e| text(&e))?)
    } else {
        let store = SqliteLook::open(&config.data.database()).map_err(|e| text(&e))?;
        let found = survey(&store, &config.data).await.map_err(|e| text(&e))?;
        (store.identity().map_err(|e| text(&e))?, found, store.open_deletions(OPEN).map_err(|e| text(&e))?)
    };
    print(&format!("store        {id}"));
    let own = bound.is_none() || bound.as_deref() == Some(id.as_str());
    if !own {
        print("  MISMATCH: the data folder belongs to another store; if this is the right one: nexusd adopt-folder");
    }
    show(config, &found, &open);
    let orphans = if config.backend.kind == BackendKind::Aws { orphans(config).await? } else { Vec::new() };
    if config.backend.kind == BackendKind::Aws {
        show_orphans(&orphans);
    }
    Ok(own && found.unknown.is_empty() && orphans.is_empty())
}

/// Parts of records that lie in the artifact store without their record: path and bytes.
fn show_orphans(orphans: &[(String, u64)]) {
    let bytes: u64 = orphans.iter().map(|(_, bytes)| bytes).sum();
    print(&format!("objects      {} parts of records that no record refers to, {bytes} bytes", orphans.len()));
    for (path, bytes) in orphans.iter().take(LINES) {
        print(&format!("    {path} ({bytes} bytes)"));
    }
    if !orphans.is_empty() {
        print(
            "    A daemon ended, or was refused, after it had written them. The daemon never removes them: remove by hand.",
        );
    }
}

#[cfg(feature = "aws")]
async fn orphans(config: &Config) -> Result<Vec<(String, u64)>, String> {
    let parts =
        crate::backend::aws::clients::parts(config, Arc::new(Nobody), None).await.map_err(|error| error.to_string())?;
    let found = parts.0.orphans().await.map_err(|error| error.to_string())?;
    Ok(found.into_iter().map(|orphan| (orphan.path, orphan.bytes)).collect())
}

#[cfg(not(feature = "aws"))]
async fn orphans(_: &Config) -> Result<Vec<(String, u64)>, String> {
    Ok(Vec::new())
}

fn show(config: &Config, found: &Survey, open: &[Deletion]) {
    print(&format!("folders      {} known", found.known));
    print(&format!("  unknown    {}", found.unknown.len()));
    for one in found.unknown.iter().take(LINES) {
        let young = if one.young { " (young: may be in the making)" } else { "" };
        print(&format!("    {} {}{young}", one.kind, one.id));
    }
    if !found.unknown.is_empty() {
        print("    They are never removed by the daemon: move away or remove by hand what you do not need.");
    }
    print(&format!("  deleted    {} that wait for the trash", found.deleted.len()));
    for record in found.deleted.iter().take(LINES) {
        print(&format!("    {} {} {:?}, deleted {}", record.kind, record.id, record.name, record.deleted_at));
    }
    print(&format!("trash        {} in {}", found.trash.len(), config.data.trash().display()));
    for one in found.trash.iter().take(LINES) {
        print(&format!("    {} {} since {}: {}", one.kind, one.id, one.since, one.name));
    }
    print(&format!("deletions    {} with something left to be done", open.len()));
    for record in open.iter().take(LINES) {
        print(&format!("    {} {} {:?}, deleted {}", record.kind, record.id, record.name, record.deleted_at));
    }
}

/// Shows what is there and binds the folder to the store. No daemon may have the embedded file open.
pub(super) fn adopt(inputs: &Inputs) -> ExitCode {
    match loaded(inputs) {
        Ok(Loaded { config, .. }) => run_to_end(async { told(bind(&config).await.map(|()| true)) }),
        Err(code) => code,
    }
}

async fn bind(config: &Config) -> Result<(), String> {
    crate::backend::data_folder::make_folders(&config.data).map_err(|error| error.to_string())?;
    let store: Arc<dyn Store> = if config.backend.kind == BackendKind::Aws {
        cloud_store(config).await?
    } else {
        crate::backend::open::open_file(config, Arc::new(Nobody)).await.map_err(|error| error.to_string())?.0
    };
    let before = binding::bound_to(&config.data).map_err(|error| error.to_string())?;
    let bound = binding::adopt(store.as_ref(), &config.data).await.map_err(|error| error.to_string());
    let closed = store.close().await.map_err(|error| error.to_string());
    let (id, found) = bound?;
    show(config, &found, &[]);
    closed?;
    let before = before.map_or_else(|| "no store".to_owned(), |before| format!("store {before}"));
    print(&format!(
        "{} belonged to {before} and belongs to store {id} now; nothing was removed",
        config.data.dir.display()
    ));
    Ok(())
}
