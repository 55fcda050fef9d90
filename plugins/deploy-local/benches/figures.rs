//! How long agents take to start and to be asked: `cargo bench -p nexus-deploy-local --bench figures`.
//! With `FIGURES_AGENT=<an agent's folder>` that agent is measured too.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(dead_code)] // the test's support is used in part

#[path = "../tests/local/bench.rs"]
mod bench;

use std::time::{Duration, Instant};

use crate::bench::*;

fn main() {
    nexus_sandbox::run_if_asked();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(figures());
}

async fn figures() {
    let bench = bench();
    let mut starts = Vec::new();
    for round in 0..10 {
        let agent = bench.agent(&format!("start{round}"), "");
        let begin = Instant::now();
        bench.deploy(&agent).await.unwrap();
        starts.push(begin.elapsed());
        bench.undeploy(&agent).await;
    }
    print("deploy until ready", starts);

    let agent = bench.agent("asked", "");
    for prompt in ["plain x", "stream"] {
        bench.output(&agent, prompt).await;
        let mut asks = Vec::new();
        for _ in 0..200 {
            let begin = Instant::now();
            bench.output(&agent, prompt).await;
            asks.push(begin.elapsed());
        }
        print(&format!("invoke {prompt:?}"), asks);
    }
    if let Some(folder) = std::env::var_os("FIGURES_AGENT") {
        let mut agent = bench.agent("real", "");
        agent.agent_dir = folder.into();
        let result = bench.deploy(&agent).await.unwrap();
        println!("{:?}: ready after {}", agent.agent_dir, result.details["ready_ms"]);
        println!("{:#?}", bench.ask(&agent, "What is 17 * 23?").await.unwrap());
        let mut asks = Vec::new();
        for _ in 0..50 {
            let begin = Instant::now();
            bench.output(&agent, "hello").await;
            asks.push(begin.elapsed());
        }
        print("invoke it", asks);
    }
    let begin = Instant::now();
    bench.undeploy(&agent).await;
    print("undeploy", vec![begin.elapsed()]);
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!("{what}: p50 {:?}, p95 {:?}, max {:?}", at(50), at(95), at(100));
}
