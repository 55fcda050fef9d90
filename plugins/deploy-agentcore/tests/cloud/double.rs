//! A double of AgentCore's two planes and of S3: enough of them for one account, and able to fail in every documented way.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify};

/// A runtime as it was last made, and what becomes of it with the next looks.
#[derive(Clone, Debug)]
pub(crate) struct Runtime {
    pub(crate) body: Value,
    pub(crate) version: u32,
    pub(crate) status: String,
    reason: String,
    /// Looks until it is `then`.
    looks: u32,
    pub(crate) then: String,
    pub(crate) endpoints: BTreeMap<String, u32>,
}

/// When a request is to be left without an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hang {
    Before(usize),
    After(usize),
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) runtimes: BTreeMap<String, Runtime>,
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    /// `METHOD path` of all requests.
    pub(crate) seen: Vec<String>,
    /// Answers instead of the next requests whose line begins so: status, exception.
    pub(crate) faults: VecDeque<(&'static str, u16, &'static str)>,
    /// How the next creation or update ends.
    pub(crate) outcome: Option<(&'static str, &'static str)>,
    pub(crate) hang: Option<Hang>,
    /// Pieces of the answers of agents; a number waits so many milliseconds, a null loses the connection.
    pub(crate) answer: Vec<Value>,
    /// Heads and bodies of invocations.
    pub(crate) asked: Vec<(BTreeMap<String, String>, Value)>,
    made: u32,
}

