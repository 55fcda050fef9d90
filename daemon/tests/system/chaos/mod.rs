//! The chaos run: daemons are killed, frozen, starved of disk and time, and cut off, while clients have projects and
//! agents made, watched, controlled, edited and deleted. Afterwards an oracle holds the daemons to what they acknowledged.
//!
//! `NEXUSD_CHAOS_MINUTES` says how long (default: a short round in which each fault comes once), `NEXUSD_CHAOS_SEED`
//! repeats the choices of a run, `NEXUSD_CHAOS_WITHOUT=Moved,Freeze` leaves faults out. What was done is written to `target/tmp/chaos-<run>.log`.

mod agents;
mod client;
mod disk;
mod faults;
mod ledger;
mod moved;
mod oracle;
mod projects;
mod talk;
mod trace;
mod watch;
mod workflows;
mod world;

use std::{
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::{Duration, Instant},
};

use client::Client;
use ledger::{Fate, Ledger};
use tokio_util::sync::CancellationToken;
use world::{Backend, Slot, World};

use super::{
    cloud,
    support::{self, Home, faulty, wire},
};

/// One run at a time: two would take each other's processor, and time limits with it.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// How long the clients may take to come to rest when the faults are over.
const REST: Duration = Duration::from_secs(240);

fn seed() -> u64 {
    std::env::var("NEXUSD_CHAOS_SEED")
        .map_or_else(|_| rand::random::<u32>().into(), |text| text.parse().expect("a seed"))
}

fn length() -> Duration {
    let minutes: f64 = std::env::var("NEXUSD_CHAOS_MINUTES").map_or(0.5, |text| text.parse().expect("minutes"));
    Duration::from_secs_f64(minutes * 60.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_daemon_with_its_own_store() {
    let _alone = ALONE.lock().await;
    let seed = seed();
    let settings = "[worker]\nlease_secs = 4\nheartbeat_secs = 1\nvisibility_timeout_secs = 6\nreconcile_secs = 1\n";
    let home = Home::with_noop_workflow(settings, 1).open_to_all();
    let journal = home.path().join("journal");
    let slots = vec![Slot::new(1, home, None, &journal)];
    run(World::new(&format!("embedded-{seed}"), Backend::Embedded, slots, journal), seed).await;
}

/// Two or three of them, as the seed says.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_daemons_in_the_cloud() {
    let _alone = ALONE.lock().await;
    let seed = seed();
    let size = if seed.is_multiple_of(2) { 2 } else { 3 };
    let (account, first) = cloud::ready(cloud::BOTH, 1).await;
    let (code, said) = first.run(&["resources", "init", "--prefix", moved::EMPTY]);
    assert_eq!(code, Some(0), "{said}");
    let shared = cloud::bucket(&account).await;
    let (url, faults) = faulty::proxy(&account.url).await;
    let journal = first.path().join("journal");
    let mut slots = Vec::new();
    for number in 1..=size {
        let (url, wire) = wire::to(&url).await;
        let home = cloud::home(&account, &url, cloud::BOTH, 1);
        let settings = std::fs::read_to_string(home.config()).unwrap();
        home.configure(&settings.replace("[worker]", &format!("{shared}\n[worker]")));
        slots.push(Slot::new(number, home, Some(wire), &journal));
    }
    let world = World::new(&format!("cloud{size}-{seed}"), Backend::Cloud { account, faults }, slots, journal);
    run(world, seed).await;
    drop(first);
}

impl World {
    fn new(name: &str, backend: Backend, slots: Vec<Slot>, journal: std::path::PathBuf) -> Arc<Self> {
        let ups = tokio::sync::watch::Sender::new(0);
        let (over, was_full) = (CancellationToken::new(), AtomicBool::new(false));
        Arc::new(Self { ledger: Ledger::new(name), backend, slots, ups, over, was_full, journal })
    }
}

async fn run(world: Arc<World>, seed: u64) {
    println!("seed {seed}; the trace is {}", world.ledger.trace.path.display());
    world.say("run", format!("NEXUSD_CHAOS_SEED={seed}"));
    for slot in &world.slots {
        world.start(slot);
    }
    let until = Instant::now() + length();
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..4_u64 {
        clients.spawn(projects::work(Client::new(&world, &format!("files{n}"), seed ^ (n + 1))));
    }
    for n in 0..3_u64 {
        clients.spawn(agents::work(Client::new(&world, &format!("agents{n}"), seed ^ (n + 101))));
    }
    faults::work(Arc::clone(&world), seed ^ 1001, until).await;
    calm(&world);
    enough(&world).await;
    world.over.cancel();
    let resting = Instant::now();
    while let Ok(Some(ended)) = tokio::time::timeout(REST.saturating_sub(resting.elapsed()), clients.join_next()).await
    {
        ended.expect("a client of the run works");
    }
    world.ledger.check(clients.is_empty(), &[], || format!("{} clients still wait for an answer", clients.len()));
    clients.abort_all();
    world.say("run", format!("the clients rest after {:?}", resting.elapsed()));
    oracle::judge(&world, seed).await;

    let (found, counts) = {
        let state = world.ledger.state();
        let messages: usize = state.sessions.values().map(|session| session.messages.len() + session.said.len()).sum();
        let answers: usize = state.agents.values().map(|agent| agent.answers.len()).sum();
        let counts = format!(
            "{} projects, {} agents, {answers} answers, {} sessions, {messages} messages; requests: {:?}",
            state.projects.len(),
            state.agents.len(),
            state.sessions.len(),
            state.requests
        );
        (state.violations.len(), counts)
    };
    println!("seed {seed}: {counts}");
    if found > 0 {
        for slot in &world.slots {
            let beside = world.ledger.trace.path.with_extension(format!("{}.log", slot.name));
            std::fs::write(&beside, slot.log()).expect("the daemon's log lies beside the trace");
        }
    }
    let report = world.ledger.report();
    assert_eq!(found, 0, "NEXUSD_CHAOS_SEED={seed}, trace {}\n{report}", world.ledger.trace.path.display());
}

/// Work goes on until there is something to judge, however slow the machine was under the faults.
async fn enough(world: &World) {
    let begun = Instant::now();
    loop {
        let (answers, deleted) = {
            let state = world.ledger.state();
            let answers: usize = state.agents.values().map(|agent| agent.answers.len()).sum();
            (answers, state.agents.values().filter(|agent| agent.fate == Fate::Gone || agent.kept).count())
        };
        if answers >= 20 && deleted >= 2 {
            return;
        }
        assert!(
            begun.elapsed() < REST,
            "{answers} answers in all, {deleted} agents deleted or kept: agents do not work"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// No more faults.
fn calm(world: &World) {
    world.say("run", "calm");
    if let Backend::Cloud { faults, .. } = &world.backend {
        faults.percent.store(0, Ordering::Relaxed);
    }
    for slot in &world.slots {
        if let Some(wire) = &slot.wire {
            wire.set(wire::State::Whole);
        }
        slot.clock.set(0);
        slot.disk.free();
    }
}
