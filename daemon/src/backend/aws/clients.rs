//! The clients of the cloud backend, from the settings: addresses, time limits, retries.

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::config::{ProvideCredentials as _, SharedCredentialsProvider};
use object_store::{
    CredentialProvider, ObjectStore,
    aws::{AmazonS3Builder, AwsCredential},
    local::LocalFileSystem,
    prefix::PrefixStore,
};

use super::degradation::{TroubleLog, Witness};

use crate::{
    backend::{
        aws::{
            dynamodb::{DynamoOptions, DynamoStore},
            resources::Plan,
            sqs::{SqsOptions, SqsQueue},
        },
        error::{BackendError, BackendErrorKind},
        files::Artifacts,
        open::{Opened, Patience},
        queue::{Queue as _, QueueNames},
        store::{EventSink, Upkeep as _},
    },
    config::{BackendConfig, Config},
    domain::queue::QueueName,
};

/// Tries of a request, the first included. The pauses between them grow, with jitter.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
const CONNECT: Duration = Duration::from_secs(3);
/// One try, and all of them, of a request that is answered at once.
const TRY: Duration = Duration::from_secs(5);
pub(crate) const REQUEST: Duration = Duration::from_secs(20);
/// The same of a long poll, which is answered after twenty seconds.
const POLL_TRY: Duration = Duration::from_secs(28);
const POLL: Duration = Duration::from_secs(60);

/// Why the cloud backend cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// Nothing says where it is.
    #[error("no AWS region is set: write `region` into [backend], or set AWS_REGION")]
    NoRegion,
    /// The folder or bucket of the artifacts cannot be used.
    #[error("the artifact store cannot be used: {0}")]
    Artifacts(#[from] object_store::Error),
    /// A service does not answer as it should.
    #[error("the cloud backend does not answer: {}", crate::backend::error::chain(.0))]
    Store(#[from] BackendError),
}

pub struct Cloud {
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub sqs: aws_sdk_sqs::Client,
    /// Of their tries: tables, queues.
    pub trouble: (Arc<TroubleLog>, Arc<TroubleLog>),
    /// The region in force.
    pub region: String,
    credentials: Option<SharedCredentialsProvider>,
}

/// The bucket's credentials, found as those of the tables are.
#[derive(Debug)]
struct OfSdk(SharedCredentialsProvider);

#[async_trait::async_trait]
impl CredentialProvider for OfSdk {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let found = self.0.provide_credentials().await;
        let found = found.map_err(|source| object_store::Error::Generic { store: "S3", source: Box::new(source) })?;
        Ok(Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        }))
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn limits(attempt: Duration, whole: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(attempt)
        .operation_timeout(whole)
        .build()
}

/// The limits of a long poll.
pub(crate) fn poll_limits() -> aws_sdk_sqs::config::Builder {
    aws_sdk_sqs::config::Builder::new().timeout_config(limits(POLL_TRY, POLL))
}

/// Makes the clients; sends nothing.
///
/// # Errors
/// Nothing says which region.
pub async fn connect(backend: &BackendConfig) -> Result<Cloud, CloudError> {
    let retries = RetryConfig::standard()
        .with_max_attempts(TRIES)
        .with_initial_backoff(FIRST_PAUSE)
        .with_max_backoff(LONGEST_PAUSE);
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).retry_config(retries);
    if let Some(region) = some(&backend.region) {
        loader = loader.region(Region::new(region));
    }
    if let Some(url) = some(&backend.endpoint_url) {
        loader = loader.endpoint_url(url);
    }
    let shared: SdkConfig = loader.load().await;
    let Some(region) = shared.region().map(ToString::to_string) else { return Err(CloudError::NoRegion) };
    let trouble = (Arc::new(TroubleLog::new("dynamodb")), Arc::new(TroubleLog::new("sqs")));
    let mut dynamodb = aws_sdk_dynamodb::config::Builder::from(&shared).timeout_config(limits(TRY, REQUEST));
    dynamodb = dynamodb.interceptor(Witness(Arc::clone(&trouble.0)));
    if let Some(url) = some(&backend.dynamodb_endpoint_url) {
        dynamodb = dynamodb.endpoint_url(url);
    }
    let mut sqs = aws_sdk_sqs::config::Builder::from(&shared).timeout_config(limits(TRY, REQUEST));
    sqs = sqs.interceptor(Witness(Arc::clone(&trouble.1)));
    if let Some(url) = some(&backend.sqs_endpoint_url) {
        sqs = sqs.endpoint_url(url);
    }
    Ok(Cloud {
        dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
        sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
        trouble,
        region,
        credentials: shared.credentials_provider(),
    })
}

/// Where goes what is too large for a table.
fn artifacts(config: &Config, cloud: &Cloud) -> Result<Arc<dyn ObjectStore>, CloudError> {
    let Some(place) = config.backend.artifacts.strip_prefix("s3://") else {
        let folder = config.data.dir.join("artifacts");
        let made = std::fs::create_dir_all(&folder);
        made.map_err(|source| object_store::Error::Generic { store: "folder", source: Box::new(source) })?;
        return Ok(Arc::new(LocalFileSystem::new_with_prefix(folder)?));
    };
    let (bucket, folder) = place.split_once('/').unwrap_or((place, ""));
    let retry = object_store::RetryConfig { max_retries: 5, retry_timeout: REQUEST, ..Default::default() };
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
    builder = builder.with_region(cloud.region.clone());
    if let Some(credentials) = &cloud.credentials {
        builder = builder.with_credentials(Arc::new(OfSdk(credentials.clone())));
    }
    if let Some(url) = some(&config.backend.endpoint_url) {
        builder = builder.with_allow_http(url.starts_with("http://")).with_endpoint(url);
    }
    let bucket = builder.build()?;
    Ok(if folder.is_empty() { Arc::new(bucket) } else { Arc::new(PrefixStore::new(bucket, folder)) })
}

