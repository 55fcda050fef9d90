//! What people see of a plugin: at `GET /api/v2/plugins` and by `nexusd plugins list | check`.

use std::path::{Path, PathBuf};

use nexus_plugin_api::{
    abi::ABI_MAJOR,
    payload::{Description, HandlerInfo},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    generation::Generation,
    refusal::{Refusal, short},
};
use crate::domain::words;

words! {
    /// Whether a plugin takes jobs.
    PluginState {
        /// Takes jobs.
        Loaded = "loaded",
        /// More jobs are stuck than allowed: takes none.
        Degraded = "degraded",
        /// Calls into it never returned: takes none.
        Broken = "broken",
        /// Replaced or removed; finishes its running jobs.
        Retired = "retired",
        /// Not loaded; `reason` and `remedy` say why.
        Refused = "refused",
    }
}

/// A loaded plugin, or a file that was refused.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Plugin")]
pub struct PluginReport {
    /// The plugin's name; for a refused file the file's name without ending, unless it told its own.
    pub name: String,
    /// Where it was found.
    pub file: PathBuf,
    /// The plugin's own version; empty when it never came to `describe`.
    pub version: String,
    /// One line, from the plugin.
    pub summary: String,
    /// Major version of the interface it is (or must be) built for.
    pub abi: u32,
    /// What it handles.
    #[schemars(with = "Vec<HandlerShape>")]
    pub handlers: Vec<HandlerInfo>,
    /// The JSON schema of its settings.
    #[serde(skip)]
    pub settings: Option<serde_json::Value>,
    /// How many tools it brings along; they are listed at `GET /api/v2/tools`.
    pub tools: usize,
    /// Counts the loads of this plugin name, from 1; 0 when refused.
    pub generation: u64,
    /// First 16 digits of the content's SHA-256.
    pub content: String,
    /// Whether it takes jobs.
    pub state: PluginState,
    /// Why it takes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub reason: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub remedy: Option<String>,
    /// Jobs that run now.
    pub jobs_running: usize,
    /// Jobs that neither ended nor can be ended.
    pub jobs_stuck: usize,
    /// Jobs begun since it was loaded.
    pub jobs_total: u64,
    /// Jobs that ended by a panic.
    pub panics: u64,
    /// Broken rules: late calls, unreadable or too large payloads.
    pub violations: u64,
}

// As the interface's `HandlerInfo` is written: its crate knows nothing of schemas.
#[allow(dead_code)] // its fields are told, never read
#[derive(JsonSchema)]
#[schemars(inline)]
struct HandlerShape {
    name: String,
    kind: KindShape,
    summary: String,
}

#[allow(dead_code)]
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
enum KindShape {
    Stage,
    Deploy,
}

impl PluginReport {
    pub(super) fn refused(file: &Path, name: Option<&str>, content: &str, refusal: &Refusal) -> Self {
        let stem = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy();
        Self {
            name: name.unwrap_or_else(|| stem.strip_prefix("lib").unwrap_or(&stem)).to_owned(),
            file: file.to_owned(),
            version: String::new(),
            summary: String::new(),
            abi: if let Refusal::Major { found } = refusal { *found } else { ABI_MAJOR },
            handlers: Vec::new(),
            settings: None,
            tools: 0,
            generation: 0,
            content: content.to_owned(),
            state: PluginState::Refused,
            reason: Some(refusal.to_string()),
            remedy: Some(refusal.remedy()),
            jobs_running: 0,
            jobs_stuck: 0,
            jobs_total: 0,
            panics: 0,
            violations: 0,
        }
    }

    /// A file that did not come to tell what it is.
    #[must_use]
    pub fn unknown(file: &Path) -> Self {
        Self::refused(file, None, "", &Refusal::NoEntry)
    }

    /// A file that could be loaded, for all that `describe` tells.
    pub fn described(file: &Path, description: &Description, content: &str) -> Self {
        Self {
            name: description.name.clone(),
            file: file.to_owned(),
            version: description.version.clone(),
            summary: description.summary.clone(),
            abi: ABI_MAJOR,
            handlers: description.handlers.clone(),
            settings: description.settings.clone(),
            tools: description.tools.len(),
            generation: 0,
            content: content.to_owned(),
            state: PluginState::Loaded,
            reason: None,
            remedy: None,
            jobs_running: 0,
            jobs_stuck: 0,
            jobs_total: 0,
            panics: 0,
            violations: 0,
        }
    }

    pub(super) fn of(generation: &Generation) -> Self {
        let (state, reason, remedy) = generation.health();
        let counts = generation.stats.snapshot();
        Self {
            generation: generation.number,
            state,
            reason,
            remedy,
            jobs_running: counts.running,
            jobs_stuck: counts.stuck,
            jobs_total: counts.total,
            panics: counts.panics,
            violations: counts.violations,
            ..Self::described(&generation.file, &generation.description, &generation.content)
        }
    }

    /// Says in the log that it was refused, if it was.
    pub fn tell(&self) {
        let Some(reason) = &self.reason else { return };
        let remedy = self.remedy.as_deref().unwrap_or_default();
        tracing::warn!(file = %self.file.display(), remedy, "plugin refused: {} {reason}", short(&self.file));
    }

    /// The same plugin, which told what it is and then was refused.
    #[must_use]
    pub fn refused_by(mut self, reason: &str, remedy: &str) -> Self {
        (self.state, self.reason, self.remedy) = (PluginState::Refused, Some(reason.into()), Some(remedy.into()));
        self
    }

    /// Whether it takes jobs.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.state == PluginState::Loaded
    }
}
