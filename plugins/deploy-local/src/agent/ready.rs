//! From a fresh process to one that answers `/ping`.

use std::{process::ExitStatus, time::Duration};

use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    client::ping,
    process::{Output, Process, ports_of_group},
};

/// How long the listening line is waited for before the agent's sockets are looked at.
const LISTENING_LINE_WAIT: Duration = Duration::from_millis(1500);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
const PING_PATIENCE: Duration = Duration::from_secs(2);

/// Why a process did not become ready.
pub(crate) enum NotReady {
    Ended(std::io::Result<ExitStatus>),
    /// What was last seen of it.
    Late(String),
}

/// Waits until the process answers. With `look_at_sockets` the listening line is not waited for: the agent
/// was told its port. That it really listens there is looked up all the same; another program might.
pub(crate) async fn ready(
    process: &mut Process,
    output: &Output,
    look_at_sockets: bool,
    deadline: Instant,
) -> Result<u16, NotReady> {
    let mut seen = "it listens on no port".to_owned();
    let group = process.pid();
    let outcome = select! {
        biased;
        status = process.ended() => Err(Some(status)),
        port = probe(group, output.port(), look_at_sockets, &mut seen) => Ok(port),
        () = sleep_until(deadline) => Err(None),
    };
    outcome.map_err(|ended| match ended {
        Some(status) => NotReady::Ended(status),
        None => NotReady::Late(seen),
    })
}

async fn probe(
    group: rustix::process::Pid,
    mut announced: watch::Receiver<Option<u16>>,
    look_at_sockets: bool,
    seen: &mut String,
) -> u16 {
    let begin = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let told = *announced.borrow_and_update();
        let candidates = match told {
            Some(port) => vec![port],
            None if !look_at_sockets && begin.elapsed() < LISTENING_LINE_WAIT => Vec::new(),
            None => tokio::task::spawn_blocking(move || ports_of_group(group)).await.unwrap_or_default(),
        };
        for port in candidates {
            match ping(port, PING_PATIENCE).await {
                Ok(_) => return port,
                Err(e) => *seen = format!("/ping on port {port}: it {e}"),
            }
        }
        select! {
            () = sleep(pause) => {}
            changed = announced.changed() => if changed.is_err() { sleep(pause).await },
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
