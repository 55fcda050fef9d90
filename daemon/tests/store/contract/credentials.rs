//! Keys and sessions of callers.

use std::time::Duration;

use nexus_daemon::{
    backend::store::{CredentialClass, CredentialRecord},
    domain::time::Timestamp,
};
use serde_json::json;

use super::world::Fixture;

fn record(class: CredentialClass, id: &str, ends: Option<Timestamp>) -> CredentialRecord {
    let record = json!({ "name": id, "secrets": [{ "sha256": "00ff" }], "日": [1, null] });
    CredentialRecord { class, id: id.to_owned(), revision: 1, ends, last_used: None, record }
}

pub async fn keys_and_sessions_are_kept_and_changed_under_their_revision(f: &Fixture) {
    use CredentialClass::{Key, Session};
    let later = Timestamp::now().plus(Duration::from_secs(3600));
    let all = [record(Key, "b", None), record(Key, "a", Some(later)), record(Session, "a", Some(later))];
    for one in &all {
        assert!(f.store.keep_credential(one.clone(), None).await.unwrap());
        assert!(!f.store.keep_credential(one.clone(), None).await.unwrap(), "there already");
        assert_eq!(f.store.credential(one.class, &one.id).await.unwrap().as_ref(), Some(one));
    }
    assert_eq!(f.store.credential(Session, "b").await.unwrap(), None, "a key is no session");
    assert_eq!(f.store.keys().await.unwrap(), [all[1].clone(), all[0].clone()]);

    // Of two changes of one revision, one is made; nothing comes to be by a change.
    let changed = CredentialRecord { revision: 2, ends: None, record: json!({ "name": "new" }), ..all[1].clone() };
    let made = futures::future::join_all((0..4).map(|_| f.store.keep_credential(changed.clone(), Some(1)))).await;
    assert_eq!(made.into_iter().filter(|made| *made.as_ref().unwrap()).count(), 1);
    assert_eq!(f.store.credential(Key, "a").await.unwrap(), Some(changed));
    assert!(!f.store.keep_credential(record(Key, "nobody", None), Some(1)).await.unwrap());

    // Uses stay through changes, and make nothing that is gone.
    let at = Timestamp::now();
    let uses = vec![(Key, "b".to_owned(), at), (Key, "gone".to_owned(), at), (Session, "a".to_owned(), at)];
    f.store.note_uses(uses).await.unwrap();
    assert_eq!(f.store.credential(Key, "gone").await.unwrap(), None);
    assert!(f.store.keep_credential(CredentialRecord { revision: 2, ..all[0].clone() }, Some(1)).await.unwrap());
    for (class, id) in [(Key, "b"), (Session, "a")] {
        assert_eq!(f.store.credential(class, id).await.unwrap().unwrap().last_used, Some(at));
    }

    assert!(f.store.remove_credential(Key, "b").await.unwrap());
    assert!(!f.store.remove_credential(Key, "b").await.unwrap());
    assert_eq!(f.store.credential(Key, "b").await.unwrap(), None);
    assert!(f.store.remove_credential(Session, "a").await.unwrap());
    assert_eq!(f.store.keys().await.unwrap().len(), 1, "the key of the same id stays");
}
