//! Loads a plugin in a process of its own before it comes into the daemon's. A constructor that waits holds a lock of the
//! dynamic linker that every thread needs to end; one that calls `exit`, or crashes, takes its process along. Here that
//! process is one that nobody misses.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    fault,
    load::Step,
    refusal::Refusal,
    transport::{
        Transport as _,
        library::image::{self, Image},
    },
};

/// The word by which this program asks itself to be that process.
pub const PROBE: &str = "plugin-probe";
/// The same for a file that is configured, too.
pub const TRY: &str = "plugin-try";
/// Begins the line of the answer, since a plugin may write to standard output itself.
const MARK: &str = "nexusd-plugin-probe ";
/// No answer is longer, in bytes; a plugin may talk.
const LONGEST: u64 = 1 << 20;

/// What the process says of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    /// It can be loaded, and tells what it is.
    Good,
    /// It is refused.
    Refused { reason: String, remedy: String, lasting: bool },
}

/// The process that loads one file: what it says, as one line for standard output. It does not outlive who started it.
#[must_use]
pub fn answer(file: &Path, limit: Duration) -> Option<String> {
    // Who started it kills it when it takes too long; when he is gone, the kernel does.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    fault::break_at_once();
    let told = match describe(file, limit) {
        Ok(()) => Told::Good,
        Err(refusal) => {
            Told::Refused { reason: refusal.to_string(), remedy: refusal.remedy(), lasting: refusal.lies_in_the_file() }
        }
    };
    serde_json::to_string(&told).ok().map(|json| format!("{MARK}{json}"))
}

fn describe(file: &Path, limit: Duration) -> Result<(), Refusal> {
    let image = Image::read(file)?;
    let path = file.to_owned();
    let step = Step::begin("describe", limit, move || image::link(&path, image.entry_size)?.describe().map(drop))?;
    step.wait()
}

/// Asks such a process about a file. Blocks, at most for twice the limit.
///
/// # Errors
/// The file does not do in a process what a plugin must.
pub(super) fn ask(executable: &Path, file: &Path, limit: Duration) -> Result<(), Refusal> {
    let mut command = Command::new(executable);
    command.args([PROBE, "--limit-ms", &limit.as_millis().to_string()]).arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().map_err(|error| Refusal::Host(format!("no process to try it in: {error}")))?;
    let told = listen(&mut child, limit * 2);
    // With whatever it has started.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let status = child.wait();
    match told {
        Some(Told::Good) => Ok(()),
        Some(Told::Refused { reason, remedy, lasting }) => Err(Refusal::Probe { reason, remedy, lasting }),
        None => {
            let how = status.map_or_else(|error| error.to_string(), how);
            Err(Refusal::Probe {
                reason: format!("it does not let the process live that loads it: {how}"),
                remedy: "repair the plugin, or take it out: it would do the same to the daemon".to_owned(),
                lasting: false,
            })
        }
    }
}

/// The answer; `None` when the process ended, or the time, without one.
fn listen(child: &mut Child, limit: Duration) -> Option<Told> {
    let stdout = child.stdout.take()?;
    let (send, receive) = mpsc::sync_channel(1);
    let reading = std::thread::Builder::new().name("pl-probe".to_owned()).spawn(move || {
        for line in BufReader::new(stdout.take(LONGEST)).split(b'\n').map_while(Result::ok) {
            let told = line.strip_prefix(MARK.as_bytes()).and_then(|json| serde_json::from_slice::<Told>(json).ok());
            if let Some(told) = told {
                let _ = send.send(told);
                return;
            }
        }
    });
    reading.ok()?;
    receive.recv_timeout(limit).ok()
}

fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(9), _) => "it did not answer in time".to_owned(),
        (Some(signal), _) => format!("signal {signal}"),
        (_, Some(code)) => format!("exit code {code}"),
        _ => status.to_string(),
    }
}
