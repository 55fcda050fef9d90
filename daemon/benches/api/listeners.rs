//! Many listeners at once: what each costs the daemon, and how long until one event has reached all.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;

use crate::{
    client::{Connection, get, post},
    daemon::Daemon,
};

/// Listeners at a time.
const LISTENERS: usize = 10_000;
/// Events that are told to all.
const EVENTS: usize = 20;

pub async fn measure() {
    println!("\n{LISTENERS} listeners\n");
    for of_one_project in [false, true] {
        let daemon = Daemon::start(1).await;
        let name = if of_one_project { "of one project" } else { "of all projects" };
        let mut maker = Connection::open(daemon.address).await;
        hold_the_place(&mut maker).await;
        let project = create(&mut maker).await;
        let path =
            if of_one_project { format!("/api/v2/projects/{project}/events") } else { "/api/v2/events".to_owned() };
        let before = daemon.resident();
        let mut streams = Vec::with_capacity(LISTENERS);
        for _ in 0..LISTENERS {
            let mut stream = Connection::open(daemon.address).await.into_stream();
            tokio::io::AsyncWriteExt::write_all(&mut stream, get(&path).as_bytes()).await.unwrap();
            streams.push(stream);
        }
        // All have their head, and what was before.
        let mut buffer = vec![0; 1 << 16];
        for stream in &mut streams {
            let first = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut buffer)).await;
            assert!(first.expect("a head").unwrap() > 0);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        for stream in &streams {
            while stream.try_read(&mut buffer).is_ok() {}
        }
        let each = daemon.resident().saturating_sub(before) as f64 / LISTENERS as f64 / 1e3;
        let mut times = tell(&daemon, &project, streams).await;
        times.sort();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!(
            "{name:<18} {each:>6.1} KB each; one event reached a listener after p50 {:.0} ms, p99 {:.0} ms, all after {:.0} ms",
            at(0.5),
            at(0.99),
            at(1.0)
        );
        daemon.end();
    }
}

async fn create(maker: &mut Connection) -> String {
    let body = r#"{"requirement": "Nothing is built of this requirement", "deployment": "none"}"#;
    assert_eq!(maker.ask(&post("/api/v2/projects", body)).await, 201);
    let answer: serde_json::Value = serde_json::from_slice(maker.body()).unwrap();
    answer["data"]["project_id"].as_str().unwrap().to_owned()
}

/// Has one build run and wait, so that the next ones stay queued.
async fn hold_the_place(maker: &mut Connection) {
    let project = create(maker).await;
    for _ in 0..200 {
        maker.ask(&get(&format!("/api/v2/projects/{project}"))).await;
        let detail: serde_json::Value = serde_json::from_slice(maker.body()).unwrap();
        if detail["data"]["status"] == "building" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no build begins");
}

/// Has events come about, one after the other, and takes the time until each listener has each.
async fn tell(daemon: &Daemon, project: &str, streams: Vec<tokio::net::TcpStream>) -> Vec<Duration> {
    let (heard, mut ears) = tokio::sync::mpsc::unbounded_channel::<Instant>();
    for mut stream in streams {
        let heard = heard.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 14];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                if buffer[..count].windows(6).any(|window| window == b"event:") && heard.send(Instant::now()).is_err() {
                    return;
                }
            }
        });
    }
    let mut times = Vec::new();
    let mut connection = Connection::open(daemon.address).await;
    for round in 0..EVENTS {
        let begun = Instant::now();
        // Each makes one event of a project that waits.
        let action = if round % 2 == 0 { "pause" } else { "resume" };
        let path = format!("/api/v2/projects/{project}/control");
        let status = connection.ask(&post(&path, &format!(r#"{{"action": "{action}"}}"#))).await;
        assert_eq!(status, 200);
        for _ in 0..LISTENERS {
            let Ok(Some(at)) = tokio::time::timeout(Duration::from_secs(30), ears.recv()).await else { break };
            times.push(at.saturating_duration_since(begun));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    times
}
