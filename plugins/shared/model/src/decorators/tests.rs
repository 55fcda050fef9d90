use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;

use super::*;
use crate::providers::{Reply, Scripted};
use crate::{ChatRequest, ErrorKind, Identity, ModelError, StopReason, Usage, collect};

/// Books in memory: what was reserved, and how it was settled.
#[derive(Default)]
pub(super) struct Books {
    pub(super) reserved: Mutex<u32>,
    allowed: Option<u32>,
    pub(super) settled: Mutex<Vec<Settlement>>,
}

struct Page(Arc<Books>);

impl Books {
    fn take(&self) -> Result<(), ModelError> {
        let mut reserved = self.reserved.lock().unwrap();
        if self.allowed.is_some_and(|allowed| *reserved >= allowed) {
            return Err(ModelError::new(ErrorKind::BudgetExhausted, "no budget is left"));
        }
        *reserved += 1;
        Ok(())
    }
}

struct SharedBooks(Arc<Books>);

#[async_trait]
impl Ledger for SharedBooks {
    async fn reserve(&self, _request: &ChatRequest) -> Result<Arc<dyn Reservation>, ModelError> {
        self.0.take()?;
        Ok(Arc::new(Page(Arc::clone(&self.0))))
    }
}

#[async_trait]
impl Reservation for Page {
    async fn another_attempt(&self) -> Result<(), ModelError> {
        self.0.take()
    }

    fn settle(&self, settlement: Settlement) {
        self.0.settled.lock().unwrap().push(settlement);
    }
}

pub(super) fn rules() -> RetryRules {
    RetryRules::default()
}

pub(super) fn failing(kind: ErrorKind) -> Reply {
    Reply::refused(ModelError::new(kind, "no"))
}

pub(super) fn ask() -> ChatRequest {
    ChatRequest::of("hello")
}

pub(super) fn books(allowed: Option<u32>) -> (Arc<Books>, Arc<dyn Ledger>) {
    let books = Arc::new(Books { allowed, ..Books::default() });
    (Arc::clone(&books), Arc::new(SharedBooks(books)))
}

