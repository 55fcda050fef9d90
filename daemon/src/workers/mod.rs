//! The supervision tree: who does the work, who watches whom.
//!
//! ```text
//! root                    restarts its children; its own end is the end of the process
//! ├── dispatcher          one message → one child, found again by project id
//! │   ├── build/<project> holds the lease, walks the workflow, stores every step
//! │   │   └── stage/<n>   one attempt of one stage: one plugin job
//! │   └── deploy/<agent>  one deployment: one plugin job
//! ├── poller/build        owns N permits; receives only while it holds a free one
//! ├── poller/deploy       likewise
//! ├── lease keeper        renews all leases and messages in one heartbeat
//! └── reconciler          puts right what nobody will come for
//! ```
//!
//! | message | from | to |
//! |---|---|---|
//! | [`dispatcher::DispatcherMessage::Job`] | poller | dispatcher |
//! | [`build::BuildMessage`] | dispatcher, its stages, the lease keeper, itself | build |
//! | `stage::StageMessage` | build | stage |
//! | [`deploy::DeployNews`] | dispatcher, lease keeper, itself | deploy |
//! | [`root::RootMessage`] | `app`, itself | root |
//!
//! Events of projects do not pass through actors: the store's writer hands committed ones to the
//! `events::EventHub`, so their order is the order of the commits.

pub mod build;
mod culprit;
pub mod deploy;
pub mod dispatcher;
pub mod environment;
pub mod in_flight;
pub mod lease;
pub mod metrics;
pub mod poller;
pub mod reconciler;
pub mod root;
pub mod supervise;

pub use environment::Environment;
