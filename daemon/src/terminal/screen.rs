//! What `nexusd serve` shows once it is up: one screen. `app.rs` fills it and prints it to standard output.

use std::fmt;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::{AuthMode, Config, LogFormat};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Workflow, Workflows};
use crate::plugins::PluginReport;

/// The state of the daemon at start.
#[derive(Debug, Clone)]
pub struct Screen {
    /// Where it listens, with the port that the system chose.
    pub address: SocketAddr,
    /// `http`, or `https` where TLS is spoken.
    pub scheme: &'static str,
    /// The link that logs whoever opens it in as an admin, once; only ever on a terminal.
    pub link: Option<Secret>,
    /// Which store and queue.
    pub backend: &'static str,
    pub data_dir: PathBuf,
    /// The file of settings, if one was read.
    pub config: Option<PathBuf>,
    /// Plugins, refused ones too.
    pub plugins: Vec<PluginLine>,
    pub workflows: Vec<WorkflowLine>,
    /// What the names of models stand for, and where they are asked.
    pub models: Vec<String>,
}

/// A plugin on the screen.
#[derive(Debug, Clone)]
pub struct PluginLine {
    pub name: String,
    pub version: String,
    /// How many handlers it has.
    pub handlers: usize,
    /// Why it was refused, if it was.
    pub refused: Option<String>,
}

/// A workflow on the screen.
#[derive(Debug, Clone)]
pub struct WorkflowLine {
    pub name: String,
    /// How many stages it has.
    pub stages: usize,
    /// Whether a project that names none gets it.
    pub default: bool,
}

impl Screen {
    /// The screen of a daemon that is up.
    #[must_use]
    pub fn new(
        address: SocketAddr,
        config: &Config,
        file: Option<&Path>,
        plugins: &[PluginReport],
        workflows: &Workflows,
    ) -> Self {
        let plugin = |report: &PluginReport| PluginLine {
            name: report.name.clone(),
            version: report.version.clone(),
            handlers: report.handlers.len(),
            refused: report.reason.clone(),
        };
        let workflow = |workflow: &Arc<Workflow>| WorkflowLine {
            name: workflow.name().to_owned(),
            stages: workflow.stages().len(),
            default: workflow.name() == config.workflows.default,
        };
        Self {
            address,
            scheme: if config.server.tls_certificate.as_os_str().is_empty() { "http" } else { "https" },
            link: None,
            backend: config.backend.kind.as_str(),
            data_dir: config.data.dir.clone(),
            config: file.map(Path::to_owned),
            plugins: plugins.iter().map(plugin).collect(),
            workflows: workflows.all().into_iter().map(workflow).collect(),
            models: Vec::new(),
        }
    }

    /// With the models that can be asked.
    #[must_use]
    pub fn with_models(mut self, place: &crate::models::Place, routes: &crate::models::Routes) -> Self {
        self.models = routes.lines();
        if !routes.is_offline() {
            self.models.push(format!("asked at {}", place.base_url));
        }
        self
    }

    /// Adds the link by which a person at the terminal comes in. What goes to a file or a journal is read by others.
    #[must_use]
    pub fn with_link(mut self, config: &Config, code: impl FnOnce() -> Secret) -> Self {
        let base = config.server.public_base();
        let base = if base.is_empty() { format!("{}://{}", self.scheme, self.address) } else { base.to_owned() };
        if config.auth.mode != AuthMode::None && std::io::stdout().is_terminal() {
            self.link = Some(format!("{base}/#code={}", code().reveal()).into());
        }
        self
    }

    /// Prints it, as one line where everything is to be JSON. Nobody reading standard output (a service) is no error.
    pub fn print(&self, format: LogFormat) {
        crate::terminal::print(&match format {
            LogFormat::Json => self.line().to_string(),
            LogFormat::Auto | LogFormat::Pretty | LogFormat::Journald => self.to_string(),
        });
    }

