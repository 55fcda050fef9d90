//! Events of all projects in the order of the commits, with a short ring of the last ones.
//!
//! It sleeps while nobody listens, and then costs nothing; who comes back after that is told to start afresh,
//! because positions count only within one waking.

use std::{
    collections::VecDeque,
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{broadcast, watch};

use crate::events::{Missed, Told};

/// Events a listener may be behind before it is told what it missed.
const CAPACITY: usize = 1_024;
/// Events kept for listeners that come back.
const RING: usize = 4_096;
/// How long they are kept after the last listener left.
const AWAKE: Duration = Duration::from_secs(60);

/// A place in the stream: the waking, and the event's number in it. Written `<waking>-<number>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    waking: u32,
    number: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.waking, self.number)
    }
}

/// A text that is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position: take the id of an event")]
pub struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;
    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let (waking, number) = text.split_once('-').ok_or(NoPosition)?;
        let plain = waking.len() == 8 && number.bytes().all(|b| b.is_ascii_digit());
        let waking = u32::from_str_radix(waking, 16).ok().filter(|_| plain).ok_or(NoPosition)?;
        Ok(Self { waking, number: number.parse().map_err(|_| NoPosition)? })
    }
}

pub(crate) struct All {
    sender: broadcast::Sender<Arc<Told>>,
    ring: VecDeque<Arc<Told>>,
    last: Position,
    /// Since when nobody listens.
    alone_since: Option<Instant>,
}

impl Default for All {
    fn default() -> Self {
        // Waking by waking of the process, and process by process.
        let last = Position { waking: rand::random(), number: 0 };
        Self { sender: broadcast::channel(CAPACITY).0, ring: VecDeque::new(), last, alone_since: None }
    }
}

impl All {
    /// Whether somebody listens, or did a moment ago; else what is kept is dropped.
    pub(crate) fn stays_awake(&mut self) -> bool {
        if self.sender.receiver_count() > 0 {
            self.alone_since = None;
            return true;
        }
        if self.alone_since.get_or_insert_with(Instant::now).elapsed() < AWAKE {
            return true;
        }
        self.ring = VecDeque::new();
        self.last = Position { waking: self.last.waking.wrapping_add(1), number: 0 };
        self.alone_since = None;
        false
    }

    /// The position of the next event.
    pub(crate) fn next(&mut self) -> Position {
        self.last.number += 1;
        self.last
    }

    pub(crate) fn tell(&mut self, told: Arc<Told>) {
        if self.ring.len() == RING {
            self.ring.pop_front();
        }
        self.ring.push_back(Arc::clone(&told));
        // An error means that nobody listens just now.
        let _ = self.sender.send(told);
    }

    pub(crate) fn subscribe(&mut self, after: Option<Position>, doubts: watch::Receiver<u64>) -> AllSubscription {
        let known = |after: &Position| {
            let first = self.ring.front().map_or(self.last.number + 1, |told| told.position.number);
            after.waking == self.last.waking && after.number + 1 >= first && after.number <= self.last.number
        };
        let known_after = after.filter(known);
        let behind = |after: Position| {
            let from = self.ring.partition_point(|told| told.position.number <= after.number);
            self.ring.range(from..).cloned().collect()
        };
        AllSubscription {
            backlog: known_after.map_or_else(VecDeque::new, behind),
            missed: after.is_some() && known_after.is_none(),
            last: known_after.unwrap_or(self.last),
            receiver: self.sender.subscribe(),
            doubts,
        }
    }
}

/// One listener of all projects. Dropping it ends it.
pub struct AllSubscription {
    backlog: VecDeque<Arc<Told>>,
    /// What it asked for was gone.
    pub missed: bool,
    pub last: Position,
    receiver: broadcast::Receiver<Arc<Told>>,
    doubts: watch::Receiver<u64>,
}

impl AllSubscription {
    /// The next event. Cancel-safe.
    ///
    /// # Errors
    /// Events were missed, or the hub is gone.
    pub async fn recv(&mut self) -> Result<Arc<Told>, Missed> {
        let told = match self.backlog.pop_front() {
            Some(told) => told,
            None => super::hub::next(&mut self.receiver, &mut self.doubts).await?,
        };
        self.last = told.position;
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::store::EventSink as _,
        domain::{
            event::{EventType, ProjectEvent},
            ids::ProjectId,
            time::Timestamp,
        },
        events::EventHub,
    };

    fn events(count: u64) -> Vec<ProjectEvent> {
        let project_id = ProjectId::generate();
        let (at, fields) = (Timestamp::now(), serde_json::Map::new());
        let one = |seq| ProjectEvent {
            seq,
            project_id: project_id.clone(),
            kind: EventType::Log,
            at,
            fields: fields.clone(),
        };
        (1..=count).map(one).collect()
    }

    #[tokio::test]
    async fn who_comes_back_in_time_misses_nothing() {
        let hub = EventHub::new();
        hub.committed(&events(3));
        let mut first = hub.subscribe_all(None);
        hub.committed(&events(5));
        assert_eq!(first.recv().await.unwrap().event.seq, 1);
        let here = first.recv().await.unwrap().position;
        drop(first);
        hub.committed(&events(1));
        let mut again = hub.subscribe_all(Some(here.to_string().parse().unwrap()));
        assert!(!again.missed);
        for seq in [3, 4, 5, 1] {
            assert_eq!(again.recv().await.unwrap().event.seq, seq);
        }
        hub.committed(&events(RING as u64 + 1));
        assert!(hub.subscribe_all(Some(here)).missed);
        assert!(hub.subscribe_all(Some(Position { waking: here.waking ^ 1, number: 1 })).missed);
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_how_much_it_missed() {
        let hub = EventHub::new();
        let mut slow = hub.subscribe_all(None);
        hub.committed(&events(CAPACITY as u64 + 10));
        assert_eq!(slow.recv().await.unwrap_err(), Missed::Lagged(10));
        assert_eq!(slow.recv().await.unwrap().event.seq, 11);
    }

    #[test]
    fn positions_are_read_as_written() {
        let position = Position { waking: 0xab, number: 7 };
        assert_eq!((position.to_string().as_str(), "000000ab-7".parse()), ("000000ab-7", Ok(position)));
        for bad in ["", "7", "ab-7", "000000ab-", "000000ab--1", "000000ag-1", "000000ab-99999999999999999999"] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }
}
