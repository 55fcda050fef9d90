//! Parses the command line and ends with the exit code of what it asked for; nothing else.

use std::process::ExitCode;

use clap::Parser;
use nexus_daemon::cli;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}
