//! What is done to the daemons while clients work: one thing after the other, each at least once.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::{Value, json};

use super::{
    client::{Client, get, post},
    moved,
    support::wire::State,
    world::{Backend, Slot, World},
};

/// Longer than a lease (4 s) and than a message is hidden (6 s).
const PAST_THE_LEASE: Duration = Duration::from_millis(7_500);
const HOUR: i64 = 3600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Kill,
    Terminate,
    Freeze,
    FullDisk,
    ClockForward,
    ClockBack,
    /// The file of the store is away for a while, or its tables are.
    Moved,
    /// The services cannot be reached.
    Cut,
}

/// What either backend meets.
const COMMON: [Fault; 7] = [
    Fault::Kill,
    Fault::Terminate,
    Fault::Freeze,
    Fault::FullDisk,
    Fault::ClockForward,
    Fault::ClockBack,
    Fault::Moved,
];

/// Until the time is over, and every fault has been.
pub(super) async fn work(world: Arc<World>, seed: u64, until: Instant) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut prober = Client::new(&world, "prober", seed);
    let mut round = 0;
    // To look behind a fault whose consequences are known and hide the others'.
    let without = std::env::var("NEXUSD_CHAOS_WITHOUT").unwrap_or_default();
    while Instant::now() < until {
        let last = if world.is_cloud() { Fault::Cut } else { Fault::Kill };
        let mut faults: Vec<Fault> = COMMON.into_iter().chain([last]).collect();
        faults.shuffle(&mut rng);
        for fault in faults {
            // The first round is gone through to its end, so that a short run has them all.
            if round > 0 && Instant::now() >= until {
                break;
            }
            if without.split(',').any(|name| name == format!("{fault:?}")) {
                continue;
            }
            tokio::time::sleep(Duration::from_millis(rng.random_range(500..2_500))).await;
            if let Backend::Cloud { faults, .. } = &world.backend {
                let percent = if rng.random_bool(0.6) { 20 } else { 0 };
                faults.percent.store(percent, Ordering::Relaxed);
                world.say("fault", format!("{percent} % of the requests to the services fail"));
            }
            let number = rng.random_range(0..world.slots.len());
            let slot = &world.slots[number];
            world.say("fault", format!("{fault:?} at {}", slot.name));
            apply(&world, fault, number, &mut rng, &mut prober).await;
            world.say("fault", format!("{fault:?} is over"));
            world.look_after();
        }
        round += 1;
    }
}

async fn apply(world: &World, fault: Fault, number: usize, rng: &mut StdRng, prober: &mut Client) {
    let slot = &world.slots[number];
    match fault {
        Fault::Kill => {
            kill(world, slot);
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..400))).await;
            world.start(slot);
        }
        Fault::Terminate => {
            terminate(world, slot);
            world.start(slot);
        }
        Fault::Freeze => {
            let Some(pid) = slot.pid() else { return };
            slot.signal("STOP");
            world.note("stop", pid);
            tokio::time::sleep(PAST_THE_LEASE).await;
            world.note("cont", pid);
            slot.signal("CONT");
        }
        Fault::FullDisk => full(world, number, prober).await,
        Fault::ClockForward => clock(world, slot, HOUR).await,
        Fault::ClockBack => clock(world, slot, -HOUR).await,
        Fault::Moved => moved::away(world, slot).await,
        Fault::Cut => cut(world, number, prober).await,
    }
}

pub(super) fn kill(world: &World, slot: &Slot) {
    let Some(daemon) = slot.take() else { return };
    let pid = daemon.pid();
    daemon.kill();
    world.note("gone", pid);
}

pub(super) fn terminate(world: &World, slot: &Slot) {
    let Some(daemon) = slot.take() else { return };
    let pid = daemon.pid();
    let (took, code) = tokio::task::block_in_place(|| daemon.terminate());
    world.note("gone", pid);
    world.say("fault", format!("{} ended after {took:?} with {code:?}", slot.name));
    world.ledger.check(code == Some(0) || world.is_cloud(), &["fault"], || {
        format!("{} was asked to end and did so with code {code:?} after {took:?}", slot.name)
    });
}

