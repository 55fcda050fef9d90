//! How much of all bodies that are being read may lie in memory together. A body takes its permits before it is read; one
//! that finds no room for a while is refused, and its client may come again. Small ones need none, so that a few large
//! ones never keep the others out.

use std::{sync::OnceLock, time::Duration};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{api::http::error::ApiError, config::ServerConfig};

/// So much of each body needs no permit.
const FREE: usize = 8 * 1024;
/// A permit is for so many bytes.
const UNIT: usize = 1024;
/// Bytes that all bodies together may have beyond that, at least.
const BUDGET: usize = 32 * 1024 * 1024;
/// How long a body waits for room.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is not announced grows by this.
const STEP: usize = 64 * 1024;

static ROOM: OnceLock<Semaphore> = OnceLock::new();

fn room() -> &'static Semaphore {
    ROOM.get_or_init(|| Semaphore::new(BUDGET / UNIT))
}

/// Makes room enough for the largest body that the settings allow. The first server of a process says how much.
pub(crate) fn set_budget(server: &ServerConfig) {
    let largest = server.max_upload_bytes.as_usize().max(server.max_body_bytes.as_usize());
    let units = (BUDGET.max(largest.saturating_add(STEP)) / UNIT).min(Semaphore::MAX_PERMITS);
    ROOM.get_or_init(|| Semaphore::new(units));
}

/// The room of one body, given back when it has arrived.
#[derive(Default)]
pub(crate) struct Room {
    held: Vec<SemaphorePermit<'static>>,
    bytes: usize,
}

impl Room {
    /// Has room for so many bytes.
    ///
    /// # Errors
    /// There is none for now.
    pub(crate) async fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        if bytes <= FREE.max(self.bytes) {
            return Ok(());
        }
        let wanted = bytes - self.bytes;
        let wanted = if self.bytes == 0 { wanted } else { wanted.max(STEP) };
        let units = u32::try_from(wanted.div_ceil(UNIT)).unwrap_or(u32::MAX);
        match tokio::time::timeout(PATIENCE, room().acquire_many(units)).await {
            Ok(Ok(permit)) => {
                self.held.push(permit);
                self.bytes += wanted;
                Ok(())
            }
            _ => {
                let message = "more is being sent than the daemon can hold; try again".to_owned();
                Err(ApiError::Unavailable { code: "OVERLOADED", message })
            }
        }
    }
}
