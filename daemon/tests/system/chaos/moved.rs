//! The store is not where it was: the daemon must refuse to start, or start and remove nothing.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    faults::terminate,
    world::{Slot, World},
};

/// The prefix of tables that are empty.
pub(super) const EMPTY: &str = "empty-";

/// How long a daemon that did start is looked at: it looks for what is left over once a second, and so what must not
/// happen has happened by then.
const LOOK: Duration = Duration::from_secs(3);

/// Starts a daemon on the data folder of another store, and then on the right one again.
pub(super) async fn away(world: &World, slot: &Slot) {
    terminate(world, slot);
    let data = slot.data();
    age(&data.join("projects"));
    age(&data.join("agents"));
    let before = files(&data);
    let aside = slot.disk.seen.join("aside");
    let settings = fs::read_to_string(slot.home.config()).expect("settings");
    if world.is_cloud() {
        let elsewhere = settings.replace("kind = \"aws\"", &format!("kind = \"aws\"\nprefix = \"{EMPTY}\""));
        assert_ne!(elsewhere, settings, "the settings name the backend");
        slot.home.configure(&elsewhere);
    } else {
        fs::create_dir_all(&aside).expect("a folder for the store");
        move_store(&data, &aside);
    }
    match tokio::task::block_in_place(|| slot.home.try_start()) {
        Ok(daemon) => {
            world.say("fault", format!("{} starts on a folder whose store is another", slot.name));
            tokio::time::sleep(LOOK).await;
            let pid = daemon.pid();
            daemon.kill();
            world.note("gone", pid);
        }
        Err(said) => {
            let last = said.lines().last().unwrap_or_default().to_owned();
            world.say("fault", format!("{} refuses the folder of another store: {last}", slot.name));
        }
    }
    let lost: Vec<PathBuf> = before.difference(&files(&data)).cloned().collect();
    world.ledger.check(lost.is_empty(), &["fault"], || {
        format!(
            "{}: the store was away and {} of {} files are gone, such as {:?}",
            slot.name,
            lost.len(),
            before.len(),
            lost.first()
        )
    });
    if world.is_cloud() {
        slot.home.configure(&settings);
    } else {
        for name in STORE {
            let _ = fs::remove_file(data.join(name));
        }
        move_store(&aside, &data);
    }
    world.start(slot);
}

/// The files that make the embedded store.
const STORE: [&str; 3] = ["nexus.db", "nexus.db-wal", "nexus.db-shm"];

fn move_store(from: &Path, to: &Path) {
    for name in STORE {
        if from.join(name).exists() {
            fs::rename(from.join(name), to.join(name)).expect("the store can be moved");
        }
    }
}

/// Makes the folders look as if nobody had touched them for hours.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let hours_ago = SystemTime::now() - Duration::from_secs(3 * 3600);
        let opened = fs::File::open(entry.path());
        let _ = opened.and_then(|folder| folder.set_modified(hours_ago));
    }
}

/// All files of projects and agents, the daemon's own notes of the moment left out.
fn files(data: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![data.join("projects"), data.join("agents")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => drop(found.insert(entry.path())),
                Err(_) => {}
            }
        }
    }
    found
}
