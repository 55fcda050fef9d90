//! `nexusd serve`: settings, telemetry, runtime, then `app::run` to the end.

use std::process::ExitCode;

use super::{complain, complain_about, failed, process};
use crate::app::{self, Start};
use serde_json::json;

use crate::config::{ConfigFiles, Inputs, Problem, asks_for_json, load};
use crate::domain::time::Timestamp;
use crate::plugins;
use crate::systemd::Systemd;
use crate::telemetry::Telemetry;

/// Says what is wrong with the settings. A log of JSON is one from its first line on, even if the settings that ask for it
/// are themselves at fault.
fn refuse(inputs: &Inputs, problems: &[Problem]) {
    if !asks_for_json(inputs) {
        return complain_about(problems);
    }
    for problem in problems {
        let (now, error) = (Timestamp::now(), problem.to_string());
        let line = json!({ "timestamp": now, "level": "ERROR", "message": "nexusd did not start", "error": error });
        complain(&line.to_string());
    }
}

pub(super) fn serve(inputs: Inputs, allow_root: bool) -> ExitCode {
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
            refuse(&inputs, &problems);
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = process::shut_in(allow_root) {
        if asks_for_json(&inputs) {
            let line = json!({ "timestamp": Timestamp::now(), "level": "ERROR", "message": "nexusd did not start", "error": error });
            complain(&line.to_string());
            return ExitCode::FAILURE;
        }
        return failed(&error);
    }
    let telemetry = match Telemetry::init(&loaded.config.log) {
        Ok(telemetry) => telemetry,
        Err(error) => return failed(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("error: no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = plugins::watch_for_exits() {
        return failed(&error);
    }
    let systemd = Systemd::from_environment();
    let code = runtime.block_on(app::run(Start { loaded, inputs, telemetry, systemd }));
    plugins::end_is_meant();
    // Whatever still blocks a thread was named at the deadline; waiting for it now would go past it.
    runtime.shutdown_background();
    code
}
