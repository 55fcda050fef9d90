//! The command line: `nexusd [serve]`, `check-config`, `dump-config`, `compact`, `plugins list | check | new`, `resources …`,
//! `dlq list | redrive`, `token`, `login-link`, `keys …`, `users …`, `audit verify | export`, `eval`, `backup`, `restore`, `retention`, `export`, `import`, `doctor`, `adopt-folder`, `version`, and the
//! client's commands.
//!
//! `main.rs` calls [`main`]. Exit codes: 0 fine, 1 refused or failed, 2 wrong usage.

mod access;
mod backup;
mod check_config;
mod client;
mod compact;
mod dlq;
mod doctor;
mod eval;
mod internal;
mod machine;
mod pid1;
mod plugins;
mod probe;
mod process;
#[cfg(feature = "aws")]
mod resources;
mod retention;
mod scaffold;
mod serve;
mod shell;
#[cfg(feature = "aws")]
mod transfer;

use std::{
    io::IsTerminal as _,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use clap::{Args, Parser, Subcommand};

#[cfg(feature = "aws")]
use crate::backend::store::Nobody;
use crate::{
    backend::store::Store,
    config::{Config, Environment, Inputs, Loaded, load},
};

pub(crate) use crate::terminal::{complain, complain_about, print};

/// How often a command says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Turns a written requirement into a running AI agent.
#[derive(Debug, Parser)]
#[command(name = "nexusd", version = crate::version::FULL, about)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    client: client::ClientOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where settings come from; they hold for every command.
#[derive(Debug, Args)]
struct Settings {
    /// File of settings [default: $NEXUSD_CONFIG, else /etc/nexusd/nexusd.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data folder [default: $NEXUSD_DATA_DIR, $STATE_DIRECTORY, $XDG_DATA_HOME/nexusd, ~/.local/share/nexusd]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// IP address and port to listen on [default: $NEXUSD_LISTEN, else 127.0.0.1:8000]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Run the daemon as root all the same: whatever breaks out of it, or into it, has the whole machine [or: $NEXUSD_ALLOW_ROOT]
    #[arg(long, global = true)]
    allow_root: bool,
}

impl Settings {
    fn inputs(&self, file: Option<PathBuf>) -> Inputs {
        Inputs {
            file: file.or(self.config.clone()),
            data_dir: self.data_dir.clone(),
            listen: self.listen.clone(),
            environment: Environment::read(),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon (what happens without a command)
    Serve,
    #[command(flatten)]
    Client(client::ClientCommand),
    /// Say everything that is wrong with the settings, the workflows and the handlers they name
    CheckConfig {
        /// File of settings; the same as --config
        file: Option<PathBuf>,
        /// Check the files only: no plugin is loaded, no Python and no folder looked for
        #[arg(long)]
        no_plugins: bool,
    },
    /// Print the settings in force, those of the plugins too, without what may be secret
    DumpConfig,
    /// Write the embedded store's file anew, without its free pages; the daemon must not run
    Compact,
    /// Plugins
    #[command(subcommand)]
    Plugins(PluginsCommand),
    /// Tables and queues of the cloud backend
    #[cfg(feature = "aws")]
    #[command(subcommand)]
    Resources(resources::ResourcesCommand),
    /// Dead letters: messages that were given up
    #[command(subcommand)]
    Dlq(dlq::DlqCommand),
    /// Write the whole data folder into one file, beside a running daemon if need be
    Backup(backup::BackupArgs),
    /// Put such a file back, into an empty data folder
    Restore(backup::RestoreArgs),
    /// Write everything that the backend has as lines of JSON
    #[cfg(feature = "aws")]
    Export(transfer::ExportArgs),
    /// Read such lines into the backend; what is there already stays as it is
    #[cfg(feature = "aws")]
    Import(transfer::ImportArgs),
    /// Print the token of the first start, by which one is an admin of the daemon on this machine
    Token,
    /// Print a link that opens the daemon's page as an admin, once and within half an hour
    LoginLink,
    /// Keys for programs: create, list, revoke, rotate
    #[command(subcommand)]
    Keys(access::KeysCommand),
    /// Users who log in by name and password
    #[command(subcommand)]
    Users(access::UsersCommand),
    /// What was changed and what was refused
    #[command(subcommand)]
    Audit(access::AuditCommand),
    /// Print what a shell needs to complete commands: nexusd completions bash > /etc/bash_completion.d/nexusd
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man {
        /// Write a page for each command into this folder instead
        folder: Option<PathBuf>,
    },
    /// Say what lies in the data folder: what the store does not know, what is in the trash, whose folder it is
    Doctor,
    /// Bind the data folder to the store of these settings, after showing what lies in it; removes nothing
    AdoptFolder,
    /// Say what retention would delete now, by the settings; nothing is deleted
    Retention {
        /// The same: this command never deletes
        #[arg(long)]
        dry_run: bool,
    },
    /// Measure agents: build each requirement of a set, ask its questions, judge the answers
    Eval(eval::EvalArgs),
    /// Print the version
    Version,
}

#[derive(Debug, Subcommand)]
enum PluginsCommand {
    /// Write the crate of a plugin that builds, tests and loads as it is, into a folder of its name
    New(scaffold::NewPluginArgs),
    /// What is found in the plugin folders, and why a file is refused
    List,
    /// Whether a file would be loaded; exit code 1 when not
    Check {
        /// The shared library
        file: PathBuf,
    },
    /// What may stand in the plugins' tables of the settings, as a file of settings shows it
    Settings {
        /// Of this plugin alone
        plugin: Option<String>,
    },
}

/// Runs what this process was started for.
#[must_use]
pub fn main() -> ExitCode {
    process::keep_files_private();
    internal::run_if_asked().unwrap_or_else(|| run(Cli::parse()))
}

fn run(cli: Cli) -> ExitCode {
    let inputs = |file: Option<PathBuf>| cli.settings.inputs(file);
    match cli.command {
        None | Some(Command::Serve) if pid1::is_first() => pid1::reap(),
        None | Some(Command::Serve) => serve::serve(inputs(None), process::may_be_root(cli.settings.allow_root)),
        Some(Command::Client(command)) => client::run(&inputs(None), cli.client, command),
        Some(Command::Completions { shell }) => shell::completions(shell),
        Some(Command::Man { folder }) => shell::manual(folder.as_deref()),
        Some(Command::CheckConfig { file, no_plugins }) => check_config::check(&inputs(file), !no_plugins),
        Some(Command::DumpConfig) => check_config::dump(&inputs(None)),
        Some(Command::Compact) => compact::run(&inputs(None)),
        Some(Command::Plugins(PluginsCommand::New(args))) => scaffold::new(&args),
        Some(Command::Plugins(PluginsCommand::List)) => plugins::list(&inputs(None), cli.client.json),
        Some(Command::Plugins(PluginsCommand::Check { file })) => plugins::check(&file, cli.client.json),
        Some(Command::Plugins(PluginsCommand::Settings { plugin })) => {
            plugins::settings(&inputs(None), plugin.as_deref())
        }
        #[cfg(feature = "aws")]
        Some(Command::Resources(command)) => resources::run(&inputs(None), command),
        Some(Command::Dlq(command)) => {
            let json = cli.client.json;
            let inputs = inputs(None);
            dlq::run(&inputs, &client::Daemon::of(&inputs, cli.client), json, command)
        }
        Some(Command::Token) => access::token(&inputs(None)),
        Some(Command::LoginLink) => {
            let inputs = inputs(None);
            access::login_link(&inputs, &client::Daemon::of(&inputs, cli.client))
        }
        Some(Command::Keys(command)) => {
            let json = cli.client.json;
            let inputs = inputs(None);
            access::keys(&inputs, &client::Daemon::of(&inputs, cli.client), json, command)
        }
        Some(Command::Users(command)) => access::users(&inputs(None), cli.client.json, command),
        Some(Command::Audit(command)) => access::audit(&inputs(None), command),
        Some(Command::Backup(args)) => backup::backup(&inputs(None), args),
        Some(Command::Restore(args)) => backup::restore(&inputs(None), args),
        #[cfg(feature = "aws")]
        Some(Command::Export(args)) => transfer::export(&inputs(None), args),
        #[cfg(feature = "aws")]
        Some(Command::Import(args)) => transfer::import(&inputs(None), args),
        Some(Command::Doctor) => doctor::doctor(&inputs(None)),
        Some(Command::AdoptFolder) => doctor::adopt(&inputs(None)),
        Some(Command::Retention { .. }) => retention::show(&inputs(None)),
        Some(Command::Eval(args)) => eval::eval(&inputs(None), args, cli.client.json),
        Some(Command::Version) => {
            print(&format!("nexusd {}", crate::version::FULL));
            ExitCode::SUCCESS
        }
    }
}

/// The settings that a command works with; else everything that is wrong with them has been said.
fn loaded(inputs: &Inputs) -> Result<Loaded, ExitCode> {
    load(inputs).map_err(|problems| {
        complain_about(&problems);
        ExitCode::FAILURE
    })
}

/// Says why a command failed.
fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    complain(&format!("error: {error}"));
    ExitCode::FAILURE
}

#[cfg(not(feature = "aws"))]
const NO_CLOUD: &str = "this nexusd was built without the cloud backend";

/// The store of the cloud backend.
#[cfg(feature = "aws")]
async fn cloud_store(config: &Config) -> Result<Arc<dyn Store>, String> {
    let parts =
        crate::backend::aws::clients::parts(config, Arc::new(Nobody), None).await.map_err(|error| error.to_string())?;
    Ok(parts.0)
}

#[cfg(not(feature = "aws"))]
async fn cloud_store(_: &Config) -> Result<Arc<dyn Store>, String> {
    Err(NO_CLOUD.to_owned())
}

/// Says now and then how far a command is, to people: a file or a pipe gets the result only.
fn teller<T>(words: impl Fn(T) -> String + Sync) -> impl Fn(T) + Sync {
    let last = Mutex::new(Instant::now());
    move |how_far| {
        let Ok(mut last) = last.lock() else { return };
        if std::io::stderr().is_terminal() && last.elapsed() >= TELL_EVERY {
            *last = Instant::now();
            complain(&words(how_far));
        }
    }
}

/// Runs a command to its end, on this thread. What still blocks a thread then (a read of standard input) is not waited for.
fn run_to_end(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(command);
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            complain(&format!("error: no runtime: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        super::Cli::command().debug_assert();
    }
}
