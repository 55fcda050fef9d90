//! One attempt of one stage, from the request to what is kept of it: starts the plugin job, stores its
//! events, and turns its result into a [`StageEnd`]. Runs as a task of the `stage` actor.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use nexus_plugin_api::payload::{self, AgentManifest, ModelAccess, Operation, StageRequest, StageResult};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, watch};

use super::journal::Journal;
use crate::{
    domain::{
        assessment::Assessment,
        failure::{Failure, FailureKind},
        ids::ProjectId,
        project::StageFigures,
        rel_path::RelPath,
        stage::{GeneratedFile, StageEnd, StageOutcome, StageProduct},
        task::Lease,
        time::Timestamp,
        workflow::{StageSpec, Workflow},
    },
    jobs::{Counts, Late, Limit, Listener as _, Order, run_job},
    models::Grant,
    workers::environment::Environment,
};

/// Longest document kept in the stage's row, in bytes; longer ones stay in their file only.
const MAX_CONTENT: usize = 256 * 1024;
/// Most files of one stage that are listed.
const MAX_FILES: usize = 2_000;

/// A token outlives its attempt by the wait for a free place and the grace of a cancel.
const AFTER_THE_LIMIT: Duration = Duration::from_secs(3600);

/// Why a running attempt is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Nobody asks.
    None,
    /// Stop or cancel by the user, or the lease is lost.
    Cancelled,
    /// The build took longer than its limit.
    TotalTimeout,
    /// The daemon stops: the attempt will be made again.
    HandBack,
}

/// What an attempt is made of.
pub struct Attempt {
    pub env: Arc<Environment>,
    pub project_id: ProjectId,
    /// Under which it is made.
    pub lease: Lease,
    pub workflow: Arc<Workflow>,
    /// Which stage of it.
    pub index: usize,
    /// Number of the attempt, from 1.
    pub number: u32,
    /// The project's folder.
    pub workspace: PathBuf,
    /// Set once that folder is there, for all stages of the build.
    pub folder: Arc<OnceCell<()>>,
    /// Handed to the plugin, and with it gone from here: thousands of attempts may wait for theirs.
    pub request: Option<Box<StageRequest>>,
    /// When it is to end early.
    pub interrupt: watch::Receiver<Interrupt>,
}

/// How an attempt ended.
pub struct AttemptEnd {
    /// What to store.
    pub end: StageEnd,
    /// The agent that came out, if the stage named one.
    pub agent: Option<AgentManifest>,
    /// How much of the requirement is served, if the stage said it.
    pub assessment: Option<Assessment>,
    /// Why it was asked to end.
    pub interrupted: Interrupt,
}

impl AttemptEnd {
    fn without_work(stage_name: String, attempt: u32, failure: Failure, interrupted: Interrupt) -> Self {
        let outcome = StageOutcome::Failed(failure);
        let (ended_at, figures) = (Timestamp::now(), StageFigures::default());
        let end = StageEnd { stage_name, attempt, outcome, ended_at, figures, model_id: None, logs: Vec::new() };
        Self { end, agent: None, assessment: None, interrupted }
    }
}

/// The end of an attempt whose task panicked: a fault of the daemon, not of the stage.
pub fn broken(stage_name: String, attempt: u32) -> AttemptEnd {
    let failure = Failure::new(FailureKind::Infrastructure, "the daemon failed while it ran this stage");
    AttemptEnd::without_work(stage_name, attempt, failure, Interrupt::None)
}

/// The end of an attempt that did not begin, since the whole build is over its limit.
pub fn out_of_time(stage_name: String, attempt: u32) -> AttemptEnd {
    AttemptEnd::without_work(stage_name, attempt, interrupt_failure(Interrupt::TotalTimeout), Interrupt::TotalTimeout)
}

