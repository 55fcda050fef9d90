//! Retention: what is kept for a time only, when the settings say so. Off by default.
//!
//! [`plan`] shows what is past its time, for `nexusd retention` and before anything is deleted. [`Retention::round`] is
//! called by the reconciler and deletes by the same way as the API, in bites, for a few seconds at a time. What was
//! used since it was found stays.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use serde_json::Value;

use crate::{
    backend::{
        error::BackendError,
        store::{AgedKind, PastTime, Result, Store},
    },
    config::{Config, Days, RetentionConfig},
    deletion::Deletions,
    domain::time::Timestamp,
    files,
};

/// How long one round deletes; the next goes on.
const ROUND: Duration = Duration::from_secs(8);
/// Pause between two rounds where the store is scanned: whoever pays by what is read does not want that all the time.
const PAUSE_WHERE_SCANNED: Duration = Duration::from_secs(6 * 3600);
/// Deletions that wait for the store side by side: few, so that requests of people come between them.
const SIDE_BY_SIDE: usize = 8;

/// What is past its time of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Its name, as in the settings.
    pub kind: &'static str,
    /// How long such things are kept; none when they always are.
    pub days: Option<u64>,
    /// How many are past it.
    pub count: u64,
    /// When the oldest of them ended, or was used last.
    pub oldest: Option<Timestamp>,
    /// The same of the newest.
    pub newest: Option<Timestamp>,
}

impl Planned {
    const fn new(kind: &'static str, days: Option<u64>) -> Self {
        Self { kind, days, count: 0, oldest: None, newest: None }
    }

    fn add(&mut self, at: Timestamp) {
        self.count += 1;
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
        self.newest = Some(self.newest.map_or(at, |newest| newest.max(at)));
    }
}

/// The kinds of the store with their names and times.
fn kinds(config: &RetentionConfig) -> [(AgedKind, &'static str, Days); 3] {
    [
        (AgedKind::Projects, "projects", config.projects_days),
        (AgedKind::Sessions, "sessions", config.sessions_days),
        (AgedKind::Invocations, "invocations", config.invocations_days),
    ]
}

/// The name of the versions of agents' files.
const VERSIONS: &str = "agent versions";

fn cutoff(days: Days) -> Option<Timestamp> {
    let age = i64::try_from(days.duration().as_micros()).unwrap_or(i64::MAX);
    (days.0 > 0).then(|| Timestamp::from_micros(Timestamp::now().as_micros().saturating_sub(age)))
}

/// What is past its time now, by kind. Nothing is deleted.
///
/// # Errors
/// The store or the data folder cannot be read.
pub async fn plan<S: PastTime + ?Sized>(store: &S, config: &Config) -> Result<Vec<Planned>> {
    let mut all = Vec::new();
    for (kind, name, days) in kinds(&config.retention) {
        let mut planned = Planned::new(name, (days.0 > 0).then_some(days.0));
        let mut place = None;
        while let Some(before) = cutoff(days) {
            let bite = store.aged(kind, before, place).await?;
            bite.items.iter().for_each(|(_, at)| planned.add(*at));
            place = bite.next;
            if place.is_none() {
                break;
            }
        }
        all.push(planned);
    }
    let days = config.retention.agent_versions_days;
    let mut planned = Planned::new(VERSIONS, (days.0 > 0).then_some(days.0));
    if let Some(before) = cutoff(days) {
        let agents = config.data.agents();
        for (_, at) in in_background(move || old_versions(&agents, before)).await? {
            planned.add(at);
        }
    }
    all.push(planned);
    Ok(all)
}

async fn in_background<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    files::blocking(act).await.flatten().map_err(BackendError::data_folder)
}

/// Versions of agents' files that were replaced before then, but for the newest of each file.
fn old_versions(agents: &Path, before: Timestamp) -> io::Result<Vec<(PathBuf, Timestamp)>> {
    let mut found = Vec::new();
    for agent in entries(agents)? {
        for file in entries(&agent.join("versions"))? {
            let at = |path: PathBuf| {
                let micros = path.file_name()?.to_str()?.parse::<i64>().ok()?;
                Some((Timestamp::from_micros(micros), path))
            };
            let mut versions: Vec<_> = entries(&file)?.into_iter().filter_map(at).collect();
            versions.sort();
            // It can be put back.
            versions.pop();
            found.extend(versions.into_iter().filter(|(at, _)| *at < before).map(|(at, path)| (path, at)));
        }
    }
    Ok(found)
}

