//! With what an agent is started: Python and its packages, the way to a model, or why it goes without.

use std::{ffi::OsString, path::Path};

use nexus_deploy::{Entrypoint, Use};
use nexus_plugin_api::payload::{AgentRef, Failure};

use super::{Access, takes_own_model};
use crate::{
    Settings,
    packages::{Asker, Packages},
};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// The interpreter that has the agent's packages; none: the one of the settings.
    pub(crate) python: Option<String>,
    pub(crate) access: Option<Access>,
    /// The name by which the gate knows the model.
    pub(crate) alias: Option<String>,
    /// Why an agent that wants a model goes without.
    pub(crate) degraded: Option<String>,
}

impl Run {
    /// Whether a large library is loaded at the start.
    pub(crate) fn is_heavy(&self) -> bool {
        self.access.is_some() || self.python.is_some()
    }

    fn without(why: String) -> Self {
        Self { degraded: Some(why), ..Self::default() }
    }
}

/// What a start needs to know for it.
pub(crate) struct Planning<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) packages: &'a Packages,
    pub(crate) agent: &'a AgentRef,
    pub(crate) entrypoint: &'a Entrypoint,
    /// What the agent's environment would be without a gate.
    pub(crate) variables: &'a [(OsString, OsString)],
}

/// Decides it, and has the packages installed that it takes.
///
/// # Errors
/// The agent is of no use without a model, and it cannot be had.
pub(crate) async fn plan(planning: Planning<'_>, asker: Asker, tell: impl FnMut(&str)) -> Result<Run, Failure> {
    let Planning { settings, packages, agent, entrypoint, variables } = planning;
    let (wish, name) = (&entrypoint.wish, &agent.agent_name);
    let has_own = takes_own_model(variables);
    if wish.how == Use::Never && !has_own {
        return Ok(Run::default());
    }
    let is_required = wish.how == Use::Required && !has_own;
    let alias = wish.alias.as_deref().unwrap_or(&settings.model);
    let access = match &agent.models {
        _ if has_own => None,
        Some(access) => match Access::new(access, alias) {
            Ok(access) => Some(access),
            Err(failure) if is_required => return Err(about(name, failure)),
            Err(failure) => return Ok(Run::without(failure.message)),
        },
        None if is_required => {
            return Err(Failure::permanent(format!(
                "agent {name} needs a language model, and this daemon knows none: set ANTHROPIC_API_KEY or OPENAI_API_KEY, start \
                 Ollama, or write [models.providers] in nexusd.toml; `\"model\": \"offline\"` in its deployment runs it without"
            )));
        }
        None => return Ok(Run::without("this daemon knows no language model".to_owned())),
    };
    let had = match &entrypoint.requirements {
        Ok(wanted) => packages.have(wanted, cache_of(agent), asker, tell).await,
        Err(failure) => Err(failure.clone()),
    };
    match had {
        Ok(python) => Ok(Run {
            python: Some(python.display().to_string()),
            alias: access.is_some().then(|| alias.to_owned()),
            access,
            degraded: None,
        }),
        Err(failure) if is_required => Err(about(name, failure)),
        // Its own model may be reached by the packages of the interpreter that the operator named.
        Err(failure) => Ok(Run::without(failure.message)),
    }
}

fn about(name: &str, failure: Failure) -> Failure {
    Failure { message: format!("agent {name} needs a language model: {}", failure.message), ..failure }
}

/// A daemon that names no cache folder has one for each agent.
fn cache_of(agent: &AgentRef) -> &Path {
    if agent.cache_dir.as_os_str().is_empty() { &agent.state_dir } else { &agent.cache_dir }
}
