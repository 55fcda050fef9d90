//! A daemon whose system gives it no more files (EMFILE).

use std::{net::TcpStream, time::Duration};

use serde_json::json;

use super::support::{Home, eventually};

/// Files that the daemon may have open: enough to start, and few for many clients.
const FILES: usize = 160;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_wait_and_the_log_stays_short_until_there_are_files_again() {
    let mut home = Home::new("");
    home.configure("[log]\nformat = \"json\"\n");
    let limit = format!("ulimit -n {FILES} && exec \"$0\" \"$@\"");
    home.launch_by(["sh", "-c", &limit].map(str::to_owned).to_vec());
    let daemon = home.start();
    let address = daemon.url.trim_start_matches("http://").to_owned();
    // More than there can be; those past the limit wait in the system's queue.
    let clients: Vec<TcpStream> = (0..2 * FILES).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let told = || {
        let log = daemon.log();
        log.lines()
            .filter(|line| line.contains("connections cannot be accepted"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    eventually("the limit is told", async || (!told().is_empty()).then_some(())).await;
    // It used to be 90 lines a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let lines = told();
    assert!(lines.len() <= 2, "{lines:#?}");
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["level"], json!("ERROR"));
    assert!(lines[0].contains("LimitNOFILE") && lines[0].contains("os error 24"), "{}", lines[0]);
    // The clients go: it serves as before, and has lost nothing.
    drop(clients);
    eventually("it answers again", async || {
        let health = daemon.http().get(format!("{}/health", daemon.url)).timeout(Duration::from_secs(2)).send().await;
        health.ok().filter(|answer| answer.status() == 200)
    })
    .await;
    let (status, _) = daemon.get("/projects").await;
    assert_eq!(status, 200);
}
