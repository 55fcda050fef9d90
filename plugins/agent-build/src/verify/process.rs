//! Python processes of verification: behind the walls of [`nexus_sandbox`], bounded in time and output, ended when
//! dropped.

use std::{io, path::Path};

use nexus_sandbox::{Confined, Interpreter, Limits, Profile, Sandbox, SandboxError};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::VerifyError;

const MAX_READ: u64 = 4 * 1024 * 1024;

/// What an agent or its tests may take while they are verified.
const LIMITS: Limits = Limits {
    memory: Some(1 << 30),
    address_space: None,
    cpu_seconds: Some(300),
    cpu_percent: None,
    file_bytes: Some(64 << 20),
    open_files: Some(256),
    processes: Some(256),
    user_processes: Some(4096),
    disk_bytes: Some(256 << 20),
    disk_files: Some(10_000),
    nice: 5,
};

/// A program in a folder that it may read, with an empty one that it may write and that goes with it.
pub(super) struct Walled {
    pub(super) sandbox: Sandbox,
    pub(super) scratch: Scratch,
}

/// A folder that goes with all that was written there.
pub(super) struct Scratch(Option<TempDir>);

impl Scratch {
    fn new() -> io::Result<Self> {
        Ok(Self(Some(tempfile::Builder::new().prefix("nexus-verify-").tempdir()?)))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), TempDir::path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take() {
            // What wrote there is nobody's code: see that function.
            let _ = nexus_sandbox::leftovers::remove(&folder.keep());
        }
    }
}

impl Walled {
    /// Python in a folder. It sees a UTF-8 locale, nothing else of ours.
    pub(super) async fn python(python: &str, folder: &Path, profile: Profile) -> Result<Self, VerifyError> {
        let unusable = |source| VerifyError::Python { python: python.to_owned(), source };
        let found = Interpreter::find(python).await.map_err(unusable)?;
        let scratch = Scratch::new().map_err(unusable)?;
        let folder = std::path::absolute(folder).map_err(unusable)?;
        let mut sandbox = Sandbox::new(profile, found.program, folder)
            .variable("PATH", "/usr/local/bin:/usr/bin:/bin")
            .variable("LANG", "C.UTF-8");
        sandbox.reads = found.files;
        sandbox.writes = vec![scratch.path().to_owned()];
        sandbox.limits = LIMITS;
        Ok(Self { sandbox, scratch })
    }

    pub(super) async fn spawn(&self, python: &str) -> Result<Confined, VerifyError> {
        self.sandbox.spawn().await.map_err(|error| match error {
            SandboxError::Program { source, .. } => VerifyError::Python { python: python.to_owned(), source },
            error => VerifyError::Sandbox(error),
        })
    }
}

/// Everything a pipe gives, up to a limit; the rest is read and dropped so that nobody blocks on it.
pub(super) async fn read_all(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let mut bytes = Vec::new();
    let _ = (&mut pipe).take(MAX_READ).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
