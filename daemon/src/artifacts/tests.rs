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
    assert_eq!(scan(here.path()).unwrap(), scan(there.path()).unwrap());
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
    store.put(&manifest_path(&lease(2)), evil.into()).await.unwrap();
    let refused = artifacts.restore(&id, there.path().into()).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Corrupt);
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
    two.edit(&owner, &Edit::Put { name: "agent/a.py".into(), file }).await.unwrap();
    one.refresh(&owner, here.path().into()).await.unwrap();
    assert_eq!(fs::read_to_string(here.path().join("agent/a.py")).unwrap(), "changed");
    assert_eq!(scan(here.path()).unwrap().files.len(), 3);
    two.edit(&owner, &Edit::Remove { folder: "agent".into() }).await.unwrap();
    // A folder stands where a file belongs, and the other way.
    fs::remove_file(here.path().join("docs/c.md")).unwrap();
    fs::create_dir_all(here.path().join("docs/c.md/d")).unwrap();
    one.refresh(&owner, here.path().into()).await.unwrap();
    assert_eq!(scan(here.path()).unwrap().files.keys().collect::<Vec<_>>(), ["docs/c.md"]);
}
