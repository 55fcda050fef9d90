//! Tokens that somebody else signed (JWT), judged by his public keys: from a file, or found by the issuer's discovery
//! document. Keys of a file are read again when it changes; those of an issuer every hour, and when a token names one that
//! is not known.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet},
};
use serde::Deserialize;
use serde_json::Value;

use super::files::{self, FileError, Stamp};
use crate::{
    config::OidcConfig,
    domain::{
        caller::{ANONYMOUS, Caller, Role},
        ids::AgentId,
        secret::shown_url,
    },
};

/// Two clocks may differ by this, in seconds.
const LEEWAY: u64 = 30;
/// Keys of an issuer are looked for again after this.
const FRESH: Duration = Duration::from_secs(3600);
/// And no more often than this, whatever tokens name.
const PAUSE: Duration = Duration::from_secs(30);
/// How long an issuer may take, and how much it may say.
const ANSWER: Duration = Duration::from_secs(5);
const LARGEST: usize = 1024 * 1024;
/// Longest `user_id`.
const USER_CHARS: usize = 100;

/// Why a token is not taken. For the log; a client is only told that it is not.
#[derive(Debug, thiserror::Error)]
pub(super) enum JwtError {
    /// It is none, or its signature, time, issuer or audience is wrong.
    #[error("{0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// No key of the issuer fits it.
    #[error("no key of the issuer fits the token")]
    NoKey,
    /// It names nobody.
    #[error("the claim `{0}` names no user")]
    NoUser(String),
    /// Its user has no role here.
    #[error("the claims give the user no role")]
    NoRole,
}

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

#[derive(Default)]
struct Looked {
    stamp: Option<Stamp>,
    at: Option<Instant>,
}

