//! Which files go into an archive, and whether AgentCore will take them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use nexus_plugin_api::payload::Failure;
use sha2::{Digest as _, Sha256};

use super::io;
use crate::names;

/// AgentCore's bound of an archive that is unpacked.
const MAX_BYTES: u64 = 750_000_000;
const MAX_FILES: usize = 60_000;
const DEEPEST: usize = 32;
/// Names that are told of what was left out.
const MANY_LEFT_OUT: usize = 20;
/// In the head of a shared object: what it is, and for which processor.
const ELF: &[u8] = b"\x7fELF";
const MACHINE_AT: usize = 18;
const ARM64: [u8; 2] = [0xb7, 0];

/// Decides what is left out.
pub(super) trait Choice {
    /// Folders that nobody misses.
    fn passes_over(&self, name: &str) -> bool;
    /// Files that must not leave this machine.
    fn is_secret(&self, name: &str) -> bool;
}

/// The agent's own folder.
pub(super) struct OfAgent;
/// A folder of installed packages.
pub(super) struct OfPackages;

impl Choice for OfAgent {
    fn passes_over(&self, name: &str) -> bool {
        matches!(name, "__pycache__" | "venv" | "env" | "node_modules" | "site-packages")
            || name.starts_with('.')
            || name.ends_with(".pyc")
            || name.ends_with(".log")
    }

    fn is_secret(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        name == ".env"
            || name.starts_with(".env.")
            || [".pem", ".key", ".p12", ".pfx", ".jks", ".keystore"].iter().any(|end| name.ends_with(end))
            || ["id_rsa", "id_ed25519", "id_ecdsa", "credentials", "secrets", ".netrc", ".pypirc"]
                .iter()
                .any(|begin| name.starts_with(begin))
    }
}

impl Choice for OfPackages {
    fn passes_over(&self, name: &str) -> bool {
        // `bin/` has programs that name the Python of this machine.
        matches!(name, "__pycache__" | "bin") || name.ends_with(".pyc")
    }

    fn is_secret(&self, _: &str) -> bool {
        false
    }
}

struct Entry {
    path: PathBuf,
    bytes: u64,
}

/// Files by their names in the archive.
#[derive(Default)]
pub(super) struct Collected {
    entries: BTreeMap<String, Entry>,
    /// Secrets and links, which stay here.
    pub(super) left_out: Vec<String>,
}

/// Looks through a folder. Blocks.
pub(super) fn collect(folder: &Path, choice: &impl Choice) -> Result<Collected, Failure> {
    let mut found = Collected::default();
    let mut waiting = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((inside, prefix, depth)) = waiting.pop() {
        let entries = fs::read_dir(&inside).map_err(|error| io(&inside, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| io(&inside, &error))?;
            let (path, plain) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let name = format!("{prefix}{plain}");
            let about = entry.metadata().map_err(|error| io(&path, &error))?;
            if choice.is_secret(&plain) || about.is_symlink() {
                if found.left_out.len() < MANY_LEFT_OUT {
                    found.left_out.push(name);
                }
            } else if choice.passes_over(&plain) {
            } else if about.is_dir() && depth < DEEPEST {
                waiting.push((path, format!("{name}/"), depth + 1));
            } else if about.is_file() {
                found.entries.insert(name, Entry { path, bytes: about.len() });
            } else {
                return Err(Failure::permanent(format!(
                    "{name} in the agent's folder is neither file nor folder, or lies too deep"
                )));
            }
        }
        if found.entries.len() > MAX_FILES {
            return Err(Failure::permanent(format!("the agent has more than {MAX_FILES} files")));
        }
    }
    found.left_out.sort();
    Ok(found)
}

impl Collected {
    /// Adds others; what is here already stays as it is.
    pub(super) fn add(&mut self, others: Self) {
        for (name, entry) in others.entries {
            self.entries.entry(name).or_insert(entry);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.entries.values().map(|entry| entry.bytes).sum()
    }

    /// Names and files, in the order of the archive.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry.path.as_path()))
    }

    /// Refuses what AgentCore would refuse later, and says less of. Blocks.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.bytes() > MAX_BYTES {
            return Err(Failure::permanent(format!(
                "the agent has {} MB with its packages; AgentCore takes {} MB unpacked",
                self.bytes() / 1_000_000,
                MAX_BYTES / 1_000_000
            )));
        }
        for (name, path) in self.iter().filter(|(name, _)| is_shared_object(name)) {
            let mut head = [0_u8; MACHINE_AT + 2];
            let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
            if read.is_ok() && head.starts_with(ELF) && !head.ends_with(&ARM64) {
                return Err(Failure::permanent(format!(
                    "{name} is not built for arm64, on which AgentCore runs: name its package in requirements.txt \
                     instead of shipping it"
                )));
            }
        }
        Ok(())
    }

    /// The same for the same names and contents, whoever owns the files and whenever they were written. Blocks.
    pub(super) fn hash(&self) -> Result<String, Failure> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for (name, path) in self.iter() {
            parts.push(name.as_bytes().to_vec());
            let mut hasher = Sha256::new();
            let mut file = File::open(path).map_err(|error| io(path, &error))?;
            std::io::copy(&mut file, &mut HashWriter(&mut hasher)).map_err(|error| io(path, &error))?;
            parts.push(hasher.finalize().to_vec());
        }
        Ok(names::hash(parts.iter().map(Vec::as_slice)))
    }
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn is_shared_object(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default();
    name.ends_with(".so") || name.contains(".so.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    #[test]
    fn what_is_secret_stays_here_and_is_named() {
        let folder = folder(&[
            ("agent.py", b"a"),
            ("tools/t.py", b"b"),
            (".env", b"KEY=1"),
            ("tls/server.pem", b"c"),
            ("credentials.json", b"d"),
            (".git/config", b"e"),
            ("__pycache__/agent.pyc", b"f"),
            ("venv/bin/python", b"g"),
        ]);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("data.txt")).unwrap();
        let found = collect(folder.path(), &OfAgent).unwrap();
        assert_eq!(found.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["agent.py", "tools/t.py"]);
        assert_eq!(found.left_out, [".env", "credentials.json", "data.txt", "tls/server.pem"]);
    }

    #[test]
    fn the_hash_is_that_of_names_and_contents() {
        let hash = |files: &[(&str, &[u8])]| collect(folder(files).path(), &OfAgent).unwrap().hash().unwrap();
        let one = hash(&[("agent.py", b"a"), ("b.py", b"b")]);
        assert_eq!(one, hash(&[("b.py", b"b"), ("agent.py", b"a")]));
        assert_ne!(one, hash(&[("agent.py", b"ab"), ("b.py", b"")]));
        assert_ne!(one, hash(&[("agent.py", b"a"), ("c.py", b"b")]));
    }

    #[test]
    fn a_shared_object_for_another_processor_is_named() {
        let mut head = [0_u8; 64];
        head[..4].copy_from_slice(ELF);
        head[MACHINE_AT] = 0x3e;
        let wrong = folder(&[("agent.py", b""), ("lib/_fast.cpython-312.so", &head)]);
        let failure = collect(wrong.path(), &OfAgent).unwrap().check().unwrap_err();
        assert!(failure.message.contains("lib/_fast.cpython-312.so"), "{failure}");
        head[MACHINE_AT] = ARM64[0];
        let right = folder(&[("lib/_fast.so.1", &head), ("short.so", b"x")]);
        collect(right.path(), &OfAgent).unwrap().check().unwrap();
    }
}
