//! The process that a test runs in. It gets a folder of its own and an empty environment, is walled in
//! ([`nexus_sandbox`]), and is ended with everything it started, however the test ends.

use std::{
    io,
    os::unix::{fs::DirBuilderExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nexus_sandbox::{Breach, Confined, Ending, Interpreter, Limits, Profile, Sandbox, SandboxError};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::sync::CancellationToken;

use super::{
    CPU_SECONDS, DISK_BYTES, FILE_BYTES, MEMORY_BYTES, OPEN_FILES, OUTPUT_BYTES, PRINTED_CHARACTERS, THREADS, Trial,
    USER_PROCESSES, Verdict, WRITTEN_FILES,
};

/// What runs in the process before the tool.
const RUNNER: &str = include_str!("runner.py");

/// The answer with everything around the result; characters may be escaped.
const MAX_ANSWER: u64 = OUTPUT_BYTES as u64 + 6 * PRINTED_CHARACTERS as u64 + (32 << 10);
const MAX_ERRORS: u64 = 16 << 10;

/// What the runner tells.
#[derive(Deserialize)]
struct Told {
    ok: bool,
    output: Value,
    error: Option<String>,
    printed: String,
}

/// See [`super::Turn::run`].
pub(super) async fn run(
    folder: &Path,
    python: &str,
    limit: Duration,
    trial: Trial,
    left: &CancellationToken,
) -> Verdict {
    let begun = Instant::now();
    let (mut printed, mut guards) = (String::new(), Vec::new());
    let place = folder.join(format!("{:032x}", rand::random::<u128>()));
    let result = match prepare(place.clone(), trial).await {
        Ok(()) => tried(python, &place, limit, left, &mut guards).await.and_then(|told| {
            printed = told.printed;
            if told.ok { Ok(told.output) } else { Err(told.error.unwrap_or_default()) }
        }),
        Err(error) => {
            tracing::warn!(%error, "the folder for a test of a tool cannot be made");
            Err("the daemon cannot make a folder for the test".to_owned())
        }
    };
    let removed = crate::files::blocking(move || nexus_sandbox::leftovers::remove(&place)).await.flatten();
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "the folder of a test of a tool stays");
    }
    Verdict { result, printed, guards, duration: begun.elapsed() }
}

/// Writes `code/`, `work/` and `request.json`.
async fn prepare(place: PathBuf, trial: Trial) -> io::Result<()> {
    let Trial { sources, entry, parameters } = trial;
    let request = json!({
        "code_path": sources.code_path(),
        "entry": entry,
        "parameters": parameters,
        "limits": {
            "memory_bytes": MEMORY_BYTES, "written_files": WRITTEN_FILES, "output_bytes": OUTPUT_BYTES,
            "printed_characters": PRINTED_CHARACTERS,
        },
    });
    let write = move || {
        let folder = |path: &Path| std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        folder(&place.join("work"))?;
        sources.write(&place.join("code"))?;
        std::fs::write(place.join("request.json"), request.to_string())
    };
    crate::files::blocking(write).await.flatten()
}

/// Runs the process to its end, or ends it. `guards` learns what held it.
async fn tried(
    python: &str,
    place: &Path,
    limit: Duration,
    left: &CancellationToken,
    guards: &mut Vec<String>,
) -> Result<Told, String> {
    let interpreter = Interpreter::find(python).await.map_err(|error| no_python(python, &error))?;
    let mut confined = sandbox(&interpreter, place).spawn().await.map_err(|error| not_started(python, error))?;
    guards.extend_from_slice(confined.guards());
    guards.extend(confined.weaker().iter().map(|missing| format!("without {missing}")));
    let ended = tokio::select! {
        ended = finish(&mut confined) => ended,
        () = tokio::time::sleep(limit) => Err(format!("the tool did not end within {} s", limit.as_secs())),
        () = left.cancelled() => Err("the test was given up".to_owned()),
    };
    // Not before it is gone can its folder be removed for good.
    if let Err(error) = confined.kill().await {
        tracing::warn!(%error, "the end of a test of a tool cannot be observed");
    }
    let (ending, answer, errors) = ended?;
    serde_json::from_slice::<Told>(&answer).map_err(|_| without_answer(ending, &answer, &errors))
}

