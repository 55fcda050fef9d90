//! The daemon's settings: `nexusd.toml`, environment variables, command line, workflow files.
//!
//! | file | role |
//! |---|---|
//! | `model`, `sections`, `units` | the settings as plain structs with defaults; what everybody else reads |
//! | `schema`, `forms` | what each key accepts |
//! | `load` | defaults → file → environment → command line |
//! | `tree`, `check`, `validate`, `problem` | every problem at once, each with file, line, caret and remedy |
//! | `workflow`, `handlers` | workflow files, and the plugin handlers they want |
//! | `diff` | which changed keys a reload cannot apply |
//! | `edit` | files as they are shown and changed through the API |
//! | `environment` | `NEXUSD_<SECTION>__<KEY>` |

#[cfg(test)]
mod bad_files_tests;
mod check;
mod diff;
mod edit;
mod environment;
mod forms;
mod handlers;
mod load;
mod model;
mod problem;
mod schema;
mod sections;
#[cfg(test)]
mod tests;
mod tree;
mod units;
mod validate;
mod workflow;

pub use diff::{Change, applicable, diff};
pub use edit::{ConfigFile, ConfigFiles, FileKind, MASK, check_text, is_file_name, shown, told};
pub use environment::{Environment, variable_names};
pub use handlers::{HandlerUse, KnownHandler, known_handlers, unknown_handlers};
pub use load::{Inputs, Loaded, SYSTEM_FILE, asks_for_json, load};
pub use model::{Config, DataConfig, FORMAT_VERSION, ServerConfig};
pub(crate) use problem::closest;
pub use problem::{Place, Problem, Spot};
pub use sections::{
    BackendConfig, BackendKind, DeployConfig, LogConfig, LogFormat, PluginsConfig, Price, QueueConfig, QueuesConfig,
    RetentionConfig, Role, StoreConfig, ToolsConfig, WorkerConfig, WorkflowsConfig,
};
pub use units::{Bytes, Days, Seconds};
