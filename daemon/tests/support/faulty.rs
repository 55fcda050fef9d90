//! A proxy before the emulator that fails as networks and services do.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

use salvo::{
    Depot, FlowCtrl, Handler, Listener as _, Request, Response, Router, Server, async_trait,
    conn::TcpListener,
    http::{HeaderName, HeaderValue, StatusCode},
};

/// What the proxy did.
#[derive(Default)]
pub struct Faults {
    /// Percent of the requests that fail.
    pub percent: AtomicU64,
    /// How; none: in every way there is.
    pub only: Mutex<Option<Fault>>,
    /// Every message that is sent comes twice, and in another order.
    pub twice: AtomicBool,
    /// Second copies that are still on their way.
    pub under_way: AtomicU64,
    /// Requests in all.
    pub requests: AtomicU64,
    /// Those that failed.
    pub failed: AtomicU64,
    /// Batches of which half was left undone.
    pub undone: AtomicU64,
    /// Of these: carried out, and the answer lost.
    pub lost: AtomicU64,
    /// Receives of messages that are let through; each further one is refused. None: all.
    pub receives: Mutex<Option<u32>>,
    /// Requests of this operation stay in the network.
    pub holds: Mutex<Option<&'static str>>,
    /// How many do.
    pub held: AtomicU64,
    /// Lets them go on.
    pub let_go: tokio::sync::Notify,
}

impl Faults {
    /// Whether this receive is one too many.
    fn refuses_receive(&self) -> bool {
        let mut receives = self.receives.lock().expect("nobody panics here");
        match receives.as_mut() {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }
}

/// Ways to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Throttled,
    Server,
    Expired,
    Skewed,
    /// No answer in time.
    Hang,
    /// Half of every batch is left undone.
    Undone,
}

impl Fault {
    /// Status and body.
    fn answer(self) -> (StatusCode, String) {
        let (status, name, message) = match self {
            Self::Throttled => (StatusCode::BAD_REQUEST, "ProvisionedThroughputExceededException", "too fast"),
            Self::Server => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "the service has a bad day"),
            Self::Expired => (StatusCode::BAD_REQUEST, "ExpiredTokenException", "The security token is expired"),
            Self::Hang | Self::Undone => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "late"),
            Self::Skewed => {
                (StatusCode::BAD_REQUEST, "InvalidSignatureException", "Signature expired: 1 is now earlier than 2")
            }
        };
        (status, format!("{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{name}\",\"message\":\"{message}\"}}"))
    }
}

struct Proxy {
    target: String,
    client: reqwest::Client,
    faults: Arc<Faults>,
}

impl Proxy {
    async fn request(&self, req: &mut Request) -> reqwest::RequestBuilder {
        let path = req.uri().path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path}", self.target);
        let mut request = self.client.request(req.method().clone(), url);
        for (name, value) in req.headers() {
            if name != "host" && name != "content-length" && name != "connection" {
                request = request.header(name.as_str(), value.as_bytes());
            }
        }
        let body = req.payload_with_max_size(8 << 20).await.expect("a body").clone();
        request.body(body)
    }
}

fn fail(res: &mut Response, status: StatusCode) {
    res.status_code(status);
}

fn refuse(res: &mut Response, fault: Fault) {
    let (status, body) = fault.answer();
    res.status_code(status);
    res.headers_mut().insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
    let _ = res.write_body(body);
}

/// A batch whose second half is left undone, as DynamoDB does when it has too much to do.
struct Half {
    sent: Vec<u8>,
    left: Value,
    name: &'static str,
}

async fn half_of(req: &mut Request) -> Option<Half> {
    let target = req.headers().get("x-amz-target")?.to_str().ok()?.to_owned();
    let name = match target.rsplit('.').next()? {
        "BatchGetItem" => "UnprocessedKeys",
        "BatchWriteItem" => "UnprocessedItems",
        _ => return None,
    };
    let mut body: Value = serde_json::from_slice(req.payload_with_max_size(8 << 20).await.ok()?).ok()?;
    let mut left = body["RequestItems"].clone();
    for (table, items) in body["RequestItems"].as_object_mut()? {
        let (kept, gone) = match items.get_mut("Keys") {
            Some(keys) => (keys.as_array_mut()?, left[table]["Keys"].as_array_mut()?),
            None => (items.as_array_mut()?, left[table].as_array_mut()?),
        };
        if kept.len() < 2 {
            return None;
        }
        let half = kept.len() / 2;
        kept.truncate(half);
        gone.drain(..half);
    }
    Some(Half { sent: serde_json::to_vec(&body).ok()?, left, name })
}

