//! Writing: every kind in order, some records at a time.

use std::{
    io::{self, SeekFrom},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{
    fs::File,
    io::{AsyncSeekExt as _, AsyncWrite, AsyncWriteExt as _, BufWriter},
};

use super::{
    Backend, Counts, FORM, TransferError,
    acceptable::acceptable,
    files::{Giver, Piece},
    lines::{Lines, Next},
    name_of, proof,
};
use crate::{
    backend::{
        backup::hex,
        error::BackendErrorKind,
        store::transfer::{Kind, Record, Source},
    },
    domain::time::Timestamp,
};

#[derive(Debug, Default)]
pub struct Exported {
    /// Lines by kind, those of before included.
    pub counts: Counts,
    /// What could not be read and is left out.
    pub unreadable: Vec<String>,
    /// Tasks whose lease was held at that moment.
    pub under_way: u64,
}

type Out = BufWriter<Box<dyn AsyncWrite + Send + Unpin>>;

struct Export<'a> {
    source: &'a dyn Source,
    out: Out,
    name: String,
    told: Exported,
    /// Over all lines so far.
    hash: Sha256,
    progress: &'a (dyn Fn(&Counts) + Sync),
}

/// Where an export goes on: behind this record.
struct Last {
    kind: Kind,
    record: Record,
}

/// Writes everything that `from` has, to a file or to standard output. `resume` goes on with a file that was cut off.
///
/// # Errors
/// See [`TransferError`]; what is written by then can be gone on with.
pub async fn export(
    from: &Backend,
    to: Option<&PathBuf>,
    resume: bool,
    with_files: bool,
    progress: &(dyn Fn(&Counts) + Sync),
) -> Result<Exported, TransferError> {
    let Some(source) = from.source.as_deref() else { return Err(TransferError::Resume("nothing to read from".into())) };
    let name = name_of(to, "standard output");
    let (out, Begun { last, counts, hash, .. }) = open(to, resume).await?;
    let told = Exported { counts, ..Exported::default() };
    let mut export = Export { source, out: BufWriter::new(out), name, told, hash, progress };
    if last.is_none() {
        let (at, version) = (Timestamp::now().to_string(), env!("CARGO_PKG_VERSION"));
        let (name, sums) = (proof::NAME, proof::FORM);
        let head = json!({ "nexusd_export": FORM, "version": version, "at": at, "backend": from.kind, name: sums });
        export.line(head.to_string()).await?;
    }
    for kind in Kind::ALL.into_iter().filter(|kind| last.as_ref().is_none_or(|last| *kind >= last.kind)) {
        let last = last.as_ref().filter(|last| last.kind == kind).map(|last| &last.record);
        if kind != Kind::Files {
            export.kind(kind, last).await?;
        } else if with_files {
            export.files(from, last).await?;
        }
    }
    export.end(to).await
}

