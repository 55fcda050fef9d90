use super::*;
use crate::{
    auth::{
        credential::{CredentialKind, NewCredential},
        token::{NewToken, TokenKind, generate, parse},
    },
    backend::{
        sqlite::{SqliteOptions, SqliteStore},
        store::{Credentials as _, Nobody, Upkeep as _},
    },
    domain::caller::{Role, Scopes},
};

fn make(kind: CredentialKind, lasts: Option<Duration>) -> (Credential, NewToken) {
    let (name, user_id, created_by) = ("n".to_owned(), "ann".to_owned(), "test".to_owned());
    let scopes = Scopes::default();
    let new = NewCredential { kind, name, role: Role::User, user_id, scopes, lasts, created_by };
    Credential::make(new, Timestamp::now())
}

fn store(folder: &tempfile::TempDir) -> Arc<SqliteStore> {
    let path = folder.path().join("nexus.db");
    SqliteStore::open(path, SqliteOptions::default(), Arc::new(Nobody)).unwrap().0
}

async fn finds(book: &KeyBook, token: &NewToken) -> bool {
    book.find(&parse(token.text.reveal()).unwrap(), Timestamp::now(), Look::Store).await.unwrap().is_some()
}

#[tokio::test]
async fn what_is_kept_is_there_for_the_next_daemon_without_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let book = KeyBook::new(store.clone());
    let (one, token) = make(CredentialKind::Key, None);
    let (session, session_token) = make(CredentialKind::Session, None);
    book.add(one.clone()).await.unwrap();
    book.add(session).await.unwrap();
    assert!(matches!(book.add(one.clone()).await, Err(BookError::Contended)), "an id is given once");
    assert!(finds(&book, &token).await);
    let again = KeyBook::new(store.clone());
    assert!(finds(&again, &token).await && finds(&again, &session_token).await);
    assert_eq!(again.keys().await.unwrap().iter().map(|key| &key.id).collect::<Vec<_>>(), [&one.id], "no session");
    let secret = token.text.reveal().rsplit('_').next().unwrap();
    let kept = store.credential(CredentialClass::Key, &one.id).await.unwrap().unwrap();
    assert!(!format!("{kept:?}").contains(secret));
    again.remove(CredentialClass::Key, &one.id).await.unwrap();
    assert!(!finds(&again, &token).await);
    assert!(matches!(again.remove(CredentialClass::Key, &one.id).await, Err(BookError::Unknown)));
}

#[tokio::test]
async fn who_is_barred_is_no_reason_to_ask_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let book = KeyBook::new(store.clone());
    let (one, token) = make(CredentialKind::Key, None);
    book.add(one).await.unwrap();
    let other = KeyBook::new(store);
    let presented = parse(token.text.reveal()).unwrap();
    let now = Timestamp::now();
    assert!(other.find(&presented, now, Look::MemoryOnly).await.unwrap().is_none());
    // What is remembered is taken from there, too.
    assert!(book.find(&presented, now, Look::MemoryOnly).await.unwrap().is_some());
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let books = [KeyBook::new(store.clone()), KeyBook::new(store)];
    let (one, first) = make(CredentialKind::Key, None);
    books[0].add(one.clone()).await.unwrap();
    let rotate = |book: usize| books[book].update(&one.id, |key| key.rotate(Duration::from_secs(60), Timestamp::now()));
    let (a, b) = tokio::join!(rotate(0), rotate(1));
    let fresh = KeyBook::new(Arc::clone(&books[0].store));
    // The last two secrets are taken: each rotation saw the other.
    assert!(finds(&fresh, &a.unwrap()).await && finds(&fresh, &b.unwrap()).await && !finds(&fresh, &first).await);
    assert_eq!(fresh.keys().await.unwrap()[0].revision, 3);
}

#[tokio::test]
async fn the_last_use_is_shown_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let book = KeyBook::new(store.clone());
    let (ended, token) = make(CredentialKind::Key, Some(Duration::ZERO));
    let (used, used_token) = make(CredentialKind::Key, None);
    for one in [&ended, &used] {
        book.add(one.clone()).await.unwrap();
    }
    assert!(!finds(&book, &token).await && finds(&book, &used_token).await);
    let last = |keys: Vec<Credential>, id: &str| keys.into_iter().find(|key| key.id == id).unwrap().last_used_at;
    let shown = last(book.keys().await.unwrap(), &used.id);
    assert!(shown.is_some() && last(book.keys().await.unwrap(), &ended.id).is_none());
    book.settle().await.unwrap();
    assert_eq!(last(KeyBook::new(store).keys().await.unwrap(), &used.id), shown);
}

#[tokio::test]
async fn what_nobody_can_say_is_no_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let book = KeyBook::new(store.clone());
    let (one, token) = make(CredentialKind::Key, None);
    book.add(one).await.unwrap();
    store.close().await.unwrap();
    // Remembered: taken. Unknown: an error, which is told as such.
    assert!(finds(&book, &token).await);
    let stranger = generate(TokenKind::Key, None);
    let asked = book.find(&parse(stranger.text.reveal()).unwrap(), Timestamp::now(), Look::Store).await;
    assert!(asked.is_err());
}

#[tokio::test]
async fn a_record_that_is_anothers_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let (one, token) = make(CredentialKind::Key, None);
    let wrong = [
        CredentialRecord { id: "another".to_owned(), ..record(&one).unwrap() },
        CredentialRecord { class: CredentialClass::Session, ..record(&one).unwrap() },
        CredentialRecord { record: serde_json::json!({ "sesame": 1 }), ..record(&one).unwrap() },
    ];
    for record in wrong {
        assert!(store.keep_credential(record, None).await.unwrap());
    }
    assert!(!finds(&KeyBook::new(store), &token).await);
}
