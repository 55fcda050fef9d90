//! The original's console logs in: the requests that its page sends from its own origin, as SPEC.md section 6 and the wire
//! contract (`/auth`) have them, against the file of users.

use std::collections::BTreeSet;

use nexus_daemon::domain::{caller::Role, secret::Secret};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    access::{World, world},
    support::api::Answer,
};

const CONSOLE: &str = "https://console.example";
const PASSWORD: &str = "open sesame!";

/// The console's page: it sends its origin with everything, and the cookie that it was given.
struct Console<'a> {
    world: &'a World,
    cookie: Option<String>,
}

impl Console<'_> {
    async fn send(&mut self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.world.client.request(method, self.world.api.url(path)).header("origin", CONSOLE);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        // A browser shows the page nothing without these.
        assert_eq!(answer.header("access-control-allow-origin"), CONSOLE, "{path}: {}", answer.text);
        assert_eq!(answer.header("access-control-allow-credentials"), "true", "{path}");
        let set = answer.header("set-cookie");
        if let Some((pair, attributes)) = set.split_once("; ") {
            self.cookie = (!attributes.contains("Max-Age=0")).then(|| pair.to_owned());
        }
        answer
    }

    async fn log_in(&mut self, username: &str, password: &str) -> Answer {
        let body = json!({ "username": username, "password": password });
        self.send(Method::POST, "/api/v2/auth/login", Some(&body)).await
    }
}

/// So many wrong credentials, and logins, a minute.
async fn a_world(tries: u32) -> World {
    let world = world(|config| {
        config.server.allowed_origins = vec![CONSOLE.to_owned()];
        config.auth.limits.failures_per_minute = tries;
    })
    .await;
    let add = |name, role| {
        world.api.state.access.users.put(name, role, vec![], &Secret::new(PASSWORD.to_owned())).unwrap();
    };
    add("ann", Role::Editor);
    add("vic", Role::Viewer);
    world
}

