//! The process that a test runs in. It gets a folder of its own and an empty environment, is told the
//! limits it has to put on itself, and is ended with everything it started, however the test ends.

use std::{
    io,
    os::unix::{fs::DirBuilderExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, ChildStdin, Command},
};
use tokio_util::sync::CancellationToken;

use super::{
    CPU_SECONDS, FILE_BYTES, MEMORY_BYTES, OPEN_FILES, OUTPUT_BYTES, PRINTED_CHARACTERS, Trial, Verdict, WRITTEN_FILES,
};

/// Ends the process group when the pipe on its standard input closes, which it does however the daemon
/// ends; then becomes the command. (A parent-death signal hangs on a thread, and needs code that this crate forbids.)
const TETHER: &str = r#"exec 3<&0 </dev/null
{ cat <&3; kill -KILL 0; } >/dev/null 2>&1 &
exec 3<&-
exec "$0" "$@""#;

/// What runs in the process before the tool.
const RUNNER: &str = concat!(include_str!("kernel.py"), "\n", include_str!("runner.py"));

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
    guards: Vec<String>,
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
        Ok(()) => tried(python, &place, limit, left).await.and_then(|told| {
            (printed, guards) = (told.printed, told.guards);
            if told.ok { Ok(told.output) } else { Err(told.error.unwrap_or_default()) }
        }),
        Err(error) => {
            tracing::warn!(%error, "the folder for a test of a tool cannot be made");
            Err("the daemon cannot make a folder for the test".to_owned())
        }
    };
    if let Err(error) = tokio::fs::remove_dir_all(&place).await
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
            "cpu_seconds": CPU_SECONDS, "memory_bytes": MEMORY_BYTES, "file_bytes": FILE_BYTES,
            "open_files": OPEN_FILES, "written_files": WRITTEN_FILES, "output_bytes": OUTPUT_BYTES,
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

/// Runs the process to its end, or ends it.
async fn tried(python: &str, place: &Path, limit: Duration, left: &CancellationToken) -> Result<Told, String> {
    let mut group = Group::spawn(python, place).map_err(|error| {
        tracing::warn!(%error, "a test of a tool cannot be started");
        "the daemon cannot start a process for the test".to_owned()
    })?;
    let ended = tokio::select! {
        ended = group.finish() => ended,
        () = tokio::time::sleep(limit) => Err(format!("the tool did not end within {} s", limit.as_secs())),
        () = left.cancelled() => Err("the test was given up".to_owned()),
    };
    // Not before it is gone can its folder be removed for good.
    group.end().await;
    let (status, answer, errors) = ended?;
    match serde_json::from_slice::<Told>(&answer) {
        Ok(told) => {
            unguarded(&told.guards);
            Ok(told)
        }
        Err(_) => Err(without_answer(python, status, &answer, &errors)),
    }
}

/// Tells the operator once that the kernel's part is missing.
fn unguarded(guards: &[String]) {
    static TOLD: std::sync::Once = std::sync::Once::new();
    if guards.len() < 2 {
        TOLD.call_once(|| {
            tracing::warn!(in_force = ?guards, "this system has not both Landlock and seccomp: tests of tools are held back by Python alone");
        });
    }
}

/// Why a process ended without an answer.
fn without_answer(python: &str, status: ExitStatus, answer: &[u8], errors: &[u8]) -> String {
    /// The same numbers on every machine that the daemon runs on.
    const SIGKILL: i32 = 9;
    const SIGXCPU: i32 = 24;
    match (status.code(), status.signal()) {
        (_, Some(SIGXCPU)) => format!("the tool used more than {CPU_SECONDS} s of CPU time"),
        (_, Some(SIGKILL)) => "the tool's process was killed".to_owned(),
        (_, Some(signal)) => format!("the tool's process crashed with signal {signal}"),
        // What the shell says of a program that it cannot find or run.
        (Some(126 | 127), _) if answer.is_empty() && !errors.is_empty() => {
            tracing::warn!(python, "tools cannot be tried out: Python cannot be run");
            "Python cannot be run on the daemon's machine".to_owned()
        }
        (Some(code), _) if answer.is_empty() && errors.is_empty() => {
            format!("the tool ended its process with code {code}")
        }
        _ => {
            let errors = String::from_utf8_lossy(errors);
            tracing::warn!(%status, %errors, "a test of a tool ended without an answer");
            "the tool's process ended without an answer that can be read".to_owned()
        }
    }
}

/// A process and everything it starts.
struct Group {
    child: Child,
    /// Kept out of `child`, whose `wait` would close it.
    tether: Option<ChildStdin>,
}

type Ended = (ExitStatus, Vec<u8>, Vec<u8>);

impl Group {
    fn spawn(python: &str, place: &Path) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", TETHER, python, "-I", "-S", "-B", "-X", "utf8", "-c", RUNNER])
            .arg(place)
            .current_dir(place)
            .env_clear()
            // To find Python; the runner takes it away from the tool.
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0);
        let mut child = command.spawn()?;
        let tether = child.stdin.take();
        Ok(Self { child, tether })
    }

    /// Waits for its end; what it said is bounded.
    async fn finish(&mut self) -> Result<Ended, String> {
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        let lost = |_| "the tool's process was lost".to_owned();
        tokio::try_join!(async { self.child.wait().await.map_err(lost) }, read(out, MAX_ANSWER), read(err, MAX_ERRORS))
    }

    /// Ends whatever still runs, and waits for the process.
    async fn end(mut self) {
        // The tether kills the rest of the group.
        drop(self.tether.take());
        let _ = self.child.kill().await;
    }
}

/// All of a pipe.
async fn read(pipe: Option<impl AsyncRead + Unpin>, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let Some(pipe) = pipe else { return Ok(bytes) };
    let read = pipe.take(most + 1).read_to_end(&mut bytes).await;
    let read = read.map_err(|_| "the tool's process was lost".to_owned())?;
    if read as u64 > most { Err("the tool's process said too much".to_owned()) } else { Ok(bytes) }
}
