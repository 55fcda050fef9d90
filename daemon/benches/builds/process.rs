//! The real binary: from its start to healthy, and its memory when idle.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::rig::percentile;

pub(crate) fn run(runtime: &tokio::runtime::Runtime) {
    let mut starts: Vec<Duration> = Vec::new();
    let mut resident = 0.0;
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_nexusd"))
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|l| l.split_whitespace().find(|w| w.starts_with("http://")).map(str::to_owned));
        let url = format!("{}/health", address.expect("the daemon starts"));
        let healthy = runtime.block_on(async { reqwest::get(&url).await.unwrap().status().is_success() });
        assert!(healthy);
        starts.push(begun.elapsed());
        std::thread::sleep(Duration::from_millis(500));
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
        resident = line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let start = percentile(&mut starts, 0.5);
    println!("process   start to healthy p50 {start:?} (aim <= 0.3 s); idle {resident:.1} MB resident (aim <= 40)");
}
