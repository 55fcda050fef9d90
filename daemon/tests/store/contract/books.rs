//! The books of what language models cost.

use std::time::Duration;

use nexus_daemon::{
    backend::{
        error::BackendErrorKind,
        store::{Account, Amount, Booking, Limits, NewCall, Statement},
    },
    domain::time::Timestamp,
};

use super::world::Fixture;

fn amount(cost: u64, tokens: u64) -> Amount {
    Amount { cost, tokens }
}

fn account(name: &str, most_cost: Option<u64>, most_tokens: Option<u64>) -> Account {
    Account { name: name.into(), most_cost, most_tokens }
}

fn call(id: &str, most: Amount, accounts: Vec<Account>) -> NewCall {
    NewCall { call_id: id.into(), most, ends_at: Timestamp::now().plus(Duration::from_secs(60)), accounts }
}

async fn used(f: &Fixture, name: &str) -> Amount {
    f.store.account(name).await.unwrap().used
}

pub async fn a_call_is_booked_once_and_settled_once(f: &Fixture) {
    let accounts = || vec![account("day:x", None, None), account("project:p", Some(100), None)];
    let new = || call("c", amount(60, 9), accounts());
    assert_eq!(f.store.reserve_call(new()).await.unwrap(), Booking::Done);
    assert_eq!(f.store.reserve_call(new()).await.unwrap(), Booking::Done, "the same call is the same reservation");
    for name in ["day:x", "project:p"] {
        assert_eq!(used(f, name).await, amount(60, 9), "{name}");
    }
    assert_eq!(f.store.settle_call("c", Some(amount(7, 3))).await.unwrap(), Some(amount(7, 3)));
    assert_eq!(f.store.settle_call("c", Some(amount(50, 50))).await.unwrap(), Some(amount(7, 3)), "settled is settled");
    assert_eq!(f.store.settle_call("c", None).await.unwrap(), Some(amount(7, 3)));
    assert_eq!(f.store.reserve_call(new()).await.unwrap(), Booking::Done, "a late repetition books nothing");
    for name in ["day:x", "project:p"] {
        assert_eq!(used(f, name).await, amount(7, 3), "{name}");
    }
    assert_eq!(f.store.settle_call("nobody", None).await.unwrap(), None);
    assert_eq!(used(f, "project:other").await, Amount::default());
}

pub async fn what_one_account_cannot_hold_is_booked_on_none(f: &Fixture) {
    let tight = account("run:r", None, Some(10));
    let accounts = || vec![account("project:p", Some(100), None), tight.clone()];
    assert_eq!(f.store.reserve_call(call("a", amount(1, 10), accounts())).await.unwrap(), Booking::Done, "to the brim");
    let refused = f.store.reserve_call(call("b", amount(1, 1), accounts())).await.unwrap();
    assert_eq!(refused, Booking::Exhausted { account: tight.clone(), used: amount(1, 10) });
    assert_eq!(used(f, "project:p").await, amount(1, 10));
    // A refused call is unknown: after the limit was raised it is booked under its id.
    let raised = vec![account("project:p", Some(100), None), account("run:r", None, Some(11))];
    assert_eq!(f.store.reserve_call(call("b", amount(1, 1), raised)).await.unwrap(), Booking::Done);
    assert_eq!(used(f, "run:r").await, amount(2, 11));
}

