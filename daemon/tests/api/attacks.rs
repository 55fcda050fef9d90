//! Clients that mean harm, or are broken: the daemon's memory stays flat, and so does what others wait.
#![allow(clippy::print_stdout)] // figures for the reader of the log

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
};

use crate::support::{Daemon, Home};

/// What an attack may cost the daemon, in kilobytes.
const MAY_COST: u64 = 40_000;
/// What one request of another client may take meanwhile; a debug build on a busy machine.
const MAY_TAKE: Duration = Duration::from_millis(1_500);

/// Resident memory of the daemon, in kilobytes.
fn resident(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn address(daemon: &Daemon) -> String {
    daemon.at("//").trim_start_matches("http://").trim_end_matches('/').to_owned()
}

async fn connect(daemon: &Daemon) -> TcpStream {
    TcpStream::connect(address(daemon)).await.unwrap()
}

/// A client that asks on and on; the longest that it waited.
struct Other(JoinHandle<Duration>, tokio_util::sync::CancellationToken);

impl Other {
    fn begin(daemon: &Daemon) -> Self {
        let (client, url) = (daemon.http().clone(), daemon.at("/projects"));
        let end = tokio_util::sync::CancellationToken::new();
        let ended = end.clone();
        let work = tokio::spawn(async move {
            let mut longest = Duration::ZERO;
            while !ended.is_cancelled() {
                let begun = Instant::now();
                assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
                longest = longest.max(begun.elapsed());
                tokio::task::yield_now().await;
            }
            longest
        });
        Self(work, end)
    }

    async fn end(self) {
        self.1.cancel();
        let longest = self.0.await.unwrap();
        assert!(longest < MAY_TAKE, "another client waited {longest:?}");
    }
}

/// Runs an attack beside another client, and looks at what it cost.
async fn attack<T>(name: &str, daemon: &Daemon, work: impl Future<Output = T>) -> T {
    // What a daemon keeps for its first requests is no cost of the attack.
    for _ in 0..50 {
        daemon.get("/projects").await;
    }
    let before = resident(daemon);
    let other = Other::begin(daemon);
    let result = work.await;
    other.end().await;
    let cost = resident(daemon).saturating_sub(before);
    println!("{name}: {cost} KB");
    assert!(cost < MAY_COST, "{name} cost {cost} KB");
    let (status, _) = daemon.get("/projects").await;
    assert_eq!(status, 200);
    result
}

/// The status of an answer, or none when the connection just ended.
async fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut head = vec![0; 12];
    // A head may take as long as a connection may be idle.
    let read = tokio::time::timeout(Duration::from_secs(90), stream.read_exact(&mut head)).await;
    read.expect("an answer or an end").ok()?;
    String::from_utf8_lossy(&head).split(' ').nth(1)?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_hold_nobody_up() {
    let home = Home::new("").open_to_all();
    let daemon = home.start();
    let drip = async {
        let mut slow = Vec::new();
        for _ in 0..300 {
            let mut stream = connect(&daemon).await;
            stream.write_all(b"GET /api/v2/projects HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
            slow.push(stream);
        }
        for round in 0..20 {
            for stream in &mut slow {
                // One that was closed for its slowness is what should happen.
                let _ = stream.write_all(format!("x-{round}: y\r\n").as_bytes()).await;
            }
        }
        // Every one is let go in the end, although it never ended its head.
        let mut last = slow.pop().unwrap();
        let answered = status(&mut last).await;
        assert!(answered.is_none_or(|status| status == 408), "{answered:?}");
    };
    attack("slow heads", &daemon, drip).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_end_is_refused_early() {
    let home = Home::new("").open_to_all();
    let daemon = home.start();
    let head = "POST /api/v2/projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let chunk = vec![b'x'; 1 << 16];
    let send = async {
        for announced in [true, false] {
            let mut stream = connect(&daemon).await;
            let length =
                if announced { "Content-Length: 1073741824\r\n\r\n" } else { "Transfer-Encoding: chunked\r\n\r\n" };
            stream.write_all(format!("{head}{length}").as_bytes()).await.unwrap();
            let mut sent = 0_u64;
            while sent < 1 << 30 {
                let piece = if announced {
                    stream.write_all(&chunk).await
                } else {
                    let size = format!("{:x}\r\n", chunk.len());
                    stream.write_all(&[size.as_bytes(), &chunk, b"\r\n"].concat()).await
                };
                if piece.is_err() {
                    break;
                }
                sent += chunk.len() as u64;
            }
            assert!(sent < 100 << 20, "{sent} bytes were taken");
            if let Some(status) = status(&mut stream).await {
                assert_eq!(status, 413);
            }
        }
    };
    attack("1 GB bodies", &daemon, send).await;
    let (_, listed) = daemon.get("/projects").await;
    assert_eq!(listed["pagination"]["total"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_heads_are_refused() {
    let home = Home::new("").open_to_all();
    let daemon = home.start();
    let send = async {
        for _ in 0..50 {
            for head in [format!("x: {}\r\n", "y".repeat(100_000)), "x: y\r\n".repeat(10_000)] {
                let mut stream = connect(&daemon).await;
                let request = format!("GET /api/v2/projects HTTP/1.1\r\nHost: localhost\r\n{head}\r\n");
                let _ = stream.write_all(request.as_bytes()).await;
                let answered = status(&mut stream).await;
                assert!(answered.is_none_or(|status| (400..500).contains(&status)), "{answered:?}");
            }
        }
    };
    attack("large heads", &daemon, send).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_read_cost_nothing() {
    let home = Home::with_noop_workflow("", 0).open_to_all();
    let daemon = home.start();
    let mut idle = Vec::new();
    for number in 0..100 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = socket.connect(address(&daemon).parse().unwrap()).await.unwrap();
        let path = if number % 2 == 0 { "/api/v2/events" } else { "/api/v2/projects?limit=100" };
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.repeat(if number % 2 == 0 { 1 } else { 50 }).as_bytes()).await.unwrap();
        idle.push(stream);
    }
    let build = async {
        let created = (0..60).map(|_| daemon.create("Nothing is built by this requirement", "noop"));
        for project in futures::future::join_all(created).await {
            daemon.wait_for(&project, &["completed"]).await;
        }
    };
    attack("clients that never read", &daemon, build).await;
    drop(idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_closed_and_reset_connections_leave_nothing() {
    let home = Home::new("").open_to_all();
    let daemon = home.start();
    let send = async {
        for round in 0..500 {
            let mut stream = connect(&daemon).await;
            let request = "GET /api/v2/projects HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(round % 5);
            let cut = if round % 3 == 0 { request.len() } else { request.len() / 2 };
            let _ = stream.write_all(&request.as_bytes()[..cut]).await;
            if round % 2 == 0 {
                let _ = stream.shutdown().await;
                let mut rest = Vec::new();
                let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut rest)).await;
                assert!(read.is_ok(), "a half-closed connection was kept");
            }
        }
    };
    attack("half-closed connections", &daemon, send).await;
    let (status, created) =
        daemon.post("/projects", &json!({ "requirement": "long enough text", "deployment": "none" })).await;
    assert_eq!(status, 201, "{created}");
}
