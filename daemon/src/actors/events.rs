//! The fan-out of project events to live subscribers.
//!
//! Called by the store's writer after every commit ([`EventSink`]); read by `api/` streams. It holds
//! no history: a subscriber that was away or too slow reads the store and goes on from there.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::broadcast;

use crate::{
    domain::{event::ProjectEvent, ids::ProjectId},
    store::EventSink,
};

/// Events a subscriber may be behind before it is told that it lags.
const CAPACITY: usize = 256;

type Channels = HashMap<ProjectId, broadcast::Sender<Arc<ProjectEvent>>>;

/// Hands committed events to whoever listens to their project.
#[derive(Default)]
pub struct EventHub {
    channels: Mutex<Channels>,
    /// Number of channels, to skip the lock when nobody listens at all.
    listening: AtomicUsize,
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

/// One listener of one project. Dropping it ends it.
pub struct Subscription {
    receiver: broadcast::Receiver<Arc<ProjectEvent>>,
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
        Subscription { receiver, project: project.clone(), hub: Arc::clone(self) }
    }

    fn lock(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for EventHub {
    fn committed(&self, events: &[ProjectEvent]) {
        if self.listening.load(Ordering::Acquire) == 0 {
            return;
        }
        let channels = self.lock();
        for event in events {
            if let Some(sender) = channels.get(&event.project_id) {
                // An error means that the last listener has just gone.
                let _ = sender.send(Arc::new(event.clone()));
            }
        }
    }
}

impl Subscription {
    /// The next event. Cancel-safe.
    ///
    /// # Errors
    /// Events were missed, or the hub is gone.
    pub async fn recv(&mut self) -> Result<Arc<ProjectEvent>, Missed> {
        self.receiver.recv().await.map_err(|error| match error {
            broadcast::error::RecvError::Lagged(n) => Missed::Lagged(n),
            broadcast::error::RecvError::Closed => Missed::Closed,
        })
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
        assert_eq!(subscription.recv().await.unwrap().seq, 1);
        assert_eq!(subscription.recv().await.unwrap().seq, 2);
        drop(subscription);
        assert!(hub.lock().is_empty());
    }

    #[tokio::test]
    async fn a_slow_listener_is_told() {
        let (hub, a) = (EventHub::new(), ProjectId::generate());
        let mut subscription = hub.subscribe(&a);
        let events: Vec<_> = (1..=CAPACITY as u64 + 10).map(|seq| event(&a, seq)).collect();
        hub.committed(&events);
        assert_eq!(subscription.recv().await, Err(Missed::Lagged(10)));
        assert_eq!(subscription.recv().await.unwrap().seq, 11);
    }
}
