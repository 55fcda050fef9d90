//! `GET /projects/{id}/events`: what happened since `Last-Event-ID`, then what happens, until the end.
//!
//! The stream subscribes to the hub first and reads the store second, so nothing falls between. What
//! the hub tells out of order or not at all (the client lags) is read from the store again; what the
//! store has already cleaned away is told as `resync`. The stream ends by itself once the project is
//! final, the deployment that its build queued has ended, and everything of it was sent.
//!
//! `end` has the number behind the last event. A client that has read it is told so by `204`, and comes no more.

mod foreign;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use metrics::counter;
use salvo::{Depot, Request, Response, http::StatusCode, oapi::endpoint};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::deployment::Deployment;
use crate::api::{
    http::{
        error::{ApiError, Resource},
        measure::OpenStream,
        request::{extract::State, input},
        sse,
    },
    state::AppState,
};
use crate::{
    backend::store::Store,
    domain::{
        event::{EventType, ProjectEvent},
        ids::ProjectId,
        project::ProjectStatus,
        time::Timestamp,
    },
    events::Subscription,
    telemetry::names::SSE_LAGGED,
};

/// Events read from the store at a time: what a client that does not read may hold in memory.
const BATCH: usize = 32;

/// `GET /projects/{id}/events`
///
/// Watch a build. The stream ends by itself after the event `end`, which comes when the agent was deployed, too;
/// `Last-Event-ID` goes on where a client was, and `204` tells one that has read `end` that there is no more.
#[endpoint(
    operation_id = "streamProjectEvents",
    tags("events"),
    responses((status_code = 204, description = "The client has read everything to the end.")),
    parameters(
        ("id" = String, Path, description = "The project's id."),
        ("last_event_id" = Option<u64>, Query, maximum = 9007199254740991, description = "As the header `Last-Event-ID`, for clients that cannot set it."),
    )
)]
pub(crate) async fn stream_events(req: &mut Request, depot: &mut Depot, res: &mut Response) -> Result<(), ApiError> {
    let state = State::of(depot)?;
    let id: ProjectId = input::id(req, Resource::Project)?;
    let after = last_event_id(req)?.unwrap_or(0);
    let subscription = state.hub.subscribe(&id);
    let project = state.projects.get(state.caller(), &id).await?;
    let mut events = Events {
        subscription,
        project: id,
        last: after,
        phase: Phase::Replay,
        ready: VecDeque::from([sse::RETRY]),
        keep_alive: state.keep_alive(),
        alive_until: Instant::now(),
        deployment: Deployment::default(),
        told: foreign::Told::behind(after),
        look_at: Instant::now() + foreign::LOOK_EVERY,
        state: state.0,
        _open: OpenStream::begin("project"),
    };
    if after > 0 && events.begin(project.status).await? == Begin::AtEnd {
        res.status_code(StatusCode::NO_CONTENT);
        return Ok(());
    }
    sse::send(
        res,
        stream::unfold(events, |mut events| async move { events.next().await.map(|frame| (frame, events)) }),
    );
    Ok(())
}

/// What every reader of JSON can hold.
const MAX_EVENT_ID: i64 = (1 << 53) - 1;

/// The header, as browsers send it, or `?last_event_id=`.
pub(crate) fn last_event_id(req: &Request) -> Result<Option<u64>, ApiError> {
    let mut query = input::query(req);
    if let Some(header) = req.headers().get("last-event-id") {
        let text = String::from_utf8_lossy(header.as_bytes());
        if !text.trim().is_empty() {
            query.put("last_event_id", text.into_owned().into());
        }
    }
    let after = query.integer("last_event_id", 0..=MAX_EVENT_ID);
    query.finish()?;
    Ok(after.and_then(|n| u64::try_from(n).ok()))
}

/// Where a client that comes again begins.
#[derive(PartialEq, Eq)]
enum Begin {
    /// Somewhere in the stream.
    Within,
    /// Behind `end`.
    AtEnd,
}

enum Phase {
    /// Reads the store behind `last`.
    Replay,
    /// Everything stored was sent: is there more to come?
    Check,
    /// Waits for the hub.
    Live,
    /// Says no more.
    Over,
}

