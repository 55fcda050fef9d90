//! Start-up and shutdown in their order. (A stand-in until the actors and the API are wired: it loads the settings,
//! says that it is ready and waits for its end.)

use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::config::{Inputs, Loaded};
use crate::shutdown::{EXIT_OVERRUN, End, Shutdown};
use crate::systemd::Systemd;
use crate::telemetry::Telemetry;

/// What `cli::serve` has prepared.
pub struct Start {
    /// The settings in force.
    pub loaded: Loaded,
    /// What to load them from again at SIGHUP.
    pub inputs: Inputs,
    /// Log filter and metrics.
    pub telemetry: Telemetry,
    /// The service manager.
    pub systemd: Systemd,
}

/// Runs the daemon to its end.
pub async fn run(start: Start) -> ExitCode {
    let server = &start.loaded.config.server;
    let shutdown = Shutdown::new(server.shutdown_deadline_secs.duration());
    if let Err(error) = shutdown.listen_to_signals(Arc::new(Notify::new())) {
        tracing::error!(%error, "signals cannot be handled");
        return ExitCode::FAILURE;
    }
    start.systemd.ready("ready");
    shutdown.draining().cancelled().await;
    start.systemd.stopping("stopping");
    shutdown.stop();
    match shutdown.finished().await {
        End::Clean => ExitCode::SUCCESS,
        End::Overrun(_) => EXIT_OVERRUN.into(),
    }
}