impl Attempt {
    /// Makes the attempt. Once its job has begun it answers within the stage's time limit and the host's
    /// grace period; until then, and for the limit of the whole build, an interrupt ends it.
    pub async fn run(mut self) -> AttemptEnd {
        let begun = Instant::now();
        let (stage_name, attempt) = (self.stage_name().to_owned(), self.number);
        let mut journal = Journal::new(Arc::clone(&self.env), self.lease.clone(), stage_name.clone());
        let outcome = self.work(&mut journal).await;
        journal.flush().await;

        let mut figures = journal.figures();
        figures.duration_seconds = begun.elapsed().as_secs_f64();
        let (mut agent, mut assessment, mut model_id) = (None, None, None);
        let outcome = match outcome {
            Ok(result) => {
                figures.input_tokens = figures.input_tokens.saturating_add(result.usage.input_tokens);
                figures.output_tokens = figures.output_tokens.saturating_add(result.usage.output_tokens);
                figures.tool_calls = figures.tool_calls.saturating_add(result.tool_calls);
                model_id.clone_from(&result.usage.model_id);
                agent.clone_from(&result.agent);
                assessment = result.assessment.as_ref().map(reported);
                let skipped = result.skipped;
                // Boxed: what is needed for a moment at the end must not take room all the time.
                match Box::pin(self.product(result)).await {
                    Ok(product) if skipped => StageOutcome::Skipped(Box::new(product)),
                    Ok(product) => StageOutcome::Completed(Box::new(product)),
                    Err(failure) => StageOutcome::Failed(failure),
                }
            }
            Err(failure) => StageOutcome::Failed(failure),
        };
        figures.cost_usd = self.env.cost(model_id.as_deref(), figures.input_tokens, figures.output_tokens);
        let logs = journal.into_log();
        let ended_at = Timestamp::now();
        let end = StageEnd { stage_name, attempt, outcome, ended_at, figures, model_id, logs };
        AttemptEnd { end, agent, assessment, interrupted: *self.interrupt.borrow() }
    }

    pub fn stage_name(&self) -> &str {
        self.spec().map_or("", |spec| spec.name.as_str())
    }

    fn spec(&self) -> Option<&StageSpec> {
        self.workflow.stages().get(self.index)
    }

    async fn work(&mut self, journal: &mut Journal) -> Result<StageResult, Failure> {
        let request = self.request.take();
        let (Some(mut request), Some(spec)) = (request, self.spec()) else {
            return Err(Failure::new(FailureKind::Infrastructure, "an attempt of a stage that its workflow lacks"));
        };
        request.models = self.models(&request.user_id, spec.timeout);
        self.make_folder().await?;
        let limit = Limit {
            time: spec.timeout,
            // The limit of the whole build bounds the wait.
            counts: Counts::FromBegin,
            late: Late::Awaited,
            told: "the stage took longer than its limit of",
        };
        let order = Order { handler: &spec.handler, operation: Operation::Run(request), limit };
        let mut interrupt = self.interrupt.clone();
        let interrupted = async { interrupt_failure(interrupted(&mut interrupt).await) };
        run_job(self.env.executor.as_ref(), order, journal, interrupted).await
    }

    /// Language models on the account of this build and of whoever asked for it.
    fn models(&self, user_id: &str, limit: Duration) -> Option<ModelAccess> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let grant = Grant {
            project: some(self.project_id.as_str()),
            run: some(self.lease.task_id.as_str()),
            caller: some(user_id),
            ..Grant::default()
        };
        self.env.models.get()?.issue(&grant, limit + AFTER_THE_LIMIT)
    }

    /// The interface promises that the folder exists. Once a build is enough; an attempt that is made again looks again,
    /// since what went wrong may be that somebody removed it.
    async fn make_folder(&self) -> Result<(), Failure> {
        let make = || async {
            tokio::fs::create_dir_all(&self.workspace).await.map_err(|error| Failure {
                details: Some(self.workspace.display().to_string()),
                ..Failure::new(FailureKind::Infrastructure, format!("the project's folder cannot be made: {error}"))
            })
        };
        if self.number > 1 { make().await } else { self.folder.get_or_try_init(make).await.map(|_| ()) }
    }

    async fn product(&self, result: StageResult) -> Result<StageProduct, Failure> {
        let workspace = self.workspace.clone();
        let listed = result.files;
        let files = if listed.is_empty() {
            Vec::new()
        } else {
            tokio::task::spawn_blocking(move || describe_files(&workspace, listed)).await.map_err(|e| {
                Failure::new(FailureKind::Infrastructure, format!("the stage's files could not be read: {e}"))
            })??
        };
        let (doc_path, content) = match result.document {
            Some(document) => {
                let path = inside(&document.path)?.to_string();
                let content = (document.content.len() <= MAX_CONTENT).then_some(document.content);
                (Some(path), content)
            }
            None => (None, None),
        };
        Ok(StageProduct { output: Value::Object(result.output), doc_path, content, files })
    }
}

