//! Speed of the daemon's own work: the real store, the real actors, the real plugin host, and stages
//! that do nothing. `cargo bench -p nexus-daemon --bench builds [-- idle closed drain http memory process]`.
//!
//! Machines differ and are noisy, so every figure stands beside what it is made of, measured in the
//! same run: a build beside the fsyncs it needs, a drained burst beside the store alone.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::cast_precision_loss, clippy::panic)]

mod disk;
mod over_http;
mod process;
mod rig;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rig::{Rig, percentile, resident_mb};

/// Stages of a build, as in the shipped workflow.
const STAGES: usize = 9;
/// Durable commits of such a build: create, claim with the first begin, one per stage.
const COMMITS: u32 = STAGES as u32 + 2;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if is_wanted("process") {
        process::run(&runtime);
    }
    if is_wanted("idle") {
        runtime.block_on(idle());
    }
    if is_wanted("closed") {
        runtime.block_on(closed());
    }
    if is_wanted("drain") {
        runtime.block_on(drain());
    }
    if is_wanted("http") {
        runtime.block_on(over_http::run());
    }
    if wanted.iter().any(|w| w == "memory") {
        runtime.block_on(memory());
    } else if wanted.is_empty() {
        // In a process of its own: what the others left in the allocator is not the builds' memory.
        let status = std::process::Command::new(std::env::current_exe().unwrap()).arg("memory").status();
        assert!(status.unwrap().success());
    }
}

/// One build after another on an idle daemon.
async fn idle() {
    const BUILDS: usize = 300;
    let rig = Rig::new(16, 0).await;
    let root = rig.start().await;
    rig.build_one().await;
    let commits = rig.commits();
    let mut times = Vec::new();
    let mut syncs = Vec::new();
    let mut alone = Vec::new();
    let store = Rig::new(1, 0).await;
    for i in 0..BUILDS {
        times.push(rig.build_one().await);
        // In turn, so that both meet the same disk.
        if i % 3 == 0 {
            syncs.push(disk::fsync(rig.folder(), 10));
            alone.push(store.walk_one().await);
        }
    }
    let per_build = (rig.commits() - commits) as f64 / BUILDS as f64;
    let (p50, p99) = (percentile(&mut times, 0.50), percentile(&mut times, 0.99));
    let sync = percentile(&mut syncs, 0.50);
    let alone = percentile(&mut alone, 0.50);
    println!("idle      one build: p50 {p50:?}, p99 {p99:?}; commits per build {per_build:.2} (aim <= 11)");
    println!(
        "          fsync p50 {sync:?}; build / {COMMITS} fsyncs = {:.2} (aim <= 1.5); the store alone p50 {alone:?}, build / store = {:.2}",
        p50.as_secs_f64() / (sync * COMMITS).as_secs_f64(),
        p50.as_secs_f64() / alone.as_secs_f64()
    );
    rig.stop(root).await;
}

/// 64 clients, each posting its next build when the last is done.
async fn closed() {
    const CLIENTS: usize = 64;
    let rig = Arc::new(Rig::new(128, 0).await);
    let root = rig.start().await;
    let until = Instant::now() + Duration::from_secs(8);
    let begun = Instant::now();
    let clients = (0..CLIENTS).map(|_| {
        let rig = Arc::clone(&rig);
        tokio::spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < until {
                times.push(rig.build_one().await);
            }
            times
        })
    });
    let mut times: Vec<Duration> = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        times.extend(client.await.unwrap());
    }
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    let (p50, p99) = (percentile(&mut times, 0.50), percentile(&mut times, 0.99));
    println!(
        "closed    {CLIENTS} clients: {rate:.0} builds/s (aim >= 1500); p50 {p50:?}, p99 {p99:?}; {:.2} commits per build",
        rig.commits() as f64 / times.len() as f64
    );
    rig.stop(root).await;
}

/// A burst that waits in the queue, drained by the tree; beside it the same writes without actors.
async fn drain() {
    const BURST: usize = 10_000;
    let alone = store_alone(BURST).await;
    let rig = Rig::new(256, 0).await;
    rig.create_many(BURST).await;
    let begun = Instant::now();
    let root = rig.start().await;
    rig.wait_until_done(BURST).await;
    let rate = BURST as f64 / begun.elapsed().as_secs_f64();
    println!(
        "drain     {BURST} queued builds: {rate:.0} builds/s; store alone {alone:.0} builds/s; ratio {:.2} (aim >= 0.5)",
        rate / alone
    );
    rig.stop(root).await;
}

/// Claims and advances builds by plain calls from 256 tasks: what the store itself can do.
async fn store_alone(builds: usize) -> f64 {
    let rig = Arc::new(Rig::new(1, 0).await);
    let ids = Arc::new(rig.create_many(builds).await);
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let workers = (0..256).map(|_| {
        let (rig, ids, next) = (Arc::clone(&rig), Arc::clone(&ids), Arc::clone(&next));
        tokio::spawn(async move {
            while let Some((project, task)) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                rig.walk(project, task).await;
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    builds as f64 / begun.elapsed().as_secs_f64()
}

/// Ten thousand builds that all run at once.
async fn memory() {
    const BUILDS: usize = 10_000;
    let rig = Rig::new(BUILDS, 3_600_000).await;
    let before = resident_mb();
    rig.create_many(BUILDS).await;
    let created = resident_mb();
    let root = rig.start().await;
    rig.wait_until_running(BUILDS).await;
    let all = resident_mb();
    println!(
        "memory    {BUILDS} builds in flight: {all:.0} MB resident (aim < 300); {before:.0} MB before, {created:.0} MB queued; {:.1} KB per build",
        (all - created) * 1024.0 / BUILDS as f64
    );
    // The process ends with it: nothing of interest is left.
    drop(root);
}
