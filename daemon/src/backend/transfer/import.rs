//! Reading: lines into records, some of a kind at a time.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use serde_json::Value;
use tokio::{fs::File, io::AsyncRead};

use super::{
    Backend, TransferError,
    files::Taker,
    lines::{Lines, Next},
    name_of, settle,
};
use crate::{
    backend::{
        aws::dynamodb::{
            codec::{Record as _, StoredProject},
            tasks,
            transfer::{item, record},
        },
        error::BackendError,
        store::{
            Result, alike,
            transfer::{Kind, Record, Target, Written},
        },
    },
    domain::{
        ids::{ProjectId, TaskId},
        project::Project,
        task::{TaskStatus, TaskType},
        time::Timestamp,
    },
};

/// Records that are written together.
const TOGETHER: usize = 200;
/// Bytes of the lines that are written together, about.
const BYTES: usize = 4 << 20;

/// What became of the records, by kind.
pub type Imported = BTreeMap<Kind, Written>;

/// An import that came to its end.
pub struct Report {
    /// What became of the records.
    pub records: Imported,
    /// Whether the export had checksums. Those of older versions have none.
    pub verified: bool,
}

struct Import<'a> {
    target: &'a dyn Target,
    waiting: Vec<Record>,
    kind: Kind,
    bytes: usize,
    /// The first line of those that wait.
    line: u64,
    files: Option<Taker>,
    /// Projects that wait for a worker, until the task is seen for which one comes: the original's API may have written
    /// none, and what was exported while somebody worked may not fit together.
    waits: HashMap<ProjectId, Project>,
    told: Imported,
    progress: &'a (dyn Fn(&Imported) + Sync),
}

/// Reads an export, from a file or from standard input, into `to`.
///
/// # Errors
/// See [`TransferError`]; what is written by then stays, and the same file can be read again.
pub async fn import(
    from: Option<&PathBuf>,
    to: &Backend,
    progress: &(dyn Fn(&Imported) + Sync),
) -> std::result::Result<Report, TransferError> {
    let Some(target) = to.target.as_deref() else { return Err(TransferError::Resume("nothing to write to".into())) };
    let name = name_of(from, "standard input");
    let failed = || TransferError::file(name.clone());
    let input: Box<dyn AsyncRead + Send + Unpin> = match from {
        // A pipe is read once: what comes through it is verified line by line.
        Some(path) if path.is_file() => {
            verify(path).await?;
            Box::new(File::open(path).await.map_err(failed())?)
        }
        Some(path) => Box::new(File::open(path).await.map_err(failed())?),
        None => Box::new(tokio::io::stdin()),
    };
    let files = Some(Taker::new(to.data.clone(), to.shared.clone()));
    let (waiting, waits) = (Vec::new(), HashMap::new());
    let told = Imported::new();
    let mut import = Import { target, waiting, kind: Kind::Projects, bytes: 0, line: 1, files, waits, told, progress };
    let so_far = match from {
        Some(_) => "Nothing after the line before it was written",
        None => {
            "What came before it through the pipe may be written already: send all of it again, which changes nothing of that"
        }
    };
    let mut lines = Lines::new(input, name, so_far);
    loop {
        match lines.next_or_cut().await? {
            Next::Record(kind, record) => {
                let (number, bytes) = (lines.number, lines.length());
                import.take(kind, record, number, bytes).await?;
            }
            Next::End => break,
            Next::Cut => {
                // A record that is refused says more than the missing end.
                import.flush().await?;
                return Err(lines.cut_off());
            }
        }
    }
    import.flush().await?;
    if let Some(files) = &mut import.files {
        files.finish().await.map_err(TransferError::store(Kind::Files.name()))?;
    }
    import.adopt().await?;
    import.target.finish().await.map_err(TransferError::store("at the end"))?;
    Ok(Report { records: import.told, verified: lines.sums })
}

/// Reads a file to its end before anything of it is written.
async fn verify(path: &Path) -> std::result::Result<(), TransferError> {
    let name = path.display().to_string();
    let file = File::open(path).await.map_err(TransferError::file(name.clone()))?;
    let mut lines = Lines::new(file, name, "Nothing was written");
    loop {
        match lines.next_or_cut().await? {
            Next::Record(..) => {}
            Next::End => return Ok(()),
            // Without sums there is little to verify: what can be read of it is taken, as ever, and its end is told.
            Next::Cut if !lines.sums => return Ok(()),
            Next::Cut => return Err(lines.cut_off()),
        }
    }
}

