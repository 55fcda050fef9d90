//! The archives of agents in S3.

use std::{path::Path, sync::Arc};

use aws_credential_types::provider::SharedCredentialsProvider;
use futures::TryStreamExt as _;
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt as _, RetryConfig, aws::AmazonS3Builder, buffered::BufWriter,
    path::Path as Key,
};
use tokio::io::AsyncWriteExt as _;

use super::{CloudError, connect::OfSdk};
use crate::Settings;

/// What is sent in one piece; a longer archive goes in several.
const PIECE: usize = 16 * 1024 * 1024;
const RETRIES: usize = 4;

/// A place for archives.
pub(crate) struct Bucket {
    store: Arc<dyn ObjectStore>,
    pub(crate) name: String,
    prefix: String,
}

impl Bucket {
    pub(super) fn new(
        settings: &Settings,
        region: &str,
        endpoint: Option<&str>,
        credentials: Option<SharedCredentialsProvider>,
    ) -> Result<Self, CloudError> {
        let retry = RetryConfig { max_retries: RETRIES, ..RetryConfig::default() };
        let mut builder =
            AmazonS3Builder::new().with_bucket_name(&settings.bucket).with_region(region).with_retry(retry);
        if let Some(credentials) = credentials {
            builder = builder.with_credentials(Arc::new(OfSdk(credentials)));
        }
        if let Some(url) = endpoint {
            builder = builder.with_allow_http(url.starts_with("http://")).with_endpoint(url);
        }
        let prefix = settings.prefix.trim_matches('/').to_owned();
        Ok(Self { store: Arc::new(builder.build()?), name: settings.bucket.clone(), prefix })
    }

    /// Where the archives of a runtime are.
    pub(crate) fn folder(&self, runtime: &str) -> String {
        let parts = [self.prefix.as_str(), runtime];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// Whether there is an archive of this name.
    pub(crate) async fn has(&self, key: &str) -> Result<bool, CloudError> {
        match self.store.head(&Key::from(key)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores a file. Nothing is seen of it before it is whole.
    pub(crate) async fn put(&self, key: &str, file: &Path) -> Result<(), CloudError> {
        let failed = |error: std::io::Error| CloudError::Bucket(from_io(error));
        let mut from = tokio::fs::File::open(file).await.map_err(failed)?;
        let mut to = BufWriter::with_capacity(Arc::clone(&self.store), Key::from(key), PIECE);
        if let Err(error) = tokio::io::copy(&mut from, &mut to).await {
            // Pieces that were sent would be kept, and paid for, without it.
            let _ = to.abort().await;
            return Err(failed(error));
        }
        to.shutdown().await.map_err(failed)
    }

    /// Removes the archives of a runtime, except the newest `keep`; tells how many went.
    pub(crate) async fn remove(&self, runtime: &str, keep: usize) -> Result<usize, CloudError> {
        let folder = Key::from(self.folder(runtime));
        let mut found: Vec<ObjectMeta> = match self.store.list(Some(&folder)).try_collect().await {
            // No bucket, no archives.
            Err(object_store::Error::NotFound { .. }) => return Ok(0),
            found => found?,
        };
        found.sort_by_key(|archive| std::cmp::Reverse(archive.last_modified));
        let mut removed = 0;
        for archive in found.iter().skip(keep) {
            match self.store.delete(&archive.location).await {
                Ok(()) => removed += 1,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(removed)
    }
}

/// The store's own error, where it is within one of I/O.
fn from_io(error: std::io::Error) -> object_store::Error {
    match error.downcast::<object_store::Error>() {
        Ok(inner) => inner,
        Err(error) => object_store::Error::Generic { store: "S3", source: Box::new(error) },
    }
}
