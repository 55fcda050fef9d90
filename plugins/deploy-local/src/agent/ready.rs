//! From a fresh process to one that answers `/ping`.

use std::{sync::Arc, time::Duration};

use nexus_sandbox::Ending;
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    client::{Address, Place, ping},
    process::{Output, Process, ports_of_group},
};

/// How long the listening line is waited for before the agent's sockets are looked at.
const LISTENING_LINE_WAIT: Duration = Duration::from_millis(1500);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
const PING_PATIENCE: Duration = Duration::from_secs(2);

/// Why a process did not become ready.
pub(crate) enum NotReady {
    Ended(std::io::Result<Ending>),
    /// What was last seen of it.
    Late(String),
}

/// Where a process may be found to answer.
pub(crate) enum Whereabouts {
    /// At the socket that it was handed.
    Handed(Place),
    /// At a port that it tells.
    Told,
    /// At the port that it was told. That it really listens there is looked up; another program might.
    Reserved,
}

/// Waits until the process answers; where.
pub(crate) async fn ready(
    process: &mut Process,
    output: &Output,
    whereabouts: &Whereabouts,
    token: &Arc<str>,
    deadline: Instant,
) -> Result<Address, NotReady> {
    let mut seen = "it listens on no port".to_owned();
    let group = process.pid();
    let outcome = select! {
        biased;
        ending = process.ended() => Err(Some(ending)),
        address = probe(group, output.port(), whereabouts, token, &mut seen) => Ok(address),
        () = sleep_until(deadline) => Err(None),
    };
    outcome.map_err(|ended| match ended {
        Some(ending) => NotReady::Ended(ending),
        None => NotReady::Late(seen),
    })
}

async fn probe(
    group: i32,
    mut announced: watch::Receiver<Option<u16>>,
    whereabouts: &Whereabouts,
    token: &Arc<str>,
    seen: &mut String,
) -> Address {
    let begin = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let told = *announced.borrow_and_update();
        let waits = told.is_none() && begin.elapsed() < LISTENING_LINE_WAIT;
        let candidates: Vec<Place> = match (whereabouts, told.filter(|port| *port != 0)) {
            (Whereabouts::Handed(_) | Whereabouts::Told, _) if waits => Vec::new(),
            (Whereabouts::Handed(place), _) => vec![place.clone()],
            (_, Some(port)) => vec![Place::Port(port)],
            _ => {
                let found = tokio::task::spawn_blocking(move || ports_of_group(group)).await.unwrap_or_default();
                found.into_iter().map(Place::Port).collect()
            }
        };
        for place in candidates {
            let address = Address { place, token: Arc::clone(token) };
            match ping(&address, PING_PATIENCE).await {
                Ok(_) => return address,
                Err(e) => *seen = format!("/ping at {}: it {e}", address.place),
            }
        }
        select! {
            () = sleep(pause) => {}
            changed = announced.changed() => if changed.is_err() { sleep(pause).await },
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
