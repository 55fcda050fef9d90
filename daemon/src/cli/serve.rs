//! `nexusd serve`: settings, telemetry, runtime, then `app::run` to the end.

use std::process::ExitCode;

use super::{complain, complain_about};
use crate::app::{self, Start};
use crate::config::{ConfigFiles, Inputs, load};
use crate::systemd::Systemd;
use crate::telemetry::Telemetry;

pub(super) fn serve(inputs: Inputs) -> ExitCode {
    let loaded = load(&inputs).and_then(|loaded| {
        // A change of a workflow file may have been cut off while it was tried.
        match ConfigFiles::new(&loaded.config, None).settle() {
            Ok(true) => load(&inputs),
            Ok(false) => Ok(loaded),
            Err(error) => {
                complain(&format!("warning: a workflow file that was being tried cannot be put back: {error}"));
                Ok(loaded)
            }
        }
    });
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => {
            complain_about(&problems);
            return ExitCode::FAILURE;
        }
    };
    let telemetry = match Telemetry::init(&loaded.config.log) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            complain(&format!("error: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("error: no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let systemd = Systemd::from_environment();
    let code = runtime.block_on(app::run(Start { loaded, inputs, telemetry, systemd }));
    // Whatever still blocks a thread was named at the deadline; waiting for it now would go past it.
    runtime.shutdown_background();
    code
}
