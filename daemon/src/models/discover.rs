//! Looks for providers: those that are written down first, in the order of their names; then, in this order, AWS credentials
//! (Bedrock), `ANTHROPIC_API_KEY`, `OPENAI_API_KEY`, Ollama and llama.cpp on loopback. No provider is asked for an answer, and
//! nothing but loopback is connected to.

use std::time::Duration;

use nexus_model::providers::{Key, Server};

use super::providers::{Found, Provider};
use crate::config::ModelsConfig;

/// How long a server on this machine may take to say which models it has.
const LOCAL: Duration = Duration::from_millis(500);

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Whether there are AWS credentials to be found without asking the network.
#[cfg(feature = "aws")]
fn aws_credentials() -> Option<&'static str> {
    const VARIABLES: [&str; 5] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ];
    VARIABLES.into_iter().find(|name| variable(name).is_some())
}

/// All providers, in the order of preference.
pub async fn discover(config: &ModelsConfig) -> Found {
    let mut found = Found::default();
    for (name, written) in &config.providers {
        match Provider::written(name, written).await {
            Ok(mut provider) => {
                if provider.local
                    && let Err(problem) = in_time(&mut provider).await
                {
                    found.problems.push(format!("{name}: does not say which models it has: {problem}"));
                }
                found.providers.push(provider);
            }
            Err(problem) => found.problems.push(format!("{name}: {problem}")),
        }
    }
    if config.discover {
        look_around(&mut found).await;
    }
    found
}

async fn in_time(provider: &mut Provider) -> Result<(), String> {
    tokio::time::timeout(LOCAL, provider.ask_for_models()).await.unwrap_or_else(|_| Err("it takes too long".to_owned()))
}

async fn look_around(found: &mut Found) {
    let mut take = |provider: Result<Provider, String>| {
        // What is written down under this name comes first.
        if let Ok(provider) = provider
            && found.providers.iter().all(|known| known.name != provider.name)
        {
            found.providers.push(provider);
        }
    };
    #[cfg(feature = "aws")]
    if let Some(name) = aws_credentials() {
        take(Ok(Provider::bedrock("bedrock", name, "", "").await));
    }
    if let Some(key) = variable("ANTHROPIC_API_KEY") {
        take(Provider::anthropic("anthropic", "ANTHROPIC_API_KEY", "", Key::fixed(&key)));
    }
    if let Some(key) = variable("OPENAI_API_KEY")
        && let Ok(server) = Server::named("openai")
    {
        let base_url = variable("OPENAI_BASE_URL").unwrap_or_default();
        take(Provider::openai("openai", "OPENAI_API_KEY", server, &base_url, Key::fixed(&key)));
    }
    for name in ["ollama", "llamacpp"] {
        if let Ok(server) = Server::named(name) {
            let from = server.base_url.clone();
            if let Ok(mut provider) = Provider::openai(name, &from, server, "", Key::default())
                && in_time(&mut provider).await.is_ok()
                && !provider.models.is_empty()
            {
                take(Ok(provider));
            }
        }
    }
}
