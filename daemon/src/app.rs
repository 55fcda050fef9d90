//! Start-up and shutdown, in their order.
//!
//! Up: folders → store → plugins → handlers known? → port → actor tree → API → ready.
//! Down: not ready → pollers stop, streams end → builds end or are handed back → API → plugins (and the
//! agents they run) → store. `cli::serve` calls [`run`].

mod conductor;

use std::{process::ExitCode, sync::Arc, time::Duration};

use ractor::{Actor, ActorRef, call_t};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};

use self::conductor::Conductor;
use crate::{
    agents::{Agents, Conversations},
    api,
    auth::Access,
    backend::{
        data_folder::{self, DataLock},
        open::{OpenBackendError, Patience, open},
    },
    config::{Inputs, Loaded, ServerConfig},
    events::EventHub,
    models,
    plugins::{PluginReport, Plugins, note_in},
    projects::Projects,
    reload::{Reloader, host_options, unknown_handlers, warn_of_strangers},
    shutdown::{EXIT_OVERRUN, End, Shutdown},
    startup::{self, StartError},
    systemd::Systemd,
    telemetry::Telemetry,
    terminal::Screen,
    tools::{ToolTests, catalogue, mcp::McpServers, pythons, walls},
    workers::{
        Environment,
        environment::Shared,
        root::{Root, RootMessage},
    },
};

/// How long open connections may finish their answers.
const API_GRACE: Duration = Duration::from_secs(1);
/// Kept of the deadline for closing the store.
const STORE_RESERVE: Duration = Duration::from_millis(500);

/// What `cli::serve` has prepared.
pub struct Start {
    /// The settings in force.
    pub loaded: Loaded,
    /// What to load them from again at SIGHUP.
    pub inputs: Inputs,
    /// Log filter and metrics.
    pub telemetry: Telemetry,
    /// The service manager.
    pub systemd: Systemd,
}

/// A daemon that is up.
struct Daemon {
    shutdown: Shutdown,
    systemd: Systemd,
    reload: Arc<Notify>,
    reloader: Arc<Reloader>,
    env: Arc<Environment>,
    plugins: Plugins,
    root: ActorRef<RootMessage>,
    root_ended: JoinHandle<()>,
    api: api::ServerHandle,
    socket: Option<api::ServerHandle>,
    api_ended: JoinHandle<std::io::Result<()>>,
    models: models::Doors,
    /// Its data folder is no other daemon's to the end.
    _folder: DataLock,
}

/// Runs the daemon to its end.
pub async fn run(start: Start) -> ExitCode {
    let readers = start.telemetry.readers();
    let shutdown = Shutdown::new(start.loaded.config.server.shutdown_deadline_secs.duration());
    let reload = Arc::new(Notify::new());
    if let Err(error) = shutdown.listen_to_signals(Arc::clone(&reload)) {
        tracing::error!(%error, "signals cannot be handled");
        return ExitCode::FAILURE;
    }
    match up(start, shutdown, reload).await {
        Ok(daemon) => daemon.work().await,
        Err(StartError::Backend(OpenBackendError::Stopped)) => ExitCode::SUCCESS,
        Err(error) => {
            error.report(readers);
            ExitCode::FAILURE
        }
    }
}

