//! Which message of the embedded queues comes next: kept in memory by the writer thread.
//!
//! Priorities share by smooth weighted round robin (16:8:4:2:1 for 5 to 1), so that a higher one goes
//! first and none starves; first in, first out within a priority.
//!
//! Suspects (see `store::sqlite::recover`) stand apart: of all queues together one at a time is given out, the least
//! blamed first.

use std::collections::{BTreeSet, HashMap};

use crate::domain::queue::Receive;
use crate::{
    backend::{
        queue::{QueueDepth, Receipt},
        sqlite::clock::Moment,
    },
    domain::{ids::TaskId, queue::QueueName, time::Timestamp},
};

/// Shares of the priorities 1 to 5.
const WEIGHTS: [i64; 5] = [1, 2, 4, 8, 16];

/// What the writer knows of a message; its body stays in the file.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) queue: QueueName,
    pub(crate) priority: u8,
    /// The task it was written for.
    pub(crate) task: Option<TaskId>,
    pub(crate) count: u32,
    /// Daemons that died while they worked on it, since its last step.
    pub(crate) crashes: u32,
    /// Those of them that had no other suspect at work.
    pub(crate) solo: u32,
    /// It waits apart from others.
    pub(crate) quarantined: bool,
    pub(crate) sent_at: Timestamp,
    /// Number of the receive that holds it, 0 for none.
    delivery: u64,
    hidden_until: Option<Moment>,
}

impl Letter {
    pub(crate) fn new(queue: QueueName, priority: u8, task: Option<TaskId>, sent_at: Timestamp) -> Self {
        let (count, crashes, solo, quarantined, delivery) = (0, 0, 0, false, 0);
        Self { queue, priority, task, count, crashes, solo, quarantined, sent_at, delivery, hidden_until: None }
    }

    /// Whether somebody received it and still holds it.
    pub(crate) fn is_held(&self) -> bool {
        self.delivery != 0
    }
}

#[derive(Default)]
struct Bin {
    ready: [BTreeSet<i64>; 5],
    credit: [i64; 5],
    /// Visible suspects, the least blamed first.
    suspects: BTreeSet<(u32, i64)>,
    hidden: BTreeSet<(Moment, i64)>,
    held: u64,
}

impl Bin {
    fn lane(&mut self, priority: u8) -> Option<&mut BTreeSet<i64>> {
        self.ready.get_mut(usize::from(priority.clamp(1, 5) - 1))
    }

    /// The lane whose turn it is.
    fn next_lane(&mut self) -> Option<usize> {
        let Self { ready, credit, .. } = self;
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (lane, ((keys, credit), weight)) in ready.iter().zip(credit.iter_mut()).zip(WEIGHTS).enumerate() {
            if keys.is_empty() {
                // An empty lane saves nothing up.
                *credit = 0;
                continue;
            }
            *credit += weight;
            total += weight;
            if best.is_none_or(|(_, most)| *credit >= most) {
                best = Some((lane, *credit));
            }
        }
        let (lane, _) = best?;
        if let Some(credit) = credit.get_mut(lane) {
            *credit -= total;
        }
        Some(lane)
    }
}

/// All queues of the file.
pub(crate) struct Mailboxes {
    letters: HashMap<i64, Letter>,
    by_task: HashMap<TaskId, i64>,
    bins: HashMap<QueueName, Bin>,
    next_key: i64,
    deliveries: u64,
    /// The suspect that is given out.
    trial: Option<i64>,
    /// A trial is over: another may begin, in whatever queue.
    trial_over: bool,
}

impl Mailboxes {
    /// `next_key` must be above every stored key.
    pub(crate) fn new(next_key: i64) -> Self {
        let bins = QueueName::ALL.into_iter().map(|queue| (queue, Bin::default())).collect();
        let (letters, by_task) = (HashMap::new(), HashMap::new());
        Self { letters, by_task, bins, next_key, deliveries: 0, trial: None, trial_over: false }
    }

    /// A key that was never used in this process: first in, first out follows the keys.
    pub(crate) fn new_key(&mut self) -> i64 {
        let key = self.next_key;
        self.next_key += 1;
        key
    }

    fn bin(&mut self, queue: QueueName) -> &mut Bin {
        self.bins.entry(queue).or_default()
    }

    /// Puts a visible message where it waits.
    fn place(bin: &mut Bin, key: i64, letter: &Letter) {
        if letter.quarantined {
            bin.suspects.insert((letter.solo, key));
        } else if let Some(lane) = bin.lane(letter.priority) {
            lane.insert(key);
        }
    }

