//! `requirements.txt` as far as it is taken: names with exact versions. What an agent's folder says is not trusted, so
//! nothing in it can name another index, a folder, an address, or an option of the installer.

use std::{fs, io::Read as _, path::Path};

use nexus_plugin_api::payload::Failure;
use sha2::{Digest as _, Sha256};

/// The file in an agent's folder.
pub const FILE: &str = "requirements.txt";
const MOST_BYTES: u64 = 64 * 1024;
const MOST: usize = 200;

/// Packages in alphabetical order, each as `name[extras]==version`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements(Vec<String>);

impl Requirements {
    /// Reads the folder's file; none is no packages. Blocks.
    ///
    /// # Errors
    /// It cannot be read, or holds more than names with versions.
    pub fn of_folder(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(Self::default());
        }
        let unreadable = |e| Failure::permanent(format!("{FILE} cannot be read: {e}"));
        let mut text = String::new();
        let file = fs::File::open(path).map_err(unreadable)?;
        file.take(MOST_BYTES).read_to_string(&mut text).map_err(unreadable)?;
        Self::parse(&text)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// The first line that is more than a name with its version.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut found = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            if !is_pinned(line) {
                return Err(Failure::permanent(format!(
                    "{FILE}, line {}: {line:?} is not taken; write one package with its exact version, such as `name==1.2.3` or \
                     `name[extra]==1.2.3`",
                    number + 1
                )));
            }
            found.push(line.replace(' ', ""));
        }
        if found.len() > MOST {
            return Err(Failure::permanent(format!("{FILE} names more than {MOST} packages")));
        }
        found.sort();
        found.dedup();
        Ok(Self(found))
    }

    /// Whether it names no package.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One for each package.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }

    /// For people.
    #[must_use]
    pub fn named(&self) -> String {
        self.0.join(", ")
    }

    /// What stands for these packages below this interpreter, and no other.
    #[must_use]
    pub fn digest(&self, interpreter: &str) -> String {
        let mut hasher = Sha256::new();
        for part in self.0.iter().map(String::as_str).chain([interpreter]) {
            hasher.update(part.as_bytes());
            hasher.update(b"\n");
        }
        hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether folders of packages hold all of these already, each in its version.
    #[must_use]
    pub fn are_installed_in(&self, folders: &[std::path::PathBuf]) -> bool {
        let installed = |line: &String| {
            let Some((name, version)) = line.split_once("==") else { return false };
            let name = name.split('[').next().unwrap_or_default().to_ascii_lowercase().replace(['-', '.'], "_");
            let info = format!("{name}-{version}.dist-info");
            folders.iter().any(|folder| folder.join(&info).is_dir())
        };
        !self.0.is_empty() && self.0.iter().all(installed)
    }
}

/// `name[extra,extra]==version`.
fn is_pinned(line: &str) -> bool {
    let Some((package, version)) = line.split_once("==") else { return false };
    let word = |text: &str, more: &[char]| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(&c))
    };
    let (name, extras) = match package.trim().split_once('[') {
        Some((name, extras)) => (name.trim(), extras.strip_suffix(']')),
        None => (package.trim(), Some("x")),
    };
    let extras_are_words =
        extras.is_some_and(|extras| extras.split(',').all(|extra| word(extra.trim(), &['-', '_', '.'])));
    word(name, &['-', '_', '.']) && extras_are_words && word(version.trim(), &['.', '+', '!', '-', '_'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_exact_versions_are_taken_in_any_order() {
        let one =
            Requirements::parse("# why\nstrands-agents[openai, otel]==1.62.0\n\nboto3 == 1.44.8  # aws\n").unwrap();
        assert_eq!(one.lines(), ["boto3==1.44.8", "strands-agents[openai,otel]==1.62.0"]);
        let other = Requirements::parse("boto3==1.44.8\nstrands-agents[openai,otel]==1.62.0").unwrap();
        assert_eq!(one.digest("3.11"), other.digest("3.11"));
        assert_ne!(one.digest("3.11"), other.digest("3.12"));
        assert!(Requirements::parse("\n# nothing\n").unwrap().is_empty());
    }

    #[test]
    fn nothing_else_reaches_the_installer() {
        for line in [
            "requests",
            "requests>=2",
            "requests~=2.0",
            "requests==2.*",
            "-r /etc/passwd",
            "--index-url=http://x/==1",
            "-e .==1",
            "./wheel==1",
            "git+https://x/y==1",
            "x @ file:///tmp/x==1",
            "x==1; import os",
            "x==1 --hash=sha256:0",
            "==1",
            "x==",
            "x[==1",
            "x[]==1",
            "x[a]b==1",
            "x==1 y==2",
        ] {
            let error = Requirements::parse(&format!("ok==1\n{line}")).unwrap_err();
            assert!(error.message.contains("line 2"), "{line}: {error}");
        }
    }

    #[test]
    fn packages_that_are_there_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("strands_agents-1.62.0.dist-info")).unwrap();
        let places = [folder.path().to_owned()];
        assert!(Requirements::parse("Strands.Agents[openai]==1.62.0").unwrap().are_installed_in(&places));
        assert!(!Requirements::parse("strands-agents==1.62.1").unwrap().are_installed_in(&places));
        assert!(!Requirements::parse("strands-agents==1.62.0\nx==1").unwrap().are_installed_in(&places));
        assert!(!Requirements::default().are_installed_in(&places));
    }
}
