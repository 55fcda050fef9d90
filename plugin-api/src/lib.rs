//! The plugin interface of nexusd: a stable C table with JSON payloads, and a safe Rust SDK over it.
//!
//! A plugin is a shared library that runs stages of a build or deploys agents. nexusd finds it in a
//! folder, checks it, and loads it while it runs. It may be written in any language that makes a C
//! library; this page is the tutorial for Rust, with a section on C at the end.
//!
//! # A complete plugin
//!
//! A crate with this `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "greeter"
//! version = "1.0.0"
//! edition = "2024"
//!
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! nexus-plugin-api = { path = "…/plugin-api" }
//! serde = { version = "1", features = ["derive"] }
//! serde_json = "1"
//! tokio = { version = "1", features = ["time"] }
//! ```
//!
//! and this `src/lib.rs` is all of it:
//!
//! ```
//! use std::time::Duration;
//!
//! use nexus_plugin_api::{
//!     Context, Handlers, Plugin, StageHandler, export_plugin,
//!     payload::{Description, Failure, StageRequest, StageResult},
//! };
//! use serde::Deserialize;
//!
//! struct Greeter;
//!
//! /// The section `[plugins.greeter]` of `nexusd.toml`.
//! #[derive(Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Settings {
//!     greeting: String,
//! }
//!
//! impl Default for Settings {
//!     fn default() -> Self {
//!         Self { greeting: "Hello".into() }
//!     }
//! }
//!
//! impl Plugin for Greeter {
//!     type Settings = Settings;
//!
//!     fn describe() -> Description {
//!         Description::new("greeter", env!("CARGO_PKG_VERSION"), "greets projects")
//!             .stage("greet", "writes a greeting into the workspace")
//!     }
//!
//!     fn configure(settings: Settings) -> Result<Handlers, Failure> {
//!         if settings.greeting.is_empty() {
//!             return Err(Failure::invalid_input("greeting must not be empty"));
//!         }
//!         Ok(Handlers::new().stage("greet", Greet { greeting: settings.greeting }))
//!     }
//! }
//!
//! struct Greet {
//!     greeting: String,
//! }
//!
//! impl StageHandler for Greet {
//!     async fn run(&self, request: StageRequest, cx: Context) -> Result<StageResult, Failure> {
//!         cx.info(format!("greeting {}, attempt {}", request.project_name, request.attempt));
//!         let text = format!("{}, {}!", self.greeting, request.project_name);
//!
//!         // Whatever waits, waits beside the cancel.
//!         tokio::select! {
//!             () = tokio::time::sleep(Duration::from_millis(10)) => {}
//!             () = cx.cancelled() => return Err(Failure::cancelled()),
//!         }
//!
//!         // Writing the whole file makes a repeated attempt harmless.
//!         std::fs::write(request.workspace.join("greeting.txt"), &text)
//!             .map_err(|e| Failure::transient(format!("greeting.txt cannot be written: {e}")))?;
//!         cx.file("greeting.txt");
//!         cx.progress(1.0, "greeted");
//!
//!         let mut result = StageResult { files: vec!["greeting.txt".into()], ..StageResult::default() };
//!         result.output.insert("greeting".into(), text.into());
//!         Ok(result)
//!     }
//! }
//!
//! export_plugin!(Greeter);
//!
//! // And its test, in `tests/` or `#[cfg(test)]`: no daemon, no shared library.
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use nexus_plugin_api::{payload::Event, sdk::testing::Recorder};
//!
//! let (recorder, cx) = Recorder::new();
//! let request: StageRequest = serde_json::from_value(serde_json::json!({
//!     "project_id": "proj_1", "project_name": "World", "requirement": "", "user_id": "u",
//!     "stage": "greet", "stage_number": 1, "attempt": 1, "workspace": std::env::temp_dir(),
//! })).unwrap();
//! let result = Greet { greeting: "Hello".into() }.run(request, cx).await.unwrap();
//! assert_eq!(result.output["greeting"], "Hello, World!");
//! assert!(recorder.events().contains(&Event::File { path: "greeting.txt".into() }));
//! # }
//! ```
//!
//! # Build, check, install, use
//!
//! ```text
//! cargo build --release
//! nexusd plugins check target/release/libgreeter.so     # name, version, handlers; or why not, and what to do
//! cp target/release/libgreeter.so /usr/lib/nexusd/plugins/.greeter.tmp
//! mv /usr/lib/nexusd/plugins/.greeter.tmp /usr/lib/nexusd/plugins/libgreeter.so
//! systemctl reload nexusd                               # or POST /api/v2/plugins/reload
//! ```
//!
//! A workflow file binds a stage to it by `plugin/handler`, here `handler = "greeter/greet"`; the
//! stage's `options` come in [`StageRequest::options`](payload::StageRequest::options). Settings of
//! the whole plugin come from `nexusd.toml`:
//!
//! ```toml
//! [plugins.greeter]
//! max_jobs = 4              # the daemon's own key: how many jobs run at once
//! greeting = "Good morning" # everything else goes to `configure`
//! ```
//!
//! A reload loads changed files, and unchanged files with changed settings, as a new *generation*.
//! Jobs that run end in theirs; new jobs begin in the new one. When the new file is refused or its
//! `configure` fails, the old generation goes on. `GET /api/v2/plugins` shows all of it.
//!
//! # Deploy handlers
//!
//! A [`DeployHandler`] makes agents available (`deploy`), takes them away (`undeploy`), tells how they
//! are (`status`) and asks them (`invoke`). During `invoke` send the answer piece by piece with
//! [`Context::text`] and the tools with [`Context::tool_start`], [`Context::tool_input`] and
//! [`Context::tool_end`]; the [`InvokeResult`](payload::InvokeResult) at the end repeats the whole.
//! Keep what later requests need in [`DeployResult::details`](payload::DeployResult::details): the
//! daemon hands it back, also after a restart. End child processes in [`Handlers::on_shutdown`].
//!
//! # Tools
//!
//! A plugin that builds agents out of ready tools can show them: [`Description::tool`](payload::Description::tool)
//! names each function with the JSON Schema of its arguments, [`Description::tool_file`](payload::Description::tool_file)
//! brings the source texts. The daemon lists them at `GET /api/v2/tools` as `system` tools, and
//! `POST /api/v2/tools/{name}/test` calls one in a child process with limits: no network, no other
//! program, no file but the tool's own. What an agent was built with goes into
//! [`AgentManifest::tool_infos`](payload::AgentManifest::tool_infos): those become `generated` tools.
//! All of `describe` together may have 1 MiB.
//!
//! # What crosses, and what does not
//!
//! Only integers, byte ranges and function pointers cross the boundary; requests, results and events
//! are JSON (see [`payload`]). So plugin and daemon may be built by different compilers with different
//! versions of everything. It also means that the plugin has its own copy of tokio, tracing and every
//! global: the SDK gives it a runtime of its own (two threads), log lines leave through [`Context`],
//! and `tracing` or `println!` in a plugin reach nobody.
//!
//! - Buffers carry the function that frees them; neither side frees the other's memory.
//! - Events and results are bounded (`max_event_bytes`, `max_result_bytes` under `[plugins]`). A longer
//!   event is dropped, a longer result fails the job: large things belong into files of the workspace.
//! - A job that sends events faster than they are read waits for its reader.
//! - `describe` and `configure` must return soon. Long work belongs into the handlers.
//! - Unknown fields are ignored, so either side may be newer; unknown kinds are refused by name.
//!
//! # When things go wrong
//!
//! - A [`Failure`](payload::Failure) says by its kind whether trying again can help: `transient` is
//!   retried with backoff, `permanent` and `invalid_input` are not. Its message is what the user reads.
//! - A **panic** anywhere in the plugin is caught and becomes a failed job with the panic's message.
//!   For that the plugin must be built with `panic = "unwind"` (the default); others are refused.
//! - A **cancel** is a request: [`Context::cancelled`] resolves, [`Context::is_cancelled`] turns true.
//!   End soon, with [`Failure::cancelled`](payload::Failure::cancelled). After a grace period the job
//!   counts as *stuck*: the daemon goes on without it, and a plugin with too many stuck jobs gets no
//!   more until it is reloaded.
//! - A handler that **blocks** (a long computation, a blocking library) holds one of the plugin's
//!   threads, never the daemon's. Move such work to `tokio::task::spawn_blocking`.
//! - Every attempt may be **cut off** anywhere, by a crash or a power loss. Make attempts repeatable:
//!   write whole files, ask before creating what may exist.
//! - A **crash** (a segmentation fault in unsafe code) takes the daemon along; systemd restarts it and
//!   the build goes on with the stage that ran.
//!
//! # In C
//!
//! `include/nexus_plugin.h` is generated from [`abi`] and holds the same documentation. A library
//! exports one constant, `NEXUS_PLUGIN_V1`, a table with its magic number, version, size, the hash of
//! the layout (`NEXUS_LAYOUT_HASH`) and six functions. `plugins/example-c/example.c` is a complete
//! stage plugin of some hundred lines, compiled and run by the daemon's tests; `tests/golden` of this
//! crate holds one of each JSON payload.
//!
//! # For the host
//!
//! nexusd itself depends on this crate without the feature `sdk`: it needs [`abi`] and [`payload`] only.

pub mod abi;
pub mod payload;
#[cfg(feature = "sdk")]
pub mod sdk;

#[cfg(feature = "sdk")]
pub use sdk::{Context, DeployHandler, Handlers, Plugin, StageHandler};
