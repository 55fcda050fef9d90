//! `nexusd dlq list | redrive`: the dead letters of the cloud backend.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use super::{complain, complain_about, print, run_to_end};
use crate::{
    cloud,
    config::{BackendKind, Config, Inputs, load},
    queue::{QueueName, sqs::Letter},
};

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(super) enum DlqCommand {
    /// What is there, and why
    List {
        /// Only of this queue
        #[arg(long)]
        queue: Option<Which>,
    },
    /// Send them back to where they came from
    Redrive {
        /// Only of this queue
        #[arg(long)]
        queue: Option<Which>,
        /// Only this message
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
}

/// The queues that have dead letters.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Which {
    /// Build tasks
    Build,
    /// Deploy tasks
    Deploy,
}

fn queues(which: Option<Which>) -> Vec<QueueName> {
    match which {
        Some(Which::Build) => vec![QueueName::Build],
        Some(Which::Deploy) => vec![QueueName::Deploy],
        None => vec![QueueName::Build, QueueName::Deploy],
    }
}

pub(super) fn run(inputs: &Inputs, command: DlqCommand) -> ExitCode {
    let config = match load(inputs) {
        Ok(loaded) => loaded.config,
        Err(problems) => {
            complain_about(&problems);
            return ExitCode::FAILURE;
        }
    };
    if config.backend.kind != BackendKind::Aws {
        complain(
            "error: dead letters of the embedded backend are in its file: this command is for `[backend] kind = \"aws\"`",
        );
        return ExitCode::FAILURE;
    }
    run_to_end(async {
        match act(&config, command).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&format!("error: {error}"));
                ExitCode::FAILURE
            }
        }
    })
}

async fn act(config: &Config, command: DlqCommand) -> Result<(), String> {
    let cloud = cloud::connect(&config.backend).await.map_err(|error| error.to_string())?;
    let queue = cloud::queue(&cloud, config);
    let (which, redrive, only) = match command {
        DlqCommand::List { queue } => (queue, false, None),
        DlqCommand::Redrive { queue, id } => (queue, true, id),
    };
    let mut count = 0;
    for of in queues(which) {
        let (wanted, others): (Vec<Letter>, Vec<Letter>) = queue
            .letters(of)
            .await
            .map_err(|error| error.to_string())?
            .into_iter()
            .partition(|letter| only.as_ref().is_none_or(|only| *only == letter.id));
        // Even if one of them cannot be sent back, the others are not held any longer than they must.
        queue.let_go(of, if redrive { &others } else { &wanted }).await.map_err(|error| error.to_string())?;
        for letter in wanted {
            count += 1;
            let Letter { id, reason, body, .. } = &letter;
            let shown: String = body.chars().take(200).collect();
            print(&format!("{of} {id}\n  why   {}\n  body  {shown}", reason));
            if redrive {
                queue.send_back(of, &letter).await.map_err(|error| error.to_string())?;
                print("  sent back");
            }
        }
    }
    complain(&format!("{count} dead letters"));
    if redrive && count > 0 {
        complain("a task that has failed is not worked on again by its message: restart its project");
    }
    Ok(())
}