async fn clock(world: &World, slot: &Slot, by: i64) {
    // Not over midnight: figures are told by day, and a day more is none of the run's.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let of_day = i64::try_from(now % 86_400).unwrap_or(0);
    let by = if (300..86_100).contains(&(of_day + by)) { by } else { -by };
    world.say("fault", format!("the clock of {} goes by {by} s", slot.name));
    slot.clock.set(by);
    tokio::time::sleep(Duration::from_secs(4)).await;
    slot.clock.set(0);
}

/// What `/health` of one daemon says; none when nobody answers.
async fn health(prober: &mut Client, number: usize) -> Option<Value> {
    let mut ask = get("//health");
    ask.at = Some(number);
    let (_, answer) = prober.once(&ask).await;
    let health = answer.ok().map(|(_, body)| body);
    let (status, why) = health.as_ref().map_or((&Value::Null, &Value::Null), |of| (&of["status"], &of["reasons"]));
    prober.say(format!("daemon{} is {status}: {why}", number + 1));
    health
}

/// Whether a daemon takes a project; what it takes is everybody's.
async fn takes(prober: &mut Client, number: usize) -> bool {
    let body = json!({ "requirement": "is there room for this one?", "workflow": "files", "tags": ["probe"] });
    let mut ask = post("/projects", &body, None);
    ask.at = Some(number);
    let (_, answer) = prober.once(&ask).await;
    match answer {
        Ok((201, body)) => {
            let id = body["data"]["project_id"].as_str().unwrap_or_default().to_owned();
            prober.say(format!("{id} was taken"));
            prober.world.ledger.project(&id, |_| ());
            true
        }
        Ok((status, _)) => {
            prober.say(format!("a project was not taken: {status}"));
            prober.world.ledger.state().perhaps.push("probe".to_owned());
            false
        }
        Err(_) => false,
    }
}

fn is_healthy(health: Option<&Value>) -> bool {
    health.is_some_and(|health| health["status"] == "healthy")
}

async fn full(world: &World, number: usize, prober: &mut Client) {
    let slot = &world.slots[number];
    world.was_full.store(true, Ordering::Relaxed);
    if let Some(pid) = slot.pid() {
        world.note("full", pid);
    }
    let (mut healthy, mut asked) = (Vec::new(), 0);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        slot.disk.fill();
        // The store of the cloud takes it; there it is the daemon's own files that find no room.
        let refused = world.is_cloud() || !takes(prober, number).await;
        let health = health(prober, number).await;
        let lies = refused && is_healthy(health.as_ref()) && (world.is_cloud() || !takes(prober, number).await);
        // It may take a moment to be seen.
        if begun.elapsed() > Duration::from_secs(2) {
            asked += 1;
            if lies {
                healthy.push(begun.elapsed());
            }
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    world.ledger.check(healthy.is_empty(), &["fault"], || {
        format!("the disk of {} is full and its health says healthy, {} of {asked} times", slot.name, healthy.len())
    });
    slot.disk.free();
    if let Some(pid) = slot.pid() {
        world.note("room", pid);
    }
    recovers(world, number, prober).await;
}

async fn cut(world: &World, number: usize, prober: &mut Client) {
    let slot = &world.slots[number];
    let Some(wire) = &slot.wire else { return };
    wire.set(State::Cut);
    let (begun, mut last) = (Instant::now(), None);
    while begun.elapsed() < PAST_THE_LEASE {
        last = health(prober, number).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    world.ledger.check(!is_healthy(last.as_ref()), &["fault"], || {
        format!("{} cannot reach its services for {:?} and says {last:?}", slot.name, begun.elapsed())
    });
    wire.set(State::Whole);
}

/// With room again, it takes work again.
async fn recovers(world: &World, number: usize, prober: &mut Client) {
    let begun = Instant::now();
    while !takes(prober, number).await {
        if begun.elapsed() > Duration::from_secs(60) {
            let name = &world.slots[number].name;
            return world
                .ledger
                .violation(format!("{name} takes no project a minute after its disk had room"), &["fault"]);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
