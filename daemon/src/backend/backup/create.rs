//! Making a backup. Blocking.

use std::{
    cell::RefCell,
    fs::{self, File},
    io,
    ops::ControlFlow,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{
    BackupError, DATABASE, Watch,
    archive::Archive,
    manifest::{self, FORM, Head, MANIFEST, SEAL},
    walk::{Found, walk},
};
use crate::domain::deletion::ProjectAgents;
use crate::{
    backend::{
        error::{BackendError, BackendErrorKind},
        sqlite::{
            SqliteOptions, SqliteStore,
            backup::{self, Gone},
        },
        store::{Nobody, Removal as _, Upkeep as _},
    },
    domain::{deletion::DeleteOrders, time::Timestamp},
};

#[derive(Debug)]
pub struct Created {
    /// What stands first in its manifest.
    pub head: Head,
    /// Files in it, the database included.
    pub files: usize,
    /// Bytes of the archive.
    pub bytes: u64,
    /// SHA-256 of the archive.
    pub sha256: String,
    /// How long the log of the live database could not be reset.
    pub held: Duration,
}

/// Makes `file` a backup of the data folder `data`, beside a daemon if need be.
///
/// # Errors
/// See [`BackupError`]; nothing has the name `file` then.
pub fn create(data: &Path, file: &Path, watch: &Watch<'_>) -> Result<Created, BackupError> {
    let database = data.join(DATABASE);
    if !database.is_file() {
        let text = format!("{} has no {DATABASE}: there is nothing to back up. Is --data-dir right?", data.display());
        return Err(BackupError::Refused(text));
    }
    let place = Place::take(data, file)?;
    let (copied, at) = place.copy(&database, watch)?;
    let mut schema = copied.schema;
    let archive = place.open.try_clone().map_err(BackupError::file(&place.part))?;
    let (mut archive, mut left_out) = (Archive::new(archive), Vec::new());
    let failed = || BackupError::file(&place.part);
    let bytes = RefCell::new(0);
    let go_on = |what, count| {
        *bytes.borrow_mut() += count;
        watch.go_on(what, *bytes.borrow(), None)
    };
    // An error of the watch travels through the reader that it watches.
    let as_io = |stopped: BackupError| io::Error::other(stopped);
    walk(data, &mut left_out, &mut |path, mode, found| {
        go_on("files", 0)?;
        let added = match found {
            Found::File(mut open) => {
                archive.file(path, mode, &mut open, &mut |count| go_on("files", count).map_err(as_io))
            }
            Found::Folder => archive.folder(path, mode),
            Found::Link(target) => archive.link(path, &target),
        };
        added.map_err(stopped_or(failed()))
    })?;
    let gone = backup::gone_since(&database, &place.copy)?;
    if gone != Gone::default() {
        forget(&place.copy, gone)?;
        schema = backup::SCHEMA_VERSION;
    }
    let mut copy = File::open(&place.copy).map_err(BackupError::file(&place.copy))?;
    let mut done = 0;
    let added = archive.file(DATABASE, 0o600, &mut copy, &mut |count| {
        done += count;
        watch.go_on("database into the archive", done, Some(copied.bytes)).map_err(as_io)
    });
    added.map_err(stopped_or(failed()))?;
    let unsteady = std::mem::take(&mut archive.unsteady);
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let head = Head { nexusd_backup: FORM, version, at: at.to_string(), schema, left_out, unsteady };
    let text = manifest::write(&head, &archive.entries).map_err(|error| failed()(io::Error::other(error)))?;
    archive.note(MANIFEST, &text).map_err(failed())?;
    archive.note(SEAL, format!("{}\n", manifest::hash(&text)).as_bytes()).map_err(failed())?;
    let files = archive.entries.iter().filter(|entry| entry.form == manifest::Form::File).count();
    let (bytes, sha256) = archive.finish().map_err(failed())?;
    place.publish(file)?;
    Ok(Created { head, files, bytes, sha256, held: copied.held })
}

/// The error of a read or write; that it was stopped comes through as what it is.
fn stopped_or(failed: impl FnOnce(io::Error) -> BackupError) -> impl FnOnce(io::Error) -> BackupError {
    move |error| match error.get_ref().and_then(|inner| inner.downcast_ref::<BackupError>()) {
        Some(BackupError::Stopped) => BackupError::Stopped,
        _ => failed(error),
    }
}

/// Where the archive and the copy of the database grow, beside the file and under names of their own. They go when this is
/// dropped; what a killed process left is taken over by the next.
struct Place {
    part: PathBuf,
    copy: PathBuf,
    open: File,
    published: std::cell::Cell<bool>,
}

impl Place {
    fn take(data: &Path, file: &Path) -> Result<Self, BackupError> {
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| BackupError::Refused(format!("{} names no file", file.display())))?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let real = folder.canonicalize().map_err(BackupError::file(folder))?;
        let data = data.canonicalize().map_err(BackupError::file(data))?;
        if real.starts_with(&data) && !real.starts_with(data.join("backups")) {
            return Err(BackupError::Refused(format!(
                "{} lies in the data folder, so it would be part of the next backup: choose another place, best on another disk",
                file.display()
            )));
        }
        let there = || BackupError::Refused(format!("{} is there already: choose another name", file.display()));
        let busy = || BackupError::Refused(format!("another backup to {} is being made", file.display()));
        if file.symlink_metadata().is_ok() {
            return Err(there());
        }
        let (part, copy) = (real.join(format!(".{name}.part")), real.join(format!(".{name}.db.part")));
        let failed = || BackupError::file(&part);
        let mut options = File::options();
        let open = options.write(true).create(true).truncate(false).mode(0o600).open(&part).map_err(failed())?;
        open.try_lock().map_err(|_| busy())?;
        // Who had it may have given it its name meanwhile.
        let ours = open.metadata().map_err(failed())?;
        if !part.metadata().is_ok_and(|there| there.ino() == ours.ino()) {
            return Err(busy());
        }
        if file.symlink_metadata().is_ok() {
            drop(fs::remove_file(&part));
            return Err(there());
        }
        open.set_len(0).map_err(failed())?;
        let place = Self { part, copy, open, published: false.into() };
        place.clear_copy();
        Ok(place)
    }

    fn copy(&self, database: &Path, watch: &Watch<'_>) -> Result<(backup::Copied, Timestamp), BackupError> {
        let at = Timestamp::now();
        let copied =
            backup::copy(database, &self.copy, &mut |bytes, of| match watch.go_on("database", bytes, Some(of)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })?;
        copied.map(|copied| (copied, at)).ok_or(BackupError::Stopped)
    }

    /// Gives the archive its name, if nobody else has it by now.
    fn publish(&self, file: &Path) -> Result<(), BackupError> {
        let renamed = match renameat_with(CWD, &self.part, CWD, file, RenameFlags::NOREPLACE) {
            // Some file systems have no such rename.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => fs::hard_link(&self.part, file),
            renamed => renamed.map_err(io::Error::from),
        };
        renamed.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Refused(format!("{} is there by now", file.display())),
            _ => BackupError::file(file)(error),
        })?;
        self.published.set(self.part.symlink_metadata().is_err());
        let folder = self.part.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(BackupError::file(folder))
    }

    fn clear_copy(&self) {
        for ending in ["", "-wal", "-shm", "-journal", ".lock"] {
            let mut name = self.copy.clone().into_os_string();
            name.push(ending);
            drop(fs::remove_file(name));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clear_copy();
        if !self.published.get() {
            drop(fs::remove_file(&self.part));
        }
    }
}

/// Deletes from the copy what was deleted from the live database since, by the same way.
fn forget(copy: &Path, gone: Gone) -> Result<(), BackupError> {
    let options = SqliteOptions { schema_backups: 0, ..SqliteOptions::default() };
    let (store, queue) = SqliteStore::open(copy, options, Arc::new(Nobody))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(BackupError::file(copy))?;
    let unknown = |id: String| BackendError::new(BackendErrorKind::Corrupt, format!("{id} is no id"));
    runtime.block_on(async {
        for id in gone.projects {
            store.delete_project(&id.parse().map_err(|_| unknown(id))?, ProjectAgents::Keep).await?;
        }
        for id in gone.agents {
            store.delete_agent(&id.parse().map_err(|_| unknown(id))?, DeleteOrders::default()).await?;
        }
        store.close().await
    })?;
    drop((store, queue));
    Ok(backup::settle(copy)?)
}