struct Events {
    state: Arc<AppState>,
    subscription: Subscription,
    project: ProjectId,
    /// Number of the last event sent.
    last: u64,
    phase: Phase,
    ready: VecDeque<Bytes>,
    keep_alive: Duration,
    alive_until: Instant,
    deployment: Deployment,
    told: foreign::Told,
    /// When the rows are compared with what was told, where others write them, too.
    look_at: Instant,
    _open: OpenStream,
}

impl Events {
    /// Finds where the client was. One that names an event from the future has seen another life of this database.
    async fn begin(&mut self, status: ProjectStatus) -> Result<Begin, ApiError> {
        let after = self.last;
        let around = self.store().events_after(&self.project, after.saturating_sub(2), 2).await?;
        let (named, before) =
            (around.iter().find(|event| event.seq == after), around.iter().find(|e| e.seq + 1 == after));
        match (named, before) {
            // What he read under this number was the `end` of the build before: the project began again with it.
            (Some(named), Some(before)) if begins_again(named) && ends(before) => self.last = after - 1,
            (Some(_), _) => {}
            (None, Some(_)) if status.is_final() && !self.deployment.is_open(&self.state, &self.project).await? => {
                return Ok(Begin::AtEnd);
            }
            (None, Some(_)) => self.last = after - 1,
            (None, None) => {
                // Where everything was cleaned away there is nothing to read again.
                if status.is_final() && self.store().events_after(&self.project, 0, 1).await?.is_empty() {
                    return Ok(Begin::AtEnd);
                }
                self.last = 0;
                self.resync(0);
            }
        }
        Ok(Begin::Within)
    }

    fn store(&self) -> &dyn Store {
        self.state.store.as_ref()
    }

