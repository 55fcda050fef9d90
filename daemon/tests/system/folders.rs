//! Folders at places and times that nobody thinks of: other file systems, deletions that are done again later.

use super::{
    files::{files, project_with_files},
    support::{Home, eventually},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_is_done_again_leaves_what_was_built_since() {
    let home = Home::with_noop_workflow("[worker]\nreconcile_secs = 1\n", 0);
    let daemon = home.start();
    let project = project_with_files(&home, &daemon).await;
    daemon.kill();
    let folder = home.data().join("projects").join(&project);
    std::fs::create_dir(folder.join("old")).expect("a folder");
    std::fs::write(folder.join("old/a.md"), "of old").expect("a file");
    let database = rusqlite::Connection::open(home.data().join("nexus.db")).expect("the database");
    // Two agents that were deleted with their files, and something stood in the way: one before the project was built
    // (again), and one after it.
    for (agent, dir, at) in
        [("agent_a", "docs", "2020-01-01T00:00:00.000000Z"), ("agent_b", "old", "2999-01-01T00:00:00.000000Z")]
    {
        let owned = json!({"kept": [], "agent": {"project_id": project, "agent_dir": dir, "deployment_type": "local",
            "orders": {"undeploy": false, "files": true}}});
        let sql = "INSERT INTO deletions (kind, subject_id, name, deleted_at, owned) VALUES ('agent', ?1, 'n', ?2, ?3)";
        database.execute(sql, [agent, at, &owned.to_string()]).expect("a record");
    }
    let _daemon = home.start();
    let open = "SELECT count(*) FROM deletions WHERE settled_at IS NULL";
    let settled = || database.query_row(open, [], |row| row.get::<_, i64>(0)).expect("a count") == 0;
    eventually("the deletions are finished", async || settled().then_some(())).await;
    assert!(!folder.join("old").exists(), "what the record is of goes");
    assert_eq!(files(&folder).len(), 2, "what was built since stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_on_another_file_system_go_to_the_trash_all_the_same() {
    let home = Home::with_noop_workflow("", 0);
    let elsewhere = tempfile::tempdir_in("/dev/shm").expect("a second file system");
    std::fs::create_dir_all(home.data()).expect("the data folder");
    std::os::unix::fs::symlink(elsewhere.path(), home.data().join("projects")).expect("a link");
    let daemon = home.start();
    let project = project_with_files(&home, &daemon).await;
    assert!(elsewhere.path().join(&project).is_dir());
    let (status, gone) = daemon.delete(&format!("/projects/{project}")).await;
    assert_eq!((status, &gone["data"]["errors"]), (200, &json!([])), "{gone}");
    assert!(!elsewhere.path().join(&project).exists());
    assert_eq!(files(&home.data().join("trash")).len(), 2);
    let _ = daemon.terminate();
}
