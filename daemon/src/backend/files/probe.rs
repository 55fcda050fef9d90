//! Whether the artifact store can be used: asked at start, by `/health`, and again and again while it is away. What an
//! operator must change is told apart from what passes, each with what to do.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use object_store::{Error as ObjectError, ObjectStore, ObjectStoreExt as _, path::Path};

use super::Artifacts;
use crate::backend::{
    error::chain,
    error::{BackendError, BackendErrorKind},
};

type Result<T> = std::result::Result<T, BackendError>;

/// Where the probe is written.
const PLACE: &str = "probe/nexusd";
/// A store that has not answered by then is away.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two questions while it is away.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// `/health` asks no oftener than this.
const FRESH: Duration = Duration::from_secs(2);

/// What was found last.
#[derive(Default)]
pub(super) struct Probe {
    away: Mutex<Option<String>>,
    asking: tokio::sync::Mutex<()>,
    checked: tokio::sync::Mutex<Option<(Instant, Option<String>)>>,
}

/// What is wrong with an artifact store, by its own words.
pub(super) fn judge(error: ObjectError) -> BackendError {
    let text = chain(&error);
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // What passes by itself is waited for; all else needs somebody.
    let (kind, told) = if has(&["NoSuchBucket", "bucket does not exist"]) {
        (BackendErrorKind::Invalid, "the bucket of [backend] artifacts does not exist: create it, or correct its name")
    } else if has(&[
        "PermanentRedirect",
        "AuthorizationHeaderMalformed",
        "incorrectly configured region",
        "IllegalLocation",
    ]) {
        let told = "the bucket of [backend] artifacts lies in another region: set [backend] region to it, or name a bucket \
                    of this region";
        (BackendErrorKind::Invalid, told)
    } else if has(&["ExpiredToken", "RequestTimeTooSkewed"]) {
        (
            BackendErrorKind::Unavailable,
            "the artifact store does not take the daemon's credentials, or its clock is wrong",
        )
    } else if matches!(error, ObjectError::PermissionDenied { .. } | ObjectError::Unauthenticated { .. })
        || has(&["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled"])
    {
        let told = "the artifact store denies access: allow reading, writing, deleting and listing, see `nexusd resources \
                    policy`";
        (BackendErrorKind::Invalid, told)
    } else {
        (BackendErrorKind::Unavailable, "the artifact store is not available")
    };
    BackendError::new(kind, told).because(error)
}

async fn within<T>(asked: impl Future<Output = object_store::Result<T>>) -> Result<T> {
    match tokio::time::timeout(LIMIT, asked).await {
        Ok(answer) => answer.map_err(judge),
        Err(_) => {
            let text = format!("the artifact store did not answer within {} s", LIMIT.as_secs());
            Err(BackendError::new(BackendErrorKind::Unavailable, text))
        }
    }
}

/// Reads what a build reads first.
async fn list(store: &Arc<dyn ObjectStore>) -> Result<()> {
    let prefix = Path::from("probe");
    within(async { store.list(Some(&prefix)).next().await.transpose().map(drop) }).await
}

impl Artifacts {
    /// Whether files can be written, read and listed.
    ///
    /// # Errors
    /// [`BackendErrorKind::Invalid`] when an operator must change something, [`BackendErrorKind::Unavailable`] when it is away.
    pub async fn probe(&self) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let place = Path::from(PLACE);
        within(store.put(&place, "written by a daemon, to see whether it can".into())).await?;
        within(store.get(&place)).await?;
        list(store).await
    }

    /// Whether it answers now, for `/health`.
    pub async fn check(&self) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let mut checked = self.probe.checked.lock().await;
        if let Some((_, found)) = checked.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return found.clone().map_or(Ok(()), |told| Err(BackendError::new(BackendErrorKind::Unavailable, told)));
        }
        let found = list(store).await;
        *checked = Some((Instant::now(), found.as_ref().err().map(ToString::to_string)));
        found
    }

    /// Notes that it failed: until it answers again no further work is taken, which could not go on either.
    pub fn failed(&self, error: &BackendError) {
        if self.store.is_none() {
            return;
        }
        let mut away = self.probe.away.lock().unwrap_or_else(PoisonError::into_inner);
        let words = chain(error);
        if away.as_ref() != Some(&words) {
            tracing::warn!(error = words, "the artifact store failed: no build or deployment begins before it answers");
            *away = Some(words);
        }
    }

    fn is_away(&self) -> bool {
        self.probe.away.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Resolves at once, or when a store that failed answers again. Cancel-safe.
    pub async fn ready(&self) {
        if !self.is_away() {
            return;
        }
        // One asks for all.
        let _asking = self.probe.asking.lock().await;
        let mut pause = FIRST_PAUSE;
        while self.is_away() {
            match self.probe().await {
                Ok(()) => {
                    tracing::info!("the artifact store answers again");
                    *self.probe.away.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                Err(error) => {
                    tracing::debug!(error = chain(&error), "the artifact store does not answer yet");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> ObjectError {
        ObjectError::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn what_must_be_changed_is_told_apart_from_what_passes() {
        for (text, kind, word) in [
            ("<Code>NoSuchBucket</Code>", BackendErrorKind::Invalid, "does not exist"),
            (
                "Received redirect without LOCATION, this normally indicates an incorrectly configured region",
                BackendErrorKind::Invalid,
                "another region",
            ),
            (
                "<Code>AuthorizationHeaderMalformed</Code> expecting 'eu-west-1'",
                BackendErrorKind::Invalid,
                "another region",
            ),
            ("<Code>AccessDenied</Code>", BackendErrorKind::Invalid, "denies access"),
            ("<Code>InvalidAccessKeyId</Code>", BackendErrorKind::Invalid, "denies access"),
            ("<Code>ExpiredToken</Code>", BackendErrorKind::Unavailable, "credentials"),
            ("connection refused", BackendErrorKind::Unavailable, "not available"),
            ("<Code>SlowDown</Code>", BackendErrorKind::Unavailable, "not available"),
        ] {
            let error = judge(generic(text));
            assert_eq!((error.kind(), error.to_string().contains(word)), (kind, true), "{text}: {error}");
            assert!(chain(&error).contains(text), "the cause is told: {}", chain(&error));
        }
    }

    #[tokio::test]
    async fn work_waits_until_a_store_that_failed_answers_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = object_store::local::LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        let artifacts = Arc::new(Artifacts::shared(Arc::new(store)));
        artifacts.probe().await.unwrap();
        artifacts.check().await.unwrap();
        artifacts.ready().await;
        // Its folder is no folder: nothing can be written.
        let at = folder.path().join("probe");
        std::fs::remove_dir_all(&at).unwrap();
        std::fs::write(&at, "").unwrap();
        let error = artifacts.probe().await.unwrap_err();
        artifacts.failed(&error);
        let waiting = tokio::spawn({
            let artifacts = Arc::clone(&artifacts);
            async move { artifacts.ready().await }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!waiting.is_finished());
        std::fs::remove_file(&at).unwrap();
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
        // Without a shared store there is nothing to wait for.
        Artifacts::default().failed(&error);
        Artifacts::default().ready().await;
    }
}
