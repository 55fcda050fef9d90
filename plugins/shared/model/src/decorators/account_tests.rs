//! However the attempts of a call fail, the books hold each that may have cost something, once.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;

use super::tests::{ask, books, failing, rules};
use super::*;
use crate::providers::{Reply, Scripted};
use crate::{ChatRequest, ChatStream, ErrorKind, Identity, ModelError, StreamEvent, Usage, collect};

async fn kind_of(stack: Arc<dyn ChatModel>) -> Result<(), ErrorKind> {
    let answer = async { collect(stack.stream(ask()).await?).await };
    answer.await.map(drop).map_err(|error| error.kind)
}

/// A stream that fails in band before its first content, with what it used until then.
fn begun(kind: ErrorKind) -> Reply {
    Reply::new().usage(Usage { input: 1000, ..Usage::default() }).broken(ModelError::new(kind, "no"))
}

/// (what the providers say in turn, the reservations that makes, whether the last one is used up)
fn histories() -> Vec<(Vec<Reply>, u32, bool)> {
    use ErrorKind::{Forbidden, Overloaded, Protocol, RateLimited, Timeout, Unauthorized};
    let here = || Reply::saying("here");
    vec![
        (vec![failing(RateLimited), failing(Timeout), here()], 2, false),
        (vec![failing(Timeout), failing(RateLimited), here()], 2, false),
        (vec![failing(Unauthorized), failing(Protocol), here()], 2, false),
        (vec![failing(Timeout), failing(Timeout), here()], 3, false),
        (vec![failing(Timeout), failing(RateLimited), failing(Forbidden)], 2, false),
        (vec![failing(RateLimited), failing(Forbidden), failing(Protocol)], 1, true),
        (vec![begun(Overloaded), here()], 2, false),
        (vec![begun(RateLimited), begun(Overloaded), here()], 3, false),
        (vec![failing(Timeout), begun(Overloaded), failing(RateLimited)], 3, false),
        (vec![begun(ErrorKind::InvalidRequest)], 1, true),
    ]
}

/// One provider after the other, each of them once.
fn failover(replies: Vec<Reply>) -> Stack {
    let mut providers = replies.into_iter().map(|reply| -> Arc<dyn ChatModel> { Arc::new(Scripted::new([reply])) });
    let first = providers.next().unwrap();
    let mut stack = providers.fold(Stack::of(first), Stack::or);
    if stack.providers.len() == 1 {
        stack = stack.or(Arc::new(Scripted::new([failing(ErrorKind::UnknownModel)])));
    }
    stack
}

