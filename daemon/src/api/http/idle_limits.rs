//! How long a connection may say nothing. A client that keeps a connection for its next request sends that at any time,
//! and one that is closed just then cannot know whether it was heard: so idle connections stay for longer than most
//! clients keep them. One that never said anything is of no client, and goes soon.
//!
//! The two are told apart here, since the server's own limit of heads is one for both, of which the time before the first
//! byte is taken for the rest of the connection's life.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use salvo::{
    conn::ConnCtrl,
    fuse::{ArcConnObserver, ConnObserver, FuseAction, FuseConfig, FuseInfo, FusePolicy},
};
use tokio::task::AbortHandle;

use super::places::{Place, Places};

/// A request's head must have arrived within this, counted from the end of the one before it. Clients keep what is idle
/// for 60 s or less, or ask whether it is still open.
pub(crate) const HEAD_LIMIT: Duration = Duration::from_secs(75);
/// The first byte of a connection must arrive within this.
const FIRST_BYTE: Duration = Duration::from_secs(15);
/// Longest pause between two pieces of a body.
const BODY_LIMIT: Duration = Duration::from_secs(20);
/// A client that does not read for this long loses its connection.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// A connection that came when all places were taken must be done by then: it is there to ask for the health.
const GUEST_LIMIT: Duration = Duration::from_secs(3);

/// See the module. Knows how many connections there are, too.
pub(crate) struct Limits {
    pub(crate) places: Places,
}

/// Whether a connection said anything.
struct Heard {
    heard: Arc<AtomicBool>,
    watch: AbortHandle,
    _place: Place,
}

impl ConnObserver for Heard {
    fn on_read(&self, _: usize) {
        if !self.heard.swap(true, Ordering::Relaxed) {
            self.watch.abort();
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

#[async_trait]
impl FusePolicy for Limits {
    async fn decide(&self, _: &FuseInfo) -> FuseAction {
        let limits = FuseConfig::default()
            .with_http1_header_timeout(None)
            .with_request_body_timeout(BODY_LIMIT)
            .with_write_stall_timeout(WRITE_LIMIT);
        FuseAction::Accept(limits)
    }

    fn observe(&self, info: &FuseInfo, connection: &ConnCtrl) -> Option<ArcConnObserver> {
        let place = self.places.take(&info.remote_addr);
        let (connection, heard) = (connection.clone(), Arc::new(AtomicBool::new(false)));
        let watched = Arc::clone(&heard);
        let guest = place.is_guest();
        let watch = tokio::spawn(async move {
            tokio::time::sleep(if guest { GUEST_LIMIT } else { FIRST_BYTE }).await;
            if guest || !watched.load(Ordering::Relaxed) {
                connection.abort();
            }
        });
        // What a guest says does not let him stay.
        let heard = if guest { Arc::new(AtomicBool::new(true)) } else { heard };
        Some(Arc::new(Heard { heard, watch: watch.abort_handle(), _place: place }))
    }
}
