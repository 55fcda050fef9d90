//! Providers: each makes its models. Keys are read here and go nowhere else.

use std::sync::Arc;

use nexus_model::ChatModel;
use nexus_model::providers::{Anthropic, Connection, Key, OpenAi, Place, Server};

use crate::config::{ModelProviderConfig, ModelProviderKind};

/// How a provider's models are made.
#[derive(Clone)]
enum Maker {
    OpenAi {
        server: Arc<Server>,
        connection: Connection,
    },
    Anthropic(Connection),
    #[cfg(feature = "aws")]
    Bedrock(nexus_model::providers::Bedrock),
    /// For tests: whatever the model is called.
    Fixed(Arc<dyn ChatModel>),
}

/// A provider that can be asked.
#[derive(Clone)]
pub struct Provider {
    pub name: String,
    /// Where it was found, for people.
    pub from: String,
    /// Runs on this machine.
    pub local: bool,
    /// What `fast`, `smart` and `judge` are here.
    pub usual: [Option<String>; 3],
    /// The models that it told of.
    pub models: Vec<String>,
    maker: Maker,
}

/// What came of looking for providers.
#[derive(Clone, Default)]
pub struct Found {
    /// In the order in which they are preferred.
    pub providers: Vec<Provider>,
    /// Why some that are written down cannot be asked.
    pub problems: Vec<String>,
}

fn usual(models: [&str; 3]) -> [Option<String>; 3] {
    models.map(|model| Some(model.to_owned()))
}

pub(super) const OF_ANTHROPIC: [&str; 3] = ["claude-haiku-4-5", "claude-sonnet-4-5", "claude-sonnet-4-5"];
pub(super) const OF_OPENAI: [&str; 3] = ["gpt-5-mini", "gpt-5", "gpt-5"];
#[cfg(feature = "aws")]
pub(super) const OF_BEDROCK: [&str; 3] = [
    "global.anthropic.claude-haiku-4-5-20251001-v1:0",
    "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
];

impl Provider {
    /// A model of this provider.
    #[must_use]
    pub fn model(&self, id: &str) -> Arc<dyn ChatModel> {
        match &self.maker {
            Maker::OpenAi { server, connection } => {
                Arc::new(OpenAi::new(&self.name, id, Arc::clone(server), connection.clone()))
            }
            Maker::Anthropic(connection) => Arc::new(Anthropic::new(&self.name, id, connection.clone())),
            #[cfg(feature = "aws")]
            Maker::Bedrock(bedrock) => Arc::new(bedrock.model(id)),
            Maker::Fixed(model) => Arc::clone(model),
        }
    }

    /// A provider for tests.
    #[must_use]
    pub fn fixed(name: &str, local: bool, model: Arc<dyn ChatModel>) -> Self {
        let models = [Some("script".to_owned()), Some("script".to_owned()), Some("script".to_owned())];
        Self {
            name: name.into(),
            from: "a test".into(),
            local,
            usual: models,
            models: Vec::new(),
            maker: Maker::Fixed(model),
        }
    }

    /// Asks a local server which models it has; the first one is what the usual names mean.
    pub(super) async fn ask_for_models(&mut self) -> Result<(), String> {
        let Maker::OpenAi { connection, .. } = &self.maker else { return Ok(()) };
        self.models = OpenAi::models(&self.name, connection).await.map_err(|error| error.message)?;
        if self.usual.iter().all(Option::is_none)
            && let Some(first) = self.models.first()
        {
            self.usual = [(); 3].map(|()| Some(first.clone()));
        }
        Ok(())
    }

    /// Anthropic with the key of the environment.
    pub(super) fn anthropic(name: &str, from: &str, base_url: &str, key: Key) -> Result<Self, String> {
        let base_url = if base_url.is_empty() { "https://api.anthropic.com" } else { base_url };
        let place = Place::Url(base_url.trim_end_matches("/v1").to_owned());
        let connection = Connection::new(&place, key).map_err(|error| error.message)?;
        Ok(Self {
            name: name.to_owned(),
            from: from.to_owned(),
            local: is_local(base_url),
            usual: usual(OF_ANTHROPIC),
            models: Vec::new(),
            maker: Maker::Anthropic(connection),
        })
    }

