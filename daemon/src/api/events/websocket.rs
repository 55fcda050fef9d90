//! `GET /ws`: the events of `/events` over a WebSocket, for clients that cannot read server-sent events.
//!
//! A message is the JSON that `data:` holds there, with the stream position as `id`. The client may send
//! `{"action": "subscribe", …}` with other filters, and `{"action": "ping"}`.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use salvo::{
    Request, Response, Writer as _,
    http::StatusCode,
    oapi::endpoint,
    websocket::{Message, WebSocket, WebSocketUpgrade},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::api::{
    events::wanted::{self as watch, Wanted, WatchQuery},
    http::{
        error::ApiError,
        measure::OpenStream,
        request::{
            extract::{Query, State},
            fields::Fields,
            rules::Input as _,
        },
    },
    state::AppState,
};
use crate::{
    domain::event::ProjectEvent,
    events::{AllSubscription, Missed, Position, Told},
    telemetry::names::SSE_LAGGED,
};

/// Largest message of a client, in bytes.
const MAX_MESSAGE: usize = 32 * 1024;
/// Most bytes that wait for a client that does not read.
const MAX_WAITING: usize = 256 * 1024;
/// A client that does not read for this long loses its connection.
const WRITE_LIMIT: Duration = Duration::from_secs(30);
/// Rounds of keep-alive that a client may stay silent.
const SILENT_ROUNDS: u32 = 3;

/// Closing codes of RFC 6455.
const GOING_AWAY: u16 = 1001;

/// `GET /ws`
///
/// Watch all projects over a WebSocket. Each message is an event as in `/events`, with its `id`. The client may send
/// `{"action": "subscribe"}` with other filters, and `{"action": "ping"}`. Messages fit `WebSocketMessage`, those of the
/// client `WebSocketRequest`.
#[endpoint(
    operation_id = "openWebSocket",
    tags("events"),
    responses((status_code = 101, description = "The WebSocket is open."), (status_code = 426, description = "No upgrade was asked for."))
)]
pub(crate) async fn open(
    state: State,
    query: Query<WatchQuery>,
    req: &mut Request,
    res: &mut Response,
) -> Result<(), ApiError> {
    let State(state, _) = state;
    let (wanted, after) = query.0.split();
    if !req.headers().contains_key("upgrade") {
        let message = "this path speaks WebSocket: ask for an upgrade, or read /events";
        return Err(ApiError::plain(StatusCode::UPGRADE_REQUIRED, "UPGRADE_REQUIRED", message));
    }
    let upgrade = WebSocketUpgrade::new()
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .max_write_buffer_size(MAX_WAITING);
    let client = Client {
        subscription: state.hub.subscribe_all(after),
        keep_alive: state.config.load().server.sse_keepalive_secs.duration().max(Duration::from_secs(1)),
        wanted,
        silent: 0,
        state,
        _open: OpenStream::begin("websocket"),
    };
    let opened = upgrade.upgrade(req, res, move |socket| client.serve(socket)).await;
    opened.map_err(|error| {
        tracing::debug!(%error, "a WebSocket could not be opened");
        ApiError::of_status(StatusCode::BAD_REQUEST)
    })
}

struct Client {
    state: Arc<AppState>,
    subscription: AllSubscription,
    wanted: Wanted,
    keep_alive: Duration,
    /// Rounds of keep-alive without a word from the client.
    silent: u32,
    _open: OpenStream,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: String,
    #[serde(flatten)]
    event: &'a ProjectEvent,
}

impl Client {
    async fn serve(mut self, mut socket: WebSocket) {
        if self.subscription.missed && !say(&mut socket, self.resync(None)).await {
            return;
        }
        let shutdown = self.state.shutdown.clone();
        loop {
            let goes_on = tokio::select! {
                biased;
                () = shutdown.cancelled() => {
                    let bye = Message::close_with(GOING_AWAY, "the daemon is being stopped");
                    let _ = tokio::time::timeout(Duration::from_secs(1), socket.send(bye)).await;
                    return;
                }
                heard = socket.recv() => self.hear(&mut socket, heard).await,
                told = self.subscription.recv() => self.tell(&mut socket, told).await,
                () = tokio::time::sleep(self.keep_alive) => self.keep(&mut socket).await,
            };
            if !goes_on {
                return;
            }
        }
    }

    async fn tell(&mut self, socket: &mut WebSocket, told: Result<Arc<Told>, Missed>) -> bool {
        match told {
            Ok(told) if self.wanted.wants(&told.event) => say(socket, text(told.position, &told.event)).await,
            Ok(_) => true,
            Err(Missed::Lagged(count)) => {
                counter!(SSE_LAGGED).increment(1);
                say(socket, self.resync(Some(count))).await
            }
            Err(Missed::Closed) => false,
        }
    }

    fn resync(&self, missed: Option<u64>) -> String {
        let mut event = watch::resync(missed);
        if let Value::Object(members) = &mut event {
            members.insert("id".to_owned(), self.subscription.last.to_string().into());
        }
        event.to_string()
    }

    async fn keep(&mut self, socket: &mut WebSocket) -> bool {
        self.silent += 1;
        // Every WebSocket answers a ping by itself: one that is silent is gone.
        self.silent <= SILENT_ROUNDS && send(socket, Message::ping(Vec::new())).await
    }

    async fn hear(&mut self, socket: &mut WebSocket, heard: Option<Result<Message, salvo::Error>>) -> bool {
        let message = match heard {
            Some(Ok(message)) if !message.is_close() => message,
            // Closed by the client, or broken (too large a message, too: the socket says so itself).
            _ => return false,
        };
        self.silent = 0;
        if message.is_ping() || message.is_pong() {
            return true;
        }
        let answer = match message.as_str() {
            Ok(text) => self.act(text),
            Err(_) => Err("messages are JSON texts".to_owned()),
        };
        let answer = answer.unwrap_or_else(|error| json!({ "type": "error", "error": error }));
        say(socket, answer.to_string()).await
    }

    fn act(&mut self, text: &str) -> Result<Value, String> {
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
            return Err("messages are JSON objects with an action".to_owned());
        };
        match message.remove("action").as_ref().and_then(Value::as_str) {
            Some("ping") => Ok(json!({ "type": "pong" })),
            Some("subscribe") => self.subscribe(message),
            _ => Err("the action should be subscribe or ping".to_owned()),
        }
    }

    fn subscribe(&mut self, mut message: Map<String, Value>) -> Result<Value, String> {
        let echo = Value::Object(message.clone());
        for value in message.values_mut() {
            // Lists are welcome, too.
            if let Value::Array(items) = value {
                let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                *value = texts.join(",").into();
            }
        }
        let mut fields = Fields::new("body", message);
        let query = WatchQuery::read(&mut fields);
        fields.finish().map_err(|error| error.to_string())?;
        let (wanted, after) = query.split();
        self.wanted = wanted;
        if after.is_some() {
            self.subscription = self.state.hub.subscribe_all(after);
        }
        Ok(json!({ "type": "subscribed", "filter": echo, "resync": self.subscription.missed }))
    }
}

fn text(position: Position, event: &ProjectEvent) -> String {
    serde_json::to_string(&Shown { id: position.to_string(), event }).unwrap_or_else(|error| {
        tracing::error!(%error, "an event could not be serialised");
        "null".to_owned()
    })
}

async fn say(socket: &mut WebSocket, text: String) -> bool {
    send(socket, Message::text(text)).await
}

/// Whether it was taken in time.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(WRITE_LIMIT, socket.send(message)).await, Ok(Ok(())))
}
