//! Measurements, for people: `cargo test -p nexus-deploy-local --release -- --ignored --nocapture figures`.
//! With `FIGURES_AGENT=<an agent's folder>` that agent is measured too.

use std::time::{Duration, Instant};

use crate::bench::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures; nothing can fail"]
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
