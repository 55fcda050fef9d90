//! The API under load: requests a second, their times and what they cost the daemon, with few and with many projects
//! in the store; then many listeners at once. `cargo bench -p nexus-daemon --bench api`
//!
//! The daemon is the real release binary, a process of its own on loopback; this process is its clients.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::print_stdout, clippy::cast_precision_loss, unreachable_pub)]

mod client;
mod daemon;
mod listeners;

use std::time::{Duration, Instant};

use client::Connection;
use daemon::Daemon;

/// Projects in the store.
const SIZES: [usize; 2] = [1_000, 100_000];
/// Clients at a time.
const CLIENTS: [usize; 3] = [1, 16, 64];
/// Requests of a measurement, over all clients.
const REQUESTS: usize = 6_000;

fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        for size in SIZES {
            let daemon = Daemon::start(size).await;
            println!("\n{size} projects, {} resident\n", megabytes(daemon.resident()));
            println!(
                "{:<28} {:>7} {:>10} {:>9} {:>9} {:>12}",
                "request", "clients", "per second", "p50", "p99", "server CPU"
            );
            for (name, request) in daemon.requests() {
                for clients in CLIENTS {
                    measure(&daemon, name, &request, clients).await;
                }
            }
            daemon.end();
        }
        listeners::measure().await;
    });
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Runs a request over and over on some connections, and prints what it took.
async fn measure(daemon: &Daemon, name: &str, request: &str, clients: usize) {
    let each = REQUESTS / clients;
    let mut connections = Vec::new();
    for _ in 0..clients {
        let mut connection = Connection::open(daemon.address).await;
        let status = connection.ask(request).await;
        if !(200..300).contains(&status) {
            println!("{name:<28} {clients:>7} answers {status}");
            return;
        }
        connections.push(connection);
    }
    let (begun, cpu) = (Instant::now(), daemon.cpu());
    let work = connections.into_iter().map(|mut connection| {
        let request = request.to_owned();
        tokio::spawn(async move {
            let mut times = Vec::with_capacity(each);
            for _ in 0..each {
                let begun = Instant::now();
                connection.ask(&request).await;
                times.push(begun.elapsed());
            }
            times
        })
    });
    let mut times: Vec<Duration> = Vec::new();
    for done in futures::future::join_all(work).await {
        times.extend(done.unwrap());
    }
    let (took, cpu) = (begun.elapsed(), daemon.cpu().saturating_sub(cpu));
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{name:<28} {clients:>7} {:>10.0} {:>9} {:>9} {:>9.0} us",
        times.len() as f64 / took.as_secs_f64(),
        format!("{:.2} ms", at(0.5).as_secs_f64() * 1e3),
        format!("{:.2} ms", at(0.99).as_secs_f64() * 1e3),
        cpu.as_secs_f64() * 1e6 / times.len() as f64,
    );
}
