//! `GET /events`: what happens in all projects, from now on or from where a listener was.
//!
//! A listener holds no queue: it reads the hub's ring at its own pace, and what is overwritten before it came to
//! it is told as `resync`. Frames are written once for all listeners.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use metrics::counter;
use salvo::{Request, Response, Writer as _, oapi::endpoint};
use tokio::time::Instant;

use crate::api::{
    events::wanted::{self as watch, Wanted, WatchQuery},
    http::{
        error::ApiError,
        measure::OpenStream,
        request::{extract::State, input, rules::Input as _},
        sse,
    },
    state::AppState,
};
use crate::{
    events::{AllSubscription, Missed, Told},
    telemetry::names::SSE_LAGGED,
};

/// `GET /events`
///
/// Watch all projects. Events come in the order of the commits; each has an `id`, and a client that comes back with
/// the last one in `Last-Event-ID` within a minute or so misses nothing. What was missed for good is told as
/// `resync`.
#[endpoint(operation_id = "streamEvents", tags("events"))]
pub(crate) async fn stream_all(
    state: State,
    query: crate::api::http::request::extract::Query<WatchQuery>,
    req: &mut Request,
    res: &mut Response,
) -> Result<(), ApiError> {
    let State(state, _) = state;
    let (wanted, mut after) = query.0.split();
    if let Some(header) = req.headers().get("last-event-id") {
        let text = String::from_utf8_lossy(header.as_bytes()).into_owned();
        let mut fields = input::query(req);
        fields.put("last_event_id", text.into());
        after = WatchQuery::read(&mut fields).split().1.or(after);
        fields.finish()?;
    }
    let subscription = state.hub.subscribe_all(after);
    let keep_alive = state.config.load().server.sse_keepalive_secs.duration().max(Duration::from_secs(1));
    let mut events = Events {
        ready: VecDeque::from([sse::RETRY]),
        wanted,
        keep_alive,
        quiet_until: Instant::now() + keep_alive,
        over: false,
        state,
        subscription,
        _open: OpenStream::begin("all"),
    };
    if events.subscription.missed {
        events.resync(None);
    }
    sse::send(res, stream::unfold(events, |mut events| async move { events.next().await.map(|f| (f, events)) }));
    Ok(())
}

struct Events {
    state: Arc<AppState>,
    subscription: AllSubscription,
    wanted: Wanted,
    ready: VecDeque<Bytes>,
    keep_alive: Duration,
    quiet_until: Instant,
    over: bool,
    _open: OpenStream,
}

impl Events {
    /// The next frame, or `None` at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                self.quiet_until = Instant::now() + self.keep_alive;
                return Some(frame);
            }
            if self.over {
                return None;
            }
            let shutdown = self.state.shutdown.clone();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => self.close(),
                told = self.subscription.recv() => self.take(told),
                () = tokio::time::sleep_until(self.quiet_until) => self.ready.push_back(sse::KEEP_ALIVE),
            }
        }
    }

    fn take(&mut self, told: Result<Arc<Told>, Missed>) {
        match told {
            Ok(told) if self.wanted.wants(&told.event) => self.ready.push_back(told.of_all(frame)),
            Ok(_) => {}
            Err(Missed::Lagged(count)) => {
                counter!(SSE_LAGGED).increment(1);
                self.resync(Some(count));
            }
            Err(Missed::Closed) => self.close(),
        }
    }

    fn resync(&mut self, missed: Option<u64>) {
        let frame = sse::frame(self.subscription.last, "resync", &watch::resync(missed));
        self.ready.push_back(frame);
    }

    fn close(&mut self) {
        self.ready.push_back(sse::CLOSING);
        self.over = true;
    }
}

/// An event as listeners of all projects read it.
fn frame(told: &Told) -> Bytes {
    sse::frame(told.position, told.event.kind.as_str(), &told.event)
}
