//! What of the daemon's gate goes into an agent's environment, and through its walls.

use std::{ffi::OsString, time::Duration};

use nexus_plugin_api::payload::{Failure, ModelAccess};
use tokio::time::Instant;

/// The longest answer of one call. The gate sets aside what the longest answer can cost, so without a limit small budgets
/// would allow no call at all.
const MOST_TOKENS: &str = "2048";
/// An agent with this variable brings a model of its own.
const PROVIDER: &str = "MODEL_PROVIDER";

/// An access, read.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) base_url: String,
    /// The one port that it needs.
    pub(crate) port: u16,
    token: String,
    /// When its process is to be replaced by one with a new token.
    pub(crate) renew_at: Option<Instant>,
    alias: String,
}

impl Access {
    /// # Errors
    /// The gate is not on this machine's loopback interface, or does not know the name.
    pub(crate) fn new(access: &ModelAccess, alias: &str) -> Result<Self, Failure> {
        let port = loopback_port(&access.base_url).ok_or_else(|| {
            Failure::permanent(format!("the model gate's address {} is none of this machine's", access.base_url))
        })?;
        // `provider/model` is known to the gate alone.
        if !access.models.is_empty() && !access.models.contains_key(alias) && !alias.contains('/') {
            let known: Vec<&str> = access.models.keys().map(String::as_str).collect();
            return Err(Failure::invalid_input(format!(
                "no model is named {alias:?} here; there are: {}",
                known.join(", ")
            )));
        }
        // Half of its life is left for answers that are given meanwhile.
        let half = Duration::from_secs(access.token_secs / 2);
        Ok(Self {
            base_url: access.base_url.clone(),
            port,
            token: access.token.clone(),
            renew_at: (access.token_secs > 0).then(|| Instant::now() + half),
            alias: alias.to_owned(),
        })
    }
}

/// The port of `http://127.0.0.1:<port>/…`.
fn loopback_port(url: &str) -> Option<u16> {
    let rest = url.strip_prefix("http://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = authority.rsplit_once(':')?;
    matches!(host, "127.0.0.1" | "localhost" | "[::1]").then(|| port.parse().ok()).flatten()
}

/// Whether the environment that was given to an agent names a model of its own.
pub(crate) fn takes_own_model(variables: &[(OsString, OsString)]) -> bool {
    variables.iter().any(|(name, value)| name == PROVIDER && !value.is_empty())
}

/// Puts the gate into an agent's environment, in place of whatever else was there under these names.
pub(crate) fn gate_variables(variables: &mut Vec<(OsString, OsString)>, access: &Access) {
    let given = |variables: &[(OsString, OsString)], name: &str| variables.iter().any(|(known, _)| known == name);
    let mut gate = vec![
        (PROVIDER, "openai"),
        ("OPENAI_BASE_URL", access.base_url.as_str()),
        ("OPENAI_API_KEY", access.token.as_str()),
        ("MODEL_ID", access.alias.as_str()),
        // The gate is on this machine; a proxy would be none of its business.
        ("NO_PROXY", "127.0.0.1,localhost"),
        ("no_proxy", "127.0.0.1,localhost"),
    ];
    if !given(variables, "MODEL_MAX_TOKENS") {
        gate.push(("MODEL_MAX_TOKENS", MOST_TOKENS));
    }
    variables.retain(|(name, _)| !gate.iter().any(|(own, _)| name == own));
    variables.extend(gate.into_iter().map(|(name, value)| (name.into(), value.into())));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(base_url: &str) -> ModelAccess {
        ModelAccess {
            base_url: base_url.into(),
            socket: None,
            token: "nxm.token".into(),
            token_secs: 0,
            models: [("fast".to_owned(), "p/m".to_owned())].into(),
        }
    }

    #[test]
    fn only_the_gate_of_this_machine_is_taken() {
        let read = Access::new(&access("http://127.0.0.1:4175/v1"), "fast").unwrap();
        assert_eq!(read.port, 4175);
        assert_eq!(Access::new(&access("http://[::1]:9/v1"), "p/other").unwrap().port, 9);
        for url in
            ["https://127.0.0.1:1/v1", "http://10.0.0.1:1/v1", "http://127.0.0.1/v1", "http://127.0.0.1:99999/v1"]
        {
            assert!(Access::new(&access(url), "fast").is_err(), "{url}");
        }
        let error = Access::new(&access("http://127.0.0.1:1/v1"), "smrt").unwrap_err();
        assert!(error.message.contains("fast"), "{error}");
    }

    #[test]
    fn the_gate_takes_the_place_of_keys_that_were_there() {
        let mut variables: Vec<(OsString, OsString)> =
            vec![("OPENAI_API_KEY".into(), "sk-real".into()), ("MODEL_MAX_TOKENS".into(), "9".into())];
        gate_variables(&mut variables, &Access::new(&access("http://127.0.0.1:1/v1"), "fast").unwrap());
        let of =
            |name: &str| -> Vec<_> { variables.iter().filter(|(known, _)| known == name).map(|(_, v)| v).collect() };
        assert_eq!(of("OPENAI_API_KEY"), ["nxm.token"]);
        assert_eq!(of("MODEL_MAX_TOKENS"), ["9"]);
        assert_eq!(of("MODEL_ID"), ["fast"]);
    }
}
