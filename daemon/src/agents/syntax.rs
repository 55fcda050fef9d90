//! Whether a file says something in its language, found out without running any of it.
//!
//! JSON and YAML are parsed here. Python is compiled, not imported, by a child process of its own: a parser that
//! ends in a crash or for ever takes nothing else along.

use std::{process::Stdio, time::Duration};

use serde::Deserialize;
use tokio::{io::AsyncWriteExt as _, process::Command, sync::Semaphore};

use crate::domain::text::shorten;

/// How long a check may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Checks at a time: each is a process.
static AT_A_TIME: Semaphore = Semaphore::const_new(2);
/// Longest message that is passed on.
const MESSAGE_CHARS: usize = 200;

/// Limits itself first, then compiles what comes in; tells the place of an error, or nothing.
const PYTHON_CHECK: &str = "\
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (8, 8))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
source = sys.stdin.buffer.read()
try:
    compile(source, 'the file', 'exec', dont_inherit=True)
except SyntaxError as error:
    print(json.dumps({'line': error.lineno, 'column': error.offset, 'message': error.msg}))
except (ValueError, RecursionError, MemoryError, OverflowError) as error:
    print(json.dumps({'message': 'it is too deep or too large to be compiled'}))
else:
    print('{}')
";

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// From 1, where it is known.
    pub line: Option<u64>,
    /// From 1, where it is known.
    pub column: Option<u64>,
    /// For people.
    pub message: String,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SyntaxError {
    /// It is no sentence of its language.
    #[error("{}", .0.message)]
    Broken(Broken),
    /// It could not be found out.
    #[error("it could not be checked: {0}")]
    Unchecked(String),
}

/// Checks a file of this kind (a word of [`crate::files::kind_of`]); kinds without a grammar always pass.
///
/// # Errors
/// See [`SyntaxError`].
pub async fn check(kind: &str, content: &str) -> Result<(), SyntaxError> {
    if content.contains('\0') {
        let line = content.split('\0').next().map(|before| before.matches('\n').count() as u64 + 1);
        let message = "it contains a NUL character".to_owned();
        return Err(SyntaxError::Broken(Broken { line, column: None, message }));
    }
    match kind {
        "python" => python(content).await,
        "json" | "yaml" => {
            let (kind, content) = (kind.to_owned(), content.to_owned());
            let parsed = tokio::task::spawn_blocking(move || structured(&kind, &content)).await;
            parsed.map_err(|error| SyntaxError::Unchecked(error.to_string()))?
        }
        _ => Ok(()),
    }
}

fn structured(kind: &str, content: &str) -> Result<(), SyntaxError> {
    let broken = match kind {
        "json" => serde_json::from_str::<serde::de::IgnoredAny>(content).err().map(|error| Broken {
            line: Some(error.line() as u64),
            column: Some(error.column() as u64),
            message: plain_message(&error.to_string()),
        }),
        // Aliases are expanded within the crate's budget only.
        _ => serde_saphyr::from_str::<serde_json::Value>(content).err().map(|error| Broken {
            line: error.location().map(|at| at.line()),
            column: error.location().map(|at| at.column()),
            message: "it is no valid YAML".to_owned(),
        }),
    };
    broken.map_or(Ok(()), |broken| Err(SyntaxError::Broken(broken)))
}

/// Without the place, which is told apart.
fn plain_message(text: &str) -> String {
    text.rsplit_once(" at line ").map_or(text, |(message, _)| message).to_owned()
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    line: Option<u64>,
    #[serde(default)]
    column: Option<u64>,
    #[serde(default)]
    message: Option<String>,
}

async fn python(content: &str) -> Result<(), SyntaxError> {
    let unchecked = |why: &str| SyntaxError::Unchecked(why.to_owned());
    let _slot = AT_A_TIME.acquire().await.map_err(|_| unchecked("the daemon stops"))?;
    let whole = tokio::time::timeout(LIMIT, run_python(content)).await;
    let output = whole.map_err(|_| unchecked("it took too long"))?;
    let output = output.map_err(|error| SyntaxError::Unchecked(error.to_string()))?;
    let last = output.stdout.split(|b| *b == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
    let broken = match serde_json::from_slice::<Told>(last) {
        Ok(Told { message: None, .. }) => return Ok(()),
        Ok(Told { line, column, message }) => {
            let at = |number: Option<u64>| number.filter(|n| *n > 0);
            let message = shorten(&message.unwrap_or_default(), MESSAGE_CHARS);
            Broken { line: at(line), column: at(column), message }
        }
        // Some sources end the compiler itself.
        Err(_) if output.status.code().is_none() => {
            Broken { line: None, column: None, message: "it ends the Python compiler".to_owned() }
        }
        Err(_) => return Err(unchecked("Python could not be run")),
    };
    Err(SyntaxError::Broken(broken))
}

async fn run_python(content: &str) -> std::io::Result<std::process::Output> {
    let mut child = Command::new("python3")
        // Isolated: nothing of the environment or of a folder decides what is run.
        .args(["-I", "-S", "-c", PYTHON_CHECK])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that ended early is told by its end.
        let _ = stdin.write_all(content.as_bytes()).await;
    }
    child.wait_with_output().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn place(kind: &str, content: &str) -> Option<(Option<u64>, Option<u64>)> {
        match check(kind, content).await {
            Ok(()) => None,
            Err(SyntaxError::Broken(broken)) => Some((broken.line, broken.column)),
            Err(error) => panic!("{error}"),
        }
    }

    #[tokio::test]
    async fn broken_files_are_told_with_their_place() {
        for (kind, good) in [
            ("python", "import does_not_exist\nx = 1\n"),
            ("python", "# -*- coding: utf-8 -*-\nprint('ä')\n"),
            ("json", "{\"a\": [1]}"),
            ("yaml", "a: [1, two]\n"),
            ("markdown", "def f(:"),
        ] {
            assert_eq!(place(kind, good).await, None, "{kind}: {good}");
        }
        assert_eq!(place("python", "x = 1\ndef f(:\n").await, Some((Some(2), Some(7))));
        assert_eq!(place("python", "return 1").await.unwrap().0, Some(1));
        assert_eq!(place("json", "{\n  \"a\": }").await, Some((Some(2), Some(8))));
        assert_eq!(place("yaml", "a: 1\nb: [1\nc: }\n").await.map(|at| at.0.is_some()), Some(true));
        assert_eq!(place("text", "a\nb\0").await, Some((Some(2), None)));
    }

    #[tokio::test]
    async fn a_source_that_breaks_compilers_is_refused() {
        for hostile in ["(".repeat(100_000), format!("x = {}1", "-".repeat(200_000)), "{".repeat(250_000)] {
            assert!(place("python", &hostile).await.is_some());
        }
        // Nothing of it is run.
        let written = std::env::temp_dir().join(format!("nexus-check-{}", std::process::id()));
        let source = format!("open({written:?}, 'w').write('x')\n");
        assert_eq!(place("python", &source).await, None);
        assert!(!written.exists());
    }
}