/// What lies in a folder; nothing when it is not there, or is none. Links are not followed.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !folder.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        return Ok(Vec::new());
    }
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

/// What a daemon remembers from round to round.
#[derive(Default)]
pub struct Retention {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The settings that were shown in the log.
    shown: RetentionConfig,
    /// Where the last round stopped, when it did not come to an end.
    stopped: Option<(AgedKind, Option<Value>)>,
    /// When a round came to its end.
    ended: Option<Instant>,
}

impl Retention {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something is left of the last round.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.state().stopped.is_some()
    }

    /// Deletes what is past its time, for some seconds; answers how much that was. The first round under new settings says
    /// before what it will do.
    ///
    /// # Errors
    /// The store or the data folder cannot be read or written; what was deleted by then is.
    pub async fn round(&self, store: &dyn Store, deletions: &Deletions, config: &Config) -> Result<u64> {
        if config.retention == RetentionConfig::default() {
            *self.state() = State::default();
            return Ok(0);
        }
        let is_new = self.state().shown != config.retention;
        if is_new {
            for planned in plan(store, config).await?.into_iter().filter(|planned| planned.days.is_some()) {
                let text = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
                tracing::info!(
                    kind = planned.kind,
                    days = planned.days.unwrap_or_default(),
                    count = planned.count,
                    oldest = text(planned.oldest),
                    newest = text(planned.newest),
                    "retention deletes what is past its time; [retention] in the settings switches it off"
                );
            }
            self.state().shown = config.retention.clone();
        }
        let mut stopped = self.state().stopped.take();
        let lately = self.state().ended.is_some_and(|at| at.elapsed() < PAUSE_WHERE_SCANNED);
        if store.is_shared() && !is_new && stopped.is_none() && lately {
            return Ok(0);
        }
        let until = Instant::now() + ROUND;
        let mut deleted = 0;
        for (kind, _, days) in kinds(&config.retention) {
            let mut place = match &mut stopped {
                Some((at, _)) if *at != kind => continue,
                Some((_, place)) => place.take(),
                None => None,
            };
            stopped = None;
            while let Some(before) = cutoff(days) {
                if Instant::now() > until {
                    self.state().stopped = Some((kind, place));
                    return Ok(deleted);
                }
                let bite = store.aged(kind, before, place).await?;
                deleted += delete(store, deletions, kind, before, bite.items).await?;
                place = bite.next;
                if place.is_none() {
                    break;
                }
            }
        }
        if let Some(before) = cutoff(config.retention.agent_versions_days) {
            let agents = config.data.agents();
            deleted += in_background(move || {
                let old = old_versions(&agents, before)?;
                old.iter().try_for_each(|(path, _)| fs::remove_file(path))?;
                Ok(old.len() as u64)
            })
            .await?;
        }
        self.state().ended = Some(Instant::now());
        Ok(deleted)
    }
}

async fn delete(
    store: &dyn Store,
    deletions: &Deletions,
    kind: AgedKind,
    before: Timestamp,
    items: Vec<(String, Timestamp)>,
) -> Result<u64> {
    if kind == AgedKind::Invocations {
        let ids: Vec<String> = items.into_iter().map(|(id, _)| id).collect();
        return if ids.is_empty() { Ok(0) } else { store.delete_invocations(&ids).await };
    }
    let each = items.into_iter().map(|(id, _)| async move {
        match kind {
            AgedKind::Projects => project(deletions, &id, before).await,
            _ => session(deletions, &id, before).await,
        }
    });
    let mut each = stream::iter(each).buffer_unordered(SIDE_BY_SIDE);
    let (mut deleted, mut failed) = (0, None);
    while let Some(one) = each.next().await {
        match one {
            Ok(gone) => deleted += u64::from(gone),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(deleted), Err)
}

/// Somebody may have restarted it since it was found: the unit that deletes it looks once more.
async fn project(deletions: &Deletions, id: &str, before: Timestamp) -> Result<bool> {
    let Ok(id) = id.parse() else { return Ok(false) };
    Ok(deletions.aged_project(&id, before).await?.is_some())
}

/// The same: somebody may have gone on with the conversation.
async fn session(deletions: &Deletions, id: &str, before: Timestamp) -> Result<bool> {
    let Ok(id) = id.parse() else { return Ok(false) };
    Ok(deletions.aged_session(&id, before).await?.is_some())
}