async fn up(start: Start, shutdown: Shutdown, reload: Arc<Notify>) -> Result<Daemon, StartError> {
    let Start { loaded, inputs, telemetry, systemd } = start;
    let config = loaded.config.clone();
    // Before anything is confined; while no other process is in this control group.
    if let Err(error) = nexus_sandbox::cgroup::take_over() {
        tracing::warn!(%error, "the delegated control group cannot be used");
    }
    walls::put_up(config.sandbox);
    let started_at = std::time::Instant::now();

    data_folder::make_folders(&config.data)?;
    let folder = config.data.dir.clone();
    let folder = tokio::task::spawn_blocking(move || DataLock::take(&folder)).await??;
    startup::raise_file_limit(config.server.max_connections);
    let hub = EventHub::new();
    let patience = Patience { systemd, stop: shutdown.draining().clone(), asked: Default::default() };
    let (store, queue, artifacts) = open(&config, hub.clone(), &patience, note_in).await?;
    let access = Access::open(&config, Arc::clone(&store))?;
    let plugins = Plugins::new(host_options(&config, &loaded.tables));
    let reports = plugins.load().await;
    let unknown = unknown_handlers(&loaded.handlers, &reports);
    if !unknown.is_empty() {
        let refused = reports.into_iter().filter(|report| report.reason.is_some()).collect();
        return Err(StartError::Settings { problems: unknown, refused });
    }
    reports.iter().for_each(PluginReport::tell);
    warn_of_strangers(&loaded.tables, &reports);
    catalogue::publish(store.as_ref(), &plugins).await;
    let bound = api::bind(config.server.listen)
        .await
        .map_err(|source| StartError::Port { address: config.server.listen, source })?;
    let (bound, socket) = doors(bound, &config.server).await?;

    let (executor, draining) = (Arc::new(plugins.clone()), shutdown.draining().clone());
    let shared = Shared { store, queue, artifacts, executor, draining };
    let env = Arc::new(Environment::new(shared, &config, &loaded.workflows));
    let (gate, model_doors) = models::start(models::Surroundings {
        store: Arc::clone(&env.store),
        config: Arc::clone(&env.config),
        tasks: env.tasks.clone(),
        stopping: shutdown.stopping().clone(),
    })
    .await
    .map_err(|source| StartError::Models { address: config.models.listen, source })?;
    let issuer = models::AccessIssuer::new(gate.clone(), model_doors.place.clone());
    env.models.get_or_init(|| issuer);
    tokio::spawn(pythons::watch(plugins.clone(), Arc::clone(&env.config), shutdown.stopping().clone()));
    let (root, root_ended) = Root::spawn(None, Root, Arc::clone(&env)).await.map_err(StartError::Tree)?;
    let reloader = Arc::new(Reloader::new(inputs, plugins.clone(), Arc::clone(&env), telemetry.clone()));

    let tool_tests = ToolTests::new(config.data.run().join("tool-tests"));
    tool_tests.clean();
    let metrics = telemetry.clone();
    let conductor = Arc::new(Conductor { root: root.clone(), reloader: Arc::clone(&reloader) });
    let state = Arc::new(api::AppState {
        access: Arc::clone(&access),
        store: Arc::clone(&env.store),
        queue: Arc::clone(&env.queue),
        projects: Projects {
            store: Arc::clone(&env.store),
            conductor: conductor.clone(),
            deletions: env.deletions.clone(),
            workflows: Arc::clone(&env.workflows),
            config: Arc::clone(&env.config),
            tasks: env.tasks.clone(),
        },
        agents: Agents {
            store: Arc::clone(&env.store),
            deployed: env.agents.clone(),
            deletions: env.deletions.clone(),
            config: Arc::clone(&env.config),
            tasks: env.tasks.clone(),
        },
        conversations: Conversations::new(
            Arc::clone(&env.store),
            env.agents.clone(),
            Arc::clone(&hub),
            env.tasks.clone(),
            shutdown.draining().clone(),
        ),
        operations: conductor,
        hub,
        plugins: plugins.clone(),
        tool_tests,
        mcp_servers: McpServers::new(&config.data.dir),
        tasks: env.tasks.clone(),
        workflows: Arc::clone(&env.workflows),
        config: Arc::clone(&env.config),
        settings_file: loaded.file.clone(),
        project_root: config.data.projects(),
        shutdown: shutdown.draining().clone(),
        render_metrics: Arc::new(move || metrics.render()),
        started_at,
        version: env!("CARGO_PKG_VERSION"),
    });
    state.conversations.count_by(startup::meter(Arc::clone(&access), Arc::clone(&env.config)));
    let address = bound.address;
    startup::warn_of_open_doors(&config, address);
    let socket = socket.map(|socket| socket.serve(Arc::clone(&state)));
    let (api, serving) = bound.serve(state);
    let api_ended = tokio::spawn(serving);
    let socket = socket.map(|(handle, serving)| {
        tokio::spawn(serving);
        handle
    });
    tokio::spawn(Arc::clone(&access).upkeep(shutdown.stopping().clone()));
    tokio::spawn(telemetry.upkeep(shutdown.stopping().clone()));

    Screen::new(address, &config, loaded.file.as_deref(), &reports, &loaded.workflows)
        .with_models(&model_doors.place, &gate.routes())
        .with_link(&config, || access.make_code())
        .print(config.log.format);
    systemd.ready(&format!("listening on http://{address}"));
    Ok(Daemon {
        shutdown,
        systemd,
        reload,
        reloader,
        env,
        plugins,
        root,
        root_ended,
        api,
        socket,
        api_ended,
        models: model_doors,
        _folder: folder,
    })
}

