//! Keys of callers, over daemons that share a store.

use serde_json::{Value, json};

use super::{
    BOTH, home, ready,
    support::{Daemon, eventually},
};

async fn status(daemon: &Daemon, token: &str) -> u16 {
    let request = reqwest::Client::new().get(daemon.at("/projects")).bearer_auth(token);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_known_to_every_daemon() {
    let (account, one) = ready(BOTH, 1).await;
    let two = home(&account, &account.url, BOTH, 1);
    let (one, two) = (one.start(), two.start());
    let (_, made) = one.post("/keys", &json!({ "name": "ci", "role": "viewer" })).await;
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
    let (id, first) = (text(&made["data"]["id"]), text(&made["data"]["token"]));
    assert_eq!((status(&one, &first).await, status(&two, &first).await), (200, 200));
    // Rotated at one, at once good at the other, although that knows the key as it was.
    let (_, rotated) = one.post(&format!("/keys/{id}/rotate"), &json!({ "grace_hours": 1 })).await;
    let second = text(&rotated["data"]["token"]);
    eventually("the new secret is good everywhere", async || (status(&two, &second).await == 200).then_some(())).await;
    assert_eq!((status(&one, &first).await, status(&two, &first).await), (200, 200));
    // A session of a login, too.
    let (_, link) = one.post("/auth/link", &json!({})).await;
    let login = reqwest::Client::new().post(one.at("/auth/code")).json(&json!({ "code": link["code"] }));
    let login: Value = login.send().await.unwrap().json().await.unwrap();
    let session = text(&login["access_token"]);
    assert_eq!((status(&one, &session).await, status(&two, &session).await), (200, 200));
    let out = reqwest::Client::new().post(two.at("/auth/logout")).bearer_auth(&session).send().await.unwrap();
    assert_eq!((out.status().as_u16(), status(&two, &session).await), (200, 401));
    // Revoked at the other: worth nothing there at once, and here within seconds.
    let (gone, _) = two.delete(&format!("/keys/{id}")).await;
    assert_eq!((gone, status(&two, &first).await), (200, 401));
    for token in [&first, &second, &session] {
        eventually("it is worth nothing here", async || (status(&one, token).await == 401).then_some(())).await;
    }
    // The token of the first start is each daemon's own.
    let (_, keys) = one.get("/keys").await;
    assert_eq!(keys["data"], json!([]));
}
