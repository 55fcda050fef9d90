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

/// Loads a copy and asks it what it is. The limit counts from the load on: the disk may be slow.
pub(super) fn open(image: &Image, copies: &Path, limit: Duration) -> Result<Step<Opened>, Refusal> {
    let copy = image.copy(copies)?;
    let entry_size = image.entry_size;
    Step::begin("describe", limit, move || {
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
