//! How soon a listener has what an agent says: the first text of an answer on a connection that is kept open, and the
//! delay of every piece when 100 answers of 5,000 small pieces run at once. `cargo bench -p nexus-daemon --bench streams`
//!
//! The API is the real one over loopback and the embedded store, in this process, with agents that speak by the clock;
//! its clients read raw sockets, so that what is measured is the way from the agent's event to the client's socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stdout, clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use nexus_plugin_api::payload::Event;
use serde_json::json;
use support::api::{Api, Script};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Questions on the kept connection.
const QUESTIONS: usize = 200;
/// Answers at once, pieces of each, and the time between two of them.
const STREAMS: usize = 100;
const PIECES: usize = 5_000;
const PACE: Duration = Duration::from_millis(10);

fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        first_text().await;
        pieces().await;
    });
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

fn told(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let (n, most) = (times.len(), at(1.0));
    println!("{name:<44} n {n:>7}  p50 {:.2} ms  p99 {:.2} ms  max {most:.2} ms", at(0.5), at(0.99));
}

/// A question on an open connection; every read is handed to `seen` until the answer's last chunk.
async fn ask(client: &mut TcpStream, session: &str, mut seen: impl FnMut(&str)) {
    let body = json!({ "content": "x" }).to_string();
    let head = format!("POST /api/v2/sessions/{session}/stream HTTP/1.1\r\nHost: localhost\r\n");
    let request = format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    client.write_all(request.as_bytes()).await.unwrap();
    let mut piece = vec![0; 1 << 16];
    let mut tail = String::new();
    loop {
        let read = client.read(&mut piece).await.unwrap();
        assert!(read > 0, "the answer broke off: {tail}");
        let text = String::from_utf8_lossy(&piece[..read]);
        seen(&text);
        tail = format!("{tail}{text}");
        if tail.ends_with("0\r\n\r\n") {
            return;
        }
        tail = tail.chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect();
    }
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn first_text() {
    let api = Api::start().await;
    let agent = api.agent().await;
    let session = api.session(&agent).await;
    *api.agents.script.lock().unwrap() = Script { pace: Some(Duration::from_micros(1)), ..Script::default() };
    let mut client = connect(api.address).await;
    let (mut from_request, mut from_head, mut from_event, mut whole) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..QUESTIONS {
        let begun = Instant::now();
        let (mut head, mut first) = (None, None);
        ask(&mut client, &session, |text| {
            head.get_or_insert_with(Instant::now);
            if let Some((_, rest)) = text.split_once("\"at=").filter(|_| first.is_none()) {
                let at: u64 = rest.split('=').next().unwrap().parse().unwrap();
                first = Some((Instant::now(), Duration::from_micros(now().saturating_sub(at))));
            }
        })
        .await;
        let (head, (first, delay)) = (head.unwrap(), first.expect("a text"));
        from_request.push(first - begun);
        from_head.push(first - head);
        from_event.push(delay);
        whole.push(begun.elapsed());
    }
    told("first text after the request, kept connection", from_request);
    told("first text after the head, kept connection", from_head);
    told("first text after the agent said it", from_event);
    told("whole answer", whole);
    api.stop().await;
}

async fn pieces() {
    let api = Arc::new(Api::start().await);
    let agent = api.agent().await;
    let events = vec![Event::Text { delta: "x".to_owned() }; PIECES];
    *api.agents.script.lock().unwrap() = Script { events, pace: Some(PACE), ..Script::default() };
    let mut readers = Vec::new();
    for _ in 0..STREAMS {
        let session = api.session(&agent).await;
        let address = api.address;
        readers.push(tokio::spawn(async move {
            let mut client = connect(address).await;
            let mut delays = Vec::with_capacity(PIECES);
            let mut cut = String::new();
            ask(&mut client, &session, |text| {
                let at = now();
                cut.push_str(text);
                while let Some(begin) = cut.find("\"at=") {
                    let Some(length) = cut[begin + 4..].find('=') else { break };
                    let said: u64 = cut[begin + 4..begin + 4 + length].parse().unwrap();
                    delays.push(Duration::from_micros(at.saturating_sub(said)));
                    cut.drain(..begin + 5 + length);
                }
            })
            .await;
            delays
        }));
    }
    let mut all = Vec::new();
    for reader in readers {
        let delays = reader.await.unwrap();
        assert_eq!(delays.len(), PIECES);
        all.extend(delays);
    }
    let late = all.iter().filter(|delay| **delay > Duration::from_millis(20)).count();
    told("a piece after the agent said it, 100 answers", all);
    println!("pieces later than 20 ms: {late}");
}
