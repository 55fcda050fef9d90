//! `/keys`: the keys of programs. Only admins come here; a key's secret is shown once, when it is made.

use std::time::Duration;

use salvo::{Router, Writer as _, oapi::endpoint};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::api::http::{
    error::{ApiError, Resource},
    request::{
        extract::{Body, KeyId, OptionalBody, Part, State},
        rules::{Each, Integer, Needed, Text, Word, fields_of},
    },
    response::{Answer, CreatedAnswer, Reply},
};
use crate::{
    auth::{
        book::BookError,
        credential::{Credential, CredentialKind, NewCredential},
        token::NewToken,
    },
    backend::store::CredentialClass,
    domain::{
        caller::{Caller, Right, Role, Scopes},
        ids::AgentId,
        time::Timestamp,
    },
};

/// The paths of keys.
pub(crate) fn paths() -> Router {
    let one = Router::with_path("{key}").delete(revoke).push(Router::with_path("rotate").post(rotate));
    Router::with_path("keys").get(list).head(list).post(create).push(one)
}

fields_of! {
    /// A key that is to be made.
    pub(crate) NewKeyBody {
        /// What it is for.
        name: Needed<1, 100>,
        /// What it may; `editor` when absent.
        role: Word<Role>,
        /// Whose things are its own; its name when absent.
        user_id: Text<0, 100>,
        /// Only these rights of the role's: `read`, `read_files`, `build`, `control`, `change_agent`, `change_code`,
        /// `converse`, `statistics`, `administer`, `scrape`.
        rights: Each<Right, 10>,
        /// Only these agents.
        agents: Each<AgentId, 1000>,
        /// Agents of others that it may talk to.
        shared: Each<AgentId, 1000>,
        /// Days after which it ends; never when absent.
        expires_days: Integer<1, 36_500>,
    }
}

fields_of! {
    /// How a key gets a new secret.
    pub(crate) RotateBody {
        /// Hours for which the secret before is still taken; 24 when absent.
        grace_hours: Integer<0, 8760>,
    }
}

#[derive(Serialize)]
struct Shown(Value);

/// What is known of a key: everything but its secret.
#[derive(JsonSchema)]
#[schemars(rename = "Key")]
#[allow(dead_code, reason = "the form that `Credential::shown` writes, for the document")]
struct KeyShape {
    id: String,
    name: String,
    role: Role,
    user_id: String,
    rights: Option<Vec<Right>>,
    agents: Option<Vec<AgentId>>,
    shared: Vec<AgentId>,
    /// Two while one rotates.
    live_secrets: u32,
    created_at: Timestamp,
    created_by: String,
    expires_at: Option<Timestamp>,
    expired: bool,
    last_used_at: Option<Timestamp>,
}

impl JsonSchema for Shown {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        KeyShape::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        KeyShape::json_schema(generator)
    }
}

/// A key with its secret, which is shown this once.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewKey")]
struct Made {
    id: String,
    name: String,
    role: Role,
    /// For `Authorization: Bearer`.
    token: String,
    key: Shown,
}

impl Made {
    fn of(credential: &Credential, made: &NewToken) -> Self {
        let token = made.text.reveal().to_owned();
        let key = Shown(credential.shown(Timestamp::now()));
        Self { id: credential.id.clone(), name: credential.name.clone(), role: credential.role, token, key }
    }
}

/// `GET /keys`
///
/// List the keys, without their secrets.
#[endpoint(operation_id = "listKeys", tags("auth"))]
pub(crate) async fn list(state: State) -> Answer<Vec<Shown>> {
    let now = Timestamp::now();
    let keys = state.access.book.keys().await?;
    Ok(Reply::new(keys.iter().map(|one| Shown(one.shown(now))).collect()))
}

/// `POST /keys`
///
/// Make a key. Its secret is in this answer and nowhere else.
#[endpoint(operation_id = "createKey", tags("auth"))]
pub(crate) async fn create(state: State, body: Body<NewKeyBody>) -> CreatedAnswer<Made> {
    let Body(body) = body;
    let new = wanted(body, state.caller());
    let (credential, made) = state.access.make_key(new).await.map_err(|error| failed(error, ""))?;
    let location = format!("/keys/{}", credential.id);
    Ok(Reply::new(Made::of(&credential, &made)).message("key made; its token is shown this once").created(location))
}

fn wanted(body: NewKeyBody, who: &Caller) -> NewCredential {
    let scopes = Scopes { rights: body.rights, agents: body.agents, shared: body.shared.unwrap_or_default() };
    let days = body.expires_days.and_then(|days| u64::try_from(days).ok());
    NewCredential {
        kind: CredentialKind::Key,
        user_id: body.user_id.filter(|user| !user.is_empty()).unwrap_or_else(|| body.name.clone()),
        name: body.name,
        role: body.role.unwrap_or(Role::Editor),
        scopes,
        lasts: days.map(|days| Duration::from_secs(days * 86_400)),
        created_by: who.name.clone(),
    }
}

/// A key that is taken no longer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyRevoked")]
struct Revoked {
    id: String,
    /// `revoked`.
    status: &'static str,
}

/// `DELETE /keys/{key}`
///
/// Revoke a key. It is not taken from now on.
#[endpoint(operation_id = "revokeKey", tags("auth"))]
pub(crate) async fn revoke(state: State, id: Part<KeyId>) -> Answer<Revoked> {
    let id = id.text;
    state.access.book.remove(CredentialClass::Key, &id).await.map_err(|error| failed(error, &id))?;
    Ok(Reply::new(Revoked { id, status: "revoked" }).message("key revoked"))
}

/// `POST /keys/{key}/rotate`
///
/// Give a key a new secret. The one before is taken for a while longer.
#[endpoint(operation_id = "rotateKey", tags("auth"))]
pub(crate) async fn rotate(state: State, id: Part<KeyId>, body: OptionalBody<RotateBody>) -> Answer<Made> {
    let id = id.text;
    let OptionalBody(RotateBody { grace_hours }) = body;
    let grace = Duration::from_secs(grace_hours.and_then(|hours| u64::try_from(hours).ok()).unwrap_or(24) * 3600);
    let made = state.access.book.update(&id, |credential| {
        let made = credential.rotate(grace, Timestamp::now());
        Made::of(credential, &made)
    });
    let made = made.await.map_err(|error| failed(error, &id))?;
    Ok(Reply::new(made).message("key rotated; its new token is shown this once"))
}

fn failed(error: BookError, id: &str) -> ApiError {
    match error {
        BookError::Unknown => ApiError::not_found(Resource::Key, id),
        BookError::Contended => ApiError::Conflict { code: "KEY_CHANGED", message: error.to_string(), details: None },
        BookError::Store(error) => error.into(),
    }
}
