//! Files of projects over a store in memory.

use std::fs;

use object_store::memory::InMemory;

use super::*;

fn lease(epoch: u32) -> Lease {
    let (task_id, project_id) = ("task_1".parse().unwrap(), "proj_1".parse().unwrap());
    Lease { task_id, project_id, worker_id: "w".parse().unwrap(), epoch }
}

#[tokio::test]
async fn another_machine_has_the_same_folder() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (Artifacts::shared(Arc::clone(&store)), Artifacts::shared(Arc::clone(&store)));
    let write = |name: &str, text: &str| {
        let file = here.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write("docs/a.md", "first");
    write("agent/b.py", "print(1)");
    one.save(&lease(1), here.path().into()).await.unwrap();
    write("docs/a.md", "second");
    write("empty", "");
    one.save(&lease(1), here.path().into()).await.unwrap();
    fs::write(there.path().join("left-over"), "x").unwrap();
    let id = lease(1).project_id;
    two.restore(&id, there.path().into()).await.unwrap();
    // What nobody placed there stays.
    let mut same = scan(there.path()).unwrap();
    assert!(same.files.remove("left-over").is_some());
    assert_eq!(scan(here.path()).unwrap(), same);
    // The next owner goes on; the old one, who does not know, changes nothing for anybody.
    fs::write(there.path().join("c"), "of the second").unwrap();
    two.save(&lease(2), there.path().into()).await.unwrap();
    write("c", "of the first");
    one.save(&lease(1), here.path().into()).await.unwrap();
    two.restore(&id, there.path().into()).await.unwrap();
    assert_eq!(fs::read_to_string(there.path().join("c")).unwrap(), "of the second");
}

#[tokio::test]
async fn what_is_damaged_or_outside_is_refused() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let artifacts = Artifacts::shared(Arc::clone(&store));
    fs::write(here.path().join("a"), "text").unwrap();
    artifacts.save(&lease(1), here.path().into()).await.unwrap();
    let id = lease(1).project_id;
    let sha256 = folder::hash(&here.path().join("a")).unwrap();
    store.put(&content_path(&Owner::from(&id), &sha256), "other".into()).await.unwrap();
    assert!(artifacts.restore(&id, there.path().into()).await.is_err());
    assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0, "nothing is left of it");
    let evil = r#"{"files": {"../x": {"sha256": "0", "size": 1}}}"#;
    store.put(&Number::first(2).path(&Owner::from(&id)), evil.into()).await.unwrap();
    let refused = artifacts.restore(&id, there.path().into()).await.unwrap_err();
    assert_eq!(refused.kind(), BackendErrorKind::Corrupt);
}

#[tokio::test]
async fn an_edit_changes_one_file_whatever_lies_here() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (Artifacts::shared(Arc::clone(&store)), Artifacts::shared(Arc::clone(&store)));
    let owner = Owner::from(&lease(1).project_id);
    for (name, text) in [("agent/a.py", "1"), ("agent/b.py", "2"), ("docs/c.md", "3")] {
        let file = here.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    one.save(&lease(1), here.path().into()).await.unwrap();
    // The other has nothing but the one file.
    let file = there.path().join("a.py");
    fs::write(&file, "changed").unwrap();
    two.edit(&owner, &Edit::Put { name: "agent/a.py".parse().unwrap(), file }).await.unwrap();
    one.refresh(&owner, here.path().into(), || false).await.unwrap();
    assert_eq!(fs::read_to_string(here.path().join("agent/a.py")).unwrap(), "changed");
    assert_eq!(scan(here.path()).unwrap().files.len(), 3);
    two.edit(&owner, &Edit::Remove { folder: "agent".parse().unwrap() }).await.unwrap();
    // A folder stands where a file belongs, and the other way.
    fs::remove_file(here.path().join("docs/c.md")).unwrap();
    fs::create_dir_all(here.path().join("docs/c.md/d")).unwrap();
    one.refresh(&owner, here.path().into(), || false).await.unwrap();
    assert_eq!(scan(here.path()).unwrap().files.keys().collect::<Vec<_>>(), ["docs/c.md"]);
}

/// A daemon over this store with a memory, as after a start.
fn started(store: &Arc<dyn ObjectStore>, memory: &tempfile::TempDir) -> Artifacts {
    Artifacts::remembering(Arc::clone(store), memory.path().join("manifests"))
}

#[tokio::test]
async fn a_restart_removes_what_it_placed_and_nothing_else() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let folders = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let [build, here, memory, other] = &folders;
    let owner = Owner::from(&lease(1).project_id);
    for (name, text) in [("a.py", "1"), ("b.py", "2"), ("gone.py", "3"), ("gone-too.py", "4")] {
        fs::write(build.path().join(name), text).unwrap();
    }
    let builder = started(&store, other);
    builder.save(&lease(1), build.path().into()).await.unwrap();
    started(&store, memory).refresh(&owner, here.path().into(), || false).await.unwrap();
    // An agent writes: a file of its own, one over what was placed, one over what is about to go.
    for (name, text) in [("notes.md", "mine"), ("b.py", "changed"), ("gone-too.py", "changed")] {
        fs::write(here.path().join(name), text).unwrap();
    }
    for name in ["gone.py", "gone-too.py"] {
        fs::remove_file(build.path().join(name)).unwrap();
    }
    fs::write(build.path().join("a.py"), "new").unwrap();
    builder.save(&lease(2), build.path().into()).await.unwrap();
    started(&store, memory).refresh(&owner, here.path().into(), || false).await.unwrap();
    let read = |name: &str| fs::read_to_string(here.path().join(name)).ok();
    let wanted = [("a.py", "new"), ("b.py", "changed"), ("notes.md", "mine"), ("gone-too.py", "changed")];
    for (name, text) in wanted {
        assert_eq!(read(name).as_deref(), Some(text), "{name}");
    }
    assert_eq!(read("gone.py"), None, "placed here, and not in the newest manifest");
    // Without a memory nothing goes.
    let nothing = tempfile::tempdir().unwrap();
    started(&store, &nothing).refresh(&owner, here.path().into(), || false).await.unwrap();
    assert!(read("notes.md").is_some() && read("gone-too.py").is_some());
}