/// The queues, for the daemon and for `nexusd dlq`.
pub fn queue(cloud: &Cloud, config: &Config) -> SqsQueue {
    let options = SqsOptions {
        trouble: Arc::clone(&cloud.trouble.1),
        names: QueueNames::of(config),
        visibility: config.worker.visibility_timeout_secs.duration(),
        max_receive_count: config.worker.max_receive_count,
    };
    SqsQueue::new(cloud.sqs.clone(), options)
}

/// What `nexusd resources` is to make of the settings.
pub fn plan(config: &Config) -> Plan {
    let days = |days: crate::config::Days| u32::try_from(days.0).unwrap_or(u32::MAX);
    let queues = &config.queues;
    Plan {
        prefix: config.backend.prefix.clone(),
        names: QueueNames::of(config),
        tables: true,
        queues: true,
        retention_days: [
            days(queues.build.retention_days),
            days(queues.deploy.retention_days),
            days(queues.dead_letter_retention_days),
        ],
        max_receive_count: config.worker.max_receive_count,
    }
}

/// Store, queue, and files where they are shared; makes sure that the first two answer.
pub async fn parts(
    config: &Config,
    sink: Arc<dyn EventSink>,
    patience: Option<&Patience>,
) -> Result<Parts, CloudError> {
    let cloud = connect(&config.backend).await?;
    let queue = Arc::new(queue(&cloud, config));
    let files = artifacts(config, &cloud)?;
    let options = DynamoOptions {
        client: cloud.dynamodb,
        trouble: Arc::clone(&cloud.trouble.0),
        prefix: config.backend.prefix.clone(),
        queue: queue.clone(),
        artifacts: Arc::clone(&files),
        event_retention: config.store.event_retention_days.duration(),
    };
    let store = DynamoStore::new(options, sink);
    ask(&cloud.trouble.0, patience, || store.ping()).await?;
    ask(&cloud.trouble.1, patience, || queue.depth(QueueName::Build)).await?;
    let manifests = config.data.dir.join("manifests");
    let shared = (!config.backend.artifacts.is_empty()).then(|| Arc::new(Artifacts::remembering(files, manifests)));
    if let Some(shared) = &shared {
        reach(shared, patience).await?;
    }
    Ok((store, queue, shared))
}

/// Asks, and with patience asks again as long as the service seems to be away. What an operator must change is told at
/// once.
async fn ask<T, F: Future<Output = Result<T, BackendError>>>(
    trouble: &TroubleLog,
    patience: Option<&Patience>,
    question: impl Fn() -> F,
) -> Result<T, BackendError> {
    if let Some(patience) = patience {
        patience.begin();
    }
    loop {
        let answer = match patience {
            Some(patience) => patience.stop.run_until_cancelled(question()).await,
            None => Some(question().await),
        };
        let error = match answer {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => error,
            None => return Err(BackendError::new(BackendErrorKind::Unavailable, "stopped before it was up")),
        };
        match patience {
            Some(patience) if trouble.is_passing() && patience.wait(&error).await => {}
            _ => return Err(error),
        }
    }
}

/// Makes sure that files can be written and read, as [`ask`] does.
async fn reach(artifacts: &Artifacts, patience: Option<&Patience>) -> Result<(), BackendError> {
    loop {
        let answer = match patience {
            Some(patience) => patience.stop.run_until_cancelled(artifacts.probe()).await,
            None => Some(artifacts.probe().await),
        };
        let error = match answer {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => error,
            None => return Err(BackendError::new(BackendErrorKind::Unavailable, "stopped before it was up")),
        };
        match patience {
            Some(patience) if error.retryable() && patience.wait(&error).await => {}
            _ => return Err(error),
        }
    }
}

pub type Parts = (Arc<DynamoStore>, Arc<SqsQueue>, Option<Arc<Artifacts>>);

/// Opens store and queue for a daemon.
pub async fn open(config: &Config, sink: Arc<dyn EventSink>, patience: &Patience) -> Result<Opened, CloudError> {
    let (store, queue, shared) = parts(config, sink, Some(patience)).await?;
    if shared.is_none() {
        tracing::warn!(
            "[backend] artifacts is not set: what is too large for a table, and the files of projects, stay on this \
             machine, so other daemons cannot go on with its builds"
        );
    }
    let data = config.data.clone();
    match tokio::task::spawn_blocking(move || crate::backend::data_folder::binding::daemon_name(&data)).await {
        Ok(Ok(name)) => store.offer_as(name),
        Ok(Err(error)) => tracing::warn!(%error, "the daemon goes by a new name among others this time"),
        Err(error) => tracing::warn!(%error, "the daemon goes by a new name among others this time"),
    }
    store.follow_others();
    Ok((store, queue, shared.unwrap_or_default()))
}