#[tokio::test(start_paused = true)]
async fn a_call_is_reserved_once_however_often_it_is_refused() {
    let model = Scripted::new([failing(ErrorKind::RateLimited), failing(ErrorKind::Overloaded), Reply::saying("here")]);
    let (books, ledger) = books(Some(1));
    let stack = Stack::of(Arc::new(model.clone())).retry(rules()).budget(ledger).build();
    let answer = collect(stack.stream(ask()).await.unwrap()).await.unwrap();
    assert_eq!((answer.text.as_str(), model.requests().len()), ("here", 3));
    let settled = books.settled.lock().unwrap();
    let usage = Usage { input: 10, output: 5, ..Usage::default() };
    assert_eq!(settled.len(), 1);
    assert_eq!(settled[0].used, [(Identity::new("scripted", "script"), usage)]);
    assert!(!settled[0].is_open && !settled[0].is_cancelled);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_may_have_cost_is_reserved_anew_or_not_made() {
    for (allowed, expected) in [(Some(1), Err(ErrorKind::BudgetExhausted)), (Some(2), Ok("here"))] {
        let model = Scripted::new([failing(ErrorKind::Timeout), Reply::saying("here")]);
        let (books, ledger) = books(allowed);
        let stack = Stack::of(Arc::new(model.clone())).retry(rules()).budget(ledger).build();
        let result = match stack.stream(ask()).await {
            Ok(stream) => collect(stream).await,
            Err(error) => Err(error),
        };
        assert_eq!(result.as_ref().map(|answer| answer.text.as_str()).map_err(|error| error.kind), expected);
        let settled = books.settled.lock().unwrap();
        assert_eq!(settled[0].is_open, result.is_err(), "without a second attempt the first one counts as spent");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_worth_a_retry_is_not_repeated() {
    for kind in [
        ErrorKind::InvalidRequest,
        ErrorKind::ContextOverflow,
        ErrorKind::Forbidden,
        ErrorKind::QuotaExceeded,
        ErrorKind::BudgetExhausted,
    ] {
        let model = Scripted::new([failing(kind), Reply::saying("never")]);
        let stack = Stack::of(Arc::new(model.clone())).retry(rules()).build();
        assert_eq!(stack.stream(ask()).await.unwrap_err().kind, kind);
        assert_eq!(model.requests().len(), 1, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_wait_as_long_as_they_are_asked_to_and_no_longer_than_allowed() {
    let asks = |seconds| {
        Reply::refused(
            ModelError::new(ErrorKind::RateLimited, "no").with_retry_after(Some(Duration::from_secs(seconds))),
        )
    };
    let begin = tokio::time::Instant::now();
    let model = Scripted::new([asks(7), Reply::saying("here")]);
    let stack = Stack::of(Arc::new(model)).retry(rules()).build();
    collect(stack.stream(ask()).await.unwrap()).await.unwrap();
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_secs(7) && waited < Duration::from_secs(10), "{waited:?}");

    let model = Scripted::new([asks(3600), Reply::saying("never")]);
    let begin = tokio::time::Instant::now();
    let stack = Stack::of(Arc::new(model.clone())).retry(rules()).build();
    let error = stack.stream(ask()).await.unwrap_err();
    assert_eq!((error.retry_after, model.requests().len()), (Some(Duration::from_secs(3600)), 1));
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_attempts_is_bounded_and_their_waits_grow() {
    let model = Scripted::new((0..9).map(|_| failing(ErrorKind::Overloaded)));
    let begin = tokio::time::Instant::now();
    let stack = Stack::of(Arc::new(model.clone())).retry(rules()).build();
    assert_eq!(stack.stream(ask()).await.unwrap_err().kind, ErrorKind::Overloaded);
    assert_eq!(model.requests().len(), 4);
    let waited = begin.elapsed();
    // 0.5 + 1 + 2 seconds, of each the half at random.
    assert!(waited >= Duration::from_millis(1750) && waited <= Duration::from_millis(3500), "{waited:?}");
}

#[tokio::test]
async fn another_provider_answers_where_the_first_cannot() {
    let first = Scripted::named("first", [failing(ErrorKind::Unauthorized)]);
    let second = Scripted::named("second", [Reply::saying("here")]);
    let stack = Stack::of(Arc::new(first)).or(Arc::new(second)).build();
    let answer = collect(stack.stream(ask()).await.unwrap()).await.unwrap();
    assert_eq!((answer.by.unwrap().provider.as_ref(), answer.text.as_str()), ("second", "here"));
    // A request that is wrong is wrong everywhere.
    let first = Scripted::named("first", [failing(ErrorKind::InvalidRequest)]);
    let second = Scripted::named("second", [Reply::saying("never")]);
    let stack = Stack::of(Arc::new(first)).or(Arc::new(second.clone())).build();
    assert_eq!(stack.stream(ask()).await.unwrap_err().kind, ErrorKind::InvalidRequest);
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn nothing_is_handed_on_after_the_first_content() {
    let cut = ModelError::new(ErrorKind::Cut, "gone");
    let first = Scripted::named("first", [Reply::new().text("half").broken(cut)]);
    let second = Scripted::named("second", [Reply::saying("never")]);
    let (books, ledger) = books(None);
    let stack = Stack::of(Arc::new(first)).or(Arc::new(second.clone())).retry(rules()).budget(ledger).build();
    let error = collect(stack.stream(ask()).await.unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cut);
    assert!(second.requests().is_empty());
    assert!(books.settled.lock().unwrap()[0].is_open);
}

#[tokio::test]
async fn a_dropped_stream_is_settled_as_open_and_reaches_the_provider() {
    let (reply, gate) = Reply::saying("here").gated();
    let model = Scripted::new([reply]);
    let (books, ledger) = books(None);
    let stack = Stack::of(Arc::new(model.clone())).retry(rules()).budget(ledger).build();
    gate.send(()).await.unwrap();
    let mut stream = stack.stream(ask()).await.unwrap();
    while !stream.next().await.unwrap().unwrap().is_content() {}
    drop(stream);
    model.cancelled(1).await;
    let settled = books.settled.lock().unwrap();
    assert!(settled[0].is_open && settled[0].is_cancelled);
}

/// A model may think for long and say little: the answer's length is no bound of what it cost.
#[tokio::test]
async fn a_finish_without_final_usage_keeps_what_was_set_aside() {
    let usage = Usage { input: 5, output: 1, ..Usage::default() };
    let silent = Reply::new().text("four").stop(StopReason::EndTurn);
    let early = Reply::new().usage(usage).text("four").stop(StopReason::EndTurn);
    let model = Scripted::new([silent, early, Reply::saying("here")]);
    let (books, ledger) = books(None);
    let stack = Stack::of(Arc::new(model)).retry(rules()).budget(ledger).build();
    for _ in 0..3 {
        collect(stack.stream(ask()).await.unwrap()).await.unwrap();
    }
    let settled = books.settled.lock().unwrap();
    assert_eq!(settled.iter().map(|settled| settled.is_open).collect::<Vec<_>>(), [true, true, false]);
    assert!(settled.iter().all(|settled| settled.error.is_none()));
}

#[tokio::test(start_paused = true)]
async fn each_deadline_ends_a_call_that_hangs() {
    let second = Duration::from_secs(1);
    let deadlines = Deadlines { first: Some(second), between: Some(second * 2), whole: None };
    let (reply, _gate) = Reply::saying("here").gated();
    let stack = Stack::of(Arc::new(Scripted::new([reply]))).deadlines(deadlines).build();
    let begin = tokio::time::Instant::now();
    let error = collect(stack.stream(ask()).await.unwrap()).await.unwrap_err();
    assert_eq!((error.kind, begin.elapsed()), (ErrorKind::Timeout, second));

    let (reply, gate) = Reply::saying("here").gated();
    let stack = Stack::of(Arc::new(Scripted::new([reply]))).deadlines(deadlines).build();
    let mut stream = stack.stream(ask()).await.unwrap();
    gate.send(()).await.unwrap();
    while !stream.next().await.unwrap().unwrap().is_content() {}
    let begin = tokio::time::Instant::now();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!((error.kind, begin.elapsed()), (ErrorKind::Timeout, second * 2));
    assert!(stream.next().await.is_none());

    // The whole deadline counts the attempts with their waits.
    let (reply, _gate) = Reply::saying("here").gated();
    let model = Scripted::new([failing(ErrorKind::Overloaded), reply]);
    let begin = tokio::time::Instant::now();
    let stack = Stack::of(Arc::new(model)).retry(rules()).within(second * 3).build();
    let error = stack.stream(ask()).await.unwrap_err();
    assert_eq!((error.kind, begin.elapsed()), (ErrorKind::Timeout, second * 3));
}

/// Refuses until its credentials are refreshed.
struct Stale {
    inner: Scripted,
    fresh: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl ChatModel for Stale {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    async fn stream(&self, request: ChatRequest) -> Result<crate::ChatStream, ModelError> {
        if self.fresh.load(std::sync::atomic::Ordering::SeqCst) {
            return self.inner.stream(request).await;
        }
        Err(ModelError::new(ErrorKind::Unauthorized, "expired"))
    }

    async fn refresh_credentials(&self) -> bool {
        !self.fresh.swap(true, std::sync::atomic::Ordering::SeqCst)
    }
}

#[tokio::test]
async fn credentials_are_refreshed_once_outside_the_count_of_attempts() {
    let model = Arc::new(Stale { inner: Scripted::new([Reply::saying("here")]), fresh: false.into() });
    let once = RetryRules { attempts: 1, ..rules() };
    let stack = Stack::of(model).retry(once).build();
    assert_eq!(collect(stack.stream(ask()).await.unwrap()).await.unwrap().text, "here");
    let model = Scripted::new([failing(ErrorKind::Unauthorized), Reply::saying("never")]);
    let stack = Stack::of(Arc::new(model)).retry(rules()).build();
    assert_eq!(stack.stream(ask()).await.unwrap_err().kind, ErrorKind::Unauthorized);
}
