//! Requests to whatever daemon is up, sent again as a careful client does.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reqwest::Method;
use serde_json::Value;

use super::world::World;

/// How long one try may take: longer than a daemon is frozen.
const TRY: Duration = Duration::from_secs(30);
/// How long a request is repeated before the client gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// Pause before it is sent again.
const PAUSE: Duration = Duration::from_millis(150);

/// One client with a name and choices of its own.
pub(super) struct Client {
    pub(super) world: Arc<World>,
    pub(super) name: String,
    pub(super) rng: StdRng,
    http: reqwest::Client,
}

/// What came of a request.
#[derive(Debug)]
pub(super) struct Said {
    /// Status and body of the last answer; none when the client gave up.
    pub(super) answer: Option<(u16, Value)>,
    /// Tries whose effect is not known.
    pub(super) lost: u64,
    /// Failures that the daemon says it has recorded.
    pub(super) refused: Vec<Value>,
}

impl Said {
    /// The body's data, when the request was done.
    pub(super) fn data(&self) -> Option<&Value> {
        self.answer.as_ref().filter(|(status, _)| (200..300).contains(status)).map(|(_, body)| &body["data"])
    }

    pub(super) fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, |(status, _)| *status)
    }

    /// In a few words.
    pub(super) fn brief(&self) -> String {
        match &self.answer {
            None => "no answer".to_owned(),
            Some((status, body)) => {
                let text: String = body["message"].as_str().unwrap_or_default().chars().take(200).collect();
                format!("{status} {} {text:?}", self.code())
            }
        }
    }

    pub(super) fn code(&self) -> &str {
        self.answer.as_ref().and_then(|(_, body)| body["error"]["code"].as_str()).unwrap_or_default()
    }
}

/// A request.
#[derive(Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<&'a Value>,
    pub(super) key: Option<&'a str>,
    /// Which daemon; any when none.
    pub(super) at: Option<usize>,
}

pub(super) fn get(path: &str) -> Ask<'_> {
    Ask { method: Method::GET, path, body: None, key: None, at: None }
}

pub(super) fn delete(path: &str) -> Ask<'_> {
    Ask { method: Method::DELETE, path, body: None, key: None, at: None }
}

pub(super) fn post<'a>(path: &'a str, body: &'a Value, key: Option<&'a str>) -> Ask<'a> {
    Ask { method: Method::POST, path, body: Some(body), key, at: None }
}

pub(super) fn put<'a>(path: &'a str, body: &'a Value) -> Ask<'a> {
    Ask { method: Method::PUT, path, body: Some(body), key: None, at: None }
}

impl Client {
    pub(super) fn new(world: &Arc<World>, name: &str, seed: u64) -> Self {
        let http = reqwest::Client::builder().timeout(TRY).build().expect("a client");
        Self { world: Arc::clone(world), name: name.to_owned(), rng: StdRng::seed_from_u64(seed), http }
    }

    pub(super) fn say(&self, what: impl std::fmt::Display) {
        self.world.say(&self.name, what);
    }

    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// One try: the daemon's number, and its answer.
    pub(super) async fn once(&mut self, ask: &Ask<'_>) -> (usize, Result<(u16, Value), String>) {
        let choice = self.rng.random_range(0..64);
        let (number, url) = self.world.reachable(ask.at, choice).await;
        let at = match ask.path.strip_prefix("//") {
            Some(top) => format!("{url}/{top}"),
            None => format!("{url}/api/v2{}", ask.path),
        };
        let mut request = self.http.request(ask.method.clone(), at);
        if let Some(body) = ask.body {
            request = request.json(body);
        }
        if let Some(key) = ask.key {
            request = request.header("idempotency-key", key);
        }
        let answered = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.text().await?))
        };
        let answer = match answered.await {
            Err(error) => Err(format!("{:?}", error.without_url())),
            Ok((status, text)) => match serde_json::from_str(&text) {
                Ok(body) => Ok((status, body)),
                Err(_) => {
                    let what = format!("no JSON with status {status} from {} {}: {text:?}", ask.method, ask.path);
                    self.world.ledger.violation(what, &[]);
                    Ok((status, Value::Null))
                }
            },
        };
        let kind = match &answer {
            Ok((status, body)) => format!("{status} {}", body["error"]["code"].as_str().unwrap_or_default()),
            Err(_) => "lost".to_owned(),
        };
        *self.world.ledger.state().requests.entry(kind).or_default() += 1;
        (number, answer)
    }

    /// Sends a request once; a client that is told of trouble and thinks better of it.
    pub(super) async fn try_once(&mut self, ask: Ask<'_>) -> Said {
        let (number, answer) = self.once(&ask).await;
        let answer = answer.ok();
        let said = Said { lost: u64::from(answer.is_none()), answer, refused: Vec::new() };
        self.say(format!("{} {} once, at daemon{}: {}", ask.method, ask.path, number + 1, said.brief()));
        said
    }

    /// Sends a request until something definite is answered, or patience ends.
    pub(super) async fn insist(&mut self, ask: Ask<'_>) -> Said {
        let begun = Instant::now();
        let mut said = Said { answer: None, lost: 0, refused: Vec::new() };
        while begun.elapsed() < PATIENCE {
            let (number, answer) = self.once(&ask).await;
            match answer {
                Err(error) => {
                    said.lost += 1;
                    if ask.method != Method::GET {
                        self.say(format!("{} {} at daemon{}: lost: {error}", ask.method, ask.path, number + 1));
                    }
                }
                Ok((status, body)) => {
                    let code = body["error"]["code"].as_str().unwrap_or_default().to_owned();
                    let recorded = body["error"]["details"]["invocation_id"].is_string();
                    if ask.method != Method::GET {
                        self.say(format!("{} {} at daemon{}: {status} {code}", ask.method, ask.path, number + 1));
                    }
                    if status == 500 {
                        let what = format!("{} {} at daemon{} answered 500: {body}", ask.method, ask.path, number + 1);
                        self.world.ledger.violation(what, &[ask.path]);
                    }
                    if recorded {
                        said.refused.push(body["error"]["details"].clone());
                    }
                    let again = matches!(status, 429 | 500 | 502 | 503 | 504)
                        || (status == 409 && (code == "IDEMPOTENCY_IN_PROGRESS" || code == "NOT_SHARED"));
                    if status >= 500 && !recorded {
                        // Whether it was carried out before it failed is not said.
                        said.lost += 1;
                    }
                    said.answer = Some((status, body));
                    if !again {
                        return said;
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.say(format!("gives up {} {}: {}", ask.method, ask.path, said.status()));
        said
    }
}
