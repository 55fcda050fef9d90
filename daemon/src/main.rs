//! Ends with the exit code of what the command line asked for; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    // In the hidden run that confines another program nothing else may happen.
    nexus_sandbox::run_if_asked();
    nexus_daemon::cli::main()
}
