//! Who may call what: every operation of the document by every kind of caller; and tokens that are worth nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
    time::Duration,
};

use nexus_daemon::{
    auth::credential::{CredentialKind, NewCredential},
    config::{AuthMode, Config, Seconds},
    domain::{
        caller::{Role, Scopes},
        secret::Secret,
    },
};
use reqwest::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::support::api::{Answer, Api};

/// The callers, in the order of the letters below. `owner`, `user` and `keyed` are all Ann; `keyed` is a key for one agent.
const CALLERS: [&str; 8] = ["admin", "owner", "other", "user", "viewer", "metrics", "keyed", "nobody"];

/// What each of them meets: `+` let in, `-` forbidden, `.` not there, `!` unknown.
fn expected(method: &str, path: &str) -> &'static str {
    let below = |prefix: &str| path.strip_prefix("/api/v2/").is_some_and(|path| path.starts_with(prefix));
    let open = ["/", "/health", "/health/live", "/health/ready", "/openapi.json"];
    let way_in = ["auth/login", "auth/code", "auth/logout", "auth/check"];
    let files = ["/files", "/workflow-report", "/stage-docs", "/output"].iter().any(|part| path.contains(part));
    match (method, path) {
        _ if open.contains(&path) || way_in.iter().any(|path| below(path)) => "++++++++",
        ("GET", "/metrics") => "+----+-!",
        ("POST", "/api/v2/projects") => "+++----!",
        ("GET", "/api/v2/projects" | "/api/v2/agents" | "/api/v2/workflows" | "/api/v2/auth/me") => "+++++--!",
        ("GET", "/api/v2/tasks" | "/api/v2/events" | "/api/v2/ws" | "/api/v2/system") => "+---+--!",
        _ if below("statistics/") => "+---+--!",
        _ if below("tools") || below("config") || below("plugins") || below("keys") => "+------!",
        _ if below("auth/link") || below("agentcore/") => "+------!",
        // Whose right it is to read files is the owner's: a viewer sees that the thing is there.
        ("GET", _) if files && (below("projects/") || below("workflow/")) => "++.+-.-!",
        ("GET", _) if below("projects/") || below("workflow/") || below("tasks/") => "++.++.-!",
        (_, _) if below("projects/") || below("workflow/") => "++.--.-!",
        ("GET", _) if below("agents/") && files => "++.+-.+!",
        ("GET", _) if below("agents/") => "++.++.+!",
        ("POST", "/api/v2/agents/{id}/invoke" | "/api/v2/agents/{id}/sessions") => "++.+-.+!",
        (_, _) if below("agents/") => "++.--.-!",
        (_, _) if below("sessions/") => "++.+..+!",
        _ => panic!("{method} {path}: nobody has said who may"),
    }
}

pub(crate) struct World {
    pub(crate) api: Api,
    /// Shows nothing by itself.
    pub(crate) client: reqwest::Client,
    admin: String,
    tokens: BTreeMap<&'static str, String>,
}

/// Ann's things.
#[derive(Clone)]
pub(crate) struct Things {
    project: String,
    task: String,
    agent: String,
    session: String,
}

pub(crate) async fn world(change: impl FnOnce(&mut Config)) -> World {
    let api = Api::start_with(Arc::new(tempfile::tempdir().unwrap()), |config| {
        config.auth.mode = AuthMode::Token;
        change(config);
    })
    .await;
    let admin = std::fs::read_to_string(api.data.path().join("admin.token")).unwrap().trim().to_owned();
    World { api, client: reqwest::Client::builder().no_proxy().build().unwrap(), admin, tokens: BTreeMap::new() }
}

impl World {
    async fn key(&self, role: Role, user: &str, scopes: Scopes) -> String {
        let (name, user_id, created_by) = (format!("{user}-{role}"), user.to_owned(), "test".to_owned());
        let new = NewCredential { kind: CredentialKind::Key, name, role, user_id, scopes, lasts: None, created_by };
        self.api.state.access.make_key(new).await.unwrap().1.text.reveal().to_owned()
    }

