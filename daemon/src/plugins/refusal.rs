//! Why a file is not loaded: every reason typed, with what to do about it.

use std::{path::Path, time::Duration};

use nexus_plugin_api::{
    abi::{ABI_MAJOR, LAYOUT_HASH, MAGIC, PluginV1},
    payload::Failure,
};

/// The version that refusals name.
pub(super) const HOST_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why a file is not loaded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// The file or its folder cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Somebody else may change it.
    #[error("{path} {who}: whoever may change a plugin runs code as the daemon")]
    Exposed {
        /// The file, or a folder above it.
        path: String,
        /// Who, in words.
        who: String,
    },
    /// In a process of its own it did not do what a plugin must.
    #[error("tried in a process of its own: {reason}")]
    Probe {
        /// What it did.
        reason: String,
        remedy: String,
        /// Whether the same bytes do it every time.
        lasting: bool,
    },
    /// No shared library at all.
    #[error("is no shared library: {0}")]
    NotALibrary(&'static str),
    /// A shared library that is cut off or damaged.
    #[error("is damaged or cut off: {0}")]
    Damaged(String),
    /// Built for another processor.
    #[error("is built for {found}, nexusd {HOST_VERSION} runs on {}", std::env::consts::ARCH)]
    WrongMachine {
        /// What the file says.
        found: String,
    },
    /// A shared library, but no plugin.
    #[error("does not export NEXUS_PLUGIN_V1, so it is no plugin of ABI {ABI_MAJOR}")]
    NoEntry,
    /// The copy that is loaded in its place cannot be written.
    #[error("cannot be copied to {folder}: {error}")]
    Copy {
        /// The folder of copies.
        folder: String,
        error: String,
    },
    /// The dynamic linker refused it.
    #[error("the dynamic linker refuses it: {0}")]
    Link(String),
    /// The table does not begin with the magic number.
    #[error("the exported table begins with {found:#018x} and not with {MAGIC:#018x}")]
    Magic {
        /// What is there.
        found: u64,
    },
    /// Another major version.
    #[error("speaks plugin ABI {found}, nexusd {HOST_VERSION} speaks {ABI_MAJOR}")]
    Major {
        /// The plugin's.
        found: u32,
    },
    /// The table is shorter than version 1.0.
    #[error("the exported table has {found} bytes, ABI {ABI_MAJOR}.0 has {}", size_of::<PluginV1>())]
    Size {
        /// The plugin's.
        found: u64,
    },
    /// Other field sizes or offsets.
    #[error("the tables are laid out otherwise (hash {found:#018x}, nexusd {HOST_VERSION} has {LAYOUT_HASH:#018x})")]
    Layout {
        /// The plugin's.
        found: u64,
    },
    /// Built with `panic = "abort"`.
    #[error("is built with panic = \"abort\": its first panic would end the daemon")]
    PanicAborts,
    /// An entry is null.
    #[error("the entry `{0}` of the exported table is null")]
    MissingEntry(&'static str),
    /// A call did not return in time.
    #[error("`{entry}` did not return within {limit:?}")]
    Hung {
        entry: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// `describe` failed or answered nonsense.
    #[error("`describe` gave no valid description: {0}")]
    Describe(String),
    /// Another file has the same plugin name and comes first.
    #[error("plugin {name:?} is loaded from {winner} already, which comes first")]
    Duplicate {
        name: String,
        /// The file that won.
        winner: String,
    },
    /// The settings are not what the plugin described.
    #[error("its settings are wrong: {0}")]
    Settings(String),
    /// `configure` said no.
    #[error("`configure` refused the settings: {0}")]
    Configure(Failure),
    /// `configure` panicked.
    #[error("`configure` panicked: {0}")]
    ConfigurePanicked(String),
    /// The host itself could not go on.
    #[error("nexusd {HOST_VERSION} cannot load it: {0}")]
    Host(String),
}

impl Refusal {
    /// What a person can do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable(text) if text.contains("No such file") => "name a file that is there".into(),
            Self::Unreadable(_) => "make the file readable for the user that nexusd runs as".into(),
            Self::Exposed { path, .. } => format!("`chown root {path}` (or the daemon's user) and `chmod go-w {path}`"),
            Self::Probe { remedy, .. } => remedy.clone(),
            Self::NotALibrary(_) | Self::Damaged(_) => {
                "copy the file again, to a temporary name first, and rename it into place".into()
            }
            Self::WrongMachine { .. } => format!("build the plugin for {}", std::env::consts::ARCH),
            Self::NoEntry => {
                "export the table: export_plugin!(YourPlugin) in Rust, `const NexusPluginV1 NEXUS_PLUGIN_V1` in C; \
                 otherwise move the file out of the plugin folder"
                    .into()
            }
            Self::Copy { .. } => {
                "make the folder `run` in the data folder writable for nexusd and free some space there, or name another data \
                 folder by [data] dir"
                    .into()
            }
            Self::Link(text) if text.contains("not permitted") || text.contains("failed to map") => {
                "the data folder's file system is probably mounted noexec, and plugins run from its folder `run`: mount it with \
                 exec, or name another data folder by --data-dir or [data] dir"
                    .into()
            }
            Self::Link(_) => "run `ldd` on the file; install what is missing or link it statically".into(),
            Self::Magic { .. } | Self::Size { .. } | Self::Layout { .. } => format!(
                "rebuild the plugin with nexus-plugin-api or nexus_plugin.h of ABI {ABI_MAJOR}, for this machine's word size"
            ),
            Self::Major { found } if *found > ABI_MAJOR => {
                format!("use a newer nexusd, or rebuild the plugin with nexus-plugin-api of ABI {ABI_MAJOR}")
            }
            Self::Major { .. } => format!("rebuild the plugin with nexus-plugin-api of ABI {ABI_MAJOR}"),
            Self::PanicAborts => "build it with panic = \"unwind\" in its Cargo profile".into(),
            Self::MissingEntry(_) => "fill every entry but `shutdown`; an empty function will do".into(),
            Self::Hung { .. } => "repair the plugin; the thread it holds is lost until nexusd restarts".into(),
            Self::Describe(_) => "repair the description; `nexusd plugins check FILE` tries it".into(),
            Self::Duplicate { .. } => "remove one of the two files".into(),
            Self::Settings(_) | Self::Configure(_) => "correct the plugin's table of the settings; `nexusd plugins settings` shows what may stand there".into(),
            Self::ConfigurePanicked(_) => "repair the plugin or its section of the configuration, then reload".into(),
            Self::Host(_) => "see the daemon's log".into(),
        }
    }

    /// Whether the same bytes are refused every time, so that a reload need not try them again.
    pub(super) fn lies_in_the_file(&self) -> bool {
        matches!(
            self,
            Self::Magic { .. }
                | Self::Major { .. }
                | Self::Size { .. }
                | Self::Layout { .. }
                | Self::PanicAborts
                | Self::MissingEntry(_)
                | Self::Describe(_)
                | Self::Probe { lasting: true, .. }
        )
    }
}

/// The file's name for messages; the whole path is in the report.
pub(super) fn short(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}
