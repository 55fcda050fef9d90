//! `nexusd retention`: what retention would delete now. Nothing is changed, and a daemon may run meanwhile.

use std::process::ExitCode;

use super::{cloud_store, failed, loaded, run_to_end};
use crate::terminal::print;
use crate::{
    backend::sqlite::look::SqliteLook,
    config::{BackendKind, Config, Inputs},
    deletion::retention::{Planned, plan},
};

pub(super) fn show(inputs: &Inputs) -> ExitCode {
    let config = match loaded(inputs) {
        Ok(loaded) => loaded.config,
        Err(code) => return code,
    };
    run_to_end(async {
        match planned(&config).await {
            Ok(planned) => {
                planned.iter().for_each(line);
                if planned.iter().all(|one| one.days.is_none()) {
                    print("Retention is off: [retention] in the settings switches it on, by kind.");
                } else {
                    print("Nothing was deleted: a daemon with these settings does that.");
                }
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        }
    })
}

fn line(planned: &Planned) {
    let Some(days) = planned.days else { return print(&format!("{:<15} kept", planned.kind)) };
    let range = match (planned.oldest, planned.newest) {
        (Some(oldest), Some(newest)) => format!(", the oldest of {oldest}, the newest of {newest}"),
        _ => String::new(),
    };
    print(&format!("{:<15} {} past {days} days{range}", planned.kind, planned.count));
}

async fn planned(config: &Config) -> Result<Vec<Planned>, String> {
    if config.backend.kind == BackendKind::Aws {
        let store = cloud_store(config).await?;
        return plan(store.as_ref(), config).await.map_err(|error| error.to_string());
    }
    let path = config.data.database();
    let look = tokio::task::spawn_blocking(move || SqliteLook::open(&path)).await.map_err(|error| error.to_string())?;
    let look = look.map_err(|error| error.to_string())?;
    plan(&look, config).await.map_err(|error| error.to_string())
}
