//! Answers that are being given, and those that were given a moment ago. An answer belongs to the daemon, not to the
//! connection that asked for it: its frames are kept here with their numbers, and any number of clients read them, from
//! wherever they were. `stream` writes them, and `GET /sessions/{id}/stream` finds them again.
//!
//! Memory is bounded: of an answer the newest frames are kept; a client that reads slowly holds the agent back, and when
//! nobody reads, the text of the oldest frames is folded into one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::api::http::{measure::OpenStream, sse};
use crate::domain::{ids::SessionId, text::shorten_bytes, time::Timestamp};

/// Bytes of frames that are kept of one answer.
const ROOM: usize = 256 * 1024;
/// Most bytes of text that older frames are folded into.
const FOLDED: usize = 256 * 1024;
/// How long an answer that has ended can still be read, and bytes of all of them.
const ENDED: Duration = Duration::from_secs(120);
const ENDED_BYTES: usize = 32 << 20;
/// Answers that run at a time.
const RUNNING: usize = 1_024;
/// Frames that wait are sent together, up to this many bytes.
const TOGETHER: usize = 64 * 1024;

/// Why an answer ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The client left, and nobody else can want the answer.
    Left,
    /// Somebody asked to stop it.
    Stopped,
    /// Another daemon may answer in this session by now.
    Lost,
    /// The daemon ends.
    Stopping,
    /// It took too long.
    Late,
}

/// The answers of this daemon, by session, and what else must outlive a request. Cheap to clone.
#[derive(Clone)]
pub struct Chats {
    answers: Arc<Mutex<HashMap<SessionId, Arc<Running>>>>,
    permits: Arc<Semaphore>,
    /// Answers under idempotency keys that could not be recorded yet.
    pub(crate) unsettled: crate::api::http::idempotency::Unsettled,
}

impl Default for Chats {
    fn default() -> Self {
        let (answers, unsettled) = Default::default();
        Self { answers, permits: Arc::new(Semaphore::new(RUNNING)), unsettled }
    }
}

/// The right to answer in a session; ends when dropped, and then the answer is over.
pub(crate) struct Chat {
    running: Arc<Running>,
    _permit: OwnedSemaphorePermit,
}