pub async fn a_limit_that_an_account_has_of_its_own_holds_until_it_is_raised(f: &Fixture) {
    let limits = |cost, tokens| Limits { cost, tokens };
    let loose = || vec![account("project:p", Some(1_000), None)];
    f.store.limit_account("project:p", limits(Some(20), Some(9))).await.unwrap();
    assert_eq!(
        f.store.account("project:p").await.unwrap(),
        Statement { used: amount(0, 0), limits: limits(Some(20), Some(9)) }
    );
    assert_eq!(f.store.reserve_call(call("a", amount(15, 3), loose())).await.unwrap(), Booking::Done);
    let refused = f.store.reserve_call(call("b", amount(6, 1), loose())).await.unwrap();
    let tight = account("project:p", Some(20), Some(9));
    assert_eq!(refused, Booking::Exhausted { account: tight, used: amount(15, 3) }, "the narrower of two holds");
    assert!(
        matches!(f.store.extend_call("a", loose()).await.unwrap(), Booking::Exhausted { .. }),
        "for an attempt, too"
    );
    f.store.settle_call("a", Some(amount(14, 2))).await.unwrap();
    f.store.limit_account("project:p", limits(Some(20), None)).await.unwrap();
    let stands = Statement { used: amount(14, 2), limits: limits(Some(20), None) };
    assert_eq!(f.store.account("project:p").await.unwrap(), stands, "what is spent stays");
    assert_eq!(f.store.reserve_call(call("b", amount(6, 100), loose())).await.unwrap(), Booking::Done);
    f.store.limit_account("project:p", Limits::default()).await.unwrap();
    assert_eq!(f.store.reserve_call(call("c", amount(900, 1), loose())).await.unwrap(), Booking::Done);
    assert!(matches!(
        f.store.reserve_call(call("d", amount(900, 1), loose())).await.unwrap(),
        Booking::Exhausted { .. }
    ));
}

pub async fn another_attempt_is_booked_as_the_first_was(f: &Fixture) {
    let accounts = || vec![account("project:p", Some(25), None)];
    f.store.reserve_call(call("c", amount(10, 1), accounts())).await.unwrap();
    assert_eq!(f.store.extend_call("c", accounts()).await.unwrap(), Booking::Done);
    assert!(matches!(f.store.extend_call("c", accounts()).await.unwrap(), Booking::Exhausted { .. }));
    assert_eq!(used(f, "project:p").await, amount(20, 2));
    assert_eq!(f.store.settle_call("c", None).await.unwrap(), Some(amount(20, 2)), "all that was set aside");
    let error = f.store.extend_call("c", accounts()).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Illegal);
    assert_eq!(f.store.extend_call("nobody", accounts()).await.unwrap_err().kind(), BackendErrorKind::Illegal);
    assert_eq!(used(f, "project:p").await, amount(20, 2));
}

pub async fn a_call_that_nobody_settled_stays_spent_and_a_late_word_still_counts(f: &Fixture) {
    let mut lost = call("lost", amount(40, 4), vec![account("project:p", Some(100), None)]);
    lost.ends_at = Timestamp::now();
    f.store.reserve_call(lost).await.unwrap();
    let later = Timestamp::now().plus(Duration::from_secs(1));
    f.store.expire_calls(later, Timestamp::from_micros(0)).await.unwrap();
    assert_eq!(f.store.expire_calls(later, Timestamp::from_micros(0)).await.unwrap(), 0, "once");
    assert_eq!(used(f, "project:p").await, amount(40, 4));
    assert_eq!(f.store.settle_call("lost", Some(amount(15, 2))).await.unwrap(), Some(amount(15, 2)));
    assert_eq!(used(f, "project:p").await, amount(15, 2));
}

pub async fn a_crowd_cannot_overdraw_an_account(f: &Fixture) {
    // A hot account is written by one after the other where the backend is far away: a small crowd is enough there.
    let crowd = if f.crowd >= 10_000 { 2_000 } else { 12 };
    let fits = crowd / 3;
    let limit = u64::try_from(fits).unwrap() * 10;
    let calls = (0..crowd).map(|number| {
        let new = call(&format!("c{number}"), amount(10, 1), vec![account("project:p", Some(limit), None)]);
        f.store.reserve_call(new)
    });
    let booked = futures::future::join_all(calls).await;
    let done = booked.iter().filter(|booking| matches!(booking, Ok(Booking::Done))).count();
    let sum = used(f, "project:p").await;
    assert_eq!(sum.cost, u64::try_from(done).unwrap() * 10);
    assert!(sum.cost <= limit);
    if f.crowd >= 10_000 {
        assert_eq!(done, fits, "what fits is booked");
    }
}
