//! `nexusd completions SHELL` and `nexusd man [DIR]`: both are made from the command line's own description.

use std::{io, path::Path, process::ExitCode};

use clap::CommandFactory as _;

use super::{Cli, failed};

/// Prints what a shell needs to complete commands and options.
pub(super) fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "nexusd", &mut text);
    written(io::Write::write_all(&mut io::stdout().lock(), &text))
}

/// Writes the manual: a page for each command into the folder, or that of the program to standard output.
pub(super) fn manual(folder: Option<&Path>) -> ExitCode {
    match folder {
        Some(folder) => {
            let made = std::fs::create_dir_all(folder);
            written(made.and_then(|()| clap_mangen::generate_to(Cli::command(), folder)))
        }
        None => written(clap_mangen::Man::new(Cli::command()).render(&mut io::stdout().lock())),
    }
}

fn written(result: io::Result<()>) -> ExitCode {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => failed(&error),
        _ => ExitCode::SUCCESS,
    }
}
