//! Records of answers that were told already. Told means promised: when the store cannot take a record now (its disk is
//! full, it is away), it is tried again until it can, and until then the daemon answers from memory. Who asked is told
//! that it is not durable yet: with this process it would be lost.

use std::{
    future::Future,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use super::{Conversations, lease};
use crate::{
    backend::{
        error::{BackendErrorKind, chain},
        store::{KeptAnswer, MessageRange, NewMessage, Result, Store},
    },
    domain::{
        agent::Invocation,
        backoff::backoff,
        ids::{InvocationId, SessionId},
        session::Message,
    },
    idempotency::HeldKey,
};

/// How long a record is tried again.
const PATIENCE: Duration = Duration::from_secs(1_800);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Records that wait at a time: they hold their texts in memory.
static WAITING: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(512)));

/// Records an invocation and ends its key: at once, or as soon as the store can. Whether it is durable.
pub(super) async fn invocation(
    of: &Conversations,
    invocation: Invocation,
    held: Option<HeldKey>,
    kept: Option<KeptAnswer>,
) -> bool {
    let store = Arc::clone(&of.store);
    // A failed answer leaves no key: it is given back when `held` goes.
    let (unanswered, held) = if kept.is_some() { (None, held) } else { (held, None) };
    let key = kept.as_ref().map(|kept| kept.key.clone());
    let write = {
        let kept = kept.clone();
        move || {
            let (store, invocation, kept) = (Arc::clone(&store), invocation.clone(), kept.clone());
            async move { store.record_invocation(invocation, kept).await }
        }
    };
    let unsettled = of.keys.unsettled().clone();
    let noted = unsettled.clone();
    let durable = until_stored(
        of,
        "an invocation",
        write,
        move || {
            if let Some(mut kept) = kept {
                kept.answer.as_object_mut().map(|answer| answer.insert("recorded".to_owned(), false.into()));
                noted.note(&kept);
            }
        },
        move |stored| {
            if let Some(key) = &key {
                unsettled.forget(key);
            }
            match held {
                Some(held) if stored => held.settled(),
                held => drop(held),
            }
        },
    )
    .await;
    drop(unanswered);
    durable
}

/// Stores the answer in a session, at once or as soon as the store can; never twice. Whether it is durable.
pub(super) async fn answer(of: &Conversations, message: NewMessage, invocation: &InvocationId) -> bool {
    let (store, invocation, tried) = (Arc::clone(&of.store), invocation.clone(), AtomicBool::new(false));
    let write = move || {
        let (store, message, again) = (Arc::clone(&store), message.clone(), tried.swap(true, Ordering::Relaxed));
        let invocation = invocation.clone();
        async move {
            if !again {
                return lease::append_answer(store.as_ref(), message).await;
            }
            // The try before may have been written although its answer was lost.
            if is_stored(store.as_ref(), &message.session_id, &invocation).await? {
                return Ok(());
            }
            // The answer was whole when it ended, and its session was given back then: it comes late, that is all.
            store.append_message(NewMessage { holder: None, ..message }).await.map(drop)
        }
    };
    until_stored(of, "an answer", write, || (), |_| ()).await
}

async fn is_stored(store: &dyn Store, session: &SessionId, invocation: &InvocationId) -> Result<bool> {
    let range = MessageRange { limit: 20, before: None, after: None };
    let of = |message: &Message| message.metadata.as_ref()?.get("invocation_id")?.as_str().map(str::to_owned);
    let messages = store.messages(session, &range).await?;
    Ok(messages.iter().any(|message| of(message).as_deref() == Some(invocation.as_str())))
}

/// Writes; when that cannot be now, `late` is called and a task goes on trying. `done` learns whether it was written.
/// Answers whether it is written already.
async fn until_stored<F: Future<Output = Result<()>> + Send + 'static>(
    of: &Conversations,
    what: &'static str,
    write: impl Fn() -> F + Send + 'static,
    late: impl FnOnce(),
    done: impl FnOnce(bool) + Send + 'static,
) -> bool {
    let error = match write().await {
        Ok(()) => {
            done(true);
            return true;
        }
        Err(error) => error,
    };
    let waits = if error.retryable() { Arc::clone(&WAITING).try_acquire_owned().ok() } else { None };
    let Some(permit) = waits else {
        tracing::warn!(error = chain(&error), "{what} could not be stored");
        done(false);
        return false;
    };
    tracing::warn!(error = chain(&error), "{what} cannot be stored now; it is tried again");
    late();
    let (tasks, stop) = (of.tasks.clone(), of.shutdown.clone());
    tasks.spawn(async move {
        let _permit = permit;
        let (begun, mut tries) = (Instant::now(), 1);
        let stored = loop {
            let pause = backoff(FIRST_PAUSE, tries, rand::random()).min(LONGEST_PAUSE);
            let last = tokio::time::timeout(pause, stop.cancelled()).await.is_ok() || begun.elapsed() > PATIENCE;
            tries = tries.saturating_add(1).min(30);
            match write().await {
                Ok(()) => break true,
                // The try before this one was written after all.
                Err(error) if error.kind() == BackendErrorKind::Conflict => break true,
                Err(error) if last || !error.retryable() => {
                    tracing::warn!(error = chain(&error), "{what} could not be stored, and is lost");
                    break false;
                }
                Err(_) => {}
            }
        };
        done(stored);
    });
    false
}
