//! The program that installs: `uv` where there is one, else Python's own `venv` and `pip`. Only wheels are taken, so no code
//! of a package runs while it is installed.

use std::{collections::VecDeque, env, ffi::OsString, fs::File, path::PathBuf, process::Stdio};

use nexus_plugin_api::payload::Failure;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::Command,
};

use super::{
    fault,
    maker::{Work, python_of},
};

/// Lines of the program's output that are kept.
const KEPT_LINES: usize = 40;
const LONGEST_LINE: usize = 300;

/// Variables of the daemon that reach the installer: where it finds programs, the index, and the way there.
fn passes(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "TMPDIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "NETRC",
    ];
    let upper = name.to_ascii_uppercase();
    NAMES.contains(&name)
        || upper.ends_with("_PROXY")
        || ["PIP_", "UV_", "PYENV_"].iter().any(|beginning| upper.starts_with(beginning))
}

/// Installs; by what.
pub(super) async fn install(work: &Work, lock: &File, mut say: impl FnMut(String)) -> Result<&'static str, Failure> {
    if let Some(uv) = in_path("uv") {
        let mut command = command(&uv, lock)?;
        command.args(["venv", "--quiet", "--python"]).arg(&work.interpreter).arg(&work.folder);
        run(work, command, &mut say).await?;
        let mut command = self::command(&uv, lock)?;
        command
            .args(["pip", "install", "--no-progress", "--compile-bytecode", "--only-binary", ":all:", "--python"])
            .arg(python_of(&work.folder));
        run(work, with_packages(command, work), &mut say).await?;
        return Ok("uv");
    }
    let mut command = command(&work.interpreter, lock)?;
    command.args(["-I", "-m", "venv"]).arg(&work.folder);
    run(work, command, &mut say).await?;
    let mut command = self::command(&python_of(&work.folder), lock)?;
    command.args(["-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]);
    command.args(["--only-binary", ":all:"]);
    run(work, with_packages(command, work), &mut say).await?;
    Ok("pip")
}

fn with_packages(mut command: Command, work: &Work) -> Command {
    if !work.wheels.as_os_str().is_empty() {
        command.arg("--no-index").arg("--find-links").arg(&work.wheels);
    }
    command.args(work.requirements.lines());
    command
}

/// A command that holds the lock as long as it runs, also when this process was killed: nobody else removes what it writes.
fn command(program: &std::path::Path, lock: &File) -> Result<Command, Failure> {
    let held = lock.try_clone().map_err(|e| Failure::transient(format!("no descriptor is free: {e}")))?;
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::from(held)).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.envs(env::vars_os().filter(|(name, _)| name.to_str().is_some_and(passes)));
    command.current_dir("/");
    Ok(command)
}

/// A program of the daemon's `PATH`.
fn in_path(name: &str) -> Option<PathBuf> {
    let path: OsString = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Runs it to its end; its lines go to `say`.
async fn run(work: &Work, mut command: Command, say: &mut impl FnMut(String)) -> Result<(), Failure> {
    let program = command.as_std().get_program().to_os_string();
    let failed = |e: std::io::Error| Failure::permanent(format!("{} cannot be run: {e}", program.display()));
    let mut child = command.spawn().map_err(failed)?;
    let mut last = VecDeque::new();
    {
        let mut out = child.stdout.take().map(lines_of);
        let mut err = child.stderr.take().map(lines_of);
        while out.is_some() || err.is_some() {
            let line = tokio::select! {
                line = next(&mut out), if out.is_some() => line,
                line = next(&mut err), if err.is_some() => line,
            };
            let Some(line) = line.filter(|line| !line.trim().is_empty()) else { continue };
            if is_for_people(&line) {
                say(line.clone());
            }
            if last.len() >= KEPT_LINES {
                last.pop_front();
            }
            last.push_back(line);
        }
    }
    let status = child.wait().await.map_err(failed)?;
    if status.success() { Ok(()) } else { Err(fault::of_installer(work, last.make_contiguous())) }
}

type Reader<R> = BufReader<tokio::io::Take<R>>;

/// What it prints is bounded as a whole.
fn lines_of<R: AsyncRead + Unpin>(stream: R) -> Reader<R> {
    const MOST_OUTPUT: u64 = 16 << 20;
    BufReader::new(tokio::io::AsyncReadExt::take(stream, MOST_OUTPUT))
}

/// The next line; at the end the reader is taken away.
async fn next<R: AsyncRead + Unpin>(reader: &mut Option<Reader<R>>) -> Option<String> {
    let open = reader.as_mut()?;
    let mut bytes = Vec::new();
    match open.read_until(b'\n', &mut bytes).await {
        Ok(read) if read > 0 => {
            let text = String::from_utf8_lossy(&bytes);
            Some(text.trim_end().chars().filter(|c| !c.is_control()).take(LONGEST_LINE).collect())
        }
        _ => {
            *reader = None;
            None
        }
    }
}

/// Lines that tell how far it is.
fn is_for_people(line: &str) -> bool {
    ["Collecting ", "Downloading ", "Installing ", "Successfully ", "Resolved ", "Prepared ", "Installed "]
        .iter()
        .any(|beginning| line.trim_start().starts_with(beginning))
}
