//! The folder of one daemon on one machine: who holds it (`lock`), which store it belongs to ([`binding`]), what lies in it
//! ([`survey()`]), and what goes away from it ([`trash`], by `moving`).

pub mod binding;
mod error;
mod lock;
pub(crate) mod moving;
mod private;
mod survey;
pub mod trash;

use crate::{backend::backup, config::DataConfig};

pub use error::FolderError;
pub use lock::DataLock;
pub use survey::{Records, Survey, Unknown, survey};
pub(crate) use survey::{folders, measure};

/// Makes the data folders, for the daemon's user only: agents' files and conversations are private.
pub fn make_folders(data: &DataConfig) -> Result<(), FolderError> {
    use std::os::unix::fs::DirBuilderExt;
    if backup::unfinished(&data.dir) {
        return Err(FolderError::Restoring(data.dir.clone()));
    }
    for path in [data.dir.clone(), data.projects(), data.agents(), data.run()] {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| FolderError::Make { path, source })?;
    }
    private::tighten(&data.dir);
    Ok(())
}

/// The file in it that names the MCP servers which people wrote down.
pub const MCP_SERVERS: &str = "mcp_servers.json";