/// Why a session cannot be answered in now.
pub(crate) enum NoChat {
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
    pub(crate) fn begin(&self, session: &SessionId) -> Result<Chat, NoChat> {
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
    pub(crate) fn of(&self, session: &SessionId) -> Option<Arc<Running>> {
        self.lock().get(session).cloned()
    }

    /// Stops the answer of a session, when one runs here.
    pub(crate) fn stop(&self, session: &SessionId) -> bool {
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
    pub(crate) fn running(&self) -> &Arc<Running> {
        &self.running
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.running.end();
    }
}

/// An answer with its frames.
pub(crate) struct Running {
    log: Mutex<Log>,
    /// Something was written, or it is over.
    grown: Notify,
    /// Somebody read, or left.
    read: Notify,
    cut: OnceLock<Cut>,
    cancelled: CancellationToken,
}

#[derive(Default)]
struct Log {
    /// Number of the first frame that is kept.
    start: u64,
    /// Number of the first frame of all, which is `connected`.
    first: u64,
    frames: VecDeque<Bytes>,
    bytes: usize,
    connected: Value,
    /// The text of the frames before `start`.
    folded: String,
    ended: Option<Instant>,
    /// Where each client is: the number of the frame that it reads next.
    readers: HashMap<u64, u64>,
    next_reader: u64,
}

impl Log {
    fn next(&self) -> u64 {
        self.start + self.frames.len() as u64
    }

    /// Drops the oldest frame.
    fn fold(&mut self) {
        let Some(frame) = self.frames.pop_front() else { return };
        self.bytes -= frame.len();
        self.start += 1;
        let data: Option<Value> = std::str::from_utf8(&frame)
            .ok()
            .and_then(|text| text.split_once("data: "))
            .and_then(|(_, data)| serde_json::from_str(data.trim_end()).ok());
        if let Some(Value::String(text)) = data.filter(|data| data["type"] == "text").as_mut().map(|d| d["data"].take())
        {
            let room = FOLDED.saturating_sub(self.folded.len());
            self.folded.push_str(shorten_bytes(&text, room));
        }
    }
}

impl Running {
    pub(crate) fn new(above: u64) -> Self {
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
    pub(crate) async fn tell(&self, data: &Value) {
        loop {
            let read = self.read.notified();
            tokio::pin!(read);
            read.as_mut().enable();
            {
                let mut log = self.lock();
                while log.bytes >= ROOM && log.readers.values().all(|next| *next > log.start) {
                    log.fold();
                }
                if log.bytes < ROOM {
                    let frame = sse::numbered(log.next(), data);
                    if log.frames.is_empty() && log.start == log.first {
                        log.connected = data.clone();
                    }
                    log.bytes += frame.len();
                    log.frames.push_back(frame);
                    drop(log);
                    self.grown.notify_waiters();
                    return;
                }
            }
            read.await;
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        self.lock().ended.get_or_insert_with(Instant::now);
        self.grown.notify_waiters();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().ended.is_some()
    }

    fn ended_for(&self) -> Option<Duration> {
        self.lock().ended.map(|at| at.elapsed())
    }

    fn bytes(&self) -> usize {
        let log = self.lock();
        log.bytes + log.folded.len()
    }

    fn next_id(&self) -> u64 {
        self.lock().next()
    }

    /// Whether a client that has read `after` has read all of an answer that is over.
    pub(crate) fn was_read(&self, after: u64) -> bool {
        let log = self.lock();
        log.ended.is_some() && after + 1 == log.next()
    }

    /// Ends the answer early; whether it was running.
    pub(crate) fn cut(&self, why: Cut) -> bool {
        let running = !self.is_over();
        let _ = self.cut.set(why);
        self.cancelled.cancel();
        running
    }

    pub(crate) fn was_cut(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Resolves when the answer is to end early.
    pub(crate) async fn cancelled(&self) -> Cut {
        self.cancelled.cancelled().await;
        self.cut.get().copied().unwrap_or(Cut::Stopped)
    }

    /// Resolves when nobody reads any more.
    pub(crate) async fn unread(&self) {
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

    /// A client, behind the frame `after`; from the beginning when there is no such frame in this answer.
    pub(crate) fn reader(self: &Arc<Self>, after: Option<u64>, keep_alive: Duration) -> Reader {
        let mut log = self.lock();
        let next = after.and_then(|after| after.checked_add(1)).filter(|next| (log.start..=log.next()).contains(next));
        let next = next.unwrap_or(log.first);
        let id = log.next_reader;
        log.next_reader += 1;
        log.readers.insert(id, next);
        Reader { running: Arc::clone(self), id, keep_alive, _open: OpenStream::begin("chat") }
    }
}

/// What a connection reads.
pub(crate) struct Reader {
    running: Arc<Running>,
    id: u64,
    keep_alive: Duration,
    _open: OpenStream,
}

impl Reader {
    /// The next frames, or a sign of life; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        tokio::time::timeout(self.keep_alive, self.frames()).await.unwrap_or(Some(sse::KEEP_ALIVE))
    }

    /// Cancel-safe: nothing counts as read before it is returned.
    async fn frames(&self) -> Option<Bytes> {
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

    /// What there is now: frames, the end, or nothing yet.
    fn look(&self) -> Option<Option<Bytes>> {
        let mut log = self.running.lock();
        let next = log.readers.get(&self.id).copied()?;
        let mut found = BytesMut::new();
        let mut at = next;
        if at < log.start {
            // From the beginning again, in fewer pieces.
            let text = json!({ "event": "message", "type": "text", "data": log.folded });
            found.extend_from_slice(&sse::numbered(log.first, &log.connected));
            found.extend_from_slice(&sse::numbered(log.start - 1, &text));
            at = log.start;
        }
        let skip = usize::try_from(at - log.start).unwrap_or(usize::MAX);
        for frame in log.frames.iter().skip(skip) {
            if !found.is_empty() && found.len() + frame.len() > TOGETHER {
                break;
            }
            found.extend_from_slice(frame);
            at += 1;
        }
        if found.is_empty() {
            return log.ended.map(|_| None);
        }
        log.readers.insert(self.id, at);
        drop(log);
        self.running.read.notify_waiters();
        Some(Some(found.freeze()))
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

    fn text(data: &str) -> Value {
        json!({ "event": "message", "type": "text", "data": data })
    }

    async fn all(mut reader: Reader) -> String {
        let mut told = String::new();
        while let Some(frames) = reader.next().await {
            told.push_str(std::str::from_utf8(&frames).unwrap());
        }
        told
    }

    fn said(told: &str) -> String {
        let data = told.lines().filter_map(|line| line.strip_prefix("data: "));
        let data = data.map(|data| serde_json::from_str::<Value>(data).unwrap());
        data.filter(|data| data["type"] == "text").map(|data| data["data"].as_str().unwrap().to_owned()).collect()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn an_answer_that_nobody_reads_is_folded_and_stays_whole() {
        let running = Arc::new(Running::new(0));
        running.tell(&json!({ "event": "connected" })).await;
        let mut whole = String::new();
        for n in 0..10_000 {
            let piece = format!("{n} ");
            running.tell(&text(&piece)).await;
            whole.push_str(&piece);
        }
        running.end();
        assert!(running.bytes() < ROOM + FOLDED + 1_000);
        let told = all(running.reader(None, LONG)).await;
        assert!(told.contains("connected"));
        assert_eq!(said(&told), whole);
        // One that names a frame that is kept goes on behind it.
        let last = running.next_id() - 1;
        assert_eq!(said(&all(running.reader(Some(last - 1), LONG)).await), "9999 ");
        assert_eq!(all(running.reader(Some(last), LONG)).await, "");
        // One that names a frame of another answer begins anew.
        assert_eq!(said(&all(running.reader(Some(7), LONG)).await), whole);
    }

    #[tokio::test]
    async fn a_slow_client_holds_the_agent_back_and_misses_nothing() {
        let running = Arc::new(Running::new(0));
        let slow = running.reader(None, LONG);
        let teller = tokio::spawn({
            let running = Arc::clone(&running);
            async move {
                for n in 0..10_000 {
                    running.tell(&text(&format!("{n} "))).await;
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