pub(crate) struct Double {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    /// A request hangs.
    pub(crate) hangs: Arc<Notify>,
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

impl Double {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, hangs) = (Arc::new(Mutex::new(State::default())), Arc::new(Notify::new()));
        let (shared, told) = (Arc::clone(&state), Arc::clone(&hangs));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, hangs) = (Arc::clone(&shared), Arc::clone(&told));
                let service = service_fn(move |request| {
                    let (state, hangs) = (Arc::clone(&state), Arc::clone(&hangs));
                    async move { Ok::<_, Infallible>(answer(&state, &hangs, request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, state, hangs }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn count(&self, begin: &str) -> usize {
        self.lock().seen.iter().filter(|line| line.starts_with(begin)).count()
    }
}

async fn answer(state: &Mutex<State>, hangs: &Notify, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let line = format!("{} {}", head.method, head.uri.path());
    let (number, hang, fault) = {
        let mut state = state.lock().unwrap();
        state.seen.push(line.clone());
        let at = state.faults.iter().position(|(begin, ..)| line.starts_with(begin));
        let fault = at.and_then(|at| state.faults.remove(at));
        (state.seen.len(), state.hang, fault)
    };
    if hang == Some(Hang::Before(number)) {
        hangs.notify_one();
        std::future::pending::<()>().await;
    }
    let response = match fault {
        Some((_, status, code)) => refusal(status, code, "as the test wants"),
        None if !line.contains("/runtimes") => s3(&mut state.lock().unwrap(), &head, body),
        None if line.ends_with("/invocations") => invocation(&mut state.lock().unwrap(), &head, &body),
        None => control(&mut state.lock().unwrap(), &head, &body),
    };
    if hang == Some(Hang::After(number)) {
        hangs.notify_one();
        std::future::pending::<()>().await;
    }
    response
}

fn full(status: u16, bytes: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync();
    Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
}

fn refusal(status: u16, code: &str, message: &str) -> Response<Body> {
    let mut response = full(status, json!({ "message": message }).to_string());
    response.headers_mut().insert("x-amzn-errortype", code.parse().unwrap());
    response
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn s3(state: &mut State, head: &hyper::http::request::Parts, body: Bytes) -> Response<Body> {
    let path = decoded(head.uri.path());
    let Some(key) = path.strip_prefix(&format!("/{}", super::BUCKET)) else { return full(404, "") };
    let key = key.trim_start_matches('/').to_owned();
    match head.method {
        Method::PUT => {
            state.objects.insert(key, body.to_vec());
            let mut response = full(200, "");
            response.headers_mut().insert("etag", "\"x\"".parse().unwrap());
            response
        }
        // Several at once.
        Method::POST => {
            let text = String::from_utf8(body.to_vec()).unwrap();
            let mut told = String::new();
            for key in text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()) {
                state.objects.remove(key);
                told.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
            }
            full(200, format!("<DeleteResult>{told}</DeleteResult>"))
        }
        Method::HEAD | Method::GET if !key.is_empty() => match state.objects.get(&key) {
            Some(content) => {
                let mut response = full(200, content.clone());
                response.headers_mut().insert("last-modified", "Wed, 21 Oct 2026 07:28:00 GMT".parse().unwrap());
                response.headers_mut().insert("etag", "\"x\"".parse().unwrap());
                response
            }
            None => full(404, ""),
        },
        _ => {
            let prefix = head.uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("prefix="));
            let prefix = decoded(prefix.unwrap_or_default());
            let listed: String = state
                .objects
                .keys()
                .filter(|key| key.starts_with(&prefix))
                .map(|key| {
                    format!(
                        "<Contents><Key>{key}</Key><LastModified>2026-10-21T07:28:00.000Z</LastModified>\
                         <ETag>\"x\"</ETag><Size>1</Size></Contents>"
                    )
                })
                .collect();
            full(200, format!("<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"))
        }
    }
}

fn control(state: &mut State, head: &hyper::http::request::Parts, body: &[u8]) -> Response<Body> {
    let path = decoded(head.uri.path());
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = parts.get(1).copied().unwrap_or_default();
    if parts.len() > 1 && !state.runtimes.contains_key(id) {
        return refusal(404, "ResourceNotFoundException", "no such runtime");
    }
    let reply = |value: Value| full(200, value.to_string());
    match (&head.method, parts.as_slice()) {
        (&Method::PUT, ["runtimes"]) => {
            let name = body["agentRuntimeName"].as_str().unwrap();
            if state.runtimes.values().any(|runtime| runtime.body["agentRuntimeName"] == name) {
                return refusal(409, "ConflictException", "there is one of this name");
            }
            state.made += 1;
            let id = format!("{name}-{:010}", state.made);
            let runtime = begun(state, body, 1, "CREATING");
            state.runtimes.insert(id.clone(), runtime);
            reply(shown(state, &id))
        }
        (&Method::POST, ["runtimes"]) => {
            let all: Vec<Value> = state.runtimes.keys().map(|id| shown(state, id)).collect();
            reply(json!({ "agentRuntimes": all }))
        }
        (&Method::GET, ["runtimes", id]) => {
            let answer = shown(state, id);
            let runtime = state.runtimes.get_mut(*id).unwrap();
            runtime.looks = runtime.looks.saturating_sub(1);
            if runtime.looks == 0 {
                runtime.status = runtime.then.clone();
            }
            if runtime.status == "GONE" {
                state.runtimes.remove(*id);
            } else if runtime.status == "READY" {
                let version = runtime.version;
                runtime.endpoints.insert("DEFAULT".into(), version);
            }
            reply(answer)
        }
        (&Method::PUT, ["runtimes", id]) => {
            let old = state.runtimes[*id].clone();
            if old.status != "READY" && old.status != "UPDATE_FAILED" {
                return refusal(409, "ConflictException", "it is being changed");
            }
            let mut body = body;
            body["agentRuntimeName"] = old.body["agentRuntimeName"].clone();
            let mut runtime = begun(state, body, old.version + 1, "UPDATING");
            runtime.endpoints = old.endpoints;
            state.runtimes.insert((*id).to_owned(), runtime);
            reply(shown(state, id))
        }
        (&Method::DELETE, ["runtimes", id]) => {
            let runtime = state.runtimes.get_mut(*id).unwrap();
            if matches!(runtime.status.as_str(), "CREATING" | "UPDATING") {
                return refusal(409, "ConflictException", "it is being changed");
            }
            if runtime.endpoints.keys().any(|name| name != "DEFAULT") {
                return refusal(409, "ConflictException", "it has endpoints");
            }
            (runtime.status, runtime.looks, runtime.then) = ("DELETING".into(), 1, "GONE".into());
            reply(json!({"status": "DELETING"}))
        }
        (method, ["runtimes", id, "runtime-endpoints", rest @ ..]) => {
            endpoint(state.runtimes.get_mut(*id).unwrap(), method, rest, &body)
        }
        _ => refusal(400, "ValidationException", "the double does not know this"),
    }
}

fn endpoint(runtime: &mut Runtime, method: &Method, rest: &[&str], body: &Value) -> Response<Body> {
    let view = |name: &str, version: u32| json!({"name": name, "status": "READY", "liveVersion": version.to_string()});
    let version = body["agentRuntimeVersion"].as_str().and_then(|version| version.parse().ok());
    match (method, rest) {
        (&Method::POST, []) => {
            let all: Vec<Value> = runtime.endpoints.iter().map(|(name, version)| view(name, *version)).collect();
            full(200, json!({ "runtimeEndpoints": all }).to_string())
        }
        (&Method::PUT, []) => {
            let name = body["name"].as_str().unwrap();
            runtime.endpoints.insert(name.to_owned(), version.unwrap());
            full(202, view(name, version.unwrap()).to_string())
        }
        (_, [name]) if !runtime.endpoints.contains_key(*name) => {
            refusal(404, "ResourceNotFoundException", "no such endpoint")
        }
        (&Method::GET, [name]) => full(200, view(name, runtime.endpoints[*name]).to_string()),
        (&Method::PUT, [name]) => {
            runtime.endpoints.insert((*name).to_owned(), version.unwrap());
            full(202, view(name, version.unwrap()).to_string())
        }
        (&Method::DELETE, [name]) => {
            runtime.endpoints.remove(*name);
            full(202, "{}")
        }
        _ => refusal(400, "ValidationException", "the double does not know this"),
    }
}

fn begun(state: &mut State, body: Value, version: u32, status: &str) -> Runtime {
    let (then, reason) = state.outcome.take().unwrap_or(("READY", ""));
    let (status, then) = (status.to_owned(), then.to_owned());
    Runtime { body, version, status, reason: reason.to_owned(), looks: 1, then, endpoints: BTreeMap::new() }
}

fn shown(state: &State, id: &str) -> Value {
    let runtime = &state.runtimes[id];
    let mut shown = runtime.body.clone();
    for (name, value) in [
        ("agentRuntimeId", json!(id)),
        ("agentRuntimeArn", json!(format!("arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{id}"))),
        ("agentRuntimeVersion", json!(runtime.version.to_string())),
        ("status", json!(runtime.status)),
        ("failureReason", json!(runtime.reason)),
    ] {
        shown[name] = value;
    }
    shown
}

fn invocation(state: &mut State, head: &hyper::http::request::Parts, body: &[u8]) -> Response<Body> {
    let mut heads: BTreeMap<String, String> =
        head.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    heads.insert("uri".into(), head.uri.to_string());
    state.asked.push((heads, serde_json::from_slice(body).unwrap()));
    let pieces = state.answer.clone();
    let stream = futures::stream::unfold(pieces.into_iter(), |mut pieces| async move {
        loop {
            match pieces.next()? {
                Value::Number(pause) => {
                    tokio::time::sleep(std::time::Duration::from_millis(pause.as_u64().unwrap())).await;
                }
                // The connection is lost.
                Value::Null => return Some((Err(std::io::Error::other("lost")), pieces)),
                piece => {
                    let text = piece.as_str().map_or_else(|| format!("data: {piece}\n\n"), str::to_owned);
                    return Some((Ok(Frame::data(Bytes::from(text))), pieces));
                }
            }
        }
    });
    let body = StreamBody::new(stream).boxed_unsync();
    Response::builder().status(200).header("content-type", "text/event-stream").body(body).unwrap()
}
