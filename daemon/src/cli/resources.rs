//! `nexusd resources init | list | clean | delete | policy`: the tables and queues of the cloud backend.

use std::{io::IsTerminal as _, process::ExitCode};

use clap::{Args, Subcommand};

use super::{complain, failed, loaded, run_to_end};
use crate::terminal::print;
use crate::{
    backend::{
        aws::{
            clients as cloud,
            resources::{self, Action, Report, State, agentcore},
        },
        queue::QueueNames,
    },
    config::{Config, Inputs},
};

/// What to do with the tables and queues.
#[derive(Debug, Subcommand)]
pub(super) enum ResourcesCommand {
    /// Make what is missing and wait until it can be used; safe to repeat
    Init(Which),
    /// What there is, what is missing, and what is not as it should be; exit code 1 when something is not
    List(Which),
    /// Remove everything that is in them
    Clean(Which),
    /// Remove them
    Delete(Which),
    /// Print the IAM policy that a daemon needs
    Policy {
        /// Account of the resources
        #[arg(long, default_value = "*")]
        account: String,
        /// Before every name [default: that of the settings]
        #[arg(long)]
        prefix: Option<String>,
        /// That of `nexusd export` and `import`: they read whole tables
        #[arg(long)]
        moving: bool,
        /// That of deploying agents to AgentCore, by the settings of the plugin
        #[arg(long, conflicts_with_all = ["moving", "prefix"])]
        agentcore: bool,
    },
}

/// Which of them, and where.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Address of the services, for emulators [default: that of the settings]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Only tables
    #[arg(long, conflicts_with = "queues_only")]
    tables_only: bool,
    /// Only queues
    #[arg(long)]
    queues_only: bool,
    /// Before every name [default: that of the settings]
    #[arg(long)]
    prefix: Option<String>,
    /// Do not ask before something is removed
    #[arg(long, short)]
    yes: bool,
}

pub(super) fn run(inputs: &Inputs, command: ResourcesCommand) -> ExitCode {
    let config = match loaded(inputs) {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    let (action, which) = match command {
        ResourcesCommand::Init(which) => (Action::Init, which),
        ResourcesCommand::List(which) => (Action::List, which),
        ResourcesCommand::Clean(which) => (Action::Clean, which),
        ResourcesCommand::Delete(which) => (Action::Delete, which),
        ResourcesCommand::Policy { account, agentcore: true, .. } => return agentcore_policy(&config, &account),
        ResourcesCommand::Policy { account, prefix, moving, .. } => return policy(&config, &account, prefix, moving),
    };
    let removes = matches!(action, Action::Clean | Action::Delete);
    if removes && !which.yes && !agreed(action, &config, &which) {
        return ExitCode::FAILURE;
    }
    run_to_end(act(config, action, which))
}

fn policy(config: &Config, account: &str, prefix: Option<String>, moving: bool) -> ExitCode {
    let mut config = config.clone();
    if let Some(prefix) = prefix {
        config.backend.prefix = prefix;
    }
    let (prefix, names) = (&config.backend.prefix, QueueNames::of(&config));
    let region = if config.backend.region.is_empty() { "*" } else { &config.backend.region };
    let bucket = config.backend.artifacts.strip_prefix("s3://");
    let policy = resources::policy(prefix, &names, region, account, bucket, moving);
    print(&serde_json::to_string_pretty(&policy).unwrap_or_default());
    ExitCode::SUCCESS
}

/// What deploying to AgentCore needs, as far as the plugin's settings say where.
fn agentcore_policy(config: &Config, account: &str) -> ExitCode {
    let settings = config.plugins.settings_json("deploy-agentcore");
    let of_settings = |key: &str, absent: &'static str| {
        let given = settings.get(key).and_then(serde_json::Value::as_str).filter(|given| !given.is_empty());
        given.unwrap_or(absent).to_owned()
    };
    let region = of_settings("region", if config.backend.region.is_empty() { "*" } else { "" });
    let region = if region.is_empty() { config.backend.region.clone() } else { region };
    let policy = agentcore::policy(agentcore::Deploying {
        region: &region,
        account,
        role: &of_settings("role_arn", "*"),
        bucket: &of_settings("bucket", "*"),
        prefix: &of_settings("prefix", "nexusd-agents"),
    });
    print(&serde_json::to_string_pretty(&policy).unwrap_or_default());
    ExitCode::SUCCESS
}

/// Asks at a terminal; elsewhere `--yes` says it.
fn agreed(action: Action, config: &Config, which: &Which) -> bool {
    let prefix = which.prefix.as_deref().unwrap_or(&config.backend.prefix);
    let what = if action == Action::Clean { "everything in" } else { "" };
    if !std::io::stdin().is_terminal() {
        complain("error: this removes data: say --yes");
        return false;
    }
    complain(&format!("This removes {what} the tables and queues {prefix}nexus…, for good. Type yes to go on:"));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && answer.trim() == "yes"
}

async fn act(mut config: Config, action: Action, which: Which) -> ExitCode {
    if let Some(url) = which.endpoint_url {
        config.backend.endpoint_url = url;
        config.backend.dynamodb_endpoint_url.clear();
        config.backend.sqs_endpoint_url.clear();
    }
    if let Some(prefix) = which.prefix {
        config.backend.prefix = prefix;
    }
    let cloud = match cloud::connect(&config.backend).await {
        Ok(cloud) => cloud,
        Err(error) => return failed(&error),
    };
    let mut plan = cloud::plan(&config);
    (plan.tables, plan.queues) = (!which.queues_only, !which.tables_only);
    let told = |report: &Report| {
        let line = format!("{} {:<36} {:<8} {}", report.kind, report.name, report.state.as_str(), report.detail);
        print(line.trim_end());
    };
    match resources::run(&plan, action, &cloud.dynamodb, &cloud.sqs, &told).await {
        Ok(reports) => {
            let wrong = |report: &&Report| {
                report.state == State::Drifted || (action == Action::List && report.state == State::Missing)
            };
            let wrong = reports.iter().filter(wrong).count();
            if wrong == 0 {
                return ExitCode::SUCCESS;
            }
            complain(&format!("{wrong} of {} are not as they should be", reports.len()));
            ExitCode::FAILURE
        }
        Err(error) => failed(&error),
    }
}
