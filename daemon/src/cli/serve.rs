//! `nexusd serve`: settings, telemetry, runtime, then `app::run` to the end.

use std::process::ExitCode;

use super::{complain, complain_about};
use crate::app::{self, Start};
use crate::config::{Inputs, load};
use crate::systemd::Systemd;
use crate::telemetry::Telemetry;

pub(super) fn serve(inputs: Inputs) -> ExitCode {
    let loaded = match load(&inputs) {
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