async fn interrupted(interrupt: &mut watch::Receiver<Interrupt>) -> Interrupt {
    match interrupt.wait_for(|reason| *reason != Interrupt::None).await {
        Ok(reason) => *reason,
        // The actor is gone, and with it everybody who wants the result.
        Err(_) => Interrupt::Cancelled,
    }
}

fn interrupt_failure(reason: Interrupt) -> Failure {
    match reason {
        Interrupt::TotalTimeout => Failure::new(FailureKind::Timeout, "the build took longer than its time limit"),
        _ => Failure::new(FailureKind::Cancelled, "the stage was cancelled"),
    }
}

/// Refuses a path that could lead out of the project's folder.
fn inside(path: &str) -> Result<RelPath, Failure> {
    RelPath::parse(path).map_err(|why| {
        let message = format!("the plugin named a path outside of the project's folder, {path:?}: {why}");
        Failure::new(FailureKind::Plugin, message)
    })
}

fn describe_files(workspace: &Path, mut listed: Vec<String>) -> Result<Vec<GeneratedFile>, Failure> {
    listed.sort_unstable();
    listed.dedup();
    let mut files = Vec::with_capacity(listed.len().min(MAX_FILES));
    for path in listed.into_iter().take(MAX_FILES) {
        let path = inside(&path)?;
        files.push(describe_file(&path.below(workspace), path.to_string())?);
    }
    Ok(files)
}

fn describe_file(file: &PathBuf, path: String) -> Result<GeneratedFile, Failure> {
    let missing = |e: std::io::Error| {
        Failure::new(FailureKind::Plugin, format!("the plugin lists a file that cannot be read, {path:?}: {e}"))
    };
    // Looked at before it is opened: a pipe would block the thread, a device never end.
    let metadata = std::fs::metadata(file).map_err(missing)?;
    if !metadata.is_file() {
        return Err(missing(std::io::Error::other("it is no regular file")));
    }
    let mut reader = std::fs::File::open(file).map_err(missing)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = reader.read(&mut buffer).map_err(missing)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
    }
    let checksum: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let modified = metadata.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    let micros = modified.and_then(|d| i64::try_from(d.as_micros()).ok()).unwrap_or_default();
    Ok(GeneratedFile { path, size: metadata.len(), checksum, last_modified: Timestamp::from_micros(micros) })
}

/// What a stage said of its requirement, as a record can hold it.
fn reported(told: &payload::Assessment) -> Assessment {
    let parts = told.not_served.iter().map(|part| (part.text.as_str(), part.reason.as_str()));
    Assessment::reported(&told.coverage, parts, told.acceptance.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_inside_the_folder_are_taken() {
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "."] {
            assert!(inside(bad).is_err(), "{bad:?}");
        }
        assert!(inside("agent/tools/a.py").is_ok());
    }

    #[test]
    fn files_are_described_by_what_is_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), b"abc").unwrap();
        let files = describe_files(folder.path(), vec!["a".into(), "a".into()]).unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].size, 3);
        assert!(files[0].checksum.starts_with("ba7816bf"));
        assert!(describe_files(folder.path(), vec!["b".into()]).is_err());
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("endless")).unwrap();
        assert!(describe_files(folder.path(), vec!["endless".into()]).is_err());
    }
}
