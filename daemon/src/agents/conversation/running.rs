//! Answers that are being given, and those that were given a moment ago. An answer belongs to the daemon, not to the
//! connection that asked for it: its pieces are kept here with their numbers, and any number of clients read them, from
//! wherever they were.
//!
//! Memory is bounded: of an answer the newest pieces are kept; a client that reads slowly holds the agent back, and when
//! nobody reads, the text of the oldest pieces is folded into one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::piece::{MessagePiece, Numbered, Piece};
use crate::domain::{ids::SessionId, text::shorten_bytes, time::Timestamp};

/// Bytes of pieces that are kept of one answer.
const ROOM: usize = 256 * 1024;
/// Most bytes of text that older pieces are folded into.
const FOLDED: usize = 256 * 1024;
/// How long an answer that has ended can still be read, and bytes of all of them.
const ENDED: Duration = Duration::from_secs(120);
const ENDED_BYTES: usize = 32 << 20;
/// Answers that run at a time.
const RUNNING: usize = 4_096;
/// Pieces that wait are read together, up to this many bytes.
const TOGETHER: usize = 64 * 1024;

/// Why an answer ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The client left, and nobody else can want the answer.
    Left,
    /// Somebody asked to stop it.
    Stopped,
    /// Another daemon may answer in this session by now.
    Lost,
    /// The daemon ends.
    Stopping,
}

/// The answers of this daemon, by session.
pub(super) struct Chats {
    answers: Mutex<HashMap<SessionId, Arc<Running>>>,
    permits: Arc<Semaphore>,
}

impl Default for Chats {
    fn default() -> Self {
        Self { answers: Mutex::default(), permits: Arc::new(Semaphore::new(RUNNING)) }
    }
}

/// The right to answer in a session; ends when dropped, and then the answer is over.
pub(super) struct Chat {
    running: Arc<Running>,
    _permit: OwnedSemaphorePermit,
}

/// Why a session cannot be answered in now.
pub(super) enum NoChat {
    /// It is being answered in.
    Busy,
    /// There are too many others.
    Full,
}

impl Chats {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Running>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the session, unless it is taken.
    pub(super) fn begin(&self, session: &SessionId) -> Result<Chat, NoChat> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return Err(NoChat::Full) };
        let mut answers = self.lock();
        let before = answers.get(session);
        if before.is_some_and(|running| !running.is_over()) {
            return Err(NoChat::Busy);
        }
        // Numbers grow from answer to answer of a session, whatever the clock does.
        let above = before.map_or(0, |running| running.next_id());
        forget(&mut answers);
        let running = Arc::new(Running::new(above));
        answers.insert(session.clone(), Arc::clone(&running));
        Ok(Chat { running, _permit: permit })
    }

    /// The last answer of a session, when it is still known.
    pub(super) fn of(&self, session: &SessionId) -> Option<Arc<Running>> {
        self.lock().get(session).cloned()
    }

    /// Stops the answer of a session, when one runs here.
    pub(super) fn stop(&self, session: &SessionId) -> bool {
        self.of(session).is_some_and(|running| running.cut(Cut::Stopped))
    }
}

/// Forgets what ended long ago, and the oldest of what is too much.
fn forget(answers: &mut HashMap<SessionId, Arc<Running>>) {
    answers.retain(|_, running| running.ended_for().is_none_or(|time| time < ENDED));
    let mut ended: Vec<_> =
        answers.iter().filter_map(|(id, running)| Some((running.ended_for()?, running.bytes(), id.clone()))).collect();
    ended.sort_by_key(|(time, ..)| *time);
    let mut room = ENDED_BYTES;
    for (_, bytes, id) in ended {
        match room.checked_sub(bytes) {
            Some(left) => room = left,
            None => drop(answers.remove(&id)),
        }
    }
}

impl Chat {
    pub(super) fn running(&self) -> &Arc<Running> {
        &self.running
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.running.end();
    }
}

/// An answer with its pieces.
pub(super) struct Running {
    log: Mutex<Log>,
    /// Something was said, or it is over.
    grown: Notify,
    /// Somebody read, or left.
    read: Notify,
    cut: OnceLock<Cut>,
    cancelled: CancellationToken,
}

