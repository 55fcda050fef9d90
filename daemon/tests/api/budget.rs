//! What a project may spend on language models.

use nexus_daemon::backend::store::{Account, Amount, Booking, NewCall};
use nexus_daemon::domain::time::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::{Answer, Api, enveloped};

async fn put(api: &Api, path: &str, body: Value) -> Answer {
    api.send(Method::PUT, path, &[("content-type", "application/json")], body.to_string().into_bytes()).await
}

fn call(id: &str, project: &str, dollars: u64, tokens: u64) -> NewCall {
    let account = Account { name: format!("project:{project}"), most_cost: None, most_tokens: None };
    let most = Amount { cost: dollars * 1_000_000_000_000, tokens };
    NewCall { call_id: id.into(), most, is_priced: true, ends_at: Timestamp::now(), accounts: vec![account] }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_is_given_at_birth_held_shown_and_raised() {
    let api = Api::start().await;
    let body =
        json!({ "requirement": "Build an agent. It tells the weather.", "budget": { "usd": 2.5, "tokens": 1000.0 } });
    let created = api.post("/api/v2/projects", body).await;
    let id = enveloped(&created, 201)["project_id"].as_str().unwrap().to_owned();
    let path = format!("/api/v2/projects/{id}/budget");
    let given = json!({ "usd": 2.5, "tokens": 1000, "used_usd": 0.0, "used_tokens": 0 });
    assert_eq!(api.get(&path).await.body["data"], given);

    let store = &api.state.store;
    assert_eq!(store.reserve_call(call("a", &id, 2, 400)).await.unwrap(), Booking::Done);
    assert!(matches!(store.reserve_call(call("b", &id, 1, 1)).await.unwrap(), Booking::Exhausted { .. }), "dollars");
    assert!(matches!(store.reserve_call(call("b", &id, 0, 601)).await.unwrap(), Booking::Exhausted { .. }), "tokens");
    let raised = put(&api, &path, json!({ "usd": 3 })).await;
    let used = json!({ "usd": 3.0, "tokens": null, "used_usd": 2.0, "used_tokens": 400 });
    assert_eq!(*enveloped(&raised, 200), used);
    assert_eq!(api.get(&format!("/api/v2/projects/{id}")).await.body["data"]["budget"], used);
    assert_eq!(store.reserve_call(call("b", &id, 1, 601)).await.unwrap(), Booking::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_is_none_is_refused_and_its_place_named() {
    let api = Api::start().await;
    for (budget, place) in [
        (json!({ "usd": -1 }), "budget.usd"),
        (json!({ "usd": "much" }), "budget.usd"),
        (json!({ "tokens": 1.5 }), "budget.tokens"),
        (json!({ "tokens": 2_000_000_000_000_i64 }), "budget.tokens"),
        (json!({ "euros": 1 }), "budget.euros"),
        (json!(3), "budget"),
    ] {
        let body = json!({ "requirement": "Build an agent. It tells the weather.", "budget": budget });
        let refused = api.post("/api/v2/projects", body).await;
        refused.is_error(422, "VALIDATION_ERROR");
        assert!(refused.body.to_string().contains(place), "{budget}: {}", refused.body);
    }
    let id = api.project().await;
    let path = format!("/api/v2/projects/{id}/budget");
    for body in [json!({ "usd": -0.1 }), json!({ "usd": true }), json!({ "tokens": -1 })] {
        put(&api, &path, body).await.is_error(422, "VALIDATION_ERROR");
    }
    put(&api, "/api/v2/projects/proj_01J9ZQ4W3M0000000000000000/budget", json!({ "usd": 1 }))
        .await
        .is_error(404, "PROJECT_NOT_FOUND");
    api.get("/api/v2/projects/proj_01J9ZQ4W3M0000000000000000/budget").await.is_error(404, "PROJECT_NOT_FOUND");
}