impl Import<'_> {
    async fn take(
        &mut self,
        kind: Kind,
        mut record: Record,
        line: u64,
        bytes: usize,
    ) -> std::result::Result<(), TransferError> {
        if kind != self.kind || self.waiting.len() >= TOGETHER || self.bytes >= BYTES {
            self.flush().await?;
            (self.kind, self.line) = (kind, line);
        }
        settle(kind, &mut record);
        match kind {
            Kind::Projects => {
                self.look_at(&record).map_err(|error| TransferError::Line { line, text: error.to_string() })?;
            }
            Kind::Tasks => self.found(&record),
            _ => {}
        }
        self.bytes += bytes;
        self.waiting.push(record);
        Ok(())
    }

    /// A project that waits for a worker needs a task: without one nobody would come for it.
    fn look_at(&mut self, project: &Record) -> Result<()> {
        let stored = StoredProject::from_item(&item(project))?;
        let id = &stored.project.project_id;
        if let Some(files) = self.files.as_mut().filter(|files| files.is_shared() && stored.lease_epoch > 0) {
            files.epochs.insert(id.clone(), stored.lease_epoch);
        }
        if stored.project.status.is_open() {
            self.waits.insert(id.clone(), stored.project);
        }
        Ok(())
    }

    fn found(&mut self, task: &Record) {
        let text = |name: &str| task.get(name).and_then(Value::as_str).unwrap_or_default();
        let Ok(id) = text("project_id").parse::<ProjectId>() else { return };
        let named = self.waits.get(&id).and_then(|project| project.task_id.as_ref());
        let open = text("status").parse::<TaskStatus>().is_ok_and(|status| !status.is_final());
        if open && named.is_some_and(|named| named.as_str() == text("task_id")) {
            self.waits.remove(&id);
        }
    }

    /// Writes records one by one, to find the line of the one that is refused.
    async fn find_fault(&self, kind: Kind, records: Vec<Record>, all: BackendError) -> TransferError {
        for (record, line) in records.into_iter().zip(self.line..) {
            if let Err(error) = self.target.put(kind, vec![record]).await {
                return TransferError::Line { line, text: format!("{}: {error}", kind.name()) };
            }
        }
        TransferError::store(kind.name())(all)
    }

    async fn flush(&mut self) -> std::result::Result<(), TransferError> {
        let (records, kind) = (std::mem::take(&mut self.waiting), self.kind);
        self.bytes = 0;
        let (line, what) = (self.line, kind.name());
        let failed = |source| TransferError::Store { what: format!("lines from {line} on ({what})"), source };
        let mut written = Written::default();
        if kind == Kind::Files {
            let Some(mut files) = self.files.take() else { return Ok(()) };
            for (record, line) in records.into_iter().zip(line..) {
                let failed = |source: BackendError| match source.retryable() {
                    true => TransferError::Store { what: format!("line {line} ({what})"), source },
                    false => TransferError::Line { line, text: format!("{what}: {source}") },
                };
                let (rest, one) = files.take(record).await.map_err(failed)?;
                written.add(one);
                files = rest;
            }
            self.files = Some(files);
        } else {
            if let Some(files) = &mut self.files {
                files.finish().await.map_err(failed)?;
            }
            if records.is_empty() {
                return Ok(());
            }
            written = match self.target.put(kind, records.clone()).await {
                Ok(written) => written,
                Err(error) if error.retryable() => return Err(failed(error)),
                Err(error) => return Err(self.find_fault(kind, records, error).await),
            };
        }
        self.told.entry(kind).or_default().add(written);
        (self.progress)(&self.told);
        Ok(())
    }

    async fn adopt(&mut self) -> std::result::Result<(), TransferError> {
        let failed = || TransferError::store("tasks of projects that had none");
        for project in std::mem::take(&mut self.waits).into_values() {
            // The same whenever this file is read.
            let id = match &project.task_id {
                Some(before) => TaskId::after(before),
                None => TaskId::of_project(&project.project_id),
            };
            let task = task_of(&project, &id).map_err(failed())?;
            let written = self.target.adopt(task).await.map_err(failed())?;
            self.told.entry(Kind::Tasks).or_default().add(written);
        }
        Ok(())
    }
}

fn task_of(project: &Project, id: &TaskId) -> Result<Record> {
    let payload = alike::build_payload(project, id);
    let (of, priority, now) = (&project.project_id, project.priority, Timestamp::now());
    let task = tasks::pending(id.clone(), TaskType::BuildAgent, of, None, priority, &payload, now)?;
    Ok(record(&task.to_item()?))
}
