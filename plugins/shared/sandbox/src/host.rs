//! How a program comes to its hidden stage.
//!
//! Little is allowed between fork and exec in a threaded process. So a confined process is started by the running
//! program itself, executed once more with [`STAGE`] as its first argument; that run confines itself and then
//! becomes the other program. It is executed as `/proc/self/exe`: the very file that runs, also after an upgrade.
//!
//! A program that has the stage says so in its environment, with its process id, so that plugins, which have a copy
//! of this crate of their own, know it too, and no child takes it for itself. Beside it stands the number of a
//! descriptor: a piece of memory in which the program leaves its settings for them.
#![allow(unsafe_code)] // the environment is set before there are threads

use std::{
    env,
    fs::File,
    io,
    mem::ManuallyDrop,
    os::{
        fd::{FromRawFd as _, IntoRawFd},
        unix::fs::FileExt as _,
    },
    process::Command,
};

use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use crate::{Mode, SandboxError, stage};

/// The first argument of the hidden run.
pub const STAGE: &str = "sandbox-exec";
/// The second one, in the run inside namespaces.
pub(crate) const INNER: &str = "inner";
/// Holds the id of the process that has the stage, and the descriptor of its settings.
const HOST: &str = "NEXUS_SANDBOX_HOST";
const OWN_FILE: &str = "/proc/self/exe";

/// To be the first line of `main`, before there are threads. Never returns in the hidden run; otherwise it makes this
/// process one that can confine others.
pub fn run_if_asked() {
    let mut arguments = env::args_os().skip(1);
    let asked = arguments.next().is_some_and(|argument| argument == STAGE);
    // The parent of a hidden run is a host, and a person who types the word is none.
    match arguments.next() {
        None if asked => stage::run(),
        Some(inner) if asked && inner == INNER => stage::inner(),
        _ => {}
    }
    let settings = memfd_create("sandbox-settings", MemfdFlags::CLOEXEC).map_or(-1, IntoRawFd::into_raw_fd);
    // SAFETY: called at the head of `main` (or before it), where this process has one thread, so nobody reads the
    // environment meanwhile.
    unsafe { env::set_var(HOST, format!("{} {settings}", std::process::id())) };
}

/// What the operator decides for every confined process of this one, plugins' included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How the walls are built.
    pub mode: Mode,
    /// Whether processes are started without walls that this kernel lacks.
    pub allow_weaker: bool,
}

/// Leaves the settings for this process and its plugins.
///
/// # Errors
/// When this process has no stage.
pub fn configure(settings: Settings) -> Result<(), SandboxError> {
    // Of one length, so that no reader sees the end of an older text.
    let text = format!("{:<64}", serde_json::to_string(&settings).unwrap_or_default());
    with_settings(|file| file.write_all_at(text.as_bytes(), 0))
        .ok_or(SandboxError::NoStage)?
        .map_err(SandboxError::Lost)
}

/// What was left; the defaults until then.
#[must_use]
pub fn settings() -> Settings {
    let read = with_settings(|file| {
        let mut text = [0; 64];
        file.read_exact_at(&mut text, 0).map(|()| text)
    });
    read.and_then(Result::ok).and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// The number of the descriptor of settings, if this process is the host.
fn host() -> Option<i32> {
    let host = env::var(HOST).ok()?;
    let (pid, settings) = host.split_once(' ')?;
    (pid == std::process::id().to_string()).then(|| settings.parse().ok())?
}

fn with_settings<T>(work: impl FnOnce(&File) -> io::Result<T>) -> Option<io::Result<T>> {
    let number = host().filter(|number| *number >= 0)?;
    // SAFETY: this process opened the descriptor in `run_if_asked` and never closes it; nothing closes it here.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(number) });
    Some(work(&file))
}

/// The command that becomes the keeper of a confined process.
pub(crate) fn stage_command() -> Result<Command, SandboxError> {
    if host().is_none() {
        return Err(SandboxError::NoStage);
    }
    let mut command = Command::new(OWN_FILE);
    // Nothing of this process's environment may be found in the keeper's.
    command.arg(STAGE).env_clear().current_dir("/");
    Ok(command)
}

/// Makes a test binary, or another program without a `main` of its own, one that can confine: its hidden run is
/// begun before `main`.
#[macro_export]
macro_rules! stage_before_main {
    () => {
        #[allow(unsafe_code)] // a section of the binary is named
        const _: () = {
            extern "C" fn stage() {
                $crate::run_if_asked();
            }
            // SAFETY: the dynamic loader calls the functions of this section once, before `main`, on the only
            // thread. Rust's standard library reads arguments and environment from the C library, which is
            // initialised by then.
            #[used]
            #[unsafe(link_section = ".init_array")]
            static STAGE: extern "C" fn() = stage;
        };
    };
}
