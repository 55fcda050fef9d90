//! When no daemon runs on this machine: offers to start one, and waits until it is up.

use std::{
    io::{IsTerminal as _, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

use reqwest::Method;

use super::{
    complain,
    error::ClientError,
    http::{Api, Result},
};
use crate::config::{Inputs, load};

/// How long a daemon may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Asks whether a daemon should be started, if none answers and a person is there to be asked.
pub(super) async fn offer(api: &Api, inputs: &Inputs) -> Result<()> {
    let Err(away @ ClientError::Unreachable { .. }) = api.whole(Method::GET, "/health/live", None).await else {
        return Ok(());
    };
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(away);
    }
    let _ = write!(std::io::stderr().lock(), "no daemon answers at {}; start one here? [Y/n] ", api.base());
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_err() || !matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes") {
        return Err(away);
    }
    start(api, inputs).await
}

async fn start(api: &Api, inputs: &Inputs) -> Result<()> {
    let failed = |what: &str, error: &dyn std::fmt::Display| ClientError::Failed(format!("{what}: {error}"));
    let loaded = load(inputs).map_err(|problems| {
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        ClientError::Failed(text.join("\n"))
    })?;
    let folder = loaded.config.data.dir.clone();
    std::fs::create_dir_all(&folder).map_err(|error| failed(&folder.display().to_string(), &error))?;
    let log = folder.join("nexusd.log");
    let file = std::fs::File::options().create(true).append(true).open(&log);
    let file = file.map_err(|error| failed(&log.display().to_string(), &error))?;
    let program = std::env::current_exe().map_err(|error| failed("this program", &error))?;
    let mut command = Command::new(program);
    command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    for (option, value) in [("--config", &inputs.file), ("--data-dir", &inputs.data_dir)] {
        if let Some(value) = value {
            command.arg(option).arg(value);
        }
    }
    if let Some(listen) = &inputs.listen {
        command.arg("--listen").arg(listen);
    }
    // Out of this terminal's group: Ctrl-C here is not meant for it.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|error| failed("the daemon", &error))?;
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(ClientError::Failed(format!(
                "the daemon ended at once ({status}); {} says why",
                log.display()
            )));
        }
        if api.whole(Method::GET, "/health/ready", None).await.is_ok() {
            complain(&format!("started, process {}; its log is {}", child.id(), log.display()));
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Err(ClientError::Failed(format!(
        "the daemon is not ready after {} s; {} says more",
        PATIENCE.as_secs(),
        log.display()
    )))
}
