//! The fan-out of project events to live subscribers.
//!
//! Called by the store's writer after every commit ([`EventSink`]); read by `api/` streams. Of one project it
//! holds no history: a subscriber that was away or too slow reads the store and goes on from there. Of all
//! projects together it holds a short ring while somebody listens, so that a listener that comes back soon
//! misses nothing (`all`).

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{AllSubscription, Position};
use bytes::Bytes;
use tokio::sync::{broadcast, watch};

use crate::events::all::All;
use crate::{
    backend::store::EventSink,
    domain::{event::ProjectEvent, ids::ProjectId},
};

/// Events a subscriber of a project may be behind before it is told that it lags.
const CAPACITY: usize = 256;

type Channels = HashMap<ProjectId, broadcast::Sender<Arc<Told>>>;

/// An event on its way to its listeners, written out once for all of them.
#[derive(Debug)]
pub struct Told {
    /// The event.
    pub event: ProjectEvent,
    /// Its place among the events of all projects, when somebody listens to all.
    pub position: Position,
    of_project: OnceLock<Bytes>,
    of_all: OnceLock<Bytes>,
}

impl Told {
    fn new(event: ProjectEvent, position: Position) -> Self {
        Self { event, position, of_project: OnceLock::new(), of_all: OnceLock::new() }
    }

    /// The event as listeners of its project read it, made by the first of them.
    pub fn of_project(&self, make: impl FnOnce(&ProjectEvent) -> Bytes) -> Bytes {
        self.of_project.get_or_init(|| make(&self.event)).clone()
    }

    /// The event as listeners of all projects read it, made by the first of them.
    pub fn of_all(&self, make: impl FnOnce(&Self) -> Bytes) -> Bytes {
        self.of_all.get_or_init(|| make(self)).clone()
    }
}

/// Hands committed events to whoever listens.
#[derive(Default)]
pub struct EventHub {
    channels: Mutex<Channels>,
    all: Mutex<All>,
    /// Number of channels, and one more while `all` is awake: nothing is done when nobody listens at all.
    listening: AtomicUsize,
    all_awake: AtomicUsize,
    /// How often events may have been missed by everybody.
    doubts: watch::Sender<u64>,
}

/// Why [`Subscription::recv`] gave no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missed {
    /// This many events were overwritten: read the store, then go on.
    #[error("{0} events were missed")]
    Lagged(u64),
    /// The hub is gone.
    #[error("the event hub is closed")]
    Closed,
}

impl From<broadcast::error::RecvError> for Missed {
    fn from(error: broadcast::error::RecvError) -> Self {
        match error {
            broadcast::error::RecvError::Lagged(n) => Self::Lagged(n),
            broadcast::error::RecvError::Closed => Self::Closed,
        }
    }
}

/// One listener of one project. Dropping it ends it.
pub struct Subscription {
    receiver: broadcast::Receiver<Arc<Told>>,
    doubts: watch::Receiver<u64>,
    project: ProjectId,
    hub: Arc<EventHub>,
}

