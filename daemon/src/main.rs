//! Parses the command line and ends with the exit code of what it asked for; nothing else.

use std::process::ExitCode;

use clap::Parser;
use nexus_daemon::cli;

fn main() -> ExitCode {
    // In the hidden run that confines another program nothing else may happen.
    nexus_sandbox::run_if_asked();
    cli::run(cli::Cli::parse())
}