#[tokio::test]
async fn an_agents_files_become_its_own_and_go_with_it() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (build, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (project, agent) = (lease(1).project_id, "agent_1".parse::<AgentId>().unwrap());
    for name in ["agent/a.py", "agent/tools/t.py", "agents/other.py", "docs/d.md"] {
        let file = build.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, name).unwrap();
    }
    let artifacts = Artifacts::shared(Arc::clone(&store));
    artifacts.save(&lease(1), build.path().into()).await.unwrap();
    let kept = KeptAgent { agent_id: agent.clone(), agent_dir: "agent".into() };
    artifacts.keep(&project, &kept).await.unwrap();
    artifacts.forget(&Owner::from(&project)).await.unwrap();
    // Cut off and done again: what is there stays.
    artifacts.keep(&project, &kept).await.unwrap();
    let elsewhere = Artifacts::shared(Arc::clone(&store));
    elsewhere.refresh(&Owner::from(&agent), here.path().into(), || false).await.unwrap();
    assert_eq!(scan(here.path()).unwrap().files.keys().collect::<Vec<_>>(), ["a.py", "tools/t.py"]);
    elsewhere.forget(&Owner::from(&agent)).await.unwrap();
    assert_eq!(store.list(None).count().await, 0, "nothing is left of either");
}

#[tokio::test]
async fn a_request_that_arrives_late_puts_nothing_back() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (Artifacts::shared(Arc::clone(&store)), Artifacts::shared(Arc::clone(&store)));
    let owner = Owner::from(&lease(1).project_id);
    fs::write(here.path().join("a"), "1").unwrap();
    one.save(&lease(1), here.path().into()).await.unwrap();
    let first = manifests::newest_place(&store, &owner).await.unwrap().unwrap();
    let late = store.get(&first).await.unwrap().bytes().await.unwrap();
    fs::write(here.path().join("b"), "2").unwrap();
    one.save(&lease(1), here.path().into()).await.unwrap();
    assert!(store.get(&first).await.is_err(), "the one before is gone");
    store.put(&first, late.into()).await.unwrap();
    two.restore(&lease(1).project_id, there.path().into()).await.unwrap();
    assert_eq!(scan(there.path()).unwrap().files.len(), 2);
    // Saved, and the answer lost: what is there is passed over.
    let next = Number::of(&first).unwrap().next().next();
    store.put(&next.path(&owner), "{\"files\": {}}".into()).await.unwrap();
    fs::write(here.path().join("c"), "3").unwrap();
    one.save(&lease(1), here.path().into()).await.unwrap();
    two.restore(&lease(1).project_id, there.path().into()).await.unwrap();
    assert_eq!(scan(there.path()).unwrap().files.len(), 3);
}

#[tokio::test]
async fn a_folder_that_was_taken_away_is_not_what_a_stage_left() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = here.path().join("project");
    let (artifacts, elsewhere) = (Artifacts::shared(Arc::clone(&store)), Artifacts::shared(Arc::clone(&store)));
    // A stage that writes nothing is fine, and so is one that removes what was there.
    artifacts.save(&lease(1), folder.clone()).await.unwrap();
    fs::create_dir_all(folder.join("made")).unwrap();
    fs::write(folder.join("made/a"), "1").unwrap();
    artifacts.save(&lease(1), folder.clone()).await.unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let refused = artifacts.save(&lease(1), folder.clone()).await.unwrap_err();
    assert!(refused.retryable() && refused.to_string().contains("gone"), "{refused}");
    elsewhere.restore(&lease(2).project_id, there.path().into()).await.unwrap();
    assert!(there.path().join("made/a").exists(), "the next owner has it");
    fs::create_dir_all(&folder).unwrap();
    artifacts.save(&lease(2), folder).await.unwrap();
    elsewhere.restore(&lease(3).project_id, there.path().into()).await.unwrap();
    assert!(!there.path().join("made/a").exists(), "removed by a stage");
}

#[tokio::test]
async fn a_look_at_the_files_takes_nothing_from_a_build_that_begins() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (elsewhere, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (Artifacts::shared(Arc::clone(&store)), Artifacts::shared(Arc::clone(&store)));
    let owner = Owner::from(&lease(1).project_id);
    fs::write(elsewhere.path().join("a"), "1").unwrap();
    one.save(&lease(1), elsewhere.path().into()).await.unwrap();
    // The look waits for its turn while a build comes here, writes and saves.
    let turn = two.turns.of(&owner).await;
    let building = std::sync::atomic::AtomicBool::new(false);
    let looks = two.refresh(&owner, here.path().into(), || building.load(std::sync::atomic::Ordering::SeqCst));
    tokio::pin!(looks);
    assert!(futures::poll!(looks.as_mut()).is_pending());
    building.store(true, std::sync::atomic::Ordering::SeqCst);
    fs::write(here.path().join("b"), "2").unwrap();
    drop(turn);
    looks.await.unwrap();
    assert_eq!(scan(here.path()).unwrap().files.keys().collect::<Vec<_>>(), ["b"], "it is left to the build");
}
