//! Runs of this program that it asks of itself. They are no commands of a person: neither the help nor a completion nor a
//! page of the manual names them.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

use super::{Settings, print, probe};
use crate::plugins::{PROBE, TRY, answer_probe};

#[derive(Debug, Parser)]
#[command(name = "nexusd")]
struct Internal {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Run {
    /// Load and configure a file in this process, for `check-config`.
    #[command(name = TRY)]
    Try { file: PathBuf },
    /// Load a file in this process, for a daemon that is about to load it.
    #[command(name = PROBE)]
    Probe {
        #[arg(long)]
        limit_ms: u64,
        file: PathBuf,
    },
}

/// Runs it, when the first word of the command line asks for one.
pub(super) fn run_if_asked() -> Option<ExitCode> {
    let first = std::env::args_os().nth(1)?;
    if first != TRY && first != PROBE {
        return None;
    }
    let Internal { settings, run } = Internal::parse();
    Some(match run {
        Run::Try { file } => probe::answer(&settings.inputs(None), &file),
        Run::Probe { limit_ms, file } => {
            answer_probe(&file, Duration::from_millis(limit_ms)).map_or(ExitCode::FAILURE, |told| {
                print(&told);
                ExitCode::SUCCESS
            })
        }
    })
}