    /// A server that speaks chat completions.
    pub(super) fn openai(
        name: &str,
        from: &str,
        server: Arc<Server>,
        base_url: &str,
        key: Key,
    ) -> Result<Self, String> {
        let base_url = if base_url.is_empty() { server.base_url.clone() } else { base_url.to_owned() };
        let connection = Connection::new(&Place::Url(base_url.clone()), key).map_err(|error| error.message)?;
        let of_openai = server.base_url == base_url && server.title == "OpenAI";
        Ok(Self {
            name: name.to_owned(),
            from: from.to_owned(),
            local: is_local(&base_url),
            usual: if of_openai { usual(OF_OPENAI) } else { [const { None }; 3] },
            models: Vec::new(),
            maker: Maker::OpenAi { server, connection },
        })
    }

    /// Bedrock with the credentials of the environment.
    #[cfg(feature = "aws")]
    pub(super) async fn bedrock(name: &str, from: &str, region: &str, endpoint: &str) -> Self {
        let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest());
        if !region.is_empty() {
            loader = loader.region(aws_config::Region::new(region.to_owned()));
        }
        let config = loader.load().await;
        let endpoint = (!endpoint.is_empty()).then_some(endpoint);
        Self {
            name: name.to_owned(),
            from: from.to_owned(),
            local: false,
            usual: usual(OF_BEDROCK),
            models: Vec::new(),
            maker: Maker::Bedrock(nexus_model::providers::Bedrock::new(name, "any", &config, endpoint)),
        }
    }

    /// A provider of the settings.
    pub(super) async fn written(name: &str, config: &ModelProviderConfig) -> Result<Self, String> {
        let from = "the settings";
        match config.kind {
            ModelProviderKind::Anthropic => {
                let key = key(config, Some("ANTHROPIC_API_KEY"))?;
                Self::anthropic(name, from, &config.base_url, key)
            }
            ModelProviderKind::Openai => {
                let server = if config.server_file.as_os_str().is_empty() {
                    let known = if config.server.is_empty() { "openai" } else { &config.server };
                    Server::named(known).map_err(|error| error.to_string())?
                } else {
                    let path = &config.server_file;
                    let text = tokio::fs::read_to_string(path).await;
                    let text = text.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
                    Arc::new(Server::parse(&path.display().to_string(), &text).map_err(|error| error.to_string())?)
                };
                let key = key(config, server.key_variable.as_deref())?;
                Self::openai(name, from, server, &config.base_url, key)
            }
            #[cfg(feature = "aws")]
            ModelProviderKind::Bedrock => Ok(Self::bedrock(name, from, &config.region, &config.base_url).await),
            #[cfg(not(feature = "aws"))]
            ModelProviderKind::Bedrock => {
                Err(format!("this nexusd was built without AWS, so not for region {:?}", config.region))
            }
        }
    }
}

/// Whether only this machine answers there.
fn is_local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', '?']).next().unwrap_or_default();
    host == "localhost" || host.starts_with("localhost:") || host.starts_with("127.") || host.starts_with("[::1]")
}

/// The key of a provider: from its file, from its variable, or none where the server needs none.
fn key(config: &ModelProviderConfig, usual: Option<&str>) -> Result<Key, String> {
    if !config.key_file.as_os_str().is_empty() {
        let path = config.key_file.clone();
        return Key::file(path.clone())
            .map_err(|error| format!("the key in {} cannot be read: {error}", path.display()));
    }
    let named = (!config.key_variable.is_empty()).then_some(config.key_variable.as_str());
    let Some(variable) = named.or(usual) else { return Ok(Key::default()) };
    match std::env::var(variable) {
        Ok(value) if !value.trim().is_empty() => Ok(Key::fixed(&value)),
        _ if named.is_none() && !config.base_url.is_empty() => Ok(Key::default()),
        _ => Err(format!("there is no key: set the variable {variable}, or `key_file`")),
    }
}
