//! The two sides of a move: the embedded file, or tables and queues; with the data folder and the shared files.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use serde_json::Value;

use crate::{
    backend::{
        aws::{
            clients as cloud,
            dynamodb::{DynamoStore, transfer::lacks},
            sqs::SqsQueue,
        },
        data_folder,
        files::Artifacts,
        open::{self, OpenBackendError},
        sqlite::transfer::SqliteSource,
        store::{
            Nobody, Result, Store,
            transfer::{Batch, Kind, Record, Source, Target, Written},
        },
    },
    config::{BackendKind, Config},
    domain::{queue::QueueName, time::Timestamp},
};

pub struct Backend {
    /// Its word in the settings.
    pub kind: &'static str,
    pub(super) source: Option<Arc<dyn Source>>,
    pub(super) target: Option<Arc<dyn Target>>,
    pub(super) data: PathBuf,
    pub(super) shared: Option<Arc<Artifacts>>,
    /// Whether a daemon has the embedded file open.
    pub in_use: bool,
    store: Option<Arc<dyn Store>>,
}

impl Backend {
    /// To read from. The embedded file must be there.
    ///
    /// # Errors
    /// It cannot be opened, or the services do not answer.
    pub async fn source(config: &Config) -> std::result::Result<Self, OpenBackendError> {
        let data = config.data.dir.clone();
        if config.backend.kind == BackendKind::Aws {
            let (both, shared) = cloud(config).await?;
            let source: Arc<dyn Source> = both;
            let kind = config.backend.kind.as_str();
            return Ok(Self { kind, source: Some(source), target: None, data, shared, in_use: false, store: None });
        }
        let path = config.data.database();
        let opened = tokio::task::spawn_blocking(move || SqliteSource::open(&path)).await??;
        let in_use = opened.in_use();
        let source: Arc<dyn Source> = Arc::new(opened);
        let kind = config.backend.kind.as_str();
        Ok(Self { kind, source: Some(source), target: None, data, shared: None, in_use, store: None })
    }

    /// To write to. The embedded file is made if it is not there; no daemon may have it open.
    ///
    /// # Errors
    /// It cannot be opened, or the services do not answer.
    pub async fn target(config: &Config) -> std::result::Result<Self, OpenBackendError> {
        let data = config.data.dir.clone();
        data_folder::make_folders(&config.data)?;
        let kind = config.backend.kind.as_str();
        if config.backend.kind == BackendKind::Aws {
            let (both, shared) = cloud(config).await?;
            let target: Arc<dyn Target> = both;
            return Ok(Self { kind, source: None, target: Some(target), data, shared, in_use: false, store: None });
        }
        let store = open::open_file(config, Arc::new(Nobody)).await?.0;
        let target: Arc<dyn Target> = store.clone();
        Ok(Self { kind, source: None, target: Some(target), data, shared: None, in_use: false, store: Some(store) })
    }

    /// Lets go of what is open.
    ///
    /// # Errors
    /// What was written last is not on disk.
    pub async fn close(self) -> Result<()> {
        match self.store {
            Some(store) => store.close().await,
            None => Ok(()),
        }
    }
}

struct Both {
    tables: Arc<DynamoStore>,
    queue: Arc<SqsQueue>,
    begun: Timestamp,
}

async fn cloud(config: &Config) -> std::result::Result<(Arc<Both>, Option<Arc<Artifacts>>), OpenBackendError> {
    let (tables, queue, shared) = cloud::parts(config, Arc::new(Nobody), None).await?;
    let both = Both { tables, queue, begun: Timestamp::now() };
    Ok((Arc::new(both), shared))
}

fn queue_of(dead: QueueName) -> Option<QueueName> {
    QueueName::ALL.into_iter().find(|queue| queue.dead_letters() == Some(dead))
}

impl Both {
    async fn dead_letters(&self) -> Result<Batch> {
        let mut batch = Batch::default();
        for queue in QueueName::ALL {
            let Some(dead) = queue.dead_letters() else { continue };
            let letters = self.queue.dead_letters(queue).await?;
            self.queue.let_go(queue, &letters).await?;
            for letter in letters {
                batch.records.push(Record::from_iter([
                    ("queue".to_owned(), dead.as_str().into()),
                    ("id".to_owned(), letter.id.into()),
                    ("reason".to_owned(), letter.reason.into()),
                    ("priority".to_owned(), letter.priority.into()),
                    ("body".to_owned(), letter.body.into()),
                ]));
            }
        }
        Ok(batch)
    }

    /// The same letter is known by its words: the service gives it a new id.
    async fn bury(&self, records: Vec<Record>) -> Result<Written> {
        let mut known: Vec<Record> = self.dead_letters().await?.records;
        let mut sum = Written::default();
        for record in records {
            let text = |name: &str| record.get(name).and_then(Value::as_str).ok_or_else(|| lacks(name));
            let (name, body, reason) = (text("queue")?, text("body")?, text("reason")?);
            let dead = QueueName::ALL.into_iter().find(|queue| queue.as_str() == name && queue_of(*queue).is_some());
            let dead = dead.ok_or_else(|| lacks("queue"))?;
            let same =
                |one: &Record| ["queue", "body", "reason"].iter().all(|field| one.get(*field) == record.get(*field));
            if known.iter().any(same) {
                sum.present += 1;
                continue;
            }
            let priority = record.get("priority").and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok());
            self.queue.bury(dead, body, priority.unwrap_or(3), reason).await?;
            sum.written += 1;
            known.push(record);
        }
        Ok(sum)
    }
}

#[async_trait]
impl Source for Both {
    async fn batch(&self, kind: Kind, from: Option<Value>) -> Result<Batch> {
        match kind {
            Kind::DeadLetters => self.dead_letters().await,
            _ => self.tables.batch(kind, from).await,
        }
    }

    async fn behind(&self, kind: Kind, last: &Record) -> Result<Value> {
        self.tables.behind(kind, last).await
    }
}

#[async_trait]
impl Target for Both {
    async fn put(&self, kind: Kind, records: Vec<Record>) -> Result<Written> {
        match kind {
            Kind::DeadLetters => self.bury(records).await,
            _ => self.tables.put(kind, records).await,
        }
    }

    async fn finish(&self) -> Result<()> {
        self.tables.finish_import(self.begun).await
    }
}