/// What stands before the port, and beside it.
///
/// # Errors
/// The certificate cannot be used, or the socket cannot be had.
async fn doors(bound: api::Bound, server: &ServerConfig) -> Result<(api::Bound, Option<api::BoundSocket>), StartError> {
    let bound = if server.tls_certificate.as_os_str().is_empty() {
        bound
    } else {
        bound.with_tls(&server.tls_certificate, &server.tls_key).await.map_err(StartError::Tls)?
    };
    let path = &server.socket;
    let failed = |source| StartError::Socket { path: path.clone(), source };
    let socket = (!path.as_os_str().is_empty()).then(|| api::bind_socket(path).map_err(failed)).transpose()?;
    Ok((bound, socket))
}

impl Daemon {
    /// Works until a signal comes or a part is lost that cannot be restarted.
    async fn work(mut self) -> ExitCode {
        let mut watchdog = tokio::time::interval(self.systemd.watchdog_interval().unwrap_or(Duration::MAX / 4));
        let draining = self.shutdown.draining().clone();
        // Beside the loop: plugins may take longer to load than the watchdog waits.
        let mut reloading: Option<JoinHandle<()>> = None;
        let failed = loop {
            tokio::select! {
                () = draining.cancelled() => break false,
                _ = &mut self.root_ended => {
                    tracing::error!("the actor tree is lost; the process ends so that it can be started anew");
                    break true;
                }
                ended = &mut self.api_ended => {
                    tracing::error!(?ended, "the server ended by itself; the process ends so that it can be started anew");
                    break true;
                }
                () = self.reload.notified(), if reloading.is_none() => {
                    reloading = Some(tokio::spawn(reload(self.systemd, Arc::clone(&self.reloader))));
                }
                () = reload_ended(&mut reloading), if reloading.is_some() => reloading = None,
                // Fed only while the tree answers.
                _ = watchdog.tick() => if call_t!(self.root, RootMessage::Alive, 5_000).is_ok() {
                    self.systemd.alive();
                },
            }
        };
        let end = self.down().await;
        match end {
            _ if failed => ExitCode::FAILURE,
            End::Clean => ExitCode::SUCCESS,
            End::Overrun(_) => EXIT_OVERRUN.into(),
        }
    }

    async fn down(self) -> End {
        // The lock of the data folder goes last.
        let Self { shutdown, systemd, env, plugins, root, root_ended, api, socket, api_ended, models, _folder, .. } =
            self;
        systemd.stopping("stopping");
        shutdown.begin("the daemon ends");
        api.stop_graceful(Some(API_GRACE));
        models.close(API_GRACE);
        if let Some(socket) = socket {
            socket.stop_graceful(Some(API_GRACE));
        }
        // A handle that has ended was read already, when its end is why we are here.
        if !api_ended.is_finished() {
            let guard = shutdown.guard("http connections");
            tokio::spawn(async move {
                let _guard = guard;
                let _ = api_ended.await;
            });
        }

        // Guards of what was not finished in time are kept, so that the end says so and is no clean one.
        let mut late = Vec::new();
        let limit = || shutdown.remaining().saturating_sub(STORE_RESERVE);
        let guard = shutdown.guard("builds and deployments");
        if !root_ended.is_finished() {
            let _ = root.cast(RootMessage::Drain);
            late.extend(timeout(limit(), root_ended).await.is_err().then_some(guard));
        }

        shutdown.stop();
        let guard = shutdown.guard("plugins and their agents");
        plugins.shutdown(limit()).await;
        drop(guard);

        let guard = shutdown.guard("the store");
        env.tasks.close();
        let waited = timeout(shutdown.remaining(), env.tasks.wait()).await;
        let closed = timeout(shutdown.remaining().max(STORE_RESERVE), env.store.close()).await;
        if let Ok(Err(error)) = &closed {
            tracing::error!(%error, "the store did not close cleanly; what was answered is safe");
        }
        late.extend((waited.is_err() || closed.is_err()).then_some(guard));
        shutdown.finished().await
    }
}

async fn reload(systemd: Systemd, reloader: Arc<Reloader>) {
    systemd.reloading();
    let status = match reloader.reload().await {
        Ok(done) if done.refused.is_empty() => "running".to_owned(),
        Ok(done) => format!("running; refused plugins: {}", done.refused.join(", ")),
        Err(_) => "running; the last reload was refused".to_owned(),
    };
    systemd.ready(&status);
}

async fn reload_ended(task: &mut Option<JoinHandle<()>>) {
    if let Some(task) = task {
        let _ = task.await;
    }
}
