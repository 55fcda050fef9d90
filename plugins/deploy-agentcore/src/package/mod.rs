//! An agent's folder as an archive that AgentCore runs: its files, and the packages it needs, for arm64.

mod archive;
mod files;
mod packages;

use std::path::Path;

use nexus_deploy::{Entrypoint, verify_recorded};
use nexus_plugin_api::{
    Context,
    payload::{AgentRef, Failure},
};

use crate::{
    Settings,
    cloud::{Bucket, CloudError},
};
use files::Collected;

/// Folder for what is made on the way, inside the agent's state folder.
const WORKSHOP: &str = "agentcore";

/// What AgentCore is told of an archive.
pub(crate) struct Archive {
    /// Its name in the bucket, which follows from its content.
    pub(crate) key: String,
    /// The file that is run, and what follows it.
    pub(crate) entry_point: Vec<String>,
}

/// Makes sure that the bucket has the archive of the agent as its folder is now.
pub(crate) async fn ensure(
    settings: &Settings,
    bucket: &Bucket,
    runtime: &str,
    agent: &AgentRef,
    has_model: bool,
    cx: &Context,
) -> Result<Archive, Failure> {
    cx.progress(0.05, "reading the agent's folder");
    let (mut files, entry) = {
        let (folder, name, recorded) = (agent.agent_dir.clone(), agent.agent_name.clone(), agent.files.clone());
        let config = agent.config.clone();
        blocking(move || {
            verify_recorded(&name, &folder, &recorded)?;
            Ok((files::collect(&folder, &files::OfAgent)?, Entrypoint::of_folder(&folder, "python3", &config)?))
        })
        .await?
    };
    if !files.left_out.is_empty() {
        cx.warn(format!("left out of the archive: {}", files.left_out.join(", ")));
    }
    let workshop = agent.state_dir.join(WORKSHOP);
    // Packages that only a language model needs stay at home with an agent that has none.
    let wanted = entry.needs_packages || has_model;
    if let Some(requirements) = packages::requirements(&agent.agent_dir).await?.filter(|_| wanted) {
        cx.progress(0.1, "fetching the packages that the agent needs, for arm64");
        let folder = packages::fetch(settings, &requirements, &workshop, cx).await?;
        files.add(blocking(move || files::collect(&folder, &files::OfPackages)).await?);
    }
    cx.progress(0.25, format!("packing {} files, {} KB", files.len(), files.bytes() / 1024));
    let (files, hash) = blocking(move || {
        files.check()?;
        let hash = files.hash()?;
        Ok((files, hash))
    })
    .await?;
    let key = format!("{}/{hash}.zip", bucket.folder(runtime));
    if !bucket.has(&key).await.map_err(CloudError::into_failure)? {
        upload(bucket, &key, files, &workshop, cx).await?;
    }
    let entry_point = entry.arguments.into_iter().filter(|argument| argument != "-S").collect();
    Ok(Archive { key, entry_point })
}

async fn upload(bucket: &Bucket, key: &str, files: Collected, workshop: &Path, cx: &Context) -> Result<(), Failure> {
    let workshop = workshop.to_owned();
    let packed = blocking(move || {
        std::fs::create_dir_all(&workshop).map_err(|error| io(&workshop, &error))?;
        let mut file = tempfile::NamedTempFile::new_in(&workshop).map_err(|error| io(&workshop, &error))?;
        archive::write(&files, file.as_file_mut())?;
        Ok(file)
    })
    .await?;
    let size = packed.as_file().metadata().map_or(0, |about| about.len());
    cx.progress(0.35, format!("sending the archive to S3, {} KB", size / 1024));
    bucket.put(key, packed.path()).await.map_err(CloudError::into_failure)
}

/// Removes what was made on the way.
pub(crate) async fn forget(state_dir: &Path) {
    // What cannot be removed costs some space, and goes with the agent's state.
    let _ = tokio::fs::remove_dir_all(state_dir.join(WORKSHOP)).await;
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Failure::transient(error.to_string())))
}

fn io(path: &Path, error: &std::io::Error) -> Failure {
    Failure::transient(format!("{}: {error}", path.display()))
}
