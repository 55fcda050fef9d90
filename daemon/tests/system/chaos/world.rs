//! The daemons of a run with all that can be done to them, and the way to them for clients.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, atomic::AtomicBool},
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    disk::Disk,
    ledger::Ledger,
    support::{Daemon, Home, clock::Clock, emulator::Account, faulty::Faults, wire::Wire},
    workflows,
};

/// What the daemons share.
pub(super) enum Backend {
    Embedded,
    Cloud { account: Account, faults: Arc<Faults> },
}

/// One daemon, whether it runs or not.
pub(super) struct Slot {
    pub(super) name: String,
    // In this order they go: the daemon, its disk, the folder that it is mounted in.
    daemon: Mutex<Option<Daemon>>,
    pub(super) disk: Disk,
    pub(super) home: Home,
    pub(super) clock: Clock,
    pub(super) wire: Option<Wire>,
    url: RwLock<Option<String>>,
}

pub(super) struct World {
    pub(super) ledger: Ledger,
    pub(super) backend: Backend,
    pub(super) slots: Vec<Slot>,
    /// Grows whenever a daemon has come up.
    pub(super) ups: watch::Sender<u64>,
    /// No new work.
    pub(super) over: CancellationToken,
    /// A disk is full: what fails for want of room is explained.
    pub(super) was_full: AtomicBool,
    pub(super) journal: PathBuf,
}

impl Slot {
    /// A daemon that does not run yet. `settings` without those of workflows and plugins.
    pub(super) fn new(number: usize, mut home: Home, wire: Option<Wire>, journal: &Path) -> Self {
        let disk = Disk::at(&home.path().join("disk"));
        home.place_data(home.path().join("disk").join("data"));
        home.launch_by(disk.launcher());
        workflows::write(&home.path().join("workflows"), journal);
        let settings = std::fs::read_to_string(home.config()).expect("settings");
        let mark = home.path().display().to_string();
        home.configure(&format!(
            "{settings}\n[auth]\nmode = \"none\"\n[plugins.deploy-local]\nready_timeout_secs = 60\nenv = {{ NEXUS_CHAOS = {mark:?} }}\n"
        ));
        home.set("NEXUS_CHAOS", &mark);
        let clock = Clock::of(&mut home);
        let name = format!("daemon{number}");
        Self { name, home, clock, wire, daemon: Mutex::new(None), url: RwLock::new(None), disk }
    }

    /// Its data folder, as this process sees it.
    pub(super) fn data(&self) -> PathBuf {
        self.disk.seen.join("data")
    }

    /// Where it can be asked, while it runs.
    pub(super) fn url(&self) -> Option<String> {
        self.url.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_url(&self, url: Option<String>) {
        *self.url.write().unwrap_or_else(PoisonError::into_inner) = url;
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Daemon::pid)
    }

    pub(super) fn signal(&self, name: &str) {
        if let Some(daemon) = self.daemon.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            daemon.signal(name);
        }
    }

    /// Takes it away from the clients, who then wait for one that is up.
    pub(super) fn take(&self) -> Option<Daemon> {
        self.set_url(None);
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// All that its daemons wrote.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("nexusd.log")).unwrap_or_default()
    }

    /// Whether it has ended although nobody ended it.
    pub(super) fn has_died(&self) -> Option<std::process::ExitStatus> {
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner).as_mut().and_then(Daemon::ended)
    }
}

impl World {
    pub(super) fn say(&self, who: &str, what: impl std::fmt::Display) {
        self.ledger.trace.say(who, what);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    pub(super) fn is_cloud(&self) -> bool {
        matches!(self.backend, Backend::Cloud { .. })
    }

    /// Tells the journal of the stages what becomes of a process.
    pub(super) fn note(&self, what: &str, pid: u32) {
        use std::io::Write as _;
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&self.journal);
        let told = file.and_then(|mut file| file.write_all(format!("{what} {pid}\n").as_bytes()));
        told.expect("the journal can be written");
    }

    /// Starts a daemon, again and again as a service manager does, until it is up.
    pub(super) fn start(&self, slot: &Slot) {
        let begun = Instant::now();
        let daemon = loop {
            let started = tokio::task::block_in_place(|| slot.home.try_start());
            match started {
                Ok(daemon) => break daemon,
                Err(said) => {
                    let last: Vec<&str> = said.lines().rev().take(3).collect();
                    self.say("fault", format!("{} did not start: {last:?}", slot.name));
                    assert!(begun.elapsed() < Duration::from_secs(300), "{} does not start:\n{said}", slot.name);
                }
            }
        };
        self.say("fault", format!("{} is up, pid {}, after {:?}", slot.name, daemon.pid(), begun.elapsed()));
        slot.set_url(Some(daemon.url.clone()));
        *slot.daemon.lock().unwrap_or_else(PoisonError::into_inner) = Some(daemon);
        self.ups.send_modify(|ups| *ups += 1);
    }

    /// Waits until a daemon is up, and answers one: that one, or any.
    pub(super) async fn reachable(&self, wanted: Option<usize>, choice: usize) -> (usize, String) {
        let mut ups = self.ups.subscribe();
        loop {
            ups.borrow_and_update();
            let number = self.slots.len();
            let all = (0..number).map(|n| (n + choice) % number).filter(|n| wanted.is_none_or(|wanted| wanted == *n));
            let found = all.filter_map(|n| Some((n, self.slots.get(n)?.url()?))).next();
            if let Some(found) = found {
                return found;
            }
            let _ = ups.changed().await;
        }
    }

    /// A daemon that ended by itself is a finding; it is started again.
    pub(super) fn look_after(&self) {
        for slot in &self.slots {
            if let Some(status) = slot.has_died() {
                let log = slot.log();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                self.ledger
                    .violation(format!("{} ended by itself: {status}; its log: {last:?}", slot.name), &["fault"]);
                if let Some(daemon) = slot.take() {
                    self.note("gone", daemon.pid());
                }
                self.start(slot);
            }
        }
    }
}
