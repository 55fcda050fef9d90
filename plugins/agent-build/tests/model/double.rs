//! A gateway on loopback that says what a test wrote, by the name of the object that it is asked for.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use nexus_plugin_api::payload::ModelAccess;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinHandle};

use super::server::{Exchange, Server};

/// What comes for a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A whole answer.
    Says(String),
    /// As much of an answer, and then the connection breaks.
    Cut(String),
    /// A whole answer, but no reason of its end.
    NoReason(String),
    /// The answer was cut at its limit.
    TooLong(String),
    Refuses(u16, &'static str),
    /// The beginning of an answer, and nothing more until the client leaves.
    Hangs,
}

pub fn says(value: &Value) -> Reply {
    Reply::Says(value.to_string())
}

type Script = Box<dyn Fn(&str, usize, &Value) -> Reply + Send + Sync>;

pub struct Double {
    url: String,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
    input: Arc<AtomicU64>,
    output: Arc<AtomicU64>,
    /// Told when a request of which the answer hangs has begun, and when its client left.
    pub hanging: tokio::sync::Mutex<mpsc::UnboundedReceiver<Instant>>,
    serving: JoinHandle<()>,
}

impl Drop for Double {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Double {
    /// `script` gets the name of the object that is asked for, how often it was before, and the request.
    pub async fn start(script: impl Fn(&str, usize, &Value) -> Reply + Send + Sync + 'static) -> Self {
        let server = Server::start().await;
        let url = server.url.clone();
        let script: Arc<Script> = Arc::new(Box::new(script));
        let (requests, seen) =
            (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(BTreeMap::<String, usize>::new())));
        let (input, output) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (hangs, hanging) = mpsc::unbounded_channel();
        let (log, read, written) = (Arc::clone(&requests), Arc::clone(&input), Arc::clone(&output));
        let serving = tokio::spawn(async move {
            loop {
                let exchange = server.request().await;
                if exchange.path.ends_with("/models") {
                    let list = json!({ "object": "list", "data": [{ "id": "clever" }, { "id": "quick" }] }).to_string();
                    tokio::spawn(
                        async move { exchange.answer(200, &[("content-type", "application/json")], &list).await },
                    );
                    continue;
                }
                let name = exchange.body.pointer("/response_format/json_schema/name").and_then(Value::as_str);
                let name = name.unwrap_or_default().to_owned();
                assert!(exchange.headers.contains("authorization: bearer secret-of-the-test"), "{}", exchange.headers);
                assert_eq!(exchange.body["stream"], true, "every request is streamed");
                let number = {
                    let mut seen = seen.lock().unwrap();
                    let count = seen.entry(name.clone()).or_default();
                    *count += 1;
                    *count - 1
                };
                let reply = script(&name, number, &exchange.body);
                let size = u64::try_from(exchange.raw_body.len() / 4).unwrap();
                log.lock().unwrap().push((name, exchange.body.clone()));
                let (hangs, read, written) = (hangs.clone(), Arc::clone(&read), Arc::clone(&written));
                tokio::spawn(async move {
                    let told = answer(exchange, reply, size, hangs).await;
                    if let Some((prompt, completion)) = told {
                        read.fetch_add(prompt, Ordering::SeqCst);
                        written.fetch_add(completion, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { url, requests, input, output, hanging: tokio::sync::Mutex::new(hanging), serving }
    }

    pub fn access(&self) -> ModelAccess {
        ModelAccess {
            base_url: format!("{}/v1", self.url),
            socket: None,
            token: "secret-of-the-test".into(),
            token_secs: 3600,
            models: BTreeMap::from([
                ("smart".into(), "double/clever-1".into()),
                ("fast".into(), "double/quick-1".into()),
            ]),
        }
    }

    /// The names of the objects that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|(name, _)| name.clone()).collect()
    }

    /// The requests for an object.
    pub fn requests(&self, of: &str) -> Vec<Value> {
        let all = self.requests.lock().unwrap();
        all.iter().filter(|(name, _)| name == of).map(|(_, body)| body.clone()).collect()
    }

    /// The tokens that it reported.
    pub fn tokens(&self) -> (u64, u64) {
        (self.input.load(Ordering::SeqCst), self.output.load(Ordering::SeqCst))
    }
}

fn data(value: &Value) -> Vec<u8> {
    format!("data: {value}\n\n").into_bytes()
}

fn piece(text: &str) -> Vec<u8> {
    data(&json!({ "id": "c", "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] }))
}

/// The tokens that were reported, when they were.
async fn answer(
    mut exchange: Exchange,
    reply: Reply,
    prompt: u64,
    hangs: mpsc::UnboundedSender<Instant>,
) -> Option<(u64, u64)> {
    let (text, reason, whole) = match reply {
        Reply::Refuses(status, body) => {
            exchange.answer(status, &[("content-type", "application/json"), ("retry-after", "0")], body).await;
            return None;
        }
        Reply::Hangs => {
            exchange.begin("text/event-stream").await;
            exchange.chunk(&piece("{")).await;
            let _ = hangs.send(Instant::now());
            exchange.client_is_gone().await;
            let _ = hangs.send(Instant::now());
            return None;
        }
        Reply::Says(text) => (text, Some("stop"), true),
        Reply::TooLong(text) => (text, Some("length"), true),
        Reply::NoReason(text) => (text, None, true),
        Reply::Cut(text) => (text, None, false),
    };
    exchange.begin("text/event-stream").await;
    let middle = text.floor_char_boundary(text.len() / 2);
    exchange.chunk(&piece(&text[..middle])).await;
    exchange.chunk(&piece(&text[middle..])).await;
    if !whole {
        exchange.cut();
        return None;
    }
    let completion = u64::try_from(text.len() / 4).unwrap();
    if let Some(reason) = reason {
        exchange
            .chunk(&data(&json!({ "id": "c", "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })))
            .await;
    }
    let usage =
        json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion });
    exchange.chunk(&data(&json!({ "id": "c", "choices": [], "usage": usage }))).await;
    exchange.chunk(b"data: [DONE]\n\n").await;
    exchange.end().await;
    reason.map(|_| (prompt, completion))
}
