//! SIGHUP and `POST /api/v2/plugins/reload`: reads the settings again and applies what can be applied.
//!
//! All or nothing: settings or workflows with a problem, or workflows that want a handler which no
//! plugin has, leave everything as it is, the plugins and the list of their tools included. Keys that need a restart keep their old value,
//! and are named in the log and in the answer until they get it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    config::{self, Config, HandlerUse, Inputs, PluginTables, Problem, RefusedPlugin, known_handlers},
    plugins::{HostOptions, PluginReport, PluginState, Plugins, Prepare},
    telemetry::{Telemetry, names},
    tools::{pythons, walls},
    workers::Environment,
};

/// What a reload did.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// What changed, for people.
    pub changed: Value,
    /// Plugin files that were refused, by name: what was loaded of them before goes on.
    pub refused: Vec<String>,
}

fn refused_file(report: &PluginReport) -> String {
    report.file.file_name().map_or_else(|| report.name.clone(), |name| name.to_string_lossy().into_owned())
}

/// Applies new settings to the running daemon.
pub struct Reloader {
    inputs: Inputs,
    plugins: Plugins,
    env: Arc<Environment>,
    telemetry: Telemetry,
    /// Held during a reload, so that two do not mix.
    turn: Mutex<()>,
}

impl Reloader {
    /// For the settings that the daemon started with.
    #[must_use]
    pub fn new(inputs: Inputs, plugins: Plugins, env: Arc<Environment>, telemetry: Telemetry) -> Self {
        Self { inputs, plugins, env, telemetry, turn: Mutex::new(()) }
    }

    /// Reloads. The answer says what changed, for people.
    ///
    /// # Errors
    /// What is wrong with the new settings; the old ones stay in force.
    pub async fn reload(&self) -> Result<Reloaded, String> {
        let result = self.try_reload().await;
        if result.is_ok() {
            crate::tools::catalogue::publish(self.env.store.as_ref(), &self.plugins).await;
        }
        let outcome = if result.is_ok() { "applied" } else { "refused" };
        metrics::counter!(names::RELOADS, "outcome" => outcome).increment(1);
        result
    }

    async fn try_reload(&self) -> Result<Reloaded, String> {
        let _turn = self.turn.lock().await;
        let inputs = self.inputs.clone();
        let loaded = tokio::task::spawn_blocking(move || config::load(&inputs)).await.map_err(|e| e.to_string())?;
        let loaded = loaded.map_err(|problems| refused(&problems))?;
        let old = self.env.config.load_full();
        let changes = config::diff(&old, &loaded.config);
        let new = config::applicable(&old, loaded.config);
        let (wanted, (tell, told)) = (loaded.handlers.clone(), std::sync::mpsc::channel());
        let accept = move |offered: &[PluginReport]| {
            let unknown = unknown_handlers(&wanted, offered);
            let accepted = unknown.is_empty();
            let _ = tell.send(unknown);
            accepted
        };
        if !self.plugins.reload_if(host_options(&new, &loaded.tables), accept).await {
            let unknown = told.try_recv().unwrap_or_default();
            if unknown.is_empty() {
                return Err("the plugins could not be loaded again; everything stays as it was".to_owned());
            }
            return Err(refused(&unknown));
        }
        let reports = self.plugins.reports();
        if let Err(error) = self.telemetry.set_filter(&new.log.filter) {
            tracing::warn!(%error, "the new log filter is not applied");
        }
        self.env.apply(&new, &loaded.workflows);
        warn_of_strangers(&loaded.tables, &reports);
        walls::put_up(new.sandbox);
        tokio::spawn(pythons::look(self.plugins.clone(), new.tools.python.clone()));
        let keys = |restart: bool| -> Vec<&str> {
            changes.iter().filter(|c| c.needs_restart == restart).map(|c| c.key.as_str()).collect()
        };
        let answer = json!({
            "applied": keys(false),
            "needs_restart": keys(true),
            "plugins": reports,
            "workflows": loaded.workflows.all().iter().map(|w| w.name()).collect::<Vec<_>>(),
        });
        let refused: Vec<String> = reports.iter().filter(|report| report.reason.is_some()).map(refused_file).collect();
        // Each refusal has its WARN with the remedy.
        tracing::info!(applied = ?keys(false), needs_restart = ?keys(true), refused_plugins = refused.len(), "reloaded");
        Ok(Reloaded { changed: answer, refused })
    }
}

fn refused(problems: &[Problem]) -> String {
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let text = text.join("\n");
    tracing::error!(problems = text, "the reload is refused; everything stays as it was");
    text
}

/// The plugin host's options from the settings.
#[must_use]
pub fn host_options(config: &Config, tables: &PluginTables) -> HostOptions {
    let plugins = &config.plugins;
    let executable = std::env::current_exe().unwrap_or_default();
    let settings: BTreeMap<String, Value> =
        plugins.settings.keys().map(|name| (name.clone(), plugins.settings_json(name))).collect();
    let max_jobs_by_plugin = plugins.settings.keys().map(|name| (name.clone(), plugins.max_jobs_of(name))).collect();
    let tables = tables.clone();
    let prepare = Prepare::new(move |plugin, schema, settings| {
        let problems: Vec<String> = tables.problems(plugin, schema).iter().map(Problem::in_one_line).collect();
        if problems.is_empty() { Ok(tables.resolve(plugin, schema, settings)) } else { Err(problems.join("; ")) }
    });
    HostOptions {
        dirs: plugins.dirs.clone(),
        shipped_dirs: plugins.shipped_dirs(&executable),
        runtime_dir: config.data.run(),
        settings,
        prepare,
        probe: Some(executable),
        max_jobs: plugins.max_jobs,
        max_answers: plugins.max_answers,
        max_jobs_by_plugin,
        cancel_grace: plugins.cancel_grace_secs.duration(),
        max_result_bytes: plugins.max_result_bytes.as_usize(),
        max_event_bytes: plugins.max_event_bytes.as_usize(),
        max_stuck: plugins.max_stuck,
        ..HostOptions::default()
    }
}

/// What workflows and deploy targets want and no loaded plugin has.
#[must_use]
pub fn unknown_handlers(uses: &[HandlerUse], reports: &[PluginReport]) -> Vec<Problem> {
    let loaded = reports.iter().filter(|report| report.is_loaded());
    let known = known_handlers(loaded.map(|report| (report.name.as_str(), report.handlers.as_slice())));
    let refused = reports.iter().filter(|report| report.state == PluginState::Refused);
    let refused: Vec<RefusedPlugin> = refused
        .map(|report| RefusedPlugin {
            name: report.name.clone(),
            reason: report.reason.clone().unwrap_or_default(),
            remedy: report.remedy.clone().unwrap_or_default(),
        })
        .collect();
    config::unknown_handlers(uses, &known, &refused)
}

/// Warns of settings for plugins that there are not: the plugin may come later, so it is no reason not to start.
pub fn warn_of_strangers(tables: &PluginTables, reports: &[PluginReport]) {
    for problem in tables.unknown(reports.iter().map(|report| report.name.as_str())) {
        tracing::warn!("{}", problem.in_one_line());
    }
}
