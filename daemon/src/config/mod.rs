//! The daemon's settings: `nexusd.toml`, environment variables, command line, workflow files.
//!
//! | file | role |
//! |---|---|
//! | `model`, `sections`, `auth`, `units` | the settings as plain structs with defaults; what everybody else reads |
//! | `schema`, `forms` | what each key accepts |
//! | `load` | defaults → file → environment → command line |
//! | `tree`, `check`, `validate`, `problem` | every problem at once, each with file, line, caret and remedy |
//! | `plugins` | the plugins' own tables, by the schemas that plugins tell |
//! | `workflow`, `handlers` | workflow files, and the plugin handlers they want |
//! | `describe` | the plugins' settings as people are shown them |
//! | `diff` | which changed keys a reload cannot apply |
//! | `edit` | files as they are shown and changed through the API |
//! | `environment` | `NEXUSD_<SECTION>__<KEY>` |

mod auth;
#[cfg(test)]
mod bad_files_tests;
mod check;
mod describe;
mod diff;
mod edit;
mod environment;
mod forms;
mod handlers;
mod load;
mod model;
mod plugins;
mod problem;
mod schema;
mod sections;
#[cfg(test)]
mod tests;
mod tree;
mod units;
mod validate;
mod workflow;

pub use auth::{AgentsConfig, AuthConfig, AuthMode, LimitsConfig, OidcConfig};
pub use describe::{describe_settings, describe_values};
pub use diff::{Change, applicable, diff};
pub use edit::{ConfigFile, ConfigFiles, FileKind, MASK, check_text, is_file_name, shown, told};
pub use environment::{Environment, variable_names};
pub use handlers::{HandlerUse, KnownHandler, RefusedPlugin, known_handlers, unknown_handlers};
pub use load::{Inputs, Loaded, SYSTEM_FILE, asks_for_json, load};
pub use model::{Config, DataConfig, FORMAT_VERSION, ServerConfig};
pub use plugins::{PluginTables, properties};
pub(crate) use problem::closest;
pub use problem::{Place, Problem, Spot};
pub use sections::{
    BackendConfig, BackendKind, BudgetConfig, DeployConfig, LogConfig, LogFormat, ModelProviderConfig,
    ModelProviderKind, ModelsConfig, PluginsConfig, Price, QueueConfig, QueuesConfig, RetentionConfig, Role,
    SandboxConfig, StoreConfig, ToolsConfig, WorkerConfig, WorkflowsConfig,
};
pub use units::{Bytes, Days, Hours, Seconds};
