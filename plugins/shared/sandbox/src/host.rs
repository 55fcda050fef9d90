//! How a program comes to its hidden stage.
//!
//! Little is allowed between fork and exec in a threaded process. So a confined process is started by the running
//! program itself, executed once more with [`STAGE`] as its first argument; that run confines itself and then
//! becomes the other program. It is executed as `/proc/self/exe`: the very file that runs, also after an upgrade.
//!
//! A program that has the stage says so in its environment, with its process id, so that plugins, which have a copy
//! of this crate of their own, know it too, and no child takes it for itself.
#![allow(unsafe_code)] // the environment is set before there are threads

use std::{env, process::Command};

use crate::{SandboxError, stage};

/// The first argument of the hidden run.
pub const STAGE: &str = "sandbox-exec";
/// Holds the id of the process that has the stage.
const HOST: &str = "NEXUS_SANDBOX_HOST";
const OWN_FILE: &str = "/proc/self/exe";

/// To be the first line of `main`, before there are threads. Never returns in the hidden run; otherwise it makes this
/// process one that can confine others.
pub fn run_if_asked() {
    let mut arguments = env::args_os().skip(1);
    let asked = arguments.next().is_some_and(|argument| argument == STAGE);
    // The parent of a hidden run is a host, and a person who types the word is none.
    if asked && arguments.next().is_none() {
        stage::run();
    }
    // SAFETY: called at the head of `main` (or before it), where this process has one thread, so nobody reads the
    // environment meanwhile.
    unsafe { env::set_var(HOST, std::process::id().to_string()) };
}

/// The command that becomes the keeper of a confined process.
pub(crate) fn stage_command() -> Result<Command, SandboxError> {
    let own = std::process::id().to_string();
    if env::var_os(HOST).is_none_or(|host| host != own.as_str()) {
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
