//! What walls cost an agent that answers: `cargo bench -p nexus-sandbox --bench invoke`. The same agent is asked by the
//! same client, without walls and with each mode, in turns; prints throughput and ratios of each turn's neighbours.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use nexus_sandbox::{Interpreter, Limits, Mode, Profile, Sandbox};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

const AGENT: &str = include_str!("../../../deploy-local/tests/local/puppet.py");
const TURNS: usize = 15;
const REQUESTS: usize = 200;
const AT_ONCE: usize = 4;

fn main() {
    nexus_sandbox::run_if_asked();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(measure());
}

/// Ends with its owner.
type Running = Box<dyn std::any::Any>;

async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("agent.py"), AGENT).unwrap();
    let python = Interpreter::find("python3").await.unwrap();
    let mut agents = Vec::new();
    for (name, mode) in [("unconfined", None), ("landlock", Some(Mode::Landlock)), ("bwrap", Some(Mode::Bwrap))] {
        let home = folder.path().join(name);
        std::fs::create_dir(&home).unwrap();
        let environment = [("HOST", "127.0.0.1"), ("PORT", "0"), ("HOME", home.to_str().unwrap()), ("START", "")];
        let (running, port) = match mode {
            None => {
                let mut command = tokio::process::Command::new(&python.program);
                command.arg("agent.py").env_clear().envs(environment).current_dir(folder.path()).kill_on_drop(true);
                let mut child =
                    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
                let port = port(child.stdout.take().unwrap()).await;
                (Box::new(child) as Running, port)
            }
            Some(mode) => {
                let mut sandbox = Sandbox::new(Profile::Agent, &python.program, folder.path()).arguments(["agent.py"]);
                sandbox.environment = environment.map(|(name, value)| (name.into(), value.into())).to_vec();
                sandbox.reads = python.files.clone();
                sandbox.writes = vec![home];
                sandbox.bind = vec![0];
                sandbox.mode = Some(mode);
                let memory = Some(1 << 30);
                sandbox.limits = Limits { memory, processes: Some(256), disk_bytes: memory, ..Limits::default() };
                let mut confined = sandbox.spawn().await.unwrap();
                let port = port(confined.stdout.take().unwrap()).await;
                (Box::new(confined) as Running, port)
            }
        };
        agents.push((name, running, port));
    }
    for prompt in ["plain x", "stream"] {
        let mut turns = vec![Vec::new(); agents.len()];
        for turn in 0..=TURNS {
            for (index, (_, _, port)) in agents.iter().enumerate() {
                let rate = rate(*port, prompt).await;
                // The first turn warms up.
                if turn > 0 {
                    turns.get_mut(index).unwrap().push(rate);
                }
            }
        }
        let plain = turns.first().unwrap().clone();
        for ((name, ..), rates) in agents.iter().zip(turns) {
            let ratios: Vec<f64> = rates.iter().zip(&plain).map(|(with, without)| with / without * 100.0).collect();
            println!("{prompt:8} {name:11} {:7.0} answers/s, {:5.1} % of unconfined", median(rates), median(ratios));
        }
    }
}

async fn port(output: impl AsyncRead + Unpin + Send + 'static) -> u16 {
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(port) = said.get("port").and_then(serde_json::Value::as_u64) {
            // What it prints later is thrown away, but read.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return u16::try_from(port).unwrap();
        }
    }
    unreachable!("the agent ended before it listened")
}

async fn rate(port: u16, prompt: &str) -> f64 {
    let begun = Instant::now();
    let askers: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let prompt = prompt.to_owned();
            tokio::spawn(async move {
                for _ in 0..REQUESTS / AT_ONCE {
                    ask(port, &prompt).await;
                }
            })
        })
        .collect();
    for asker in askers {
        asker.await.unwrap();
    }
    let spent: Duration = begun.elapsed();
    f64::from(u32::try_from(REQUESTS).unwrap()) / spent.as_secs_f64()
}

async fn ask(port: u16, prompt: &str) {
    let body = serde_json::json!({ "prompt": prompt, "session_id": "s", "history": [] }).to_string();
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = "POST /invocations HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    connection.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.") && answer.get(9..12) == Some(b"200".as_slice()),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
