//! A backup while others write: what it has, what it leaves behind, and what is refused.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use nexus_daemon::backend::{
    backup::{self, BackupError, Watch},
    store::prelude::*,
};
use nexus_daemon::domain::deletion::ProjectAgents;

use super::{fixture_over, open};

static NEVER: AtomicBool = AtomicBool::new(false);

fn create(data: &Path, file: &Path) -> Result<backup::Created, BackupError> {
    backup::create(data, file, &Watch { tell: &|_| {}, stop: &NEVER })
}

fn verify(file: &Path) -> Result<backup::Verified, BackupError> {
    backup::verify(file, &Watch { tell: &|_| {}, stop: &NEVER })
}

fn restore(file: &Path, data: &Path) -> Result<backup::Verified, BackupError> {
    backup::restore(file, data, &Watch { tell: &|_| {}, stop: &NEVER })
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

/// A data folder whose database is there and closed.
async fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    open(&data.join("nexus.db")).unwrap().0.close().await.unwrap();
    (dir, data)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_everything_that_belongs_to_the_folder_and_nothing_else() {
    let (dir, data) = folder().await;
    let long = "x/".repeat(90) + "end";
    let files = [
        ("projects/proj_1/agent/agent.py", "print()"),
        ("projects/proj_1/empty", ""),
        ("agents/agent_1/package/deep", "kept"),
        ("mcp_servers.json", "{}"),
        ("store-id", "s1"),
        (long.as_str(), "a long path"),
    ];
    let left = ["run/plugins/x.so", "backups/old.tar", "trash/proj_2/x", "nexus.db-wal.old/../nexus.db.lock"];
    for (path, text) in files.into_iter().chain(left.iter().map(|path| (*path, "not this"))) {
        let path = data.join(path.replace("nexus.db-wal.old/../", ""));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let script = data.join("projects/proj_1/run.sh");
    fs::write(&script, "#!/bin/sh").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o750)).unwrap();
    fs::create_dir(data.join("projects/proj_1/nothing in it")).unwrap();
    // A link that leads out is kept as a link: what it leads to is not read.
    fs::write(dir.path().join("secret"), "SECRET-OF-ANOTHER").unwrap();
    symlink(dir.path().join("secret"), data.join("projects/proj_1/link")).unwrap();
    symlink(dir.path(), data.join("projects/proj_1/folder")).unwrap();

    let file = dir.path().join("all.tar");
    let made = create(&data, &file).unwrap();
    assert!(made.head.left_out.is_empty() && made.head.unsteady.is_empty(), "{made:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(dir.path()), ["all.tar", "data", "secret"], "nothing is left beside it");
    let bytes = fs::read(&file).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("SECRET-OF-ANOTHER"));
    let told = verify(&file).unwrap();
    assert_eq!((told.files, &told.sha256, told.bytes), (made.files, &made.sha256, bytes.len() as u64));
    // Once more under the same name: no.
    let again = create(&data, &file).unwrap_err().to_string();
    assert!(again.contains("is there already"), "{again}");

    let back = dir.path().join("elsewhere/data");
    restore(&file, &back).unwrap();
    assert_eq!(names(&back), ["agents", "mcp_servers.json", "nexus.db", "projects", "store-id", "x"]);
    for (path, text) in files {
        assert_eq!(fs::read_to_string(back.join(path)).unwrap(), text, "{path}");
    }
    let of = back.join("projects/proj_1");
    assert_eq!(fs::metadata(of.join("run.sh")).unwrap().permissions().mode() & 0o777, 0o750);
    assert!(of.join("nothing in it").is_dir());
    assert_eq!(fs::read_link(of.join("link")).unwrap(), dir.path().join("secret"));
    assert_eq!(fs::metadata(&back).unwrap().permissions().mode() & 0o777, 0o700);
    open(&back.join("nexus.db")).unwrap().0.close().await.unwrap();
    // Any tar can read it.
    let by_hand = dir.path().join("by-hand");
    fs::create_dir(&by_hand).unwrap();
    let tar = std::process::Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(&by_hand).status().unwrap();
    assert!(tar.success());
    assert_eq!(fs::read_to_string(by_hand.join(&long)).unwrap(), "a long path");
    open(&by_hand.join("nexus.db")).unwrap().0.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_or_written_meanwhile_keeps_database_and_files_together() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    let f = fixture_over(&data.join("nexus.db"), Box::new(()));
    let (_, gone) = f.start("agent_build").await;
    let (_, stays) = f.start("agent_build").await;
    let (gone, stays) = (gone.lease.project_id, stays.lease.project_id);
    for id in [&gone, &stays] {
        let folder = data.join("projects").join(id.as_str());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("report.md"), "v".repeat(1000)).unwrap();
    }
    let busy = data.join("projects").join(stays.as_str()).join("busy.log");
    fs::write(&busy, "a".repeat(3000)).unwrap();
    // The database is copied by now; the first file is not yet read.
    let (once, handle) = (AtomicBool::new(false), tokio::runtime::Handle::current());
    let written = AtomicBool::new(false);
    let tell = |progress: backup::Progress| {
        if progress.what == "files" && !once.swap(true, Ordering::Relaxed) {
            handle.block_on(f.store.delete_project(&gone, ProjectAgents::Keep)).unwrap().unwrap();
            fs::remove_dir_all(data.join("projects").join(gone.as_str())).unwrap();
        }
        if progress.what == "files" && progress.bytes > 0 && !written.swap(true, Ordering::Relaxed) {
            // While it is read, if it is this one; before, if not.
            fs::write(&busy, "b".repeat(5000)).unwrap();
        }
    };
    let file = dir.path().join("all.tar");
    let made =
        tokio::task::block_in_place(|| backup::create(&data, &file, &Watch { tell: &tell, stop: &NEVER })).unwrap();
    assert!(once.into_inner() && written.into_inner());
    assert!(made.head.unsteady.is_empty(), "it was read once more: {made:?}");
    assert_eq!(names(dir.path()), ["all.tar", "data"]);
    f.end().await;
    let back = dir.path().join("back");
    restore(&file, &back).unwrap();
    let f = fixture_over(&back.join("nexus.db"), Box::new(()));
    assert!(f.store.project(&gone).await.unwrap().is_none(), "its files are not there, so it is not there");
    assert!(f.store.project(&stays).await.unwrap().is_some());
    let folder = back.join("projects").join(stays.as_str());
    assert_eq!(fs::read_to_string(folder.join("busy.log")).unwrap(), "b".repeat(5000), "as it was last, and whole");
    assert_eq!(fs::read_to_string(folder.join("report.md")).unwrap().len(), 1000);
    f.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_changed_or_cut_backup_is_restored() {
    let (dir, data) = folder().await;
    fs::create_dir_all(data.join("projects/proj_1")).unwrap();
    fs::write(data.join("projects/proj_1/report.md"), "the figures of the year".repeat(100)).unwrap();
    symlink("report.md", data.join("projects/proj_1/link")).unwrap();
    let file = dir.path().join("good.tar");
    create(&data, &file).unwrap();
    let good = fs::read(&file).unwrap();
    let (bad, back) = (dir.path().join("bad.tar"), dir.path().join("back"));
    let refused = |what: &str, bytes: &[u8]| {
        fs::write(&bad, bytes).unwrap();
        let error = verify(&bad).unwrap_err();
        assert!(matches!(error, BackupError::Bad { .. }), "{what}: {error:?}");
        assert!(error.to_string().contains("another backup"), "{what}: {error}");
        let again = restore(&bad, &back).unwrap_err();
        assert_eq!(again.to_string(), error.to_string(), "{what}");
        assert!(!back.exists(), "{what}: nothing is left behind");
        error.to_string()
    };
    // A character of each part: a file, the database, a header, the manifest, its hash.
    let places = [
        "the figures",
        "SQLite format 3",
        "projects/proj_1/report.md\0",
        "{\"path\":\"nexus.db\"",
        "nexusd_backup\":1",
    ];
    for place in places {
        let at = good
            .windows(place.len())
            .position(|window| window == place.as_bytes())
            .unwrap_or_else(|| panic!("{place}"));
        let mut bytes = good.clone();
        bytes[at + 5] ^= 1;
        refused(place, &bytes);
    }
    let mut bytes = good.clone();
    let at = good.windows(11).position(|window| window == b"the figures").unwrap();
    bytes[at] ^= 1;
    assert!(refused("named", &bytes).contains("projects/proj_1/report.md was changed"));
    for end in [0, 100, 512, good.len() / 3, good.len() / 2, good.len() - 4096] {
        refused(&format!("cut off at {end}"), &good[..end]);
    }
    refused("another file", "no tar at all".repeat(1000).as_bytes());
    // What any tar would follow outwards.
    let mut evil = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o600);
    header.as_old_mut().name[..9].copy_from_slice(b"../escape");
    header.set_cksum();
    evil.append(&header, &b"x"[..]).unwrap();
    let evil = evil.into_inner().unwrap();
    fs::write(&bad, &evil).unwrap();
    assert!(matches!(restore(&bad, &back).unwrap_err(), BackupError::Bad { .. }));
    assert!(!dir.path().join("escape").exists() && !back.exists());
    // The good one still is.
    restore(&file, &back).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_to_be_done_is_refused_with_the_remedy() {
    let (dir, data) = folder().await;
    let file = dir.path().join("b.tar");
    let said = |error: BackupError| error.to_string();
    assert!(said(create(dir.path(), &file).unwrap_err()).contains("nothing to back up"));
    assert!(said(create(&data, &data.join("b.tar")).unwrap_err()).contains("choose another place"));
    // What a killed backup left is taken over.
    fs::write(dir.path().join(".b.tar.part"), "half").unwrap();
    fs::write(dir.path().join(".b.tar.db.part"), "half").unwrap();
    create(&data, &file).unwrap();
    assert_eq!(names(dir.path()), ["b.tar", "data"]);
    verify(&file).unwrap();
    // Stopped at any time: nothing is left.
    for what in ["database", "files", "database into the archive"] {
        fs::create_dir_all(data.join("projects")).unwrap();
        let stop = AtomicBool::new(false);
        let tell = |progress: backup::Progress| stop.fetch_or(progress.what == what, Ordering::Relaxed);
        let tell = |progress| {
            tell(progress);
        };
        let other = dir.path().join("stopped.tar");
        let stopped = backup::create(&data, &other, &Watch { tell: &tell, stop: &stop }).unwrap_err();
        assert!(matches!(stopped, BackupError::Stopped), "{what}: {stopped:?}");
        assert_eq!(names(dir.path()), ["b.tar", "data"], "{what}");
    }
    // Into a folder that is not empty: never.
    let error = said(restore(&file, &data).unwrap_err());
    assert!(error.contains("not empty") && error.contains("--data-dir") && error.contains("mv "), "{error}");
    // One that was cut off before anything was in its place begins again; later it is to be emptied by hand.
    let back = dir.path().join("back");
    fs::create_dir_all(back.join(".restoring/projects")).unwrap();
    assert!(backup::unfinished(&back));
    restore(&file, &back).unwrap();
    assert!(!backup::unfinished(&back));
    fs::create_dir(back.join(".restoring")).unwrap();
    assert!(said(restore(&file, &back).unwrap_err()).contains("cut off"));
    // Of a newer nexusd.
    let newer = dir.path().join("newer");
    fs::create_dir(&newer).unwrap();
    fs::copy(data.join("nexus.db"), newer.join("nexus.db")).unwrap();
    rusqlite::Connection::open(newer.join("nexus.db")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let of_newer = dir.path().join("newer.tar");
    create(&newer, &of_newer).unwrap();
    let error = said(restore(&of_newer, &dir.path().join("no")).unwrap_err());
    assert!(error.contains("schema version 99"), "{error}");
    assert!(!dir.path().join("no").exists());
}