    /// Takes a message from where it waits, hidden or not.
    fn displace(bin: &mut Bin, key: i64, letter: &Letter) {
        match letter.hidden_until {
            Some(until) => {
                bin.hidden.remove(&(until, key));
            }
            None => {
                bin.suspects.remove(&(letter.solo, key));
                if let Some(lane) = bin.lane(letter.priority) {
                    lane.remove(&key);
                }
            }
        }
    }

    fn end_trial(&mut self, key: i64) {
        if self.trial == Some(key) {
            self.trial = None;
            self.trial_over = true;
        }
    }

    /// Whether a trial ended since the last question, so that others that wait must be told.
    pub(crate) const fn take_trial_over(&mut self) -> bool {
        std::mem::replace(&mut self.trial_over, false)
    }

    /// Puts a visible message in.
    pub(crate) fn insert(&mut self, key: i64, letter: Letter) {
        Self::place(self.bin(letter.queue), key, &letter);
        if letter.queue.dead_letters().is_some()
            && let Some(task) = &letter.task
        {
            self.by_task.insert(task.clone(), key);
        }
        self.letters.insert(key, letter);
    }

    pub(crate) fn remove(&mut self, key: i64) -> Option<Letter> {
        let letter = self.letters.remove(&key)?;
        self.end_trial(key);
        let bin = self.bin(letter.queue);
        if letter.delivery != 0 && letter.hidden_until.is_some() {
            bin.held = bin.held.saturating_sub(1);
        }
        Self::displace(bin, key, &letter);
        if let Some(task) = &letter.task
            && self.by_task.get(task) == Some(&key)
        {
            self.by_task.remove(task);
        }
        Some(letter)
    }

    pub(crate) fn get(&self, key: i64) -> Option<&Letter> {
        self.letters.get(&key)
    }

    /// The message written for a task.
    pub(crate) fn key_of(&self, task: &TaskId) -> Option<i64> {
        self.by_task.get(task).copied()
    }

    /// Takes the next visible message of `queue` and hides it. Its count grows by one.
    pub(crate) fn take(&mut self, queue: QueueName, now: Moment, until: Moment) -> Option<i64> {
        self.promote(queue, now);
        let tried = self.trial.is_some();
        let bin = self.bin(queue);
        // Suspects first: what waits for the proof of their innocence waits less long.
        let suspect = if tried { None } else { bin.suspects.pop_first().map(|(_, key)| key) };
        let key = match suspect {
            Some(key) => key,
            None => {
                let lane = bin.next_lane()?;
                bin.ready.get_mut(lane)?.pop_first()?
            }
        };
        bin.hidden.insert((until, key));
        bin.held += 1;
        self.trial = suspect.or(self.trial);
        self.deliveries += 1;
        let delivery = self.deliveries;
        let letter = self.letters.get_mut(&key)?;
        letter.delivery = delivery;
        letter.hidden_until = Some(until);
        letter.count += 1;
        Some(key)
    }

    /// Makes visible what was hidden until now.
    fn promote(&mut self, queue: QueueName, now: Moment) {
        loop {
            let bin = self.bin(queue);
            let Some((until, key)) = bin.hidden.first().copied() else { return };
            if until > now {
                return;
            }
            bin.hidden.pop_first();
            let Some(letter) = self.letters.get_mut(&key) else { continue };
            letter.hidden_until = None;
            // The receipt goes on holding until somebody else receives the message, as with SQS.
            let letter = letter.clone();
            self.end_trial(key);
            let bin = self.bin(queue);
            if letter.is_held() {
                bin.held = bin.held.saturating_sub(1);
            }
            Self::place(bin, key, &letter);
        }
    }

    /// When the next hidden message becomes visible.
    pub(crate) fn next_visible(&self, queue: QueueName) -> Option<Moment> {
        self.bins.get(&queue)?.hidden.first().map(|(until, _)| *until)
    }

    /// The receipt of the current holder of `key`.
    pub(crate) fn receipt(&self, key: i64) -> Option<Receipt> {
        let letter = self.letters.get(&key)?;
        let handle = format!("{key}.{}", letter.delivery);
        Some(Receipt { queue: letter.queue, handle, receive_count: letter.count })
    }

    /// The message that `receipt` still holds.
    pub(crate) fn held_by(&self, receipt: &Receipt) -> Option<i64> {
        let (key, delivery) = receipt.handle.split_once('.')?;
        let (key, delivery): (i64, u64) = (key.parse().ok()?, delivery.parse().ok()?);
        let letter = self.letters.get(&key)?;
        (letter.queue == receipt.queue && letter.delivery == delivery && delivery != 0).then_some(key)
    }

