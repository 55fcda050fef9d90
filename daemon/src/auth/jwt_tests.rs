use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;

/// A signer of our own, and its keys as an issuer publishes them.
struct Signer {
    key: EncodingKey,
    id: &'static str,
}

const CURVE: Algorithm = Algorithm::ES256;

impl Signer {
    fn new(id: &'static str, pkcs8: &[u8]) -> Self {
        Self { key: EncodingKey::from_ec_der(pkcs8), id }
    }

    fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, CURVE).unwrap()).unwrap();
        jwk["kid"] = json!(self.id);
        jwk
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(CURVE) };
        encode(&header, claims, &self.key).unwrap()
    }
}

/// A key on P-256 that is made for this run.
fn signer(id: &'static str) -> Signer {
    use aws_lc_rs::{rand::SystemRandom, signature};
    let pkcs8 =
        signature::EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    Signer::new(id, pkcs8.unwrap().as_ref())
}

fn config(folder: &std::path::Path, keys: &[&Signer]) -> OidcConfig {
    let file = folder.join("jwks.json");
    let keys: Vec<Value> = keys.iter().map(|signer| signer.jwk()).collect();
    std::fs::write(&file, json!({ "keys": keys }).to_string()).unwrap();
    OidcConfig {
        issuer: "https://issuer.example".to_owned(),
        jwks_file: file,
        audience: "nexus".to_owned(),
        role_claim: "realm.roles".to_owned(),
        shared_claim: "agents".to_owned(),
        ..OidcConfig::default()
    }
}

fn claims() -> Value {
    let now = jsonwebtoken::get_current_timestamp();
    json!({
        "iss": "https://issuer.example", "aud": "nexus", "sub": "ann", "exp": now + 600, "nbf": now - 5,
        "realm": { "roles": ["offline", "user", "editor"] }, "agents": ["agent_1", "../x"],
    })
}

#[tokio::test]
async fn a_signed_token_names_user_role_and_agents() {
    let folder = tempfile::tempdir().unwrap();
    let signer = signer("k1");
    let jwt = Jwt::open(&config(folder.path(), &[&signer])).unwrap();
    let caller = jwt.verify(&signer.sign(&claims())).await.unwrap();
    assert_eq!((caller.name.as_str(), caller.role, caller.user_id.as_str()), ("jwt:ann", Role::Editor, "ann"));
    assert_eq!(caller.scopes.shared.iter().map(AgentId::as_str).collect::<Vec<_>>(), ["agent_1"]);
}

#[tokio::test]
async fn what_is_wrong_in_any_part_does_not_pass() {
    let folder = tempfile::tempdir().unwrap();
    let (known, foreign) = (signer("k1"), signer("k1"));
    let jwt = Jwt::open(&config(folder.path(), &[&known])).unwrap();
    let now = jsonwebtoken::get_current_timestamp();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let mut wrong: Vec<String> = [
        with("exp", json!(now - 3600)),
        with("nbf", json!(now + 3600)),
        with("iss", json!("https://other.example")),
        with("aud", json!("other")),
        with("aud", json!([])),
        with("sub", json!("")),
        with("sub", json!("anonymous")),
        with("sub", json!("a\nb")),
        with("sub", json!({ "a": 1 })),
        with("realm", json!({ "roles": "root" })),
        with("realm", json!("admin")),
        without("exp"),
        without("iss"),
        without("aud"),
        without("sub"),
        without("realm"),
    ]
    .iter()
    .map(|claims| known.sign(claims))
    .collect();
    wrong.push(foreign.sign(&claims()));
    let good = known.sign(&claims());
    let (head, signature) = good.rsplit_once('.').unwrap();
    // Without a signature, with one of another text, with the public key as a shared secret.
    wrong.push(format!("{head}."));
    wrong.push(head.to_owned());
    wrong.push(format!("{}.{signature}", known.sign(&with("sub", json!("bob"))).rsplit_once('.').unwrap().0));
    let public = serde_json::to_vec(&known.jwk()).unwrap();
    let shared = EncodingKey::from_secret(&public).unwrap();
    wrong.push(encode(&Header::new(Algorithm::HS256), &claims(), &shared).unwrap());
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    wrong.push(format!("{none}.{}.", head.split_once('.').unwrap().1));
    for token in wrong {
        assert!(jwt.verify(&token).await.is_err(), "{token}");
    }
    assert!(jwt.verify(&good).await.is_ok());
}

#[tokio::test]
async fn keys_that_change_in_the_file_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (signer("k1"), signer("k2"));
    let mut settings = config(folder.path(), &[&old]);
    settings.roles.insert("editor".to_owned(), Role::Viewer);
    let jwt = Jwt::open(&settings).unwrap();
    assert!(jwt.verify(&new.sign(&claims())).await.is_err());
    let _ = config(folder.path(), &[&new]);
    assert_eq!(jwt.verify(&new.sign(&claims())).await.unwrap().role, Role::Viewer, "by the settings' word");
    assert!(jwt.verify(&old.sign(&claims())).await.is_err());
    // A shared secret in the set is none of the issuer's keys.
    let secret = json!({ "keys": [{ "kty": "oct", "k": "c2VzYW1l", "alg": "HS256" }] });
    std::fs::write(&settings.jwks_file, secret.to_string()).unwrap();
    assert!(matches!(jwt.verify(&new.sign(&claims())).await, Err(JwtError::NoKey)));
}

#[tokio::test]
async fn an_issuers_keys_are_found_and_asked_for_again() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let signer = signer("k1");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let (named, keys) = (issuer.clone(), json!({ "keys": [signer.jwk()] }).to_string());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let read = socket.read(&mut head).await.unwrap();
            let body = if String::from_utf8_lossy(&head[..read]).contains("openid-configuration") {
                json!({ "issuer": named, "jwks_uri": format!("{named}/keys") }).to_string()
            } else {
                keys.clone()
            };
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let mut settings = OidcConfig { issuer: issuer.clone(), audience: "nexus".to_owned(), ..OidcConfig::default() };
    settings.default_role = "user".to_owned();
    let jwt = Jwt::open(&settings).unwrap();
    let mut claims = claims();
    claims["iss"] = json!(issuer);
    assert_eq!(jwt.verify(&signer.sign(&claims)).await.unwrap().role, Role::User);
}

#[test]
fn keys_come_over_tls_or_from_this_machine() {
    for good in ["https://a.example/keys", "http://127.0.0.1:1/keys", "http://localhost/keys", "http://[::1]:2"] {
        assert!(is_safe(good), "{good}");
    }
    for bad in
        ["http://a.example/keys", "http://127.0.0.1.evil.example/", "http://localhost@evil/", "file:///etc/passwd", ""]
    {
        assert!(!is_safe(bad), "{bad}");
    }
}