/// The walls: the interpreter's own files and the test's folder to read, its working folder to write, nothing else.
fn sandbox(python: &Interpreter, place: &Path) -> Sandbox {
    let mut sandbox = Sandbox::new(Profile::Tool, &python.program, place)
        .arguments(["-I", "-S", "-B", "-X", "utf8", "-c", RUNNER])
        .arguments([place])
        .variable("LANG", "C.UTF-8");
    sandbox.reads = python.files.clone();
    sandbox.writes = vec![place.join("work")];
    sandbox.limits = Limits {
        memory: Some(MEMORY_BYTES),
        address_space: Some(MEMORY_BYTES),
        cpu_seconds: Some(CPU_SECONDS),
        file_bytes: Some(FILE_BYTES),
        open_files: Some(OPEN_FILES),
        processes: Some(THREADS),
        user_processes: Some(USER_PROCESSES),
        disk_bytes: Some(DISK_BYTES),
        disk_files: Some(WRITTEN_FILES),
        nice: 5,
        ..Limits::default()
    };
    sandbox
}

fn no_python(python: &str, error: &io::Error) -> String {
    tracing::warn!(python, %error, "tools cannot be tried out: Python cannot be run");
    "Python cannot be run on the daemon's machine".to_owned()
}

fn not_started(python: &str, error: SandboxError) -> String {
    match error {
        SandboxError::Program { source, .. } => no_python(python, &source),
        // What the operator has to know before anybody runs foreign code here.
        SandboxError::Weak { .. } | SandboxError::NoBubblewrap | SandboxError::NoNamespaces => {
            tracing::warn!(%error, "a test of a tool was not started, since it could not be confined");
            format!("the test was not started: {error}")
        }
        _ => {
            tracing::warn!(%error, "a test of a tool cannot be started");
            "the daemon cannot start a process for the test".to_owned()
        }
    }
}

/// Why a process ended without an answer.
fn without_answer(ending: Ending, answer: &[u8], errors: &[u8]) -> String {
    /// The same numbers on every machine that the daemon runs on.
    const SIGKILL: i32 = 9;
    const SIGXCPU: i32 = 24;
    let status = ending.status;
    match (ending.breach, status.code(), status.signal()) {
        (Some(Breach::Disk), ..) => "the tool wrote too much".to_owned(),
        (Some(Breach::Memory), ..) => format!("the tool wanted more than {} MiB of memory", MEMORY_BYTES >> 20),
        (Some(Breach::Processes), ..) => "the tool started too many threads".to_owned(),
        (_, _, Some(SIGXCPU)) => format!("the tool used more than {CPU_SECONDS} s of CPU time"),
        (_, _, Some(SIGKILL)) => "the tool's process was killed".to_owned(),
        (_, _, Some(signal)) => format!("the tool's process crashed with signal {signal}"),
        (_, Some(code), _) if answer.is_empty() && errors.is_empty() => {
            format!("the tool ended its process with code {code}")
        }
        _ => {
            let errors = String::from_utf8_lossy(errors);
            tracing::warn!(%status, %errors, "a test of a tool ended without an answer");
            "the tool's process ended without an answer that can be read".to_owned()
        }
    }
}

type Ended = (Ending, Vec<u8>, Vec<u8>);

/// Waits for its end; what it said is bounded.
async fn finish(confined: &mut Confined) -> Result<Ended, String> {
    let (out, err) = (confined.stdout.take(), confined.stderr.take());
    let lost = |_| "the tool's process was lost".to_owned();
    tokio::try_join!(async { confined.ended().await.map_err(lost) }, read(out, MAX_ANSWER), read(err, MAX_ERRORS))
}

/// All of a pipe.
async fn read(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let Some(pipe) = pipe else { return Ok(bytes) };
    let read = pipe.take(most + 1).read_to_end(&mut bytes).await;
    let read = read.map_err(|_| "the tool's process was lost".to_owned())?;
    if read as u64 > most { Err("the tool's process said too much".to_owned()) } else { Ok(bytes) }
}
