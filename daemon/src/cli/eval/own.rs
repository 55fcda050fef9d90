//! A daemon of the evaluation's own: on loopback, in a temporary folder, ended by its own handle.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::config::Inputs;

/// How long it may take to come up, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct OwnDaemon {
    pub(super) url: String,
    child: Child,
}

impl OwnDaemon {
    /// Starts this program as a daemon, with the settings of the command but a folder and a port of its own.
    pub(super) async fn start(inputs: &Inputs, folder: &Path) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
        let log = folder.join("nexusd.log");
        let file = std::fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = Command::new(program);
        if let Some(config) = &inputs.file {
            command.arg("--config").arg(config);
        }
        command.arg("--data-dir").arg(folder.join("data")).args(["--listen", "127.0.0.1:0", "serve"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("the daemon: {error}"))?;
        let stdout = child.stdout.take().ok_or("the daemon has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let address = async {
            while let Ok(Some(line)) = lines.next_line().await {
                let words = line.split(|c: char| c.is_whitespace() || c == '"');
                if let Some(url) = words.into_iter().find(|word| word.starts_with("http://")) {
                    return Some(url.split("/#").next().unwrap_or(url).to_owned());
                }
            }
            None
        };
        let url = tokio::time::timeout(PATIENCE, address).await.ok().flatten();
        let Some(url) = url else {
            let _ = child.kill().await;
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("a daemon for the evaluation did not start:\n{}", said.trim_end()));
        };
        // What it says further must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { url, child })
    }

    /// Ends it in good order, so that its agents end, too.
    pub(super) async fn stop(mut self) {
        if let Some(pid) =
            self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if tokio::time::timeout(PATIENCE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}
