//! The functions that plugins call. They run on the plugin's threads, trust no argument but the byte
//! ranges (which no host can check), and let no panic out.
#![allow(unsafe_code)] // called by plugins

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
};

use nexus_plugin_api::{
    abi::{Bytes, HostV1, OwnedBytes, STATUS_CANCELLED, STATUS_FAILED, STATUS_OK, STATUS_PANICKED},
    payload::{Event, Failure, LogLevel},
};

use super::{
    error::JobError,
    generation,
    handshake::excerpt,
    lane,
    queue::Pushed,
    state::{JobState, Outcome},
};

/// The table that every job gets.
pub(super) static HOST: HostV1 = HostV1 {
    size: size_of::<HostV1>() as u32,
    reserved: 0,
    is_cancelled: Some(is_cancelled),
    event: Some(event),
    done: Some(done),
    try_event: Some(try_event),
};

unsafe extern "C" fn is_cancelled(token: u64) -> u8 {
    // A job that nobody knows should end, too.
    guarded(1, || {
        let job = generation::of_token(token).and_then(|generation| generation.job(token));
        u8::from(job.is_none_or(|job| job.is_cancelled()))
    })
}

unsafe extern "C" fn event(token: u64, json: Bytes) {
    // A lane must not wait for the job's reader: other jobs wait for the lane.
    // SAFETY: the plugin promises that the range is readable during the call.
    let taken = guarded(1, || unsafe { offer(token, json, !lane::on_lane()) });
    if taken == 0 {
        guarded((), || flooded(token));
    }
}

unsafe extern "C" fn try_event(token: u64, json: Bytes) -> u8 {
    // SAFETY: as above.
    guarded(1, || unsafe { offer(token, json, false) })
}

/// Takes an event: 1, unless there is no room and the caller may not wait.
///
/// # Safety
/// `json` must be readable during the call.
unsafe fn offer(token: u64, json: Bytes, may_wait: bool) -> u8 {
    let Some(job) = generation::of_token(token).and_then(|generation| generation.job(token)) else {
        late(token, "event");
        return 1;
    };
    let limit = job.generation.limits().max_event_bytes;
    if json.len > limit {
        unreadable(&job, "event_too_large", format!("an event of {} bytes; {limit} are allowed", json.len));
        return 1;
    }
    // SAFETY: promised by the caller.
    let bytes = unsafe { json.as_slice() };
    let event = match serde_json::from_slice::<Event>(bytes) {
        Ok(Event::Progress { value, message }) => Event::Progress { value: value.clamp(0.0, 1.0), message },
        Ok(event) => event,
        Err(error) => {
            unreadable(&job, "event_invalid", format!("an event that is none: {error}, in {}", excerpt(bytes)));
            return 1;
        }
    };
    // A closed queue is the normal end of a cancelled job: there is nothing to wait for.
    u8::from(job.queue.push(event, bytes.len(), may_wait) != Pushed::Full)
}

fn flooded(token: u64) {
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
        job.queue.push(Event::Log { level: LogLevel::Warn, message }, size, false);
    }
    job.generation.violation(rule, || what);
}

unsafe extern "C" fn done(token: u64, status: u32, json: OwnedBytes) {
    guarded((), || {
        let Some(generation) = generation::of_token(token) else {
            discard(json);
            return late(token, "done");
        };
        let Some(job) = generation.claim(token) else {
            discard(json);
            return late(token, "done");
        };
        // SAFETY: the plugin hands the buffer over; it is taken once.
        let payload = unsafe { json.take(generation.limits().max_result_bytes) };
        // Parsed here, on the plugin's thread, to keep large results off the daemon's.
        let outcome = catch_unwind(AssertUnwindSafe(|| outcome(&job, status, payload)))
            .unwrap_or_else(|_| Err(violation(&job, "the result cannot be read".into())));
        job.finish(outcome);
    });
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

fn discard(json: OwnedBytes) {
    // SAFETY: the plugin hands the buffer over; it is taken once.
    let _ = unsafe { json.take(0) };
}

/// Runs `body`; a panic becomes `otherwise`, for no panic may cross the boundary.
fn guarded<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        // Dropping a foreign payload could panic again.
        std::mem::forget(payload);
        tracing::error!("the plugin host panicked inside a call from a plugin");
        otherwise
    })
}