    fn line(&self) -> Value {
        let loaded = self.plugins.iter().filter(|plugin| plugin.refused.is_none());
        let plugins: Vec<String> = loaded.map(|plugin| format!("{} {}", plugin.name, plugin.version)).collect();
        let refused =
            self.plugins.iter().filter_map(|p| Some(json!({ "plugin": p.name, "reason": p.refused.as_ref()? })));
        let workflows: Vec<&str> = self.workflows.iter().map(|workflow| workflow.name.as_str()).collect();
        json!({
            "timestamp": Timestamp::now(), "level": "INFO", "message": "nexusd is up", "version": crate::version::FULL,
            "address": format!("{}://{}", self.scheme, self.address), "backend": self.backend, "data": self.data_dir,
            "settings": self.config, "plugins": plugins, "refused": refused.collect::<Vec<_>>(), "workflows": workflows,
            "models": self.models,
        })
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "nexusd {}", crate::version::FULL)?;
        writeln!(f, "  address    {}://{}", self.scheme, self.address)?;
        writeln!(f, "  backend    {}", self.backend)?;
        writeln!(f, "  data       {}", self.data_dir.display())?;
        match &self.config {
            Some(file) => writeln!(f, "  settings   {}", file.display())?,
            None => writeln!(f, "  settings   defaults (no file)")?,
        }
        let loaded = self.plugins.iter().filter(|plugin| plugin.refused.is_none());
        let lines = loaded.map(|plugin| {
            let handlers = if plugin.handlers == 1 { "handler" } else { "handlers" };
            format!("{} {} ({} {handlers})", plugin.name, plugin.version, plugin.handlers)
        });
        column(f, "plugins", lines.collect())?;
        let refused = self
            .plugins
            .iter()
            .filter_map(|plugin| plugin.refused.as_ref().map(|reason| format!("{}: {reason}", plugin.name)));
        let refused: Vec<String> = refused.collect();
        if !refused.is_empty() {
            column(f, "refused", refused)?;
        }
        let workflows = self.workflows.iter().map(|workflow| {
            let default = if workflow.default { ", default" } else { "" };
            format!("{} ({} stages{default})", workflow.name, workflow.stages)
        });
        column(f, "workflows", workflows.collect())?;
        column(f, "models", self.models.clone())?;
        writeln!(f, "  docs       {}://{}/docs", self.scheme, self.address)?;
        if let Some(link) = &self.link {
            writeln!(f, "  log in     {}  (once, within half an hour)", link.reveal())?;
        }
        writeln!(
            f,
            "\nnext, in another terminal: nexusd new \"Build an agent that knows this price list: apple 3 EUR, pear 4 EUR\""
        )
    }
}

/// A heading with one line per item; nothing is worth saying too.
fn column(f: &mut fmt::Formatter<'_>, heading: &str, lines: Vec<String>) -> fmt::Result {
    if lines.is_empty() {
        writeln!(f, "  {heading:<9}  none")?;
    }
    for (index, line) in lines.iter().enumerate() {
        writeln!(f, "  {:<9}  {line}", if index == 0 { heading } else { "" })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_a_screen() {
        let plugin = |name: &str, handlers, refused: Option<&str>| PluginLine {
            name: name.into(),
            version: "0.1.0".into(),
            handlers,
            refused: refused.map(Into::into),
        };
        let screen = Screen {
            address: SocketAddr::from(([127, 0, 0, 1], 8000)),
            scheme: "http",
            link: Some("http://127.0.0.1:8000/#code=0123456789abcdefghijABCDEFGHIJ01".to_owned().into()),
            backend: "embedded",
            data_dir: "/var/lib/nexusd".into(),
            config: None,
            plugins: vec![
                plugin("agent-build", 9, None),
                plugin("deploy-local", 1, None),
                plugin("old", 0, Some("built for interface 0, this nexusd has 1")),
            ],
            workflows: vec![WorkflowLine { name: "agent_build".into(), stages: 9, default: true }],
            models: vec!["none: offline, agents are written from the catalogue".into()],
        };
        insta::assert_snapshot!(screen.to_string().replace(crate::version::FULL, "VERSION"));
    }
}
