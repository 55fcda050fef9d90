//! Bytecode of the files that agents get from the template and the catalogue: made once by the Python that verifies, then
//! laid beside the sources of every agent. Compiling them is a third of an agent's start otherwise, each time anew, since
//! an agent cannot write its own folder.
//!
//! Each file holds the hash of its source, which Python compares (PEP 552): a source that was changed is compiled again.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use nexus_sandbox::Interpreter;
use serde::Deserialize;
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use crate::embedded;

/// Compiles what it is given and runs none of it.
const COMPILE: &str = r#"
import binascii, importlib.util, json, marshal, sys
made = {}
for path, source in json.load(sys.stdin).items():
    source = source.encode("utf-8")
    head = importlib.util.MAGIC_NUMBER + (3).to_bytes(4, "little") + importlib.util.source_hash(source)
    code = marshal.dumps(compile(source, path, "exec", dont_inherit=True))
    made[path] = [importlib.util.cache_from_source(path), binascii.b2a_base64(head + code, newline=False).decode("ascii")]
json.dump(made, sys.stdout)
"#;
const PATIENCE: Duration = Duration::from_secs(30);

/// For each source its text, and the place and content of its bytecode.
#[derive(Debug)]
pub(crate) struct Bytecode(Vec<Compiled>);

#[derive(Debug)]
struct Compiled {
    path: &'static str,
    source: &'static str,
    place: String,
    bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct Made(BTreeMap<String, (String, String)>);

impl Bytecode {
    /// Asks a Python for it.
    pub(crate) async fn of(python: &str) -> io::Result<Self> {
        let python = Interpreter::find(python).await?;
        let given = embedded::TEMPLATE.iter().chain(embedded::TOOLS).copied();
        let sources: BTreeMap<&str, &str> = given.filter(|(path, _)| path.ends_with(".py")).collect();
        let mut command = Command::new(&python.program);
        command.args(["-I", "-S", "-X", "utf8", "-c", COMPILE]).current_dir("/").env_clear().kill_on_drop(true);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (input, text) = (child.stdin.take(), serde_json::to_vec(&sources)?);
        let give = async move {
            match input {
                Some(mut input) => input.write_all(&text).await,
                None => Ok(()),
            }
        };
        let both = async { tokio::join!(give, child.wait_with_output()) };
        let (given, output) = timeout(PATIENCE, both).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        let output: Output = output?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(said.lines().next_back().unwrap_or("it did not compile").to_owned()));
        }
        given?;
        let Made(mut made) = serde_json::from_slice(&output.stdout)?;
        let compiled = sources.into_iter().filter_map(|(path, source)| {
            let (place, text) = made.remove(path)?;
            Some(BASE64_STANDARD.decode(text).map(|bytes| Compiled { path, source, place, bytes }))
        });
        Ok(Self(compiled.collect::<Result<_, _>>().map_err(io::Error::other)?))
    }

    /// Lays it beside those sources of an agent's folder that are as they were given out. Blocks on files.
    pub(crate) fn lay_into(&self, folder: &Path) -> io::Result<()> {
        for one in &self.0 {
            if !fs::read(folder.join(one.path)).is_ok_and(|text| text == one.source.as_bytes()) {
                continue;
            }
            let place = folder.join(&one.place);
            match fs::read(&place) {
                Ok(laid) if laid == one.bytes => {}
                // Somebody may be starting the agent meanwhile: as a whole or not at all.
                Ok(_) => {
                    let part = place.with_extension("part");
                    fs::write(&part, &one.bytes).and_then(|()| fs::rename(&part, &place))?;
                }
                // Nobody starts an agent that was not verified yet.
                Err(_) => {
                    if let Some(beside) = place.parent().filter(|beside| !beside.is_dir()) {
                        fs::create_dir_all(beside)?;
                    }
                    fs::write(&place, &one.bytes)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn python_takes_it_until_the_source_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let bytecode = Bytecode::of("python3").await.unwrap();
        for (path, text) in embedded::TEMPLATE {
            fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
            fs::write(folder.path().join(path), text).unwrap();
        }
        fs::write(folder.path().join("runtime/numeral.py"), "mine = 1\n").unwrap();
        bytecode.lay_into(folder.path()).unwrap();
        let laid = |name: &str| fs::read_dir(folder.path().join(name)).map_or(0, Iterator::count);
        let modules = embedded::TEMPLATE.iter().filter(|(path, _)| path.starts_with("runtime/")).count();
        assert_eq!(laid("runtime/__pycache__"), modules - 1, "all but the changed one");
        assert_eq!(laid("tools/__pycache__"), 1, "only what the agent has");
        // What Python takes from bytecode it does not compile.
        let loads = |module: &str| {
            let code = format!(
                "import sys; sys.path.insert(0, '.'); compiled = []\n\
                 sys.addaudithook(lambda name, about: name == 'compile' and compiled.append(about[1]))\n\
                 import {module}; print([str(path).split('/')[-1] for path in compiled if 'runtime' in str(path)])"
            );
            let mut python = std::process::Command::new("python3");
            let output = python.args(["-B", "-S", "-c", &code]).current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        assert_eq!(loads("runtime.text"), "[]");
        fs::write(folder.path().join("runtime/text.py"), "changed = 1\n").unwrap();
        assert_eq!(loads("runtime.text"), "['text.py']");
        bytecode.lay_into(folder.path()).unwrap();
    }

    #[tokio::test]
    async fn what_is_no_python_is_told() {
        assert!(Bytecode::of("/bin/true").await.is_err());
    }
}