impl Proxy {
    async fn leave_undone(&self, req: &mut Request, res: &mut Response, half: Half) {
        let answer = self.request(req).await.body(half.sent).send().await;
        let Ok(answer) = answer else { return fail(res, StatusCode::BAD_GATEWAY) };
        let status = StatusCode::from_u16(answer.status().as_u16()).expect("a status");
        let mut body: Value = answer.json().await.unwrap_or_default();
        if status.is_success() {
            body[half.name] = half.left;
            self.faults.undone.fetch_add(1, Ordering::Relaxed);
        }
        res.status_code(status);
        res.headers_mut().insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
        let _ = res.write_body(body.to_string());
    }
}

#[async_trait]
impl Handler for Proxy {
    async fn handle(&self, req: &mut Request, _: &mut Depot, res: &mut Response, _: &mut FlowCtrl) {
        self.faults.requests.fetch_add(1, Ordering::Relaxed);
        let holds = *self.faults.holds.lock().expect("nobody panics here");
        let operation = req.headers().get("x-amz-target").and_then(|name| name.to_str().ok()).unwrap_or_default();
        if holds.is_some_and(|held| operation.ends_with(held)) {
            // Read whole: its sender may be gone when it goes on.
            let late = self.request(req).await;
            let go_on = self.faults.let_go.notified();
            self.faults.held.fetch_add(1, Ordering::Relaxed);
            let faults = Arc::clone(&self.faults);
            let arrives = async {
                go_on.await;
                let answer = late.send().await;
                faults.held.fetch_sub(1, Ordering::Relaxed);
                answer
            };
            let Ok(answer) = arrives.await else { return fail(res, StatusCode::BAD_GATEWAY) };
            res.status_code(StatusCode::from_u16(answer.status().as_u16()).expect("a status"));
            res.headers_mut().insert("content-type", HeaderValue::from_static("application/x-amz-json-1.0"));
            let _ = res.write_body(answer.bytes().await.unwrap_or_default());
            return;
        }
        let fails = rand::random_range(0..100) < self.faults.percent.load(Ordering::Relaxed);
        let mut answer_lost = false;
        if fails {
            self.faults.failed.fetch_add(1, Ordering::Relaxed);
            let only = *self.faults.only.lock().expect("nobody panics here");
            if only == Some(Fault::Undone) {
                if let Some(half) = half_of(req).await {
                    return self.leave_undone(req, res, half).await;
                }
            } else if let Some(fault) = only {
                if fault == Fault::Hang {
                    tokio::time::sleep(Duration::from_secs(7)).await;
                }
                return refuse(res, fault);
            }
            match if only.is_some() { 9 } else { rand::random_range(0..5) } {
                0 => return fail(res, StatusCode::SERVICE_UNAVAILABLE),
                1 => return fail(res, StatusCode::INTERNAL_SERVER_ERROR),
                2 => return refuse(res, Fault::Throttled),
                3 => tokio::time::sleep(Duration::from_millis(rand::random_range(50..400))).await,
                4 => answer_lost = true,
                _ => {}
            }
        }
        let target = req.headers().get("x-amz-target").and_then(|name| name.to_str().ok()).unwrap_or_default();
        if target.ends_with(".ReceiveMessage") && self.faults.refuses_receive() {
            return refuse(res, Fault::Expired);
        }
        if target.ends_with(".SendMessage") && self.faults.twice.load(Ordering::Relaxed) {
            let (again, faults) = (self.request(req).await, Arc::clone(&self.faults));
            faults.under_way.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(rand::random_range(0..3_000))).await;
                let _ = again.send().await;
                faults.under_way.fetch_sub(1, Ordering::Relaxed);
            });
            tokio::time::sleep(Duration::from_millis(rand::random_range(0..300))).await;
        }
        let answer = match self.request(req).await.send().await {
            Ok(answer) if !answer_lost => answer,
            Ok(_) => {
                self.faults.lost.fetch_add(1, Ordering::Relaxed);
                return fail(res, StatusCode::INTERNAL_SERVER_ERROR);
            }
            Err(_) => return fail(res, StatusCode::BAD_GATEWAY),
        };
        res.status_code(StatusCode::from_u16(answer.status().as_u16()).expect("a status"));
        for (name, value) in answer.headers() {
            if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
                let name = HeaderName::from_bytes(name.as_str().as_bytes()).expect("a name");
                res.headers_mut().insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
            }
        }
        let _ = res.write_body(answer.bytes().await.unwrap_or_default());
    }
}

/// Serves before `target` until the test ends; answers its address.
pub async fn proxy(target: &str) -> (String, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let proxy = Proxy { target: target.to_owned(), client: reqwest::Client::new(), faults: faults.clone() };
    let acceptor = TcpListener::new("127.0.0.1:0").bind().await;
    let address = salvo::conn::Acceptor::holdings(&acceptor)[0].local_addr.to_string();
    let address = address.rsplit("//").next().expect("an address").to_owned();
    tokio::spawn(Server::new(acceptor).serve(Router::with_path("{**rest}").goal(proxy)));
    (format!("http://{address}"), faults)
}
