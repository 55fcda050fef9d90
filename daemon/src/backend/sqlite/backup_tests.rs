use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use super::*;
use crate::backend::{
    sqlite::{SqliteOptions, SqliteStore},
    store::{Nobody, Upkeep as _},
};

fn open(path: &Path, schema_backups: usize) -> Result<(), OpenError> {
    let options = SqliteOptions { schema_backups, ..SqliteOptions::default() };
    let (store, _queue) = SqliteStore::open(path, options, Arc::new(Nobody))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.close()).unwrap();
    Ok(())
}

/// A file as the version before wrote it, with a row and its log not yet moved.
fn of_version(path: &Path, version: i64) -> Connection {
    let mut conn = Connection::open(path).unwrap();
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    schema::migrate_to(&mut conn, version).unwrap();
    assert_eq!(schema::version(&conn).unwrap(), version);
    let sql = "INSERT INTO nexus_sessions (session_id, agent_id, status, message_count, created_at, last_active_at)
        VALUES ('sess-1', 'agent_1', 'active', 0, '2026-01-27T09:14:29.123456Z', '2026-01-27T09:14:29.123456Z')";
    conn.execute(sql, []).unwrap();
    conn
}

fn sessions(path: &Path) -> (i64, i64) {
    let conn = connect(path, true).unwrap();
    let count = conn.query_row("SELECT count(*) FROM nexus_sessions", [], |row| row.get(0)).unwrap();
    (schema::version(&conn).unwrap(), count)
}

fn copies(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder.join("backups")) else { return Vec::new() };
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn a_file_of_each_older_version_is_copied_before_its_upgrade() {
    for version in 1..schema::VERSION {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nexus.db");
        // The log beside it is not moved: as after a crash.
        std::mem::forget(of_version(&path, version));
        open(&path, 3).unwrap();
        assert_eq!(sessions(&path), (schema::VERSION, 1));
        let copies = copies(dir.path());
        assert_eq!(copies.len(), 1, "{copies:?}");
        assert!(copies[0].to_str().unwrap().contains(&format!("nexus-schema-{version}-")), "{copies:?}");
        assert_eq!(sessions(&copies[0]), (version, 1), "what was only in the log is in the copy");
        assert_eq!(fs::metadata(&copies[0]).unwrap().permissions().mode() & 0o777, 0o600);
        // Of a file that needs no upgrade there is no copy.
        open(&path, 3).unwrap();
        assert_eq!(self::copies(dir.path()).len(), 1);
    }
}

#[test]
fn without_a_backup_there_is_no_upgrade() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nexus.db");
    drop(of_version(&path, 2));
    // In the way of the folder.
    fs::write(dir.path().join("backups"), "").unwrap();
    let text = open(&path, 3).unwrap_err().to_string();
    for part in ["from version 2 to", "Nothing was changed", "schema_backups = 0", "backups"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(sessions(&path), (2, 1), "the upgrade did not happen");
    // Whoever says so goes without.
    open(&path, 0).unwrap();
    assert_eq!(sessions(&path), (schema::VERSION, 1));
}

#[test]
fn the_newest_copies_are_kept_and_a_newer_schema_names_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nexus.db");
    let folder = dir.path().join("backups");
    fs::create_dir(&folder).unwrap();
    for name in ["nexus-schema-1-2025-01-01.db", "nexus-schema-2-2025-01-02.db", "nexus-schema-99-2025-01-03.db"] {
        fs::write(folder.join(name), "").unwrap();
    }
    fs::write(folder.join("upgrade.part"), "cut off").unwrap();
    fs::write(folder.join("mine.tar"), "").unwrap();
    drop(of_version(&path, 2));
    open(&path, 2).unwrap();
    let names: Vec<_> = copies(dir.path()).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0] == "mine.tar" && names[2] == "nexus-schema-99-2025-01-03.db", "{names:?}");

    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
    drop(conn);
    let text = open(&path, 2).unwrap_err().to_string();
    assert!(text.contains("start a newer nexusd") && text.contains("-wal"), "{text}");
    assert!(text.contains(names[1].to_str().unwrap()), "the newest that can be read is named: {text}");
    // What it says is true.
    fs::copy(folder.join(&names[1]), &path).unwrap();
    open(&path, 2).unwrap();
    assert_eq!(sessions(&path), (schema::VERSION, 1));
}

#[test]
fn a_damaged_database_is_not_copied_as_good() {
    let dir = tempfile::tempdir().unwrap();
    let (path, to) = (dir.path().join("nexus.db"), dir.path().join("copy.db"));
    let conn = of_version(&path, schema::VERSION);
    let text = "x".repeat(3000);
    for n in 0..200 {
        let sql = "INSERT INTO nexus_messages (session_key, message_id, role, content, created_at) VALUES (1, ?1, 'user', ?2, '')";
        conn.execute(sql, rusqlite::params![format!("m{n}"), text]).unwrap();
    }
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(conn);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    let error = copy(&path, &to, &mut |_, _| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
}

#[test]
fn a_copy_is_of_one_moment_while_others_write() {
    let dir = tempfile::tempdir().unwrap();
    let (path, to) = (dir.path().join("nexus.db"), dir.path().join("copy.db"));
    let conn = of_version(&path, schema::VERSION);
    let add = "INSERT INTO nexus_messages (session_key, message_id, role, content, created_at)
        VALUES (?1, ?2, 'user', zeroblob(3000), '')";
    for n in 0..2000 {
        conn.execute(add, rusqlite::params![1, format!("m{n}")]).unwrap();
    }
    // A commit of two rows after each bite: a copy has both or neither, and is not begun anew.
    let (mut bites, mut last) = (0, 0);
    let copied = copy(&path, &to, &mut |done, _| {
        assert!(done >= last, "begun anew");
        (bites, last) = (bites + 1, done);
        conn.execute_batch("BEGIN").unwrap();
        conn.execute(add, rusqlite::params![2, format!("a{bites}")]).unwrap();
        conn.execute(add, rusqlite::params![3, format!("a{bites}")]).unwrap();
        conn.execute_batch("COMMIT").unwrap();
        ControlFlow::Continue(())
    });
    let copied = copied.unwrap().unwrap();
    assert!(bites > 3, "{bites}");
    assert_eq!(copied.bytes, fs::metadata(&to).unwrap().len());
    let copy_of = connect(&to, true).unwrap();
    let count = |of: i64| -> i64 {
        let sql = "SELECT count(*) FROM nexus_messages WHERE session_key = ?1";
        copy_of.query_row(sql, [of], |row| row.get(0)).unwrap()
    };
    assert_eq!((count(1), count(2), count(3)), (2000, 0, 0));
    // Stopped: nothing is said to be there.
    let other = dir.path().join("other.db");
    assert!(copy(&path, &other, &mut |_, _| ControlFlow::Break(())).unwrap().is_none());
}
