//! What plugins say on their own, whatever transport it comes by: events, the end of a job, the question whether it is
//! cancelled. Called on the plugin's threads or on a transport's own; nothing in here trusts what it is given.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
};

use nexus_plugin_api::{
    abi::{STATUS_CANCELLED, STATUS_FAILED, STATUS_OK, STATUS_PANICKED},
    payload::{Event, Failure, LogLevel},
};

use super::{
    description::excerpt,
    error::JobError,
    generation,
    queue::Pushed,
    state::{JobState, Outcome},
};

pub(super) use super::queue::Wait;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was read, or is no concern of anybody.
    Yes,
    /// The queue is full, and the caller must not wait.
    NoRoom,
}

/// Whether a job is to end. One that nobody knows should end, too.
pub(super) fn is_cancelled(token: u64) -> bool {
    let job = generation::of_token(token).and_then(|generation| generation.job(token));
    job.is_none_or(|job| job.is_cancelled())
}

/// Takes an event of `size` bytes. It is read only when it is not too large.
pub(super) fn event<'a>(token: u64, size: usize, read: impl FnOnce() -> &'a [u8], wait: Wait) -> Taken {
    let Some(job) = generation::of_token(token).and_then(|generation| generation.job(token)) else {
        late(token, "event");
        return Taken::Yes;
    };
    let limit = job.generation.limits().max_event_bytes;
    if size > limit {
        unreadable(&job, "event_too_large", format!("an event of {size} bytes; {limit} are allowed"));
        return Taken::Yes;
    }
    let bytes = read();
    let event = match serde_json::from_slice::<Event>(bytes) {
        Ok(Event::Progress { value, message }) => Event::Progress { value: value.clamp(0.0, 1.0), message },
        Ok(event) => event,
        Err(error) => {
            unreadable(&job, "event_invalid", format!("an event that cannot be read: {error}, in {}", excerpt(bytes)));
            return Taken::Yes;
        }
    };
    match job.queue.push(event, bytes.len(), wait) {
        Pushed::Full => Taken::NoRoom,
        // A closed queue is the normal end of a cancelled job: there is nothing to wait for.
        Pushed::Queued | Pushed::Closed => Taken::Yes,
    }
}

/// An event was dropped because its sender was not allowed to wait.
pub(super) fn flooded(token: u64) {
    if let Some(generation) = generation::of_token(token) {
        generation.violation("event_flood", || {
            "more events inside `start` or `cancel` than the queue holds; they are dropped (send them from a thread)".into()
        });
    }
}

/// Counts an event that is dropped, and tells the job's reader of the first.
fn unreadable(job: &JobState, rule: &'static str, what: String) {
    if !job.warned.swap(true, Ordering::Relaxed) {
        let message = format!("dropped {what} (further ones are only counted)");
        let size = message.len();
        job.queue.push(Event::Log { level: LogLevel::Warn, message }, size, Wait::Never);
    }
    job.generation.violation(rule, || what);
}

/// Ends a job. `take` gives the result out if it has no more bytes than it is told, else its size; it is called once,
/// whatever comes of it, because the sender waits for its buffer.
pub(super) fn done(token: u64, status: u32, take: impl FnOnce(usize) -> Result<Vec<u8>, usize>) {
    let Some(job) = generation::of_token(token).and_then(|generation| generation.claim(token)) else {
        let _ = take(0);
        return late(token, "done");
    };
    let payload = take(job.generation.limits().max_result_bytes);
    // Parsed here, on the plugin's thread, to keep large results off the daemon's.
    let outcome = catch_unwind(AssertUnwindSafe(|| outcome(&job, status, payload)))
        .unwrap_or_else(|_| Err(violation(&job, "the result cannot be read".into())));
    job.finish(outcome);
}

fn outcome(job: &JobState, status: u32, payload: Result<Vec<u8>, usize>) -> Outcome {
    let broke = |rule, what: String| {
        job.generation.violation(rule, || what.clone());
        Err(violation(job, what))
    };
    let payload = match payload {
        Ok(payload) => payload,
        Err(size) => {
            let limit = job.generation.limits().max_result_bytes;
            return broke("result_too_large", format!("a result of {size} bytes; {limit} are allowed"));
        }
    };
    match status {
        STATUS_OK => serde_json::from_slice(&payload)
            .or_else(|e| broke("result_invalid", format!("a result that is no JSON: {e}, in {}", excerpt(&payload)))),
        STATUS_FAILED => Err(JobError::Failed(failure(&payload))),
        STATUS_PANICKED => {
            let message = failure(&payload).message;
            job.generation.panicked(&job.handler, &message);
            Err(JobError::Panicked { plugin: job.generation.name().to_owned(), message })
        }
        STATUS_CANCELLED if job.is_cancelled() => Err(JobError::Cancelled),
        STATUS_CANCELLED => Err(JobError::Failed(Failure::transient(
            "the plugin ended the job as cancelled, but nobody had asked it to",
        ))),
        other => broke("status_unknown", format!("`done` with the unknown status {other}")),
    }
}

/// The plugin's failure, whatever state it is in. Bounded, because it goes into the project's record.
fn failure(payload: &[u8]) -> Failure {
    const MESSAGE: usize = 4 << 10;
    const DETAILS: usize = 64 << 10;
    let mut failure = read_failure(payload);
    clip(&mut failure.message, MESSAGE);
    if let Some(details) = &mut failure.details {
        clip(details, DETAILS);
    }
    failure
}

/// Keeps the beginning.
fn clip(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
        text.push('…');
    }
}

fn read_failure(payload: &[u8]) -> Failure {
    serde_json::from_slice(payload).unwrap_or_else(|_| {
        let text =
            if payload.is_empty() { "without saying why".into() } else { format!("saying {}", excerpt(payload)) };
        Failure::permanent(format!("the plugin failed {text}"))
    })
}

fn violation(job: &JobState, what: String) -> JobError {
    JobError::Violation { plugin: job.generation.name().to_owned(), what }
}

fn late(token: u64, call: &'static str) {
    match generation::of_token(token) {
        Some(generation) if generation.issued(token) => {
            let rule = if call == "done" { "late_done" } else { "late_event" };
            generation.violation(rule, || format!("`{call}` for a job that is over already"));
        }
        Some(generation) => {
            generation.violation("unknown_job", || format!("`{call}` for job {token:#x}, which never was"))
        }
        None => tracing::warn!(token, call, "a plugin spoke of a job that never was"),
    }
}
