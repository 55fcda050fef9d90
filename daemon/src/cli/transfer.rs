//! `nexusd export [FILE]` and `nexusd import [FILE]`: everything, from one backend to another.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{complain, failed, loaded, run_to_end, teller};
use crate::{
    backend::{
        open::OpenBackendError,
        store::transfer::Kind,
        transfer::{self, Backend, Imported, TransferError},
    },
    config::{Config, Inputs},
};

/// Where an export goes.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// File that is written [default: standard output]
    file: Option<PathBuf>,
    /// Go on with a file that was cut off
    #[arg(long, requires = "file")]
    resume: bool,
    /// Leave out the files of projects and agents
    #[arg(long)]
    no_files: bool,
}

/// Where an import comes from.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// File that is read [default: standard input]
    file: Option<PathBuf>,
}

/// Why a command ended early.
enum Failed {
    Start(OpenBackendError),
    Transfer(TransferError),
    Store(crate::backend::error::BackendError),
}

fn named(path: Option<PathBuf>) -> Option<PathBuf> {
    path.filter(|path| path.as_os_str() != "-")
}

fn run<F: Future<Output = Result<ExitCode, Failed>>>(inputs: &Inputs, act: impl FnOnce(Config) -> F) -> ExitCode {
    let config = match loaded(inputs) {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    run_to_end(async {
        let error = match act(config).await {
            Ok(code) => return code,
            Err(Failed::Start(error)) => error.to_string(),
            Err(Failed::Transfer(error)) => error.to_string(),
            Err(Failed::Store(error)) => error.to_string(),
        };
        failed(&error)
    })
}

fn how_many(records: u64) -> String {
    format!("{records} records …")
}

pub(super) fn export(inputs: &Inputs, args: ExportArgs) -> ExitCode {
    run(inputs, async |config| {
        let from = Backend::source(&config).await.map_err(Failed::Start)?;
        let (file, tell) = (named(args.file), teller(how_many));
        let progress = |counts: &transfer::Counts| tell(counts.values().sum());
        let told = transfer::export(&from, file.as_ref(), args.resume, !args.no_files, &progress).await;
        let told = told.map_err(Failed::Transfer)?;
        for kind in Kind::ALL {
            if let Some(count) = told.counts.get(&kind) {
                complain(&format!("{:<20} {count:>9}", kind.name()));
            }
        }
        if from.in_use {
            complain(
                "a daemon runs on this file: what it does from now on is not in the export. Stop it before you move.",
            );
        }
        if told.under_way > 0 {
            let count = told.under_way;
            complain(&format!(
                "{count} tasks are being worked on by daemons: what they do from now on is not in the export. Stop them \
                 before you move."
            ));
        }
        for text in &told.unreadable {
            complain(&format!("left out, since it cannot be read: {text}"));
        }
        Ok(if told.unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

pub(super) fn import(inputs: &Inputs, args: ImportArgs) -> ExitCode {
    run(inputs, async |config| {
        let to = Backend::target(&config).await.map_err(Failed::Start)?;
        let (file, tell) = (named(args.file), teller(how_many));
        let progress = |told: &Imported| tell(told.values().map(|one| one.written + one.present).sum());
        let told = transfer::import(file.as_ref(), &to, &progress).await;
        to.close().await.map_err(Failed::Store)?;
        let told = told.map_err(Failed::Transfer)?;
        if !told.verified {
            complain(
                "warning: this export was written by an older nexusd and has no checksums, so nobody can say whether it is as \
                 it was written",
            );
        }
        complain("                       written   present  orphaned");
        for (kind, one) in told.records {
            complain(&format!("{:<20} {:>9} {:>9} {:>9}", kind.name(), one.written, one.present, one.orphaned));
        }
        Ok(ExitCode::SUCCESS)
    })
}