impl EventHub {
    /// A hub without listeners.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Listens to a project from now on.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, project: &ProjectId) -> Subscription {
        let mut channels = self.lock();
        let sender = channels.entry(project.clone()).or_insert_with(|| broadcast::channel(CAPACITY).0);
        let receiver = sender.subscribe();
        self.listening.store(channels.len(), Ordering::Release);
        let doubts = self.doubts.subscribe();
        Subscription { receiver, doubts, project: project.clone(), hub: Arc::clone(self) }
    }

    /// Listens to all projects, from behind `after` when that is still known, else from now on.
    #[must_use]
    pub fn subscribe_all(self: &Arc<Self>, after: Option<Position>) -> AllSubscription {
        let subscription = self.lock_all().subscribe(after, self.doubts.subscribe());
        self.all_awake.store(1, Ordering::Release);
        subscription
    }

    fn lock(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What comes next, or that nobody knows what came. Cancel-safe.
pub(super) async fn next(
    receiver: &mut broadcast::Receiver<Arc<Told>>,
    doubts: &mut watch::Receiver<u64>,
) -> Result<Arc<Told>, Missed> {
    tokio::select! {
        biased;
        Ok(()) = doubts.changed() => Err(Missed::Lagged(0)),
        told = receiver.recv() => told.map_err(Missed::from),
    }
}

impl EventSink for EventHub {
    fn missed(&self) {
        self.doubts.send_modify(|doubts| *doubts += 1);
    }

    fn listening(&self) -> bool {
        self.listening.load(Ordering::Acquire) > 0 || self.all_awake.load(Ordering::Acquire) > 0
    }

    fn committed(&self, events: &[ProjectEvent]) {
        let mut all = (self.all_awake.load(Ordering::Acquire) > 0).then(|| self.lock_all());
        if let Some(awake) = &mut all
            && !awake.stays_awake()
        {
            self.all_awake.store(0, Ordering::Release);
            all = None;
        }
        let channels = (self.listening.load(Ordering::Acquire) > 0).then(|| self.lock());
        if all.is_none() && channels.is_none() {
            return;
        }
        for event in events {
            let of_project = channels.as_ref().and_then(|channels| channels.get(&event.project_id));
            if all.is_none() && of_project.is_none() {
                continue;
            }
            let position = all.as_mut().map(|all| all.next()).unwrap_or_default();
            let told = Arc::new(Told::new(event.clone(), position));
            // An error means that the last listener has just gone.
            if let Some(sender) = of_project {
                let _ = sender.send(Arc::clone(&told));
            }
            if let Some(all) = &mut all {
                all.tell(told);
            }
        }
    }
}

impl Subscription {
    /// The next event. Cancel-safe.
    ///
    /// # Errors
    /// Events were missed, or the hub is gone.
    pub async fn recv(&mut self) -> Result<Arc<Told>, Missed> {
        next(&mut self.receiver, &mut self.doubts).await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut channels = self.hub.lock();
        // This receiver still counts.
        if channels.get(&self.project).is_some_and(|sender| sender.receiver_count() <= 1) {
            channels.remove(&self.project);
        }
        self.hub.listening.store(channels.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{event::EventType, time::Timestamp};

    fn event(project: &ProjectId, seq: u64) -> ProjectEvent {
        let fields = serde_json::Map::new();
        ProjectEvent { seq, project_id: project.clone(), kind: EventType::Log, at: Timestamp::now(), fields }
    }

    #[tokio::test]
    async fn a_listener_hears_its_project_only_and_leaves_nothing_behind() {
        let (hub, a, b) = (EventHub::new(), ProjectId::generate(), ProjectId::generate());
        let mut subscription = hub.subscribe(&a);
        hub.committed(&[event(&b, 1), event(&a, 1), event(&a, 2)]);
        assert_eq!(subscription.recv().await.unwrap().event.seq, 1);
        assert_eq!(subscription.recv().await.unwrap().event.seq, 2);
        drop(subscription);
        assert!(hub.lock().is_empty());
    }

    #[tokio::test]
    async fn a_doubt_is_told_to_everybody_once() {
        let (hub, a) = (EventHub::new(), ProjectId::generate());
        let (mut one, mut all) = (hub.subscribe(&a), hub.subscribe_all(None));
        hub.missed();
        hub.committed(&[event(&a, 1)]);
        assert_eq!(one.recv().await.unwrap_err(), Missed::Lagged(0));
        assert_eq!(all.recv().await.unwrap_err(), Missed::Lagged(0));
        assert_eq!(one.recv().await.unwrap().event.seq, 1);
        assert_eq!(all.recv().await.unwrap().event.seq, 1);
    }

    #[tokio::test]
    async fn a_slow_listener_is_told() {
        let (hub, a) = (EventHub::new(), ProjectId::generate());
        let mut subscription = hub.subscribe(&a);
        let events: Vec<_> = (1..=CAPACITY as u64 + 10).map(|seq| event(&a, seq)).collect();
        hub.committed(&events);
        assert_eq!(subscription.recv().await.unwrap_err(), Missed::Lagged(10));
        assert_eq!(subscription.recv().await.unwrap().event.seq, 11);
    }
}