    /// The next frame, or `None` at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                self.alive_until = Instant::now() + self.keep_alive;
                return Some(frame);
            }
            if matches!(self.phase, Phase::Over) {
                return None;
            }
            let shutdown = self.state.shutdown.clone();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => self.close(sse::CLOSING),
                () = self.step() => {}
            }
        }
    }

    async fn step(&mut self) {
        match self.phase {
            Phase::Replay => self.replay().await,
            Phase::Check => self.check().await,
            Phase::Live => self.live().await,
            Phase::Over => {}
        }
    }

    async fn replay(&mut self) {
        match self.store().events_after(&self.project, self.last, BATCH).await {
            Ok(events) => {
                if events.len() < BATCH {
                    self.phase = Phase::Check;
                }
                for event in &events {
                    self.push(event);
                }
            }
            Err(error) => self.broken(&error),
        }
    }

    /// The store was read to its end. A final project's last events may have been written since.
    async fn check(&mut self) {
        let status = match self.store().project(&self.project).await {
            Ok(Some(project)) if !project.status.is_final() => {
                self.phase = Phase::Live;
                return;
            }
            Ok(Some(project)) => project.status.as_str(),
            Ok(None) => "deleted",
            Err(error) => return self.broken(&error),
        };
        match self.store().events_after(&self.project, self.last, BATCH).await {
            Ok(rest) if rest.is_empty() => match self.deployment.awaited(&self.state, &self.project).await {
                Ok(true) => self.phase = Phase::Live,
                Ok(false) => {
                    self.look().await;
                    self.end(status);
                }
                Err(error) => self.broken(&error),
            },
            Ok(rest) => rest.iter().for_each(|event| self.push(event)),
            Err(error) => self.broken(&error),
        }
    }

    async fn live(&mut self) {
        tokio::select! {
            told = self.subscription.recv() => match told {
                // The store's word that the project was deleted; `check` finds it gone.
                Ok(told) if told.event.kind == EventType::End => self.phase = Phase::Check,
                Ok(told) if told.event.seq <= self.last => {}
                Ok(told) if told.event.seq == self.last + 1 => {
                    if ends(&told.event) {
                        self.phase = Phase::Check;
                    }
                    self.last = told.event.seq;
                    self.told.note(&told.event);
                    self.look_at = Instant::now() + foreign::LOOK_EVERY;
                    self.ready.push_back(told.of_project(frame));
                }
                // The hub began in the middle, or this client lags: the store knows.
                Ok(_) => self.phase = Phase::Replay,
                Err(_) => {
                    counter!(SSE_LAGGED).increment(1);
                    self.phase = Phase::Replay;
                }
            },
            () = self.deployment.look_again() => self.phase = Phase::Replay,
            () = tokio::time::sleep_until(self.look_at), if self.store().is_shared() => self.look().await,
            () = tokio::time::sleep_until(self.alive_until) => {
                self.ready.push_back(sse::KEEP_ALIVE);
                // A deleted project tells no more; this notices.
                self.phase = Phase::Replay;
            }
        }
    }

    fn push(&mut self, event: &ProjectEvent) {
        if event.seq > self.last + 1 {
            self.resync(event.seq - 1);
        }
        self.last = event.seq;
        self.told.note(event);
        self.ready.push_back(frame(event));
    }

    /// Tells what the rows say of a build that another kind of service works on.
    async fn look(&mut self) {
        self.look_at = Instant::now() + foreign::LOOK_EVERY;
        match self.store().untold(&self.project, self.last).await {
            Ok(Some(rows)) => {
                if let Err(error) = self.recall().await {
                    return self.broken(&error);
                }
                let missing = self.told.missing(&self.project, self.last, &rows);
                if rows.project.status.is_final() && matches!(self.phase, Phase::Live) {
                    self.phase = Phase::Check;
                }
                self.ready.extend(missing.iter().map(frame));
            }
            Ok(None) => {}
            // The stream goes on; who cannot be read now is read in two seconds.
            Err(error) => tracing::debug!(project = %self.project, %error, "rows were not compared"),
        }
    }

    /// What a client that comes again was told before, it is not told anew.
    async fn recall(&mut self) -> crate::backend::store::Result<()> {
        let (until, mut from) = (self.told.begins_behind(), 0);
        while from < until {
            let events = self.store().events_after(&self.project, from, BATCH).await?;
            let Some(last) = events.last() else { break };
            from = last.seq;
            self.told.recall(events.iter().filter(|event| event.seq <= until));
        }
        self.told.is_whole();
        Ok(())
    }

    fn resync(&mut self, seq: u64) {
        let data =
            self.made_up(EventType::Resync, seq, json!({ "reason": "older events are gone: read the project again" }));
        self.ready.push_back(data);
    }

    fn end(&mut self, status: &str) {
        let mut fields = json!({ "status": status });
        self.deployment.tell(&mut fields);
        let frame = self.made_up(EventType::End, self.last + 1, fields);
        self.close(frame);
    }

    /// An event that is in no store.
    fn made_up(&self, kind: EventType, seq: u64, fields: Value) -> Bytes {
        let fields = if let Value::Object(map) = fields { map } else { serde_json::Map::new() };
        let event = ProjectEvent { seq, project_id: self.project.clone(), kind, at: Timestamp::now(), fields };
        sse::frame(seq, kind.as_str(), &event)
    }

    /// Ends the stream without `end`: the client comes again, by then it may be better.
    fn broken(&mut self, error: &crate::backend::error::BackendError) {
        tracing::warn!(project = %self.project, %error, "an event stream lost the store");
        self.close(sse::CLOSING);
    }

    fn close(&mut self, last_frame: Bytes) {
        self.ready.push_back(last_frame);
        self.phase = Phase::Over;
    }
}

/// An event as listeners of its project read it.
fn frame(event: &ProjectEvent) -> Bytes {
    sse::frame(event.seq, event.kind.as_str(), event)
}

fn status_of(event: &ProjectEvent) -> Option<ProjectStatus> {
    let status = event.fields.get("status").and_then(Value::as_str)?.parse().ok();
    status.filter(|_| event.kind == EventType::Project)
}

/// Whether `end` can come right behind it: the last of a build, or of the deployment behind it.
fn ends(event: &ProjectEvent) -> bool {
    event.kind == EventType::Agent || status_of(event).is_some_and(ProjectStatus::is_final)
}

/// Whether a build that had ended begins again with it: its stages go back first.
fn begins_again(event: &ProjectEvent) -> bool {
    let stage_back = event.kind == EventType::Stage && event.fields.get("status").is_some_and(|word| word == "pending");
    stage_back || status_of(event) == Some(ProjectStatus::Queued)
}
