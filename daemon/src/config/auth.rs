//! `[auth]` and `[agents]`: who may call, and what; see `crate::auth`.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::units::Hours;
use crate::domain::caller::Role;

/// `[auth]`: how callers are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Default `token`.
    pub mode: AuthMode,
    /// How long a login lasts, in hours. Default 12.
    pub session_hours: Hours,
    /// The file of users who log in by name and password. Default empty: `users.toml` of the data folder.
    pub users_file: PathBuf,
    /// Tokens that an identity provider signs.
    pub oidc: OidcConfig,
    /// How much each may ask for.
    pub limits: LimitsConfig,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            mode: AuthMode::Token,
            session_hours: Hours(12),
            users_file: PathBuf::new(),
            oidc: OidcConfig::default(),
            limits: LimitsConfig::default(),
        }
    }
}

/// Which ways in there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// The token that the first start makes, keys, logins.
    #[default]
    Token,
    /// Keys and logins.
    Keys,
    /// As `token`, and the tokens of an identity provider.
    Oidc,
    /// Everybody is an admin.
    None,
}

impl AuthMode {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Keys => "keys",
            Self::Oidc => "oidc",
            Self::None => "none",
        }
    }
}

/// `[auth.oidc]`: which tokens of an identity provider are taken, and what their users may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcConfig {
    /// The address of the issuer, as its tokens name it in `iss`; its keys are found from there. Default empty.
    pub issuer: String,
    /// A file with the issuer's public keys (JWKS), in place of asking for them. Default empty.
    pub jwks_file: PathBuf,
    /// What tokens must name in `aud`. Default empty; must be set with mode `oidc`.
    pub audience: String,
    /// The claim with the `user_id`. Default `sub`.
    pub user_claim: String,
    /// The claim with a word or a list of words that give a role; `a.b` is `b` inside of `a`. Default `roles`.
    pub role_claim: String,
    /// The claim with the ids of agents that are shared with the user. Default empty: none are.
    pub shared_claim: String,
    /// Word of the claim → role. Default empty: the roles' own names.
    pub roles: BTreeMap<String, Role>,
    /// The role of users whose claims give none. Default empty: they may not come in.
    pub default_role: String,
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            jwks_file: PathBuf::new(),
            audience: String::new(),
            user_claim: "sub".to_owned(),
            role_claim: "roles".to_owned(),
            shared_claim: String::new(),
            roles: BTreeMap::new(),
            default_role: String::new(),
        }
    }
}

/// `[auth.limits]`: how much one credential, or one address, may ask for; 0 is no limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Requests of one credential in a minute. Default 0.
    pub requests_per_minute: u32,
    /// Requests from one address in a minute. Default 0.
    pub address_requests_per_minute: u32,
    /// Refused credentials, and logins, from one address in a minute. Default 60.
    pub failures_per_minute: u32,
    /// Event streams of one credential at a time. Default 0.
    pub streams: usize,
    /// Builds that one credential may start in a day. Default 0.
    pub builds_per_day: u64,
    /// Tokens that answers to one credential may take in a day. Default 0.
    pub tokens_per_day: u64,
    /// What answers to one credential may cost in a day, in US dollars, by `[pricing]`. Default 0.
    pub usd_per_day: f64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            requests_per_minute: 0,
            address_requests_per_minute: 0,
            failures_per_minute: 60,
            streams: 0,
            builds_per_day: 0,
            tokens_per_day: 0,
            usd_per_day: 0.0,
        }
    }
}

/// `[agents]`: what may be done with agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentsConfig {
    /// Whether agents' code, prompts and tools may be changed through the API. Default true.
    pub editable: bool,
}

impl Default for AgentsConfig {
    fn default() -> Self {
        Self { editable: true }
    }
}
