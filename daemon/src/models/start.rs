//! Starts the gate with the daemon: providers looked for, doors opened, an operator's token written, lost calls marked.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Doors, Gateway, GatewayParts, Grant, Grants, Routes, discover, open};
use crate::backend::store::Store;
use crate::config::Config;
use crate::domain::time::Timestamp;

/// How long the operator's token lasts; each start writes a new one.
const OPERATOR: Duration = Duration::from_secs(365 * 86_400);
/// Between two looks for calls that nobody settled.
const EXPIRY: Duration = Duration::from_secs(60);
/// Settled calls are known for so long, so that a repeated settlement finds them.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// What the gate shares with the daemon.
pub struct Surroundings {
    pub store: Arc<dyn Store>,
    pub config: Arc<ArcSwap<Config>>,
    pub tasks: TaskTracker,
    pub stopping: CancellationToken,
}

/// Starts the gate.
///
/// # Errors
/// The port is taken, or the data folder cannot be written.
pub async fn start(around: Surroundings) -> io::Result<(Gateway, Doors)> {
    let config = around.config.load_full();
    let grants = Grants::open(&config.data.dir.join("models.key"))?;
    let found = discover(&config.models).await;
    for problem in &found.problems {
        tracing::warn!(problem, "a provider of models cannot be asked");
    }
    let routes = Routes::new(found, config.models.routes.clone());
    let gateway = Gateway::new(GatewayParts {
        store: Arc::clone(&around.store),
        config: Arc::clone(&around.config),
        routes: ArcSwap::from_pointee(routes),
        grants,
        tasks: around.tasks.clone(),
    });
    let run = config.data.run();
    let doors = open(&gateway, config.models.listen, &run).await?;
    let operator = Grant { caller: Some("operator".to_owned()), ..Grant::default() };
    write_secret(&run.join("models.token"), &gateway.grants().mint(&operator, OPERATOR))?;
    tokio::spawn(expire(around.store, around.stopping));
    Ok((gateway, doors))
}

/// For the daemon's user alone.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")
}

async fn expire(store: Arc<dyn Store>, stopping: CancellationToken) {
    let mut tick = tokio::time::interval(EXPIRY);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = Timestamp::now();
        let forget =
            Timestamp::from_micros(now.as_micros().saturating_sub(i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX)));
        match store.expire_calls(now, forget).await {
            Ok(0) => {}
            Ok(lost) => {
                tracing::warn!(lost, "calls to models were never settled: what was set aside for them counts as spent")
            }
            Err(error) => tracing::warn!(%error, "lost calls to models were not looked for"),
        }
    }
}
