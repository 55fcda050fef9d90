//! What the writer keeps in memory. The file lock makes this process the only one, so visibility of
//! messages and ends of leases need no rows: a start after a crash makes everything visible and free
//! anyway. The rows stay the authority on who holds a lease; this only says until when.

use std::{collections::HashMap, time::Instant};

use super::{clock::Moment, projects::Fence, stages::Brief, sweep::Mark};
use crate::domain::queue::Receive;
use crate::{
    backend::sqlite::queue::mailbox::{Letter, Mailboxes},
    domain::{
        ids::{ProjectId, TaskId},
        queue::QueueName,
    },
};

/// More cached projects than this are forgotten together.
const HOT_LIMIT: usize = 50_000;

/// Memory of the writer.
pub(crate) struct State {
    pub(crate) mail: Mailboxes,
    /// Ends of held leases.
    pub(crate) leases: HashMap<TaskId, Moment>,
    /// When tasks were first claimed, of those that this process began and that have not ended.
    pub(crate) begun: HashMap<TaskId, Instant>,
    /// How far events are cleaned.
    pub(crate) cleaned: Mark,
    hot: HashMap<ProjectId, Hot>,
    live: HashMap<ProjectId, Live>,
    pub(crate) ulids: ulid::Generator,
    pub(crate) max_receive_count: u32,
}

/// What a project's next write needs to find its rows.
#[derive(Clone, Copy)]
pub(crate) struct Hot {
    pub(crate) key: i64,
    /// Last number given to an event.
    pub(crate) seq: u64,
}

/// A build between two steps, as its rows are: spares the next step from reading what it wrote.
///
/// True by construction: only claims and steps leave one here, and every other change of a project
/// reads its row first (`projects::fence`), which drops it, as does every rollback.
pub(crate) struct Live {
    pub(crate) fence: Fence,
    pub(crate) stages: Vec<Brief>,
}

/// A change of memory that happens when the transaction is committed.
pub(crate) enum Effect {
    /// A message was written.
    Sent(i64, Letter),
    /// A message was deleted.
    Gone(i64),
    /// A message is to come again at once.
    Show(i64),
    /// A message was handed back unused: visible at once, and the receive does not count.
    HandedBack(i64),
    /// A message went to another queue.
    Moved(i64, QueueName),
    /// A lease was taken.
    Leased(TaskId, Moment),
    /// A task was claimed for the first time.
    Begun(TaskId, Instant),
    /// A task ended: its lease, too.
    Ended(TaskId),
    Unleased(TaskId),
    /// A build made a step: earlier receives of its message count no more.
    Progress(TaskId),
    /// A suspect outlived what it was suspected of.
    Proven(TaskId),
}

impl State {
    pub(crate) fn new(mail: Mailboxes, max_receive_count: u32) -> Self {
        Self {
            mail,
            leases: HashMap::new(),
            begun: HashMap::new(),
            cleaned: Mark::default(),
            hot: HashMap::new(),
            live: HashMap::new(),
            ulids: ulid::Generator::new(),
            max_receive_count,
        }
    }

    pub(crate) fn hot(&self, id: &ProjectId) -> Option<Hot> {
        self.hot.get(id).copied()
    }

    pub(crate) fn set_hot(&mut self, id: &ProjectId, hot: Hot) {
        if let Some(known) = self.hot.get_mut(id) {
            *known = hot;
            return;
        }
        if self.hot.len() >= HOT_LIMIT {
            self.hot.clear();
        }
        self.hot.insert(id.clone(), hot);
    }

    pub(crate) fn forget_hot(&mut self, id: &ProjectId) {
        self.hot.remove(id);
        self.live.remove(id);
    }

    pub(crate) fn take_live(&mut self, id: &ProjectId) -> Option<Live> {
        self.live.remove(id)
    }

    pub(crate) fn set_live(&mut self, id: &ProjectId, live: Live) {
        if self.live.len() >= HOT_LIMIT {
            self.live.clear();
        }
        self.live.insert(id.clone(), live);
    }

    /// After a rollback nothing that was learnt in the transaction holds.
    pub(crate) fn forget_all_hot(&mut self) {
        self.cleaned = Mark::default();
        self.hot.clear();
        self.live.clear();
    }

    /// Applies `effect`; answers the queue that has something to receive now.
    pub(crate) fn apply(&mut self, effect: Effect) -> Option<QueueName> {
        match effect {
            Effect::Sent(key, letter) => {
                let queue = letter.queue;
                self.mail.insert(key, letter);
                Some(queue)
            }
            Effect::Gone(key) => {
                self.mail.remove(key);
                None
            }
            Effect::Show(key) => self.mail.show(key),
            Effect::HandedBack(key) => {
                self.mail.release(key, None, Receive::Uncounted);
                self.mail.get(key).map(|letter| letter.queue)
            }
            Effect::Moved(key, to) => {
                self.mail.move_to(key, to);
                Some(to)
            }
            Effect::Leased(task, until) => {
                self.leases.insert(task, until);
                None
            }
            Effect::Begun(task, at) => {
                self.begun.insert(task, at);
                None
            }
            Effect::Ended(task) => {
                self.begun.remove(&task);
                self.leases.remove(&task);
                None
            }
            Effect::Proven(task) => {
                self.mail.prove(&task);
                None
            }
            Effect::Unleased(task) => {
                self.leases.remove(&task);
                None
            }
            Effect::Progress(task) => {
                self.mail.progress(&task);
                None
            }
        }
    }
}
