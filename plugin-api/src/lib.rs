//! The plugin interface of nexusd: a stable C table with JSON payloads, and a safe Rust SDK over it.
//!
//! A plugin is a shared library that runs stages of a build or deploys agents. nexusd finds it in a
//! folder, checks it, and loads it while it runs. It may be written in any language that makes a C
//! library; this page is the tutorial for Rust, with a section on C at the end.
//!
//! # A complete plugin
//!
//! `nexusd plugins new NAME` writes a crate like this one, and `daemon/docs/PLUGINS.md` walks from there. By hand it is, beside a
//! checkout of nexusd, a `greeter/Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "greeter"
//! version = "1.0.0"
//! edition = "2024"
//!
//! [lib]
//! crate-type = ["cdylib"] # and "rlib", when tests lie in `tests/`
//!
//! [dependencies]
//! nexus-plugin-api = { path = "../nexusd/plugin-api" }
//! serde = { version = "1", features = ["derive"] }
//! tokio = { version = "1", features = ["macros", "rt", "time"] }
//!
//! [dev-dependencies]
//! serde_json = "1"
//! ```
//!
//! and a `greeter/src/lib.rs`:
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
//!         // Writing the whole file makes a repeated attempt harmless. The daemon has made the folder.
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
//! // Its test: no daemon, no shared library.
//! #[cfg(test)]
//! mod tests {
//!     use nexus_plugin_api::{payload::Event, sdk::testing::Recorder};
//!
//!     use super::*;
//!
//!     #[tokio::test]
//!     async fn it_greets() {
//!         // The daemon makes the workspace; here it is the test's.
//!         let workspace = std::env::temp_dir().join(format!("greeter-{}", std::process::id()));
//!         std::fs::create_dir_all(&workspace).unwrap();
//!         let request: StageRequest = serde_json::from_value(serde_json::json!({
//!             "project_id": "proj_1", "project_name": "World", "requirement": "", "user_id": "u",
//!             "stage": "greet", "stage_number": 1, "attempt": 1, "workspace": workspace,
//!         }))
//!         .unwrap();
//!         let (recorder, cx) = Recorder::new();
//!         let result = Greet { greeting: "Hello".into() }.run(request, cx).await.unwrap();
//!         assert_eq!(result.output["greeting"], "Hello, World!");
//!         assert!(recorder.events().contains(&Event::File { path: "greeting.txt".into() }));
//!     }
//! }
//! ```
//!
//! # Build, check, install, use
//!
//! ```sh
//! cargo test --manifest-path greeter/Cargo.toml
//! cargo build --manifest-path greeter/Cargo.toml            # for daily use: --release, and release/ below
//! nexusd plugins check greeter/target/debug/libgreeter.so    # name, version, handlers; or why not, and what to do
//! ```
//!
//! A workflow binds a stage to it by `plugin/handler`; the stage's `options` come in
//! [`StageRequest::options`](payload::StageRequest::options). Here it is `workflows/greeter.toml`:
//!
//! ```toml
//! name = "greeter"
//!
//! [[stages]]
//! name = "greet"
//! handler = "greeter/greet"
//! ```
//!
//! Folders and settings of the plugin stand in `nexusd.toml`:
//!
//! ```toml
//! [plugins]
//! dirs = ["plugins"]        # on top of the shipped ones; paths count from this file's folder
//!
//! [workflows]
//! dirs = ["workflows"]
//!
//! [plugins.greeter]
//! max_jobs = 4              # the daemon's own key: how many jobs run at once
//! greeting = "Good morning" # everything else goes to `configure`
//! ```
//!
//! A plugin that describes its settings ([`Description::settings`](payload::Description::settings)) has them checked and
//! shown by the daemon: `nexusd check-config`, `nexusd plugins settings`.
//!
//! Put the file in by a hidden name and `mv`, so that no half of it is ever loaded, and start the daemon:
//!
//! ```sh
//! mkdir -p plugins
//! cp greeter/target/debug/libgreeter.so plugins/.new && mv plugins/.new plugins/libgreeter.so
//! nexusd check-config nexusd.toml
//! nexusd --config nexusd.toml
//! ```
//!
//! and in another terminal:
//!
//! ```sh
//! nexusd new "Greet whoever reads this." --workflow greeter --wait
//! ```
//!
//! A daemon that runs takes a new file when it is told to look again:
//!
//! ```sh
//! curl -sH "Authorization: Bearer $(nexusd token)" -X POST localhost:8000/api/v2/plugins/reload   # or: systemctl reload nexusd
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
//! `nexusd plugins new parrot --deploy` writes a whole crate, with its test and with settings that make a target of it:
//!
//! ```sh
//! nexusd plugins new parrot --deploy
//! cargo test --manifest-path parrot/Cargo.toml
//! ```
//!
//! The handler is in `parrot/src/lib.rs`:
//!
//! ```
//! # use nexus_plugin_api::{Context, DeployHandler, payload::*};
//! # pub struct Target { pub prefix: String }
//! impl DeployHandler for Target {
//!     async fn deploy(&self, agent: AgentRef, _: Context) -> Result<DeployResult, Failure> {
//!         let mut result =
//!             DeployResult { endpoint: Some(format!("parrot://{}", agent.agent_id)), ..DeployResult::default() };
//!         result.details.insert("generation".into(), agent.generation.into());
//!         Ok(result)
//!     }
//!
//!     async fn undeploy(&self, _: AgentRef, _: Context) -> Result<(), Failure> {
//!         Ok(())
//!     }
//!
//!     async fn status(&self, agent: AgentRef, _: Context) -> Result<AgentStatus, Failure> {
//!         Ok(AgentStatus { state: AgentState::Running, message: String::new(), details: agent.details })
//!     }
//!
//!     async fn invoke(&self, request: InvokeRequest, cx: Context) -> Result<InvokeResult, Failure> {
//!         let output = format!("{}{}", self.prefix, request.input_text);
//!         for piece in output.split_inclusive(' ') {
//!             cx.text(piece);
//!         }
//!         Ok(InvokeResult { output, ..InvokeResult::default() })
//!     }
//! }
//! ```
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
//!   the build goes on with the stage that ran. What ran then is tried apart from others; at the third
//!   crash it is given up, and the project's error names stage and handler.
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