#[derive(Default)]
struct Log {
    /// Number of the first piece that is kept.
    start: u64,
    /// Number of the first piece of all, which is `connected`.
    first: u64,
    pieces: VecDeque<Arc<Piece>>,
    /// What they weigh.
    weight: usize,
    connected: Option<Arc<Piece>>,
    /// The text of the pieces before `start`.
    folded: String,
    ended: Option<Instant>,
    /// Where each client is: the number of the piece that it reads next.
    readers: HashMap<u64, u64>,
    next_reader: u64,
}

impl Log {
    fn next(&self) -> u64 {
        self.start + self.pieces.len() as u64
    }

    /// Drops the oldest piece.
    fn fold(&mut self) {
        let Some(piece) = self.pieces.pop_front() else { return };
        self.weight -= piece.weight();
        self.start += 1;
        if let Piece::Message(MessagePiece::Text { data }) = piece.as_ref() {
            let room = FOLDED.saturating_sub(self.folded.len());
            self.folded.push_str(shorten_bytes(data, room));
        }
    }
}

impl Running {
    pub(super) fn new(above: u64) -> Self {
        // Below 2^53, so that every client can hold it as a number.
        let first = u64::try_from(Timestamp::now().as_micros()).unwrap_or(0).max(above);
        let log = Log { start: first, first, ..Log::default() };
        Self {
            log: Mutex::new(log),
            grown: Notify::new(),
            read: Notify::new(),
            cut: OnceLock::new(),
            cancelled: CancellationToken::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells every client, now or later. Waits for one that is far behind.
    pub(super) async fn tell(&self, piece: Piece) {
        let piece = Arc::new(piece);
        loop {
            let read = self.read.notified();
            tokio::pin!(read);
            read.as_mut().enable();
            {
                let mut log = self.lock();
                while log.weight >= ROOM && log.readers.values().all(|next| *next > log.start) {
                    log.fold();
                }
                if log.weight < ROOM {
                    if log.next() == log.first {
                        log.connected = Some(Arc::clone(&piece));
                    }
                    log.weight += piece.weight();
                    log.pieces.push_back(piece);
                    drop(log);
                    self.grown.notify_waiters();
                    return;
                }
            }
            read.await;
        }
    }

    /// Nothing more comes.
    pub(super) fn end(&self) {
        self.lock().ended.get_or_insert_with(Instant::now);
        self.grown.notify_waiters();
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().ended.is_some()
    }

    fn ended_for(&self) -> Option<Duration> {
        self.lock().ended.map(|at| at.elapsed())
    }

    fn bytes(&self) -> usize {
        let log = self.lock();
        log.weight + log.folded.len()
    }

    fn next_id(&self) -> u64 {
        self.lock().next()
    }

    /// Whether a client that has read `after` has read all of an answer that is over.
    pub(super) fn was_read(&self, after: u64) -> bool {
        let log = self.lock();
        log.ended.is_some() && after + 1 == log.next()
    }

    /// Ends the answer early; whether it was running.
    pub(super) fn cut(&self, why: Cut) -> bool {
        let running = !self.is_over();
        let _ = self.cut.set(why);
        self.cancelled.cancel();
        running
    }

    pub(super) fn was_cut(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Resolves when the answer is to end early.
    pub(super) async fn cancelled(&self) -> Cut {
        self.cancelled.cancelled().await;
        self.cut.get().copied().unwrap_or(Cut::Stopped)
    }

    /// Resolves when nobody reads any more.
    pub(super) async fn unread(&self) {
        loop {
            let read = self.read.notified();
            tokio::pin!(read);
            read.as_mut().enable();
            if self.lock().readers.is_empty() {
                return;
            }
            read.await;
        }
    }

    /// A client, behind the piece `after`; from the beginning when there is no such piece in this answer.
    pub(super) fn reader(self: &Arc<Self>, after: Option<u64>) -> Reader {
        let mut log = self.lock();
        let next = after.and_then(|after| after.checked_add(1)).filter(|next| (log.start..=log.next()).contains(next));
        let next = next.unwrap_or(log.first);
        let id = log.next_reader;
        log.next_reader += 1;
        log.readers.insert(id, next);
        Reader { running: Arc::clone(self), id }
    }
}

/// What a client reads.
pub struct Reader {
    running: Arc<Running>,
    id: u64,
}

impl Reader {
    /// The next pieces; `None` at the end. Cancel-safe: nothing counts as read before it is returned.
    pub(super) async fn next(&mut self) -> Option<Vec<Numbered>> {
        loop {
            let grown = self.running.grown.notified();
            tokio::pin!(grown);
            grown.as_mut().enable();
            if let Some(found) = self.look() {
                return found;
            }
            grown.await;
        }
    }

    /// What there is now: pieces, the end, or nothing yet.
    fn look(&self) -> Option<Option<Vec<Numbered>>> {
        let mut log = self.running.lock();
        let mut at = log.readers.get(&self.id).copied()?;
        let (mut found, mut weight) = (Vec::new(), 0);
        if at < log.start {
            // From the beginning again, in fewer pieces.
            weight = log.folded.len();
            found.extend(log.connected.clone().map(|connected| (Some(log.first), connected)));
            found.push((Some(log.start - 1), Arc::new(Piece::text(log.folded.clone()))));
            at = log.start;
        }
        let skip = usize::try_from(at - log.start).unwrap_or(usize::MAX);
        for piece in log.pieces.iter().skip(skip) {
            weight += piece.weight();
            if !found.is_empty() && weight > TOGETHER {
                break;
            }
            found.push((Some(at), Arc::clone(piece)));
            at += 1;
        }
        if found.is_empty() {
            return log.ended.map(|_| None);
        }
        log.readers.insert(self.id, at);
        drop(log);
        self.running.read.notify_waiters();
        Some(Some(found))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.running.lock().readers.remove(&self.id);
        self.running.read.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected() -> Piece {
        Piece::Connected { session_id: "sess-1".parse().unwrap() }
    }

    async fn all(mut reader: Reader) -> Vec<Arc<Piece>> {
        let (mut told, mut last) = (Vec::new(), 0);
        while let Some(pieces) = reader.next().await {
            for (number, piece) in pieces {
                assert!(number.unwrap() > last, "numbers grow");
                last = number.unwrap();
                told.push(piece);
            }
        }
        told
    }

    fn said(told: &[Arc<Piece>]) -> String {
        let text = |piece: &Arc<Piece>| match piece.as_ref() {
            Piece::Message(MessagePiece::Text { data }) => data.clone(),
            _ => String::new(),
        };
        told.iter().map(text).collect()
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_is_folded_and_stays_whole() {
        let running = Arc::new(Running::new(0));
        running.tell(connected()).await;
        let mut whole = String::new();
        for n in 0..10_000 {
            let piece = format!("{n} ");
            running.tell(Piece::text(piece.clone())).await;
            whole.push_str(&piece);
        }
        running.end();
        assert!(running.bytes() < ROOM + FOLDED + 1_000);
        let told = all(running.reader(None)).await;
        assert_eq!(*told[0], connected());
        assert_eq!(said(&told), whole);
        // One that names a piece that is kept goes on behind it.
        let last = running.next_id() - 1;
        assert_eq!(said(&all(running.reader(Some(last - 1))).await), "9999 ");
        assert!(all(running.reader(Some(last))).await.is_empty());
        // One that names a piece of another answer begins anew.
        assert_eq!(said(&all(running.reader(Some(7))).await), whole);
    }

    #[tokio::test]
    async fn a_slow_client_holds_the_agent_back_and_misses_nothing() {
        let running = Arc::new(Running::new(0));
        let slow = running.reader(None);
        let teller = tokio::spawn({
            let running = Arc::clone(&running);
            async move {
                for n in 0..10_000 {
                    running.tell(Piece::text(format!("{n} "))).await;
                }
                running.end();
            }
        });
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert!(!teller.is_finished() && running.bytes() <= ROOM + 1_000);
        let told = all(slow).await;
        assert_eq!(said(&told), (0..10_000).map(|n| format!("{n} ")).collect::<String>());
        // And one that leaves holds nobody back.
        teller.await.unwrap();
    }

    #[test]
    fn numbers_grow_from_answer_to_answer() {
        let chats = Chats::default();
        let session: SessionId = "sess-1".parse().unwrap();
        let first = chats.begin(&session).ok().unwrap();
        assert!(matches!(chats.begin(&session), Err(NoChat::Busy)));
        let above = first.running().next_id();
        drop(first);
        assert!(chats.begin(&session).ok().unwrap().running().next_id() >= above);
    }
}