    pub(crate) async fn ask(&self, token: Option<&str>, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.client.request(method.parse::<Method>().unwrap(), self.api.url(path));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        // A stream goes on: only its beginning is of interest.
        let streams =
            response.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/event"));
        if streams {
            let (status, headers) = (response.status(), response.headers().clone());
            return Answer { status, headers, text: String::new(), body: Value::Null };
        }
        Answer::of(response).await
    }

    pub(crate) fn token(&self, caller: &str) -> &str {
        &self.tokens[caller]
    }

    /// A built project of Ann's, with its agent and a session.
    pub(crate) async fn things(&self) -> Things {
        let body = json!({ "requirement": "Build an agent that tells the weather", "user_id": "ann" });
        let made = self.ask(Some(&self.admin), "POST", "/api/v2/projects", Some(&body)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        let (project, task) = (id(&made.body["data"]["project_id"]), id(&made.body["data"]["task_id"]));
        let agent = self.api.build(&project.parse().unwrap(), true).await.to_string();
        let path = format!("/api/v2/agents/{agent}/sessions");
        let made = self.ask(Some(&self.admin), "POST", &path, Some(&json!({ "user_id": "ann" }))).await;
        Things { project, task, agent, session: id(&made.body["data"]["session_id"]) }
    }

    pub(crate) async fn with_callers(mut self, things: &Things) -> Self {
        let none = Scopes::default;
        let one = Scopes { agents: Some(vec![things.agent.parse().unwrap()]), ..none() };
        let keyed = self.key(Role::User, "ann", one).await;
        let tokens = [
            ("admin", self.admin.clone()),
            ("owner", self.key(Role::Editor, "ann", none()).await),
            ("other", self.key(Role::Editor, "bob", none()).await),
            ("user", self.key(Role::User, "ann", none()).await),
            ("viewer", self.key(Role::Viewer, "vic", none()).await),
            ("metrics", self.key(Role::Metrics, "prometheus", none()).await),
            ("keyed", keyed),
        ];
        self.tokens = BTreeMap::from(tokens);
        self
    }
}

fn path_of(template: &str, things: &Things) -> String {
    let id = match template.trim_start_matches("/api/v2/").split('/').next().unwrap() {
        "projects" | "workflow" => &things.project,
        "tasks" => &things.task,
        "agents" => &things.agent,
        _ => &things.session,
    };
    let parts = [
        ("{id}", id.as_str()),
        ("{stage}", "plan"),
        ("{path}", "a.txt"),
        ("{name}", "x"),
        ("{file}", "agent_build.toml"),
        ("{key}", "nokey"),
    ];
    parts.iter().fold(template.to_owned(), |path, (mark, text)| path.replace(mark, text))
}

/// What the gate said, by the answer: what comes from behind it is `+`, whatever it is.
fn letter(answer: &Answer) -> char {
    let code = answer.body["error"]["code"].as_str().unwrap_or_default();
    match answer.status.as_u16() {
        401 if code == "UNAUTHENTICATED" => '!',
        403 if code == "FORBIDDEN" || code == "CODE_NOT_EDITABLE" => '-',
        404 if ["PROJECT", "AGENT", "SESSION", "TASK"].iter().any(|what| code == format!("{what}_NOT_FOUND")) => '.',
        429 => panic!("a limit in the way: {}", answer.text),
        500 => panic!("{}", answer.text),
        _ => '+',
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_lets_in_whom_it_should() {
    let world = world(|config| config.auth.limits.failures_per_minute = 0).await;
    let mut things = world.things().await;
    let mut world = world.with_callers(&things).await;
    let document = nexus_daemon::api::openapi();
    let (mut wrong, mut table, mut asked) = (Vec::new(), String::new(), 0);
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase();
            let wanted = expected(&method, template);
            let body = operation["requestBody"]["content"]["application/json"]["example"].clone();
            let body = (!body.is_null()).then_some(body);
            let mut met = String::new();
            for (caller, expected) in CALLERS.iter().zip(wanted.chars()) {
                let token = world.tokens.get(caller).map(String::as_str);
                let answer = world.ask(token, &method, &path_of(template, &things), body.as_ref()).await;
                met.push(letter(&answer));
                asked += 1;
                // Whoever may delete a thing has deleted it.
                if method == "DELETE" && expected == '+' {
                    things = world.things().await;
                    world = world.with_callers(&things).await;
                }
            }
            writeln!(table, "{met} {method} {template}").unwrap();
            if met != wanted {
                wrong.push(format!("{method} {template}: {met} in place of {wanted}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n\n{table}", wrong.join("\n"));
    assert!(asked > 8 * 90, "only {asked} requests");
    insta::assert_snapshot!("access_matrix", table);
}

/// What one may see of others: nothing, also not by a list, a parameter, a number of pages, or a key that was used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_parameters_show_nothing_of_others() {
    let world = world(|_| ()).await;
    let things = world.things().await;
    let world = world.with_callers(&things).await;
    let (ann, bob) = (Some(world.tokens["owner"].as_str()), Some(world.tokens["other"].as_str()));
    for path in ["/api/v2/projects", "/api/v2/projects?user_id=ann", "/api/v1/projects?user_id=ann", "/api/v2/agents"] {
        let (own, others) = (world.ask(ann, "GET", path, None).await, world.ask(bob, "GET", path, None).await);
        assert_eq!(
            (&own.body["pagination"]["total"], &others.body["pagination"]["total"]),
            (&json!(1), &json!(0)),
            "{path}"
        );
        assert!(!others.text.contains(&things.project) && !others.text.contains(&things.agent), "{}", others.text);
    }
    // A record is the caller's, whatever he says; an admin acts for others.
    let body = json!({ "requirement": "Build an agent that tells the time", "user_id": "ann" });
    let made = world.ask(bob, "POST", "/api/v2/projects", Some(&body)).await;
    let id = made.body["data"]["project_id"].as_str().unwrap().to_owned();
    let path = format!("/api/v2/projects/{id}");
    assert_eq!(world.ask(bob, "GET", &path, None).await.body["data"]["user_id"], "bob");
    assert_eq!(world.ask(ann, "GET", &path, None).await.status, 404);
    // What is not there and what may not be seen are told in the same words.
    let unknown = world.ask(ann, "GET", "/api/v2/projects/proj_000000000000", None).await;
    let hidden = world.ask(ann, "GET", &path, None).await;
    let told = |answer: &Answer, id: &str| answer.body["error"].to_string().replace(id, "ID");
    assert_eq!(told(&unknown, "proj_000000000000"), told(&hidden, &id));
    // A key of another caller is another key.
    let once = async |token: Option<&str>| {
        let request = world.client.post(world.api.url("/api/v2/projects")).header("idempotency-key", "k1");
        let body = json!({ "requirement": "Build an agent that tells jokes" });
        let answer = request.bearer_auth(token.unwrap()).json(&body).send().await.unwrap();
        Answer::of(answer).await.body["data"]["project_id"].clone()
    };
    assert_eq!(once(ann).await, once(ann).await);
    assert_ne!(once(ann).await, once(bob).await);
    // Ann's session is no place for Bob, who may talk to her agent.
    let shared = Scopes { shared: vec![things.agent.parse().unwrap()], ..Scopes::default() };
    let guest = world.key(Role::User, "bob", shared).await;
    let invoke = format!("/api/v2/agents/{}/invoke", things.agent);
    let asked = json!({ "input_text": "hello", "session_id": things.session });
    world.ask(Some(&guest), "POST", &invoke, Some(&asked)).await.is_error(404, "SESSION_NOT_FOUND");
    assert_eq!(world.ask(Some(&guest), "POST", &invoke, Some(&json!({ "input_text": "hello" }))).await.status, 200);
    let sessions = format!("/api/v2/agents/{}/sessions", things.agent);
    assert_eq!(world.ask(Some(&guest), "GET", &sessions, None).await.body["data"], json!([]));
    assert_eq!(world.ask(ann, "GET", &sessions, None).await.body["data"].as_array().unwrap().len(), 1);
    let listed = world.ask(Some(&guest), "GET", "/api/v2/agents", None).await;
    assert_eq!(listed.body["data"][0]["agent_id"], things.agent.as_str());
    let change = world.ask(Some(&guest), "PUT", &format!("/api/v2/agents/{}", things.agent), Some(&json!({}))).await;
    change.is_error(403, "FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_worthless_tokens_none_passes() {
    let world = world(|config| config.auth.limits.failures_per_minute = 0).await;
    let key = world.key(Role::Admin, "ann", Scopes::default()).await;
    let other = self::world(|_| ()).await;
    let foreign = [other.admin.clone(), other.key(Role::Admin, "ann", Scopes::default()).await];
    let mut letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.-".iter().cycle();
    let mut tokens: Vec<String> = Vec::new();
    for number in 0..10_000_usize {
        let good = if number % 2 == 0 { &world.admin } else { &key };
        let at = (number / 2) % good.len();
        tokens.push(match number % 7 {
            // One character is another, one is missing, one is too many, it ends early.
            0 => {
                let other = letters.find(|letter| **letter != good.as_bytes()[at]).unwrap();
                format!("{}{}{}", &good[..at], char::from(*other), &good[at + 1..])
            }
            1 => format!("{}{}", &good[..at], &good[at + 1..]),
            2 => format!("{}x{}", &good[..at], &good[at..]),
            3 => good[..at].to_owned(),
            4 => foreign[number % 2].clone(),
            5 => ["eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", "admin", "open.YWRtaW4", "null", "nxs_admin_x"]
                [number % 5]
                .to_owned(),
            _ => good.to_ascii_uppercase(),
        });
    }
    let mut passed = BTreeSet::new();
    for some in tokens.chunks(64) {
        let each = some.iter().map(|token| async {
            let answer = world.ask(Some(token), "GET", "/api/v2/projects", None).await;
            (token.clone(), answer.status.as_u16(), answer.header("www-authenticate").to_owned())
        });
        for (token, status, scheme) in futures::future::join_all(each).await {
            if status != 401 || scheme != "Bearer" {
                passed.insert(format!("{status} {token}"));
            }
        }
    }
    assert!(passed.is_empty(), "{passed:?}");
    assert_eq!(world.ask(Some(&world.admin), "GET", "/api/v2/projects", None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_made_listed_rotated_and_revoked() {
    let world = world(|_| ()).await;
    let admin = Some(world.admin.as_str());
    let body = json!({ "name": "ci", "role": "viewer", "expires_days": 1 });
    let made = world.ask(admin, "POST", "/api/v2/keys", Some(&body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (id, token) = (made.body["data"]["id"].as_str().unwrap(), made.body["data"]["token"].as_str().unwrap());
    assert_eq!(made.header("location"), format!("/api/v2/keys/{id}"));
    assert_eq!(world.ask(Some(token), "GET", "/api/v2/projects", None).await.status, 200);
    let listed = world.ask(admin, "GET", "/api/v2/keys", None).await;
    assert!(!listed.text.contains(token.rsplit('_').next().unwrap()), "{}", listed.text);
    assert!(listed.body["data"][0]["last_used_at"].is_string(), "{}", listed.text);
    let path = format!("/api/v2/keys/{id}");
    let rotated = world.ask(admin, "POST", &format!("{path}/rotate"), Some(&json!({ "grace_hours": 1 }))).await;
    let second = rotated.body["data"]["token"].as_str().unwrap().to_owned();
    assert_eq!(rotated.body["data"]["key"]["live_secrets"], 2, "{}", rotated.text);
    for token in [token, &second] {
        assert_eq!(world.ask(Some(token), "GET", "/api/v2/projects", None).await.status, 200);
    }
    world.ask(admin, "POST", &format!("{path}/rotate"), Some(&json!({ "grace_hours": 0 }))).await;
    for token in [token, &second] {
        world.ask(Some(token), "GET", "/api/v2/projects", None).await.is_error(401, "UNAUTHENTICATED");
    }
    assert_eq!(world.ask(admin, "DELETE", &path, None).await.status, 200);
    world.ask(admin, "DELETE", &path, None).await.is_error(404, "KEY_NOT_FOUND");
    let wrong = world.ask(admin, "POST", "/api/v2/keys", Some(&json!({ "name": "x", "rights": ["fly"] }))).await;
    wrong.is_error(422, "VALIDATION_ERROR");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_a_cookie_that_pages_of_others_cannot_use() {
    let world = world(|_| ()).await;
    let password = Secret::new("open sesame!".to_owned());
    world.api.state.access.users.put("ann", Role::Editor, vec![], &password).unwrap();
    let wrong =
        world.ask(None, "POST", "/api/v2/auth/login", Some(&json!({ "username": "ann", "password": "x" }))).await;
    wrong.is_error(401, "LOGIN_FAILED");
    let body = json!({ "username": "ann", "password": "open sesame!" });
    let login = world.ask(None, "POST", "/api/v2/auth/login", Some(&body)).await;
    assert_eq!(login.status, 200, "{}", login.text);
    let cookie = login.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=lax") && !cookie.contains("Domain"), "{cookie}");
    let pair = cookie.split(';').next().unwrap().to_owned();
    let send = async |method: &str, path: &str, headers: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> = [("cookie", pair.as_str()), ("content-type", "application/json")]
            .into_iter()
            .chain(headers.iter().copied())
            .collect();
        let body = br#"{"requirement": "Build an agent that tells the weather"}"#.to_vec();
        let body = if method == "GET" { Vec::new() } else { body };
        let mut request = world.client.request(method.parse().unwrap(), world.api.url(path)).body(body);
        for (name, value) in all {
            request = request.header(name, value);
        }
        Answer::of(request.send().await.unwrap()).await
    };
    let me = send("GET", "/api/v2/auth/me", &[]).await;
    assert_eq!((&me.body["username"], &me.body["role"]), (&json!("ann"), &json!("editor")), "{}", me.text);
    let own = world.api.base.clone();
    assert_eq!(send("POST", "/api/v2/projects", &[("origin", &own)]).await.status, 201);
    // Another page of this machine, such as an agent's, is another site's.
    for origin in ["http://127.0.0.1:9", "http://localhost:3000", "https://evil.example", "null"] {
        let refused = send("POST", "/api/v2/projects", &[("origin", origin)]).await;
        refused.is_error(403, "ORIGIN_NOT_ALLOWED");
        let read = send("GET", "/api/v2/projects", &[("origin", origin)]).await;
        assert_eq!(read.header("access-control-allow-origin"), "", "{origin}");
    }
    // Such a page has its visitor's cookie sent along, and is nobody all the same.
    send("GET", "/api/v2/projects", &[("origin", "http://127.0.0.1:9")]).await.is_error(401, "UNAUTHENTICATED");
    // A wrong token is not made good by the cookie beside it.
    let both = send("GET", "/api/v2/projects", &[("authorization", "Bearer nonsense")]).await;
    both.is_error(401, "UNAUTHENTICATED");
    send("POST", "/api/v2/auth/logout", &[("origin", &own)]).await;
    send("GET", "/api/v2/auth/me", &[]).await.is_error(401, "UNAUTHENTICATED");
    // By the link of the start screen, once.
    let link = world.ask(Some(&world.admin), "POST", "/api/v2/auth/link", Some(&json!({}))).await;
    let code = json!({ "code": link.body["code"] });
    let first = world.ask(None, "POST", "/api/v2/auth/code", Some(&code)).await;
    assert!(first.status == 200 && first.header("set-cookie").contains("nxs_"), "{}", first.text);
    world.ask(None, "POST", "/api/v2/auth/code", Some(&code)).await.is_error(401, "CODE_NOT_VALID");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_too_much_is_told_when_to_come_again() {
    let world = world(|config| {
        config.auth.limits.requests_per_minute = 20;
        config.auth.limits.failures_per_minute = 5;
        config.auth.limits.builds_per_day = 1;
        config.auth.limits.streams = 1;
        // A client that has gone is noticed when something is written to it.
        config.server.sse_keepalive_secs = Seconds(1);
    })
    .await;
    let things = world.things().await;
    let world = world.with_callers(&things).await;
    let owner = Some(world.tokens["owner"].as_str());
    let body = json!({ "requirement": "Build an agent that tells the weather" });
    assert_eq!(world.ask(owner, "POST", "/api/v2/projects", Some(&body)).await.status, 201);
    let second = world.ask(owner, "POST", "/api/v2/projects", Some(&body)).await;
    second.is_error(429, "TOO_MANY_REQUESTS");
    assert!(second.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    // Streams count while they are open.
    let viewer = &world.tokens["viewer"];
    let open = async || world.client.get(world.api.url("/api/v2/events")).bearer_auth(viewer).send().await.unwrap();
    let first = open().await;
    assert_eq!((first.status(), open().await.status()), (StatusCode::OK, StatusCode::TOO_MANY_REQUESTS));
    drop(first);
    let begun = std::time::Instant::now();
    while open().await.status() != StatusCode::OK {
        assert!(begun.elapsed() < Duration::from_secs(20), "the place of a stream that ended is not free");
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    // Requests of one credential; the others go on.
    let user = Some(world.tokens["user"].as_str());
    let mut statuses = BTreeMap::<u16, usize>::new();
    for _ in 0..25 {
        *statuses.entry(world.ask(user, "GET", "/api/v2/workflows", None).await.status.as_u16()).or_default() += 1;
    }
    assert!(statuses[&200] >= 20 && statuses[&429] >= 1, "{statuses:?}");
    assert_eq!(world.ask(Some(&world.admin), "GET", "/api/v2/workflows", None).await.status, 200);
    // Wrong tokens, from one address: right ones from there still pass.
    let mut statuses = BTreeMap::<u16, usize>::new();
    for _ in 0..10 {
        *statuses
            .entry(world.ask(Some("nonsense"), "GET", "/api/v2/projects", None).await.status.as_u16())
            .or_default() += 1;
    }
    assert!(statuses[&401] >= 5 && statuses[&429] >= 4, "{statuses:?}");
    assert_eq!(world.ask(Some(&world.admin), "GET", "/api/v2/workflows", None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_and_refusals_are_in_the_audit() {
    let world = world(|_| ()).await;
    let things = world.things().await;
    let world = world.with_callers(&things).await;
    let path = format!("/api/v2/projects/{}", things.project);
    world.ask(Some(&world.tokens["other"]), "DELETE", &path, None).await.is_error(404, "PROJECT_NOT_FOUND");
    world.ask(Some(&world.tokens["viewer"]), "DELETE", &path, None).await.is_error(403, "FORBIDDEN");
    world.ask(None, "DELETE", &path, None).await.is_error(401, "UNAUTHENTICATED");
    assert_eq!(world.ask(Some(&world.tokens["owner"]), "DELETE", &path, None).await.status, 200);
    let folder = world.api.data.path().join("audit");
    let wanted = ["key:bob-editor", "key:vic-viewer", "nobody", "key:ann-editor"];
    let begun = std::time::Instant::now();
    loop {
        let mut lines: Vec<Value> = Vec::new();
        let found = nexus_daemon::auth::audit::verify(&folder, |line| lines.push(serde_json::from_str(line).unwrap()));
        found.unwrap();
        let of_this: Vec<&Value> =
            lines.iter().filter(|line| line["action"] == "DELETE /api/v2/projects/{id}").collect();
        if of_this.len() == 4 {
            for (line, caller) in of_this.iter().zip(wanted) {
                // Behind its name stands the key's id: names are not unique.
                let told = line["caller"].as_str().unwrap();
                assert!(told == caller || told.starts_with(&format!("{caller}:")), "{line}");
                let allowed = caller == "key:ann-editor";
                assert_eq!(line["outcome"] == "allowed", allowed, "{line}");
            }
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{lines:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// `allowed_origins = ["*"]` opens the interface to pages that have a token, not to the cookies of whoever looks at them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_may_is_no_leave_to_use_a_visitors_cookie() {
    let world = world(|config| config.server.allowed_origins = vec!["*".to_owned()]).await;
    let session = world.api.state.access.begin_session(None).await.unwrap();
    let cookie = format!("access_token={}", session.reveal());
    let body = json!({ "requirement": "Build an agent that tells the weather" });
    let send = async |header: (&str, &str), origin: &str| {
        let request = world.client.post(world.api.url("/api/v2/projects")).header("origin", origin).json(&body);
        Answer::of(request.header(header.0, header.1).send().await.unwrap()).await
    };
    let foreign = send(("cookie", &cookie), "https://evil.example").await;
    foreign.is_error(401, "UNAUTHENTICATED");
    assert_eq!(foreign.header("access-control-allow-credentials"), "");
    let bearer = format!("Bearer {}", world.admin);
    let own = send(("authorization", &bearer), "https://console.example").await;
    assert_eq!((own.status.as_u16(), own.header("access-control-allow-origin")), (201, "https://console.example"));
    assert_eq!(send(("cookie", &cookie), &world.api.base.clone()).await.status, 201, "the daemon's own page");
}
