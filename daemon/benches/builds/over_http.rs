//! The same builds as others feel them: posted to the real binary over kept connections, their ends read from its one
//! stream of events. What a daemon without its API is compared with pays for none of this; servers of the same kind do.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
};

use crate::{STAGES, rig::percentile};

const CLIENTS: usize = 64;
const SECONDS: Duration = Duration::from_secs(8);

/// Projects that somebody waits for, and those that ended before anybody did.
type Waiting = Arc<Mutex<HashMap<String, Option<oneshot::Sender<()>>>>>;

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) async fn run() {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (daemon, address) = start(home.path());
    let waiting = Waiting::default();
    tokio::spawn(listen(address, Arc::clone(&waiting)));
    let mut one = TcpStream::connect(address).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(build(&mut one, &waiting).await);
    }
    let (cpu, begun) = (cpu(&daemon), Instant::now());
    let until = begun + SECONDS;
    let clients = (0..CLIENTS).map(|_| {
        let waiting = Arc::clone(&waiting);
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let mut times = Vec::new();
            while Instant::now() < until {
                times.push(build(&mut stream, &waiting).await);
            }
            times
        })
    });
    let mut times: Vec<Duration> = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        times.extend(client.await.unwrap());
    }
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    let spent = (self::cpu(&daemon) - cpu).as_secs_f64() * 1e6 / times.len() as f64;
    let [p50, p99] = [0.50, 0.99].map(|share| percentile(&mut times, share));
    let [idle50, idle99] = [0.50, 0.99].map(|share| percentile(&mut idle, share));
    println!("http      one build: p50 {idle50:?}, p99 {idle99:?}");
    println!(
        "          {CLIENTS} clients: {rate:.0} builds/s; p50 {p50:?}, p99 {p99:?}; {spent:.0} us of the daemon's CPU each"
    );
}

/// The binary with a workflow of stages that do nothing.
fn start(home: &Path) -> (Daemon, SocketAddr) {
    let (plugins, workflows) = (home.join("plugins"), home.join("workflows"));
    fs::create_dir(&plugins).unwrap();
    fs::create_dir(&workflows).unwrap();
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    fs::copy(deps.join("libnexus_fixture_noop.so"), plugins.join("libnoop.so")).expect("the fixture is built");
    let mut workflow = "name = \"noop\"\n".to_owned();
    for i in 0..STAGES {
        let before = i.checked_sub(1).map(|before| format!("prerequisites = [\"s{before}\"]\n")).unwrap_or_default();
        workflow.push_str(&format!("[[stages]]\nname = \"s{i}\"\nhandler = \"noop/noop\"\n{before}"));
    }
    fs::write(workflows.join("noop.toml"), workflow).unwrap();
    let settings = home.join("nexusd.toml");
    fs::write(
        &settings,
        "[worker]\nbuilds = 128\n[workflows]\ndirs = [\"workflows\"]\ndefault = \"noop\"\n[plugins]\ndirs = [\"plugins\"]\nshipped = false\n[log]\nfilter = \"error\"\n",
    )
    .unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_nexusd"))
        .args(["--listen", "127.0.0.1:0", "--config"])
        .arg(&settings)
        .arg("--data-dir")
        .arg(home.join("data"))
        .env("NEXUSD_AUTH__MODE", "none")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.split("http://").nth(1)?.split_whitespace().next()?.parse().ok());
    std::thread::spawn(move || lines.for_each(drop));
    (Daemon(process), address.expect("the daemon starts"))
}

/// Reads the ends of projects from the stream of all events.
async fn listen(address: SocketAddr, waiting: Waiting) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /api/v2/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut lines = tokio::io::BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let ended = line.contains("\"status\":\"completed\"") && !line.contains("\"stage_name\"");
        let Some(id) = line.split("\"project_id\":\"").nth(1).filter(|_| ended) else { continue };
        let id = id.split('"').next().unwrap().to_owned();
        // Without a waiter it ended before its client knew its id.
        if let Some(Some(waiter)) = waiting.lock().unwrap().insert(id, None) {
            let _ = waiter.send(());
        }
    }
}

/// Posts a build and waits for its end.
async fn build(stream: &mut TcpStream, waiting: &Waiting) -> Duration {
    let body = r#"{"requirement": "a build of the bench, which does nothing at all"}"#;
    let head =
        "POST /api/v2/projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ";
    let begun = Instant::now();
    stream.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    let mut answer = Vec::with_capacity(4096);
    let id = loop {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "the daemon closed the connection");
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("HTTP/1.1 201"), "{text}");
        let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase().split("content-length: ").nth(1).unwrap().to_owned();
        if rest.len() >= length.split('\r').next().unwrap().parse::<usize>().unwrap() {
            break rest.split("\"project_id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        }
    };
    let (tell, told) = oneshot::channel();
    let ended = {
        let mut waiting = waiting.lock().unwrap();
        let ended = matches!(waiting.remove(&id), Some(None));
        if !ended {
            waiting.insert(id.clone(), Some(tell));
        }
        ended
    };
    if !ended {
        told.await.unwrap();
        waiting.lock().unwrap().remove(&id);
    }
    begun.elapsed()
}

/// CPU time of the daemon so far.
fn cpu(daemon: &Daemon) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.0.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // USER_HZ is 100 on every Linux of this decade.
    Duration::from_millis(ticks * 10)
}