/// See the module.
pub(super) struct Jwt {
    config: OidcConfig,
    keys: ArcSwap<Vec<Key>>,
    looked: Mutex<Looked>,
    asking: tokio::sync::Mutex<()>,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Jwt {
    /// With these settings. A file of keys must be readable; an issuer need not answer yet.
    ///
    /// # Errors
    /// The file of keys cannot be used.
    pub(super) fn open(config: &OidcConfig) -> Result<Self, FileError> {
        let http = reqwest::Client::builder().timeout(ANSWER).redirect(reqwest::redirect::Policy::none()).build();
        let http = http.map_err(|error| FileError::told(&PathBuf::from("oidc"), error.to_string()))?;
        let jwt = Self {
            config: config.clone(),
            keys: ArcSwap::default(),
            looked: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            http,
        };
        if !config.jwks_file.as_os_str().is_empty() {
            jwt.read_file()?;
        }
        Ok(jwt)
    }

    fn read_file(&self) -> Result<(), FileError> {
        let path = &self.config.jwks_file;
        let mut looked = files::unpoisoned(&self.looked);
        let stamp = files::stamp(path);
        if stamp.is_some() && stamp == looked.stamp {
            return Ok(());
        }
        let text = std::fs::read_to_string(path).map_err(|error| FileError::io(path, error))?;
        let set: JwkSet = serde_json::from_str(&text).map_err(|error| FileError::form(path, &error))?;
        self.keys.store(Arc::new(usable(&set)));
        *looked = Looked { stamp, at: Some(Instant::now()) };
        Ok(())
    }

    /// Who comes with the token.
    ///
    /// # Errors
    /// It is not taken.
    pub(super) async fn verify(&self, token: &str) -> Result<Caller, JwtError> {
        let header = decode_header(token)?;
        if self.config.jwks_file.as_os_str().is_empty() {
            self.refresh(header.kid.as_deref()).await;
        } else if let Err(error) = self.read_file() {
            tracing::error!(%error, "the file of keys cannot be read again; what was known stays");
        }
        let keys = self.keys.load();
        let fits = |key: &&Key| {
            let named = header.kid.is_none() || key.id.is_none() || key.id == header.kid;
            named && key.algorithms.contains(&header.alg)
        };
        let mut last = JwtError::NoKey;
        for key in keys.iter().filter(fits) {
            match decode::<Value>(token, &key.key, &self.validation(header.alg)) {
                Ok(read) => return self.caller(&read.claims),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.config.audience]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        if !self.config.issuer.is_empty() {
            validation.set_issuer(&[&self.config.issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        validation
    }

    fn caller(&self, claims: &Value) -> Result<Caller, JwtError> {
        let user = claim(claims, &self.config.user_claim).and_then(Value::as_str).map(str::trim);
        let good = |user: &&str| {
            (1..=USER_CHARS).contains(&user.chars().count()) && !user.contains(char::is_control) && *user != ANONYMOUS
        };
        let user = user.filter(good).ok_or_else(|| JwtError::NoUser(self.config.user_claim.clone()))?;
        let role = self.role(claims).ok_or(JwtError::NoRole)?;
        let mut caller = Caller::new(&format!("jwt:{user}"), role, user);
        if !self.config.shared_claim.is_empty() {
            caller.scopes.shared =
                texts(claim(claims, &self.config.shared_claim)).filter_map(|id| id.parse::<AgentId>().ok()).collect();
        }
        Ok(caller)
    }

    /// The highest role that a claim gives; the settings' words come before the roles' own names.
    fn role(&self, claims: &Value) -> Option<Role> {
        let given = texts(claim(claims, &self.config.role_claim));
        let known = |word: &str| match self.config.roles.get(word) {
            Some(role) => Some(*role),
            None if self.config.roles.is_empty() => word.parse().ok(),
            None => None,
        };
        // In the order of what they may.
        given.filter_map(known).min().or_else(|| self.config.default_role.parse().ok())
    }

    /// Asks the issuer for its keys, when those known are old or lack this one.
    async fn refresh(&self, id: Option<&str>) {
        if !self.wants(id) {
            return;
        }
        let _asking = self.asking.lock().await;
        // Somebody else may have asked meanwhile.
        if !self.wants(id) {
            return;
        }
        files::unpoisoned(&self.looked).at = Some(Instant::now());
        match self.ask().await {
            Ok(set) => self.keys.store(Arc::new(usable(&set))),
            Err(error) => {
                let issuer = shown_url(&self.config.issuer);
                tracing::error!(issuer, error, "the issuer's keys cannot be had; those known stay");
            }
        }
    }

    fn wants(&self, id: Option<&str>) -> bool {
        let age = files::unpoisoned(&self.looked).at.map(|at| at.elapsed());
        let keys = self.keys.load();
        let unknown = keys.is_empty() || id.is_some_and(|id| !keys.iter().any(|key| key.id.as_deref() == Some(id)));
        age.is_none_or(|age| age >= FRESH || (unknown && age >= PAUSE))
    }

    async fn ask(&self) -> Result<JwkSet, String> {
        let issuer = self.config.issuer.trim_end_matches('/');
        let found: Discovery = self.get(&format!("{issuer}/.well-known/openid-configuration")).await?;
        if found.issuer.trim_end_matches('/') != issuer {
            return Err("the discovery document is another issuer's".to_owned());
        }
        if !is_safe(&found.jwks_uri) {
            return Err("the discovery document names an address of keys that is not https".to_owned());
        }
        self.get(&found.jwks_uri).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let told = |error: reqwest::Error| error.without_url().to_string();
        let mut answer = self.http.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(told)?;
        let mut text = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(told)? {
            text.extend_from_slice(&piece);
            if text.len() > LARGEST {
                return Err("the answer is too large".to_owned());
            }
        }
        serde_json::from_slice(&text).map_err(|error| format!("not of the expected form: line {}", error.line()))
    }
}

/// Keys over plain HTTP could be anybody's, except from this machine.
fn is_safe(url: &str) -> bool {
    let local = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
    let rest = local.iter().find_map(|prefix| url.strip_prefix(prefix));
    url.starts_with("https://") || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
}

/// The keys of a set that can prove a signature. A shared secret proves nothing here: who could check could also sign.
fn usable(set: &JwkSet) -> Vec<Key> {
    let usable = |jwk: &Jwk| {
        let algorithms = algorithms(jwk)?;
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Key { id: jwk.common.key_id.clone(), algorithms, key })
    };
    set.keys.iter().filter_map(usable).collect()
}

fn algorithms(jwk: &Jwk) -> Option<Vec<Algorithm>> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let mut fit = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => vec![ES256],
            EllipticCurve::P384 => vec![ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(_) => vec![EdDSA],
        _ => return None,
    };
    if let Some(named) = jwk.common.key_algorithm {
        fit.retain(|algorithm| format!("{algorithm:?}") == named.to_string());
    }
    Some(fit)
}

/// A claim, also one inside another: `realm_access.roles`. A claim whose own name has dots comes first.
fn claim<'a>(claims: &'a Value, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| path.split('.').try_fold(claims, |inside, name| inside.get(name)))
}

/// A text, or the texts of a list.
fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, many) = match value {
        Some(Value::String(text)) => (Some(text.as_str()), [].as_slice()),
        Some(Value::Array(many)) => (None, many.as_slice()),
        _ => (None, [].as_slice()),
    };
    one.into_iter().flat_map(str::split_whitespace).chain(many.iter().filter_map(Value::as_str))
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
