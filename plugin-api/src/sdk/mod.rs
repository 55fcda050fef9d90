//! The safe Rust SDK over the table: traits, a context and [`export_plugin!`](crate::export_plugin).
//!
//! A plugin gets a tokio runtime of its own (the host's is not visible through the boundary). Every
//! entry and every job runs under `catch_unwind`: a panic is a failed job with its message.

mod context;
#[doc(hidden)]
pub mod entry;
mod handlers;
mod instance;
mod panics;
pub mod testing;

pub use context::Context;
pub use handlers::{DeployHandler, Handlers, StageHandler};

use serde::de::DeserializeOwned;

use crate::payload::{Description, Failure};

/// A plugin: what it is called, what it handles, how it is set up.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// The plugin's `[plugins.<name>]` section. Use `#[serde(default, deny_unknown_fields)]` so that
    /// an empty section works and a misspelt key is refused with its name.
    type Settings: DeserializeOwned;

    /// Name, version and handlers. Pure and quick: `nexusd plugins check` calls it too.
    fn describe() -> Description;

    /// Builds the handlers, once, inside the plugin's runtime, before the first job.
    ///
    /// # Errors
    /// A failure refuses the plugin; its message is shown in the log and at `GET /api/v2/plugins`.
    fn configure(settings: Self::Settings) -> Result<Handlers, Failure>;
}

/// Exports a [`Plugin`] as the library's entry table. Once per library.
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        const _: () = {
            #[allow(unsafe_code)]
            // SAFETY: the symbol's name belongs to this interface and occurs once per library.
            #[unsafe(no_mangle)]
            pub static NEXUS_PLUGIN_V1: $crate::abi::PluginV1 = $crate::sdk::entry::table::<$plugin>();

            impl $crate::sdk::entry::Exported for $plugin {
                fn instance() -> &'static $crate::sdk::entry::Instance {
                    static INSTANCE: $crate::sdk::entry::Instance = $crate::sdk::entry::Instance::new();
                    &INSTANCE
                }
            }
        };
    };
}
