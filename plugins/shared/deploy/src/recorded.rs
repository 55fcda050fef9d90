//! What nobody wrote is not deployed.

use std::path::Path;

use nexus_plugin_api::payload::Failure;
use nexus_sandbox::recorded::{self, Recorded, Unrecorded};

/// Whether an agent's folder holds what was recorded of it, if anything was. Blocks on files.
///
/// # Errors
/// The first difference, in words.
pub fn verify_recorded(name: &str, folder: &Path, files: &Recorded) -> Result<(), Failure> {
    if files.is_empty() {
        return Ok(());
    }
    recorded::verify(folder, files).map_err(|error| not_recorded(name, folder, &error))
}

fn not_recorded(name: &str, folder: &Path, error: &Unrecorded) -> Failure {
    match error {
        Unrecorded::Io { .. } if !folder.is_dir() => {
            Failure::permanent(format!("the agent's folder {} does not exist", folder.display()))
        }
        Unrecorded::Io { .. } => Failure::transient(format!("the files of agent {name} cannot be looked at: {error}")),
        _ => Failure::permanent(format!(
            "agent {name} is not started: in its folder, {error}. Put it there through the API (`files/` of the agent), \
             put back what was there, or build it anew"
        )),
    }
}
