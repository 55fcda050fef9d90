use super::*;
use crate::{
    auth::token::generate,
    backend::{
        sqlite::{SqliteOptions, SqliteStore},
        store::Nobody,
    },
};

struct Opened {
    config: Config,
    access: Arc<Access>,
    store: Arc<dyn Store>,
    _folder: tempfile::TempDir,
}

fn opened(change: impl FnOnce(&mut Config)) -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.data.dir = folder.path().to_owned();
    change(&mut config);
    let (store, _queue) =
        SqliteStore::open(config.data.database(), SqliteOptions::default(), Arc::new(Nobody)).unwrap();
    let access = Access::open(&config, store.clone()).unwrap();
    Opened { config, access, store, _folder: folder }
}

async fn find(access: &Access, shown: Shown<'_>) -> Option<Caller> {
    access.identify(shown, Look::Store).await.unwrap()
}

#[tokio::test]
async fn the_first_start_makes_a_token_and_the_next_one_keeps_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let Opened { config, access, store, .. } = &opened(|_| ());
    let path = config.data.admin_token();
    let token = read_admin_token(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let caller = find(access, Shown::Bearer(token.reveal())).await.unwrap();
    assert_eq!((caller.role, caller.user_id.as_str()), (Role::Admin, ADMIN));
    assert_eq!(find(access, Shown::Cookie(token.reveal())).await.map(|c| c.role), Some(Role::Admin));
    let again = Access::open(config, Arc::clone(store)).unwrap();
    assert!(find(&again, Shown::Bearer(token.reveal())).await.is_some());
    std::fs::remove_file(&path).unwrap();
    let renewed = Access::open(config, Arc::clone(store)).unwrap();
    assert!(find(&renewed, Shown::Bearer(token.reveal())).await.is_none(), "removing the file ends the token");
    std::fs::write(&path, "sesame\n").unwrap();
    let error = Access::open(config, Arc::clone(store)).err().unwrap().to_string();
    assert!(error.contains("admin.token") && !error.contains("sesame"), "{error}");
}

#[tokio::test]
async fn keys_alone_have_no_token_of_the_first_start() {
    let Opened { config, access, .. } = &opened(|config| config.auth.mode = AuthMode::Keys);
    assert!(!config.data.admin_token().exists());
    let stranger = generate(TokenKind::Key, Some(ADMIN));
    assert!(find(access, Shown::Bearer(stranger.text.reveal())).await.is_none());
}

#[tokio::test]
async fn nothing_that_was_not_made_here_passes() {
    let Opened { access, .. } = &opened(|_| ());
    let key = NewCredential {
        kind: CredentialKind::Key,
        name: "ci".to_owned(),
        role: Role::Editor,
        user_id: "ann".to_owned(),
        scopes: Scopes::default(),
        lasts: None,
        created_by: "test".to_owned(),
    };
    let (record, made) = access.make_key(key).await.unwrap();
    let good = made.text.reveal();
    assert!(find(access, Shown::Bearer(good)).await.is_some());
    assert!(find(access, Shown::Cookie(good)).await.is_none(), "a key is no cookie");
    let foreign = generate(TokenKind::Key, Some(&record.id));
    let session = generate(TokenKind::Session, Some(&record.id));
    for text in [foreign.text.reveal(), session.text.reveal(), "", "nxk_admin_x", "a.b.c", &good[1..]] {
        assert!(find(access, Shown::Bearer(text)).await.is_none(), "{text}");
    }
    access.book.remove(CredentialClass::Key, &record.id).await.unwrap();
    assert!(find(access, Shown::Bearer(good)).await.is_none(), "a revoked key");
}

#[tokio::test]
async fn a_login_is_worth_what_its_user_may_now() {
    let Opened { access, .. } = &opened(|_| ());
    let password = Secret::new("open sesame!".to_owned());
    access.users.put("ann", Role::Editor, vec![], &password).unwrap();
    assert!(access.log_in("ann", Secret::new("wrong".to_owned())).await.is_none());
    let user = access.log_in("ann", password.clone()).await.unwrap();
    let session = access.begin_session(Some(("ann", &user))).await.unwrap();
    let role = async |access: &Access| find(access, Shown::Cookie(session.reveal())).await.map(|caller| caller.role);
    assert_eq!(role(access).await, Some(Role::Editor));
    access.users.put("ann", Role::User, vec![], &password).unwrap();
    assert_eq!(role(access).await, Some(Role::User));
    access.users.remove("ann").unwrap();
    assert_eq!(role(access).await, None);
    access.users.put("ann", Role::User, vec![], &password).unwrap();
    access.end_session(session.reveal()).await;
    assert_eq!(role(access).await, None);
    // By the link of the start screen, and once only.
    let code = access.make_code();
    assert!(access.take_code(code.reveal()) && !access.take_code(code.reveal()));
    let session = access.begin_session(None).await.unwrap();
    assert_eq!(find(access, Shown::Bearer(session.reveal())).await.map(|c| c.role), Some(Role::Admin));
}
