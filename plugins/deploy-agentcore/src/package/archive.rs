//! The archive itself: the same bytes for the same files.

use std::{
    fs::File,
    io::{self, Seek as _, Write},
};

use nexus_plugin_api::payload::Failure;
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::files::Collected;

/// AgentCore's bound of a packed archive.
const MAX_PACKED: u64 = 250_000_000;
/// AgentCore reads files as somebody else: everybody may read them, nobody else may write.
const MODE: u32 = 0o644;

/// Writes an archive. Blocks.
pub(super) fn write(files: &Collected, to: &mut File) -> Result<(), Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::transient(format!("the archive cannot be written: {error}"));
    // The earliest time that an archive can tell.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(MODE);
    let mut archive = ZipWriter::new(to);
    for (name, path) in files.iter() {
        archive.start_file(name, options).map_err(|error| broken(&error))?;
        let mut file = File::open(path).map_err(|error| broken(&error))?;
        io::copy(&mut file, &mut archive).map_err(|error| broken(&error))?;
    }
    let whole = archive.finish().map_err(|error| broken(&error))?;
    whole.flush().map_err(|error| broken(&error))?;
    let size = whole.stream_position().map_err(|error| broken(&error))?;
    let size = size.max(whole.metadata().map_or(0, |about| about.len()));
    if size > MAX_PACKED {
        return Err(Failure::permanent(format!(
            "the agent's archive has {} MB; AgentCore takes {} MB",
            size / 1_000_000,
            MAX_PACKED / 1_000_000
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Read as _, os::unix::fs::PermissionsExt as _, time::SystemTime};

    use super::*;
    use crate::package::files::{OfAgent, collect};

    fn pack(folder: &std::path::Path) -> Vec<u8> {
        let mut file = tempfile::tempfile().unwrap();
        write(&collect(folder, &OfAgent).unwrap(), &mut file).unwrap();
        file.rewind().unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_same_files_make_the_same_archive_whenever_and_however_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tools")).unwrap();
        for name in ["agent.py", "tools/a.py", "知识.md"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let first = pack(folder.path());
        let file = fs::File::options().write(true).open(folder.path().join("agent.py")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        fs::set_permissions(folder.path().join("tools/a.py"), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(pack(folder.path()), first);

        let mut archive = zip::ZipArchive::new(io::Cursor::new(first)).unwrap();
        let mut names = Vec::new();
        for at in 0..archive.len() {
            let mut entry = archive.by_index(at).unwrap();
            let name = entry.name().unwrap().into_owned();
            assert_eq!(entry.unix_mode().unwrap() & 0o777, MODE, "{name}");
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            assert_eq!(text, name);
            names.push(text);
        }
        assert_eq!(names, ["agent.py", "tools/a.py", "知识.md"]);
    }
}
