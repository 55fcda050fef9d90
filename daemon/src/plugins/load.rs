//! From a file to a generation: open, describe, configure. Plugin code runs here on threads of its
//! own with a time limit each, so that a hanging file is refused and holds up nobody.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use nexus_plugin_api::payload::Description;
use serde_json::Value;

use super::{
    options::HostOptions,
    probe,
    refusal::Refusal,
    transport::{
        Transport,
        library::image::{Image, Loaded},
    },
};

/// A plugin that was loaded and has told what it is, but takes no jobs yet.
pub(super) struct Opened {
    pub(super) loaded: Loaded,
    pub(super) description: Description,
}

/// A step that runs on a thread of its own.
pub(super) struct Step<T> {
    entry: &'static str,
    limit: Duration,
    since: Instant,
    answer: mpsc::Receiver<Result<T, Refusal>>,
}

impl<T: Send + 'static> Step<T> {
    pub(super) fn begin(
        entry: &'static str,
        limit: Duration,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<Self, Refusal> {
        let (send, answer) = mpsc::sync_channel(1);
        let since = Instant::now();
        std::thread::Builder::new()
            .name(format!("pl-{entry}"))
            .spawn(move || {
                let _ = send.send(work());
            })
            .map_err(|e| Refusal::Host(format!("no thread: {e}")))?;
        Ok(Self { entry, limit, since, answer })
    }

    /// Waits for the rest of the limit.
    pub(super) fn wait(self) -> Result<T, Refusal> {
        match self.answer.recv_timeout(self.limit.saturating_sub(self.since.elapsed())) {
            Ok(answer) => answer,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Refusal::Hung { entry: self.entry, limit: self.limit }),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(Refusal::Host(format!("the host panicked in {}", self.entry)))
            }
        }
    }
}

/// Loads a copy and asks it what it is, first in a process of its own. The limit counts from the load on: the disk may be
/// slow.
pub(super) fn open(image: &Image, file: &Path, options: &HostOptions) -> Result<Step<Opened>, Refusal> {
    let copy = image.copy(&options.copies())?;
    let (entry_size, limit, probe) = (image.entry_size, options.call_limit, options.probe.clone());
    let (file, content) = (file.to_owned(), image.content.clone());
    // The process tells by itself what takes too long, and is given up after twice the limit.
    let whole = if probe.is_some() { limit * 4 } else { limit };
    Step::begin("describe", whole, move || {
        if let Some(executable) = probe {
            probe::ask(&executable, copy.path(), limit)?;
        }
        // From here on its code runs in the daemon: should that be the daemon's last line, it says whose fault it was.
        tracing::info!(file = %file.display(), content, "loading a plugin");
        let loaded = copy.load(entry_size)?;
        let description = loaded.transport.describe()?;
        Ok(Opened { loaded, description })
    })
}

/// Hands the settings to an opened plugin.
pub(super) fn configure(transport: Arc<dyn Transport>, settings: &Value, limit: Duration) -> Result<Step<()>, Refusal> {
    let settings = settings.to_string();
    Step::begin("configure", limit, move || transport.configure(settings.as_bytes()))
}