    fn unplace(&mut self, key: i64) -> Option<&mut Letter> {
        let letter = self.letters.get(&key)?.clone();
        let bin = self.bin(letter.queue);
        if letter.is_held() && letter.hidden_until.is_some() {
            bin.held = bin.held.saturating_sub(1);
        }
        Self::displace(bin, key, &letter);
        self.letters.get_mut(&key)
    }

    /// Keeps a held message hidden until then.
    pub(crate) fn extend(&mut self, key: i64, until: Moment) {
        if let Some(letter) = self.unplace(key) {
            letter.hidden_until = Some(until);
            let queue = letter.queue;
            let bin = self.bin(queue);
            bin.hidden.insert((until, key));
            bin.held += 1;
        }
    }

    /// Ends the hold; the message is visible at `at`, at once for `None`.
    pub(crate) fn release(&mut self, key: i64, at: Option<Moment>, receive: Receive) {
        self.end_trial(key);
        if let Some(letter) = self.unplace(key) {
            letter.delivery = 0;
            letter.hidden_until = at;
            if receive == Receive::Uncounted {
                letter.count = letter.count.saturating_sub(1);
            }
            let letter = letter.clone();
            let bin = self.bin(letter.queue);
            match at {
                Some(at) => {
                    bin.hidden.insert((at, key));
                }
                None => Self::place(bin, key, &letter),
            }
        }
    }

    /// Ends the hold of whoever has it; answers the queue that has something to receive.
    pub(crate) fn show(&mut self, key: i64) -> Option<QueueName> {
        let queue = self.letters.get(&key)?.queue;
        self.release(key, None, Receive::Counted);
        Some(queue)
    }

    /// Moves a message to the dead letters.
    pub(crate) fn move_to(&mut self, key: i64, queue: QueueName) {
        if let Some(mut letter) = self.remove(key) {
            letter.queue = queue;
            letter.count = 0;
            letter.delivery = 0;
            letter.hidden_until = None;
            (letter.crashes, letter.solo, letter.quarantined) = (0, 0, false);
            self.insert(key, letter);
        }
    }

    /// Earlier receives of the task's message count no more.
    pub(crate) fn progress(&mut self, task: &TaskId) {
        if let Some(letter) = self.by_task.get(task).and_then(|key| self.letters.get_mut(key)) {
            letter.count = 0;
        }
        self.prove(task);
    }

    /// What it was suspected of did not happen.
    pub(crate) fn prove(&mut self, task: &TaskId) {
        let Some(key) = self.key_of(task) else { return };
        self.end_trial(key);
        let Some(letter) = self.letters.get(&key).filter(|letter| letter.crashes > 0).cloned() else { return };
        let bin = self.bin(letter.queue);
        let visible = letter.hidden_until.is_none();
        if visible {
            Self::displace(bin, key, &letter);
        }
        let proven = Letter { crashes: 0, solo: 0, quarantined: false, ..letter };
        if visible {
            Self::place(bin, key, &proven);
        }
        self.letters.insert(key, proven);
    }

    /// Whether a daemon died while it worked on the task, without a step since.
    pub(crate) fn is_suspect(&self, task: &TaskId) -> bool {
        self.key_of(task).and_then(|key| self.get(key)).is_some_and(|letter| letter.crashes > 0)
    }

    pub(crate) fn depth(&mut self, queue: QueueName, now: Timestamp) -> QueueDepth {
        self.promote(queue, Moment::now());
        let bin = self.bin(queue);
        let mut first: Vec<i64> = bin.ready.iter().filter_map(|lane| lane.first().copied()).collect();
        first.extend(bin.suspects.first().map(|(_, key)| *key));
        let held = bin.held;
        let visible: usize = bin.ready.iter().map(BTreeSet::len).sum::<usize>() + bin.suspects.len();
        let oldest = first.iter().filter_map(|key| self.get(*key)).map(|letter| letter.sent_at).min();
        QueueDepth { visible: visible as u64, in_flight: held, oldest: oldest.map(|at| now.since(at)) }
    }

    /// Keys of the task's messages among the dead letters.
    pub(crate) fn dead_of(&self, task: &TaskId) -> Vec<i64> {
        let mine =
            |(_, letter): &(&i64, &Letter)| letter.queue.dead_letters().is_none() && letter.task.as_ref() == Some(task);
        self.letters.iter().filter(mine).map(|(key, _)| *key).collect()
    }

    /// Keys of messages of `queue` sent before `cutoff`.
    pub(crate) fn sent_before(&self, queue: QueueName, cutoff: Timestamp) -> Vec<i64> {
        let old = |(_, letter): &(&i64, &Letter)| letter.queue == queue && letter.sent_at < cutoff;
        self.letters.iter().filter(old).map(|(key, _)| *key).collect()
    }
}
