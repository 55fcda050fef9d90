//! `nexusd dlq list | redrive`: dead letters. Those of the cloud backend are in SQS; those of the embedded one are in its
//! file, which is read beside the daemon that holds it, and worked on again by that daemon.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use serde_json::{Value, json};

use super::{client::Daemon, complain, failed, loaded, run_to_end};
#[cfg(feature = "aws")]
use crate::backend::aws::{clients as cloud, sqs::FoundDeadLetter};
use crate::terminal::print;
use crate::{
    backend::sqlite::queue::{KeptLetter, dead_letters},
    config::{BackendKind, Config, Inputs},
    domain::queue::QueueName,
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

pub(super) fn run(inputs: &Inputs, daemon: &Daemon, json: bool, command: DlqCommand) -> ExitCode {
    let config = match loaded(inputs) {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    run_to_end(async {
        let acted = match config.backend.kind {
            BackendKind::Embedded => embedded(&config, daemon, json, command).await,
            #[cfg(feature = "aws")]
            BackendKind::Aws => act(&config, json, command).await,
            #[cfg(not(feature = "aws"))]
            BackendKind::Aws => Err(super::NO_CLOUD.to_owned()),
        };
        match acted {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    })
}

/// The letters of the file. What is worked on again is begun anew by the daemon, since its task has ended as failed.
async fn embedded(config: &Config, daemon: &Daemon, json: bool, command: DlqCommand) -> Result<(), String> {
    let (which, redrive, only) = match command {
        DlqCommand::List { queue } => (queue, false, None),
        DlqCommand::Redrive { queue, id } => (queue, true, id),
    };
    let file = config.data.database();
    if !file.exists() {
        return Err(format!(
            "{} does not exist: no daemon has run on this data folder. Is --data-dir right?",
            file.display()
        ));
    }
    let read = tokio::task::spawn_blocking(move || dead_letters(&file, &queues(which))).await;
    let letters = read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let letters: Vec<KeptLetter> =
        letters.into_iter().filter(|letter| only.as_ref().is_none_or(|only| *only == letter.id)).collect();
    if let (Some(id), true) = (&only, letters.is_empty()) {
        return Err(format!("no dead letter has the id {id}: `nexusd dlq list` shows them"));
    }
    if json && !redrive {
        print(&serde_json::to_string_pretty(&letters).map_err(|error| error.to_string())?);
        return Ok(());
    }
    for letter in &letters {
        let shown: String = letter.body.chars().take(200).collect();
        print(&format!("{} {}\n  why   {}\n  body  {shown}", letter.queue, letter.id, letter.reason));
        if redrive {
            print(&format!("  {}", again(daemon, letter).await?));
        }
    }
    complain(&format!("{} dead letters", letters.len()));
    Ok(())
}

/// Has the daemon work on a letter's subject again; says what became of it.
async fn again(daemon: &Daemon, letter: &KeptLetter) -> Result<String, String> {
    let (method, path, body): (_, _, Value) = match (&letter.agent_id, &letter.project_id) {
        (Some(agent), _) => (reqwest::Method::PUT, format!("/agents/{agent}"), json!({ "status": "running" })),
        (None, Some(project)) => {
            (reqwest::Method::POST, format!("/projects/{project}/control"), json!({ "action": "restart" }))
        }
        (None, None) => return Ok("left: what it speaks of is deleted".to_owned()),
    };
    daemon.ask(method, &path, &body).await
}

#[cfg(feature = "aws")]
async fn act(config: &Config, json: bool, command: DlqCommand) -> Result<(), String> {
    let cloud = cloud::connect(&config.backend).await.map_err(|error| error.to_string())?;
    let queue = cloud::queue(&cloud, config);
    let (which, redrive, only) = match command {
        DlqCommand::List { queue } => (queue, false, None),
        DlqCommand::Redrive { queue, id } => (queue, true, id),
    };
    let mut count = 0;
    for of in queues(which) {
        let (wanted, others): (Vec<FoundDeadLetter>, Vec<FoundDeadLetter>) = queue
            .dead_letters(of)
            .await
            .map_err(|error| error.to_string())?
            .into_iter()
            .partition(|letter| only.as_ref().is_none_or(|only| *only == letter.id));
        // Even if one of them cannot be sent back, the others are not held any longer than they must.
        queue.let_go(of, if redrive { &others } else { &wanted }).await.map_err(|error| error.to_string())?;
        for letter in wanted {
            count += 1;
            let FoundDeadLetter { id, reason, body, .. } = &letter;
            if json && !redrive {
                print(&json!({ "id": id, "queue": of.as_str(), "reason": reason, "body": body }).to_string());
                continue;
            }
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
