//! `nexusd backup FILE`, `nexusd backup --verify FILE` and `nexusd restore FILE`.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{complain, failed, loaded, run_to_end, teller};
use crate::terminal::print;
use crate::{
    backend::backup::{self, BackupError, Head, Progress, Watch},
    config::{BackendKind, Inputs},
};

/// What is backed up where.
#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// File that is written, or checked
    file: PathBuf,
    /// Make no backup: read this one and compare every hash
    #[arg(long)]
    verify: bool,
}

/// What is restored.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// A file that `nexusd backup` wrote
    file: PathBuf,
}

const MIB: u64 = 1 << 20;

fn how_far(progress: Progress) -> String {
    let of = progress.of.map(|of| format!(" of {}", of / MIB)).unwrap_or_default();
    format!("{}: {}{of} MiB …", progress.what, progress.bytes / MIB)
}

/// Runs what blocks on a thread of its own, until it ends or a signal stops it.
fn run(act: impl FnOnce(&Watch<'_>) -> Result<ExitCode, BackupError> + Send + 'static) -> ExitCode {
    run_to_end(async {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let mut acting = tokio::task::spawn_blocking(move || act(&Watch { tell: &teller(how_far), stop: &told }));
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            complain("error: signals cannot be handled");
            return ExitCode::FAILURE;
        };
        let ended = loop {
            tokio::select! {
                ended = &mut acting => break ended,
                _ = interrupt.recv() => stop.store(true, Ordering::Relaxed),
                _ = terminate.recv() => stop.store(true, Ordering::Relaxed),
            }
        };
        match ended {
            Ok(Ok(code)) => code,
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        }
    })
}

fn left_out(head: &Head) -> ExitCode {
    for text in &head.unsteady {
        complain(&format!("written to all the time, so it is as it was at some moment: {text}"));
    }
    for text in &head.left_out {
        complain(&format!("left out, since it cannot be read: {text}"));
    }
    if head.left_out.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

pub(super) fn backup(inputs: &Inputs, BackupArgs { file, verify }: BackupArgs) -> ExitCode {
    if verify {
        return run(move |watch| {
            let told = backup::verify(&file, watch)?;
            print(&format!(
                "{} is whole: {} files, {} bytes, made {} by nexusd {}, schema {}, SHA-256 {}",
                file.display(),
                told.files,
                told.bytes,
                told.head.at,
                told.head.version,
                told.head.schema,
                told.sha256
            ));
            left_out(&told.head);
            Ok(ExitCode::SUCCESS)
        });
    }
    let config = match loaded(inputs) {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    if config.backend.kind == BackendKind::Aws {
        complain(
            "error: `nexusd backup` is of the embedded store, and [backend] kind is \"aws\": switch point-in-time recovery of \
             the tables and versioning of the bucket on, or write everything into a file with `nexusd export FILE`",
        );
        return ExitCode::FAILURE;
    }
    let data = config.data.dir.clone();
    run(move |watch| {
        let begun = Instant::now();
        let told = backup::create(&data, &file, watch)?;
        print(&format!(
            "{}: {} files, {} bytes, schema {}, SHA-256 {}, in {:.1} s (the database's log was held for {:.1} s)",
            file.display(),
            told.files,
            told.bytes,
            told.head.schema,
            told.sha256,
            begun.elapsed().as_secs_f64(),
            told.held.as_secs_f64()
        ));
        Ok(left_out(&told.head))
    })
}

pub(super) fn restore(inputs: &Inputs, RestoreArgs { file }: RestoreArgs) -> ExitCode {
    let config = match loaded(inputs) {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    if !file.exists() {
        complain(&format!("error: there is no file {}: name one that `nexusd backup` wrote", file.display()));
        return ExitCode::FAILURE;
    }
    let data = config.data.dir.clone();
    run(move |watch| {
        let told = backup::restore(&file, &data, watch)?;
        print(&format!(
            "{}: restored {} files as they were at {}. Start nexusd on it: builds go on",
            data.display(),
            told.files,
            told.head.at
        ));
        left_out(&told.head);
        Ok(ExitCode::SUCCESS)
    })
}