#[tokio::test(start_paused = true)]
async fn failover_reserves_each_attempt_that_follows_one_which_may_have_cost() {
    for (number, (replies, reserved, is_open)) in histories().into_iter().enumerate() {
        let (books, ledger) = books(None);
        let _result = kind_of(failover(replies).budget(ledger).build()).await;
        assert_eq!(*books.reserved.lock().unwrap(), reserved, "history {number}");
        let settled = books.settled.lock().unwrap();
        assert_eq!((settled.len(), settled[0].is_open), (1, is_open), "history {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_reserves_each_attempt_that_follows_one_which_may_have_cost() {
    for (number, (replies, reserved, is_open)) in histories().into_iter().enumerate() {
        // What a retry does not repeat ends the call earlier, and what it repeats ends later.
        if [2, 5, 8].contains(&number) {
            continue;
        }
        let (books, ledger) = books(None);
        let stack = Stack::of(Arc::new(Scripted::new(replies))).retry(rules()).budget(ledger).build();
        let _result = kind_of(stack).await;
        assert_eq!(*books.reserved.lock().unwrap(), reserved, "history {number}");
        assert_eq!(books.settled.lock().unwrap()[0].is_open, is_open, "history {number}");
    }
}

/// Both at once, as the gateway has them: the retry is told what the failover has reserved already.
#[tokio::test(start_paused = true)]
async fn what_a_failover_reserved_is_not_reserved_again_by_the_retry_around_it() {
    let timeout = || failing(ErrorKind::Timeout);
    let refused = || failing(ErrorKind::RateLimited);
    let one = Scripted::named("one", [timeout(), refused()]);
    let two = Scripted::named("two", [refused(), Reply::saying("here")]);
    let (books, ledger) = books(None);
    let stack = Stack::of(Arc::new(one)).or(Arc::new(two)).retry(rules()).budget(ledger).build();
    assert_eq!(kind_of(stack).await, Ok(()));
    assert_eq!(*books.reserved.lock().unwrap(), 2);
    assert!(!books.settled.lock().unwrap()[0].is_open);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_the_budget_does_not_allow_is_not_made() {
    let refused = Scripted::named("one", [failing(ErrorKind::RateLimited)]);
    let late = Scripted::named("two", [failing(ErrorKind::Timeout)]);
    let never = Scripted::named("three", [Reply::saying("never")]);
    let (books, ledger) = books(Some(1));
    let stack = Stack::of(Arc::new(refused)).or(Arc::new(late)).or(Arc::new(never.clone())).budget(ledger).build();
    assert_eq!(kind_of(stack).await, Err(ErrorKind::BudgetExhausted));
    assert!(never.requests().is_empty());
    assert!(books.settled.lock().unwrap()[0].is_open, "the attempt before counts as spent");

    let model = Scripted::new([begun(ErrorKind::Overloaded), Reply::saying("never")]);
    let (books, ledger) = super::tests::books(Some(1));
    let stack = Stack::of(Arc::new(model.clone())).retry(rules()).budget(ledger).build();
    assert_eq!(kind_of(stack).await, Err(ErrorKind::BudgetExhausted));
    assert_eq!(model.requests().len(), 1);
    assert!(books.settled.lock().unwrap()[0].is_open);
}

/// Its credentials can always be read anew.
struct Renewed(Scripted);

#[async_trait]
impl ChatModel for Renewed {
    fn identity(&self) -> Identity {
        self.0.identity()
    }

    async fn stream(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        self.0.stream(request).await
    }

    async fn refresh_credentials(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_after_a_refresh_of_the_credentials_is_asked_for_too() {
    for (allowed, expected) in [(Some(1), Err(ErrorKind::BudgetExhausted)), (Some(2), Ok(()))] {
        let refused = || failing(ErrorKind::Unauthorized);
        // What is told is the first one's failure, what may have cost is the second one's.
        let first = Renewed(Scripted::named("one", [refused(), refused()]));
        let second = Scripted::named("two", [failing(ErrorKind::Protocol), Reply::saying("here")]);
        let (books, ledger) = books(allowed);
        let stack = Stack::of(Arc::new(first)).or(Arc::new(second)).retry(rules()).budget(ledger).build();
        assert_eq!(kind_of(stack).await, expected);
        assert_eq!(*books.reserved.lock().unwrap(), allowed.unwrap());
    }
}

/// A provider that breaks the contract: its stream merely stops.
struct Stops(Vec<StreamEvent>);

#[async_trait]
impl ChatModel for Stops {
    fn identity(&self) -> Identity {
        Identity::new("stops", "m")
    }

    async fn stream(&self, _request: ChatRequest) -> Result<ChatStream, ModelError> {
        Ok(ChatStream::new(futures::stream::iter(self.0.clone().into_iter().map(Ok))))
    }
}

#[tokio::test]
async fn a_stream_that_merely_stops_ends_with_an_error_for_every_reader() {
    let started = StreamEvent::Started { by: Identity::new("stops", "m"), id: None };
    let text = StreamEvent::Text("It looks complete.".into());
    for events in [vec![], vec![started.clone()], vec![started, text.clone()], vec![text]] {
        let model = Arc::new(Stops(events.clone()));
        let mut stream = model.stream(ask()).await.unwrap();
        for event in &events {
            assert_eq!(&stream.next().await.unwrap().unwrap(), event);
        }
        assert_eq!(stream.next().await.unwrap().unwrap_err().kind, ErrorKind::Cut);
        assert!(stream.next().await.is_none(), "and then for good");
        let (books, ledger) = books(None);
        let once = RetryRules { attempts: 1, ..rules() };
        assert_eq!(kind_of(Stack::of(model).retry(once).budget(ledger).build()).await, Err(ErrorKind::Cut));
        assert!(books.settled.lock().unwrap()[0].is_open);
    }
}
