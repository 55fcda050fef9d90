//! TLS by certificate files, which are read again when they change: a renewed certificate needs no restart, and one that
//! cannot be used leaves the one before in force.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use futures::{Stream, stream};
use salvo::conn::{
    Listener,
    rustls::{Keycert, RustlsAcceptor, RustlsConfig, RustlsListener},
};

use super::listener::Door;

/// The files are looked at in this pause.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where certificate and key are.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

type Stamps = [Option<SystemTime>; 2];

impl Files {
    fn read(&self) -> io::Result<RustlsConfig> {
        let read = |path: &Path| {
            fs::read(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        let pair = Keycert::new().cert(read(&self.certificate)?).key(read(&self.key)?);
        Ok(RustlsConfig::new(pair))
    }

    fn stamps(&self) -> Stamps {
        [&self.certificate, &self.key].map(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok())
    }

    /// What the files say now, and again whenever they have changed and stayed the same for one look: of two files that
    /// are replaced one after the other, only the pair is of use.
    fn versions(self, first: RustlsConfig) -> impl Stream<Item = RustlsConfig> + Send + 'static {
        let stamps = self.stamps();
        stream::unfold((self, Some(first), stamps), |(files, first, mut known)| async move {
            if let Some(first) = first {
                return Some((first, (files, None, known)));
            }
            let mut last = known;
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let now = files.stamps();
                let settled = now == std::mem::replace(&mut last, now);
                if now == known || !settled {
                    continue;
                }
                known = now;
                match files.read() {
                    Ok(config) => return Some((config, (files, None, known))),
                    Err(error) => tracing::error!(%error, "a changed certificate cannot be read; the one before stays"),
                }
            }
        })
    }
}

/// A door that is open already, for a listener that wants to open one.
struct Open(Door);

impl Listener for Open {
    type Acceptor = Door;

    async fn try_bind(self) -> salvo::core::Result<Door> {
        Ok(self.0)
    }
}

/// Puts TLS before a door.
pub(crate) async fn before(door: Door, files: Files) -> io::Result<RustlsAcceptor<Door>> {
    let first = files.read()?;
    RustlsListener::new(files.versions(first), Open(door))
        .try_bind()
        .await
        .map_err(|error| io::Error::other(error.to_string()))
}
