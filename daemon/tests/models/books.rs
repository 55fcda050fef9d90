//! What a call costs is on the books to the digit, whatever becomes of it.

use std::sync::Arc;

use futures::StreamExt as _;
use nexus_daemon::{
    backend::store::{Amount, prelude::*},
    config::Config,
    models::{Grant, Provider},
};
use nexus_model::{
    ChatRequest, ErrorKind, ModelError, StopReason, Usage, collect,
    providers::{Reply, Scripted},
};

use crate::world::{World, booked, day, priced, usage};

fn answer(input: u64, output: u64) -> Reply {
    Reply::new().text("here").usage(usage(input, output)).stop(StopReason::EndTurn)
}

#[tokio::test]
async fn a_call_is_settled_to_the_digit_on_each_of_its_accounts() {
    let (world, _) = World::scripted(priced(), [answer(1234, 57), answer(1, 1)]).await;
    let answer = collect(world.client("fast").stream(ChatRequest::of("hi")).await.unwrap()).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.usage), ("here", Some(usage(1234, 57))));
    for account in ["project:p", "run:r", &day()] {
        assert_eq!(world.settled(account).await, booked(1234, 57), "{account}");
    }
    let grant = Grant { agent: Some("a".into()), caller: Some("c".into()), ..Grant::default() };
    let body = r#"{"model":"script","messages":[{"role":"user","content":"hi"}]}"#;
    let (status, _) = world.post("/chat/completions", Some(&world.token(&grant)), body).await;
    assert_eq!(status, 200);
    let day = day();
    let day = day.strip_prefix("day:").unwrap();
    for account in [format!("agent:a@{day}"), format!("caller:c@{day}")] {
        assert_eq!(world.settled(&account).await, booked(1, 1), "{account}");
    }
    assert_eq!(world.settled("project:p").await, booked(1234, 57));
}

#[tokio::test]
async fn what_would_exceed_a_budget_is_refused_before_anything_is_sent() {
    let mut config = priced();
    config.models.budget.project_usd = 0.1;
    let (world, model) = World::scripted(config, [answer(5, 5)]).await;
    // 4096 tokens out cost 0.06 dollars: one such call at a time.
    let (gated, gate) = Reply::new().text("here").usage(usage(10_000, 4_000)).stop(StopReason::EndTurn).gated();
    model.push(gated);
    assert_eq!(collect(world.client("fast").stream(ChatRequest::of("hi")).await.unwrap()).await.unwrap().text, "here");
    let client = world.client("fast");
    let opening = tokio::spawn(async move { client.stream(ChatRequest::of("hi")).await });
    gate.send(()).await.unwrap();
    let mut open = opening.await.unwrap().unwrap();
    assert!(open.next().await.unwrap().is_ok());

    let error = world.client("fast").stream(ChatRequest::of("hi")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BudgetExhausted);
    for word in ["project p", "0.1000 USD", "budget_exhausted"] {
        assert!(error.message.contains(word), "{error}");
    }
    assert_eq!(model.requests().len(), 2, "the third call never reached the provider");
    drop(gate);
    assert!(collect(open).await.is_ok());
    assert_eq!(world.settled("project:p").await, booked(10_005, 4_005));
}

#[tokio::test]
async fn a_broken_stream_keeps_what_was_set_aside_and_a_refusal_gives_it_back() {
    let refused = || Reply::refused(ModelError::new(ErrorKind::InvalidRequest, "no"));
    let broken = Reply::new().text("half").broken(ModelError::new(ErrorKind::Cut, "gone"));
    let (world, _) = World::scripted(priced(), [refused(), broken]).await;
    let error = world.client("fast").stream(ChatRequest::of("hi")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert_eq!(world.settled("project:p").await, Amount::default());
    let error = collect(world.client("fast").stream(ChatRequest::of("hi")).await.unwrap()).await.unwrap_err();
    assert_ne!(error.kind, ErrorKind::BudgetExhausted);
    let most = ChatRequest::of("hi").most_input_tokens();
    assert_eq!(world.settled("project:p").await, booked(most, 4096));
}

#[tokio::test]
async fn another_provider_is_booked_at_its_own_price() {
    let first = Scripted::named("one", [Reply::refused(ModelError::new(ErrorKind::QuotaExceeded, "no money"))]);
    let second = Scripted::named("script", [answer(100, 10)]);
    let mut config = priced();
    config.models.routes.insert("smart".into(), vec!["one/claude-sonnet-4-5".into(), "script/script".into()]);
    let providers = vec![
        Provider::fixed("one", false, Arc::new(first.clone())),
        Provider::fixed("script", false, Arc::new(second)),
    ];
    let world = World::new(config, providers).await;
    let answer = collect(world.client("smart").stream(ChatRequest::of("hi")).await.unwrap()).await.unwrap();
    assert_eq!((answer.text.as_str(), first.requests().len()), ("here", 1));
    assert_eq!(world.settled("project:p").await, booked(100, 10));
}

#[tokio::test]
async fn a_model_without_a_price_is_not_asked_where_dollars_are_limited() {
    let mut config = Config::default();
    config.models.budget.day_usd = 5.0;
    let (world, model) = World::scripted(config, [answer(1, 1)]).await;
    let error = world.client("fast").stream(ChatRequest::of("hi")).await.unwrap_err();
    assert!(error.message.contains("[pricing."), "{error}");
    assert!(model.requests().is_empty());
    // Where none are, its tokens count.
    let (world, _) = World::scripted(Config::default(), [answer(1, 1)]).await;
    collect(world.client("fast").stream(ChatRequest::of("hi")).await.unwrap()).await.unwrap();
    assert_eq!(world.settled("project:p").await, Amount { cost: 0, tokens: 2 });
}

#[tokio::test]
async fn tokens_of_the_cache_have_their_own_price() {
    let mut config = priced();
    let price = config.pricing.get_mut("script").unwrap();
    price.cache_read_usd_per_million = 0.3;
    price.cache_write_usd_per_million = 3.75;
    let used = Usage { input: 100, output: 10, cache_read: 1000, cache_write: 200, ..Usage::default() };
    let (world, _) = World::scripted(config, [Reply::new().text("x").usage(used).stop(StopReason::EndTurn)]).await;
    let answer = collect(world.client("fast").stream(ChatRequest::of("hi")).await.unwrap()).await.unwrap();
    assert_eq!(answer.usage, Some(used), "the caller sees them apart, too");
    let cost = 100 * 3_000_000 + 10 * 15_000_000 + 1000 * 300_000 + 200 * 3_750_000;
    assert_eq!(world.settled("project:p").await, Amount { cost, tokens: 1310 });
    world.store.close().await.unwrap();
}