impl Export<'_> {
    async fn line(&mut self, mut text: String) -> Result<(), TransferError> {
        text.push('\n');
        self.hash.update(&text);
        self.out.write_all(text.as_bytes()).await.map_err(TransferError::file(self.name.clone()))
    }

    async fn record(&mut self, kind: Kind, record: Record) -> Result<(), TransferError> {
        if let Err(text) = acceptable(kind, &record) {
            // Nobody would take it in; the rest of the export is good.
            self.told.unreadable.push(text);
            return Ok(());
        }
        let held = |until: Timestamp| until > Timestamp::now();
        let lease = record.get("lease_expires_at").and_then(Value::as_str).and_then(|text| text.parse().ok());
        self.told.under_way += u64::from(kind == Kind::Tasks && lease.is_some_and(held));
        *self.told.counts.entry(kind).or_default() += 1;
        self.line(proof::seal(&json!({ kind.name(): record }).to_string())).await
    }

    async fn kind(&mut self, kind: Kind, last: Option<&Record>) -> Result<(), TransferError> {
        let mut from = match last {
            Some(last) => match self.source.behind(kind, last).await {
                Ok(place) => Some(place),
                Err(error) if error.kind() == BackendErrorKind::NotFound => {
                    let text =
                        "the last record of the file is no longer there, so this export cannot go on: begin a new one";
                    return Err(TransferError::Resume(text.to_owned()));
                }
                Err(error) => return Err(TransferError::store(kind.name())(error)),
            },
            None => None,
        };
        loop {
            let place = from.filter(|place| !place.is_null());
            let batch = self.source.batch(kind, place).await.map_err(TransferError::store(kind.name()))?;
            self.told.unreadable.extend(batch.unreadable);
            for record in batch.records {
                self.record(kind, record).await?;
            }
            (self.progress)(&self.told.counts);
            match batch.next {
                Some(next) => from = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn files(&mut self, from: &Backend, last: Option<&Record>) -> Result<(), TransferError> {
        let failed = || TransferError::store(Kind::Files.name());
        // Where files are shared, which projects there are is in the tables.
        let mut projects = Vec::new();
        let mut place = None;
        while from.shared.is_some() {
            let batch = self.source.batch(Kind::Projects, place).await.map_err(failed())?;
            let id = |record: &Record| Some(record.get("project_id")?.as_str()?.to_owned());
            projects.extend(batch.records.iter().filter_map(id));
            place = batch.next;
            if place.is_none() {
                break;
            }
        }
        let giver = Giver::new(from.data.clone(), from.shared.clone(), projects).await.map_err(failed())?;
        // The files of one root once more: which of them are whole in the file nobody knows.
        let begun = last.and_then(|last| last.get("root")).and_then(Value::as_str);
        let mut next = giver.next(begun, true);
        while let Some(root) = next {
            // One project whose files are damaged does not keep the others here.
            let mut left = match giver.pieces(&root).await {
                Ok(pieces) => Some(pieces),
                Err(error) => {
                    self.told.unreadable.push(format!("files of {root}: {error}"));
                    None
                }
            };
            while let Some(pieces) = left.take() {
                let (rest, piece) = pieces.next().await.map_err(failed())?;
                match piece {
                    Piece::Record(record) => self.record(Kind::Files, record).await?,
                    Piece::Unreadable(text) => self.told.unreadable.push(text),
                    Piece::End => break,
                }
                left = Some(rest);
            }
            (self.progress)(&self.told.counts);
            next = giver.next(Some(&root), false);
        }
        Ok(())
    }

    async fn end(mut self, to: Option<&PathBuf>) -> Result<Exported, TransferError> {
        let counts = self.told.counts.iter().map(|(kind, count)| (kind.name().to_owned(), (*count).into()));
        let counts: Map<String, Value> = counts.collect();
        let sha256 = hex(&self.hash.clone().finalize());
        self.line(json!({ "end": counts, "sha256": sha256 }).to_string()).await?;
        let written = async {
            // The end of the program waits for nobody.
            self.out.flush().await?;
            self.out.shutdown().await?;
            match to {
                Some(path) => File::open(path).await?.sync_all().await,
                None => Ok(()),
            }
        };
        written.await.map_err(TransferError::file(self.name.clone()))?;
        Ok(self.told)
    }
}

type Opened = (Box<dyn AsyncWrite + Send + Unpin>, Begun);

/// What is there already.
#[derive(Default)]
struct Begun {
    whole: u64,
    last: Option<Last>,
    counts: Counts,
    hash: Sha256,
}

/// Opens what is written to; a file for its owner only, since it holds what people said to agents.
async fn open(to: Option<&PathBuf>, resume: bool) -> Result<Opened, TransferError> {
    let Some(path) = to else { return Ok((Box::new(tokio::io::stdout()), Begun::default())) };
    let failed = || TransferError::file(path.display().to_string());
    let mut options = File::options();
    options.write(true).mode(0o600);
    if !resume {
        let file = options.create_new(true).open(path).await.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                TransferError::Resume(format!("{} is there already: --resume goes on with it", path.display()))
            }
            _ => failed()(error),
        })?;
        return Ok((Box::new(file), Begun::default()));
    }
    let begun = look_at(path).await?;
    let mut file = options.create(true).truncate(false).open(path).await.map_err(failed())?;
    file.set_len(begun.whole).await.map_err(failed())?;
    file.seek(SeekFrom::End(0)).await.map_err(failed())?;
    Ok((Box::new(file), begun))
}

/// What an export that was cut off has: how long its whole lines are, the last of them, how many, and their hash.
async fn look_at(path: &Path) -> Result<Begun, TransferError> {
    let failed = || TransferError::file(path.display().to_string());
    let file = match File::open(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Begun::default()),
        file => file.map_err(failed())?,
    };
    let mut lines = Lines::new(file, path.display().to_string(), "This export cannot be gone on with: begin a new one");
    let mut last = None;
    loop {
        match lines.next_or_cut().await? {
            Next::Record(kind, record) => last = Some(Last { kind, record }),
            Next::Cut => break,
            Next::End => {
                return Err(TransferError::Resume(format!(
                    "{} is whole: there is nothing to go on with",
                    path.display()
                )));
            }
        }
    }
    if last.is_none() {
        // At most a head: from the start.
        return Ok(Begun::default());
    }
    if !lines.sums {
        let text = "it was begun by an older nexusd, whose exports have no checksums: begin a new one";
        return Err(TransferError::Resume(format!("{}: {text}", path.display())));
    }
    Ok(Begun { whole: lines.bytes, last, counts: lines.counts, hash: lines.hash })
}