fn keys(body: &Value) -> BTreeSet<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_originals_console_logs_in_works_and_logs_out() {
    let world = a_world(60).await;
    let mut console = Console { world: &world, cookie: None };
    // Before it may post JSON, the browser asks.
    let asked = world
        .client
        .request(Method::OPTIONS, world.api.url("/api/v2/auth/login"))
        .header("origin", CONSOLE)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .send()
        .await
        .unwrap();
    assert!(asked.status().is_success());
    assert_eq!(asked.headers()["access-control-allow-origin"], CONSOLE);
    assert_eq!(asked.headers()["access-control-allow-credentials"], "true");

    // Nobody yet: the page asks whether to show its form.
    let nobody = console.send(Method::GET, "/api/v2/auth/check", None).await;
    assert_eq!((nobody.status, &nobody.body["authenticated"]), (StatusCode::OK, &json!(false)), "{}", nobody.text);
    console.send(Method::GET, "/api/v2/auth/me", None).await.is_error(401, "UNAUTHENTICATED");

    let login = console.log_in("ann", PASSWORD).await;
    assert_eq!(login.status, 200, "{}", login.text);
    // Flat, with what the original's page reads; the daemon adds `auth` and `message`.
    assert_eq!(
        keys(&login.body),
        BTreeSet::from(["access_token", "auth", "message", "success", "token_type", "username"])
    );
    assert_eq!(
        (&login.body["success"], &login.body["token_type"], &login.body["username"]),
        (&json!(true), &json!("bearer"), &json!("ann"))
    );
    let token = login.body["access_token"].as_str().unwrap().to_owned();
    let set = login.header("set-cookie").to_owned();
    assert!(set.starts_with(&format!("access_token={token}; ")), "{set}");
    for part in ["HttpOnly", "Path=/", "SameSite=lax"] {
        assert!(set.split("; ").any(|given| given == part), "{part} is missing in {set}");
    }

    // By the cookie alone, as a page does; `/api/v1` is the same.
    for path in ["/api/v2/auth/me", "/api/v2/auth/check", "/api/v1/auth/me"] {
        let me = console.send(Method::GET, path, None).await;
        assert_eq!(
            (&me.body["username"], &me.body["authenticated"], &me.body["role"]),
            (&json!("ann"), &json!(true), &json!("editor")),
            "{path}: {}",
            me.text
        );
    }
    let project = json!({ "requirement": "Build an agent that tells the weather", "user_id": "somebody" });
    let made = console.send(Method::POST, "/api/v2/projects", Some(&project)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/api/v2/projects/{}", made.body["data"]["project_id"].as_str().unwrap());
    assert_eq!(console.send(Method::GET, &path, None).await.body["data"]["user_id"], "ann");
    // By the token in the header, as its other client does.
    let by_token = world.client.get(world.api.url("/api/v2/auth/me")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(Answer::of(by_token).await.body["username"], "ann");
    // Somebody else's page, in the same browser, has the cookie sent along and is nobody.
    let pair = console.cookie.clone().unwrap();
    let elsewhere =
        world.client.get(world.api.url(&path)).header("origin", "https://evil.example").header("cookie", &pair);
    Answer::of(elsewhere.send().await.unwrap()).await.is_error(401, "UNAUTHENTICATED");

    let out = console.send(Method::POST, "/api/v2/auth/logout", None).await;
    assert_eq!((out.status, &out.body["success"]), (StatusCode::OK, &json!(true)), "{}", out.text);
    assert_eq!(console.cookie, None, "the browser still has its cookie: {}", out.header("set-cookie"));
    // A copy of the cookie, or of the token, opens nothing any more.
    console.cookie = Some(pair);
    console.send(Method::GET, &path, None).await.is_error(401, "UNAUTHENTICATED");
    let by_token = world.client.get(world.api.url("/api/v2/auth/me")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(by_token.status(), 401);
    // Twice is no error.
    assert_eq!(console.send(Method::POST, "/api/v2/auth/logout", None).await.status, 200);

    // Each comes in as what he is.
    assert_eq!(console.log_in("vic", PASSWORD).await.status, 200);
    console.send(Method::POST, "/api/v2/projects", Some(&project)).await.is_error(403, "FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_form_tells_who_may_not_come_in_only_that() {
    let world = a_world(4).await;
    let mut console = Console { world: &world, cookie: None };
    // A wrong password and a name that nobody has are told in the same words, of old clients, too.
    let wrong = console.log_in("ann", "open sesame?").await;
    wrong.is_error(401, "LOGIN_FAILED");
    let unknown = console.log_in("eve", PASSWORD).await;
    unknown.is_error(401, "LOGIN_FAILED");
    for key in ["error", "message", "detail"] {
        assert_eq!(wrong.body[key], unknown.body[key], "{key}");
    }
    assert!(wrong.body["detail"].is_string() && wrong.header("set-cookie").is_empty(), "{}", wrong.text);
    // What is no login is told as every bad body is, and never with the password in it.
    for body in [
        json!({}),
        json!({ "username": "ann" }),
        json!({ "password": PASSWORD }),
        json!({ "username": "", "password": PASSWORD }),
        json!({ "username": "ann", "password": [PASSWORD] }),
        json!({ "username": { "name": PASSWORD }, "password": PASSWORD }),
        json!({ "username": "ann", "password": PASSWORD.repeat(200) }),
        json!([PASSWORD]),
    ] {
        let refused = console.send(Method::POST, "/api/v2/auth/login", Some(&body)).await;
        assert_eq!(refused.status, 422, "{body}: {}", refused.text);
        assert!(!refused.text.contains("sesame"), "{body}: {}", refused.text);
    }
    // A form of HTML, which any page may send, is no login.
    let form = world.client.post(world.api.url("/api/v2/auth/login")).header("origin", CONSOLE);
    let form =
        form.header("content-type", "application/x-www-form-urlencoded").body("username=ann&password=open+sesame!");
    assert_eq!(form.send().await.unwrap().status(), 415);
    // Who goes on trying is told when to come again, also with the right password; who is in stays in.
    let mut other = Console { world: &world, cookie: None };
    assert_eq!(other.log_in("vic", PASSWORD).await.status, 200);
    let mut locked = None;
    // Unoptimised, a login takes seconds, and every 15 of them give one more try.
    for _ in 0..40 {
        let answer = console.log_in("ann", "x").await;
        if answer.status == 429 {
            locked = Some(answer);
            break;
        }
    }
    let locked = locked.expect("one may try for ever");
    locked.is_error(429, "TOO_MANY_REQUESTS");
    assert!(locked.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    console.log_in("ann", PASSWORD).await.is_error(429, "TOO_MANY_REQUESTS");
    assert_eq!(other.send(Method::GET, "/api/v2/auth/me", None).await.status, 200);
}
