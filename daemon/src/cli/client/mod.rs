//! The terminal client: commands that talk to a running daemon over its public API, and print for people or as JSON.
//!
//! Standard output carries what was asked for, standard error what happens meanwhile. Exit codes are in `error.rs`.

mod agents;
mod chat;
mod error;
mod events;
mod find;
mod http;
mod listener;
mod make;
mod projects;
mod show;
mod start;
mod stats;
mod tools;
mod watch;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

pub(super) use self::{
    error::ClientError,
    events::Follow,
    http::{Api, Credential, escaped},
};
use super::{complain, run_to_end};
use crate::config::{Inputs, Loaded, load};

/// Where the daemon is, and how answers are printed.
#[derive(Debug, Args)]
pub(super) struct ClientOptions {
    /// Address of the daemon [default: $NEXUSD_URL, else the one its settings listen on]
    #[arg(long, global = true, value_name = "URL", help_heading = "Client")]
    url: Option<String>,
    /// Print JSON, a line an event where events are followed
    #[arg(long, global = true, help_heading = "Client")]
    pub(super) json: bool,
}

/// What can be asked of a daemon.
#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Have an agent built from a sentence; follows the build on a terminal
    New(make::NewArgs),
    /// Projects: list, show, delete
    #[command(subcommand)]
    Projects(projects::ProjectsCommand),
    /// Agents: list, show, delete
    #[command(subcommand)]
    Agents(agents::AgentsCommand),
    /// Follow a build to its end
    Watch {
        /// Id or name of the project [default: the newest]
        project: Option<String>,
    },
    /// Let the running stage end, then rest
    Pause(projects::ControlArgs),
    /// Go on where a paused build rests
    Resume(projects::ControlArgs),
    /// End a build; what is done is kept
    Stop(projects::ControlArgs),
    /// Build again, from a stage on
    Restart(projects::ControlArgs),
    /// Talk to an agent
    Chat(chat::ChatArgs),
    /// Ask an agent one question
    Invoke(agents::InvokeArgs),
    /// What the stages of a build said
    Logs {
        /// Id or name of the project [default: the newest]
        project: Option<String>,
        /// Go on until the build ends
        #[arg(long, short)]
        follow: bool,
    },
    /// Tools: list, show, try
    #[command(subcommand)]
    Tools(tools::ToolsCommand),
    /// Figures over everything
    Stats {
        /// Days that are shown
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=90))]
        days: u32,
    },
}

/// How a command prints, and whom it asks.
struct Client {
    api: Api,
    json: bool,
}

impl Client {
    /// Prints a list: the path has its page, `filters` what it is narrowed to, and `columns` are those of the table.
    async fn list(
        &self,
        path: &str,
        filters: &[(&str, Option<String>)],
        columns: &[(&str, &str)],
    ) -> Result<(), ClientError> {
        let mut path = path.to_owned();
        for (name, value) in filters {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", escaped(value)));
            }
        }
        let listed = self.api.get(&path).await?;
        self.show(&listed, |listed| show::table(listed.as_array().map_or(&[], Vec::as_slice), columns));
        Ok(())
    }

    /// Prints an answer as JSON, or as people read it.
    fn show(&self, answer: &Value, for_people: impl FnOnce(&Value)) {
        if self.json {
            show::json(answer);
        } else {
            for_people(answer);
        }
    }
}

pub(super) fn run(inputs: &Inputs, options: ClientOptions, command: ClientCommand) -> ExitCode {
    run_to_end(async {
        match act(inputs, options, command).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&format!("error: {error}"));
                error.exit_code()
            }
        }
    })
}

/// The running daemon, for commands that are no client's.
pub(super) struct Daemon {
    url: String,
    credential: Credential,
}

impl Daemon {
    /// The one that is meant.
    pub(super) fn of(inputs: &Inputs, options: ClientOptions) -> Self {
        let (url, credential) = meant(inputs, given_url(options.url));
        Self { url, credential }
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Asks for something to be done; what the daemon answers, without its envelope.
    pub(super) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let mut answer = Api::new(&self.url, self.credential.clone())?.whole(method, path, body).await?;
        Ok(answer.get_mut("data").map(Value::take).unwrap_or(answer))
    }

    /// Asks for something to be done; the daemon's word for what became of it.
    pub(super) async fn ask(&self, method: reqwest::Method, path: &str, body: &Value) -> Result<String, String> {
        let answer = self.call(method, path, Some(body)).await.map_err(|error| error.to_string())?;
        Ok(show::member(&answer, "status"))
    }
}

/// Where the daemon is, and what shows it who asks. The token of this machine's daemon goes to no other machine.
pub(super) fn meant(inputs: &Inputs, given: Option<String>) -> (String, Credential) {
    let loaded = load(inputs).ok();
    let own = local_url(loaded.as_ref());
    let near = given.as_deref().is_none_or(|url| *url == own || is_loopback(url));
    let credential = match std::env::var("NEXUSD_TOKEN") {
        Ok(token) if !token.trim().is_empty() => Credential::Given(token.trim().to_owned().into()),
        _ => match loaded {
            Some(loaded) if near => Credential::File(loaded.config.data.admin_token()),
            _ => Credential::None,
        },
    };
    (given.unwrap_or(own), credential)
}

fn is_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn given_url(option: Option<String>) -> Option<String> {
    option.or_else(|| std::env::var("NEXUSD_URL").ok().filter(|url| !url.is_empty()))
}

async fn act(inputs: &Inputs, options: ClientOptions, command: ClientCommand) -> Result<(), ClientError> {
    let given = given_url(options.url);
    let (url, credential) = meant(inputs, given.clone());
    let api = Api::new(&url, credential)?;
    if given.is_none() {
        start::offer(&api, inputs).await?;
    }
    let client = Client { api, json: options.json };
    match command {
        ClientCommand::New(args) => make::new(&client, args).await,
        ClientCommand::Projects(command) => projects::run(&client, command).await,
        ClientCommand::Agents(command) => agents::run(&client, command).await,
        ClientCommand::Watch { project } => {
            let project = find::project(&client.api, project.as_deref()).await?;
            watch::to_the_end(&client, &show::member(&project, "project_id")).await
        }
        ClientCommand::Pause(args) => projects::control(&client, "pause", args).await,
        ClientCommand::Resume(args) => projects::control(&client, "resume", args).await,
        ClientCommand::Stop(args) => projects::control(&client, "stop", args).await,
        ClientCommand::Restart(args) => projects::control(&client, "restart", args).await,
        ClientCommand::Chat(args) => chat::run(&client, args).await,
        ClientCommand::Invoke(args) => agents::invoke(&client, args).await,
        ClientCommand::Logs { project, follow } => projects::logs(&client, project.as_deref(), follow).await,
        ClientCommand::Tools(command) => tools::run(&client, command).await,
        ClientCommand::Stats { days } => stats::run(&client, days).await,
    }
}

/// Where a daemon with these settings listens. Settings that cannot be read are the daemon's matter: then the default.
fn local_url(loaded: Option<&Loaded>) -> String {
    let Some(server) = loaded.map(|loaded| &loaded.config.server) else { return "http://127.0.0.1:8000".to_owned() };
    let scheme = if server.tls_certificate.as_os_str().is_empty() { "http" } else { "https" };
    let address = server.listen;
    if address.ip().is_unspecified() {
        format!("{scheme}://127.0.0.1:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}
