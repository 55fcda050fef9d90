//! All plugins of the daemon: loads, reloads, resolves names, reports, shuts down. Held by the actor
//! tree, the API and the command line alike; everything is behind one `Arc`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use nexus_plugin_api::payload::HandlerKind;
use tokio::sync::oneshot;

use super::{
    error::{ResolveError, hint},
    generation::Generation,
    job::Handler,
    lock,
    options::HostOptions,
    reload::{self, Known},
    report::PluginReport,
    slot::{self, Slot},
    tools::PluginTool,
    transport::library::image,
};

/// The plugins of a daemon. Cheap to clone.
#[derive(Clone)]
pub struct Plugins {
    inner: Arc<Inner>,
}

struct Inner {
    options: Mutex<HostOptions>,
    /// Held by a reload from beginning to end.
    known: Mutex<Known>,
    /// What everybody else sees.
    view: RwLock<View>,
}

#[derive(Default)]
struct View {
    slots: BTreeMap<String, Arc<Slot>>,
    refused: Vec<PluginReport>,
    retired: Vec<&'static Generation>,
    closed: bool,
    /// What plugins need of this machine and do not find, in words.
    lacking: Vec<String>,
}

impl Plugins {
    /// A registry that has loaded nothing yet.
    #[must_use]
    pub fn new(options: HostOptions) -> Self {
        let inner = Inner { options: Mutex::new(options), known: Mutex::default(), view: RwLock::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The first load, with the options of [`Plugins::new`].
    pub async fn load(&self) -> Vec<PluginReport> {
        let options = lock(&self.inner.options).clone();
        self.reload(options).await
    }

    /// Looks at the folders again: loads what is new or changed (content or settings), retires what
    /// vanished, leaves the rest alone. Running jobs keep their generation. Also the first load.
    ///
    /// Cancelling the future does not stop a reload that has begun.
    pub async fn reload(&self, options: HostOptions) -> Vec<PluginReport> {
        self.reload_if(options, |_| true).await;
        self.reports()
    }

    /// The same, unless `accept` refuses what there would be: then nothing is put in place and nothing retired. Answers
    /// whether it was accepted.
    pub async fn reload_if(
        &self,
        options: HostOptions,
        accept: impl Fn(&[PluginReport]) -> bool + Send + 'static,
    ) -> bool {
        let (send, done) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        let thread = std::thread::Builder::new().name("plugin-reload".into()).spawn(move || {
            let _ = send.send(inner.reload(options, &accept));
        });
        match thread {
            Ok(_) => match done.await {
                Ok(accepted) => accepted,
                Err(_) => {
                    tracing::error!("the plugin reload panicked; the plugins are as before");
                    false
                }
            },
            Err(error) => {
                tracing::error!(%error, "no thread for the plugin reload");
                false
            }
        }
    }

    /// Finds a handler by its name in workflow files, `plugin/handler`.
    ///
    /// # Errors
    /// Says which part of the name is wrong, and what there is instead.
    pub fn resolve(&self, name: &str, kind: HandlerKind) -> Result<Handler, ResolveError> {
        let Some((plugin, handler)) = name.split_once('/').filter(|(p, h)| !p.is_empty() && !h.is_empty()) else {
            return Err(ResolveError::Malformed { name: name.to_owned() });
        };
        let view = self.inner.view();
        let loaded = view.slots.get(plugin).and_then(|slot| Some((slot, slot.current()?)));
        let Some((slot, generation)) = loaded else {
            if let Some(report) = view.refused.iter().find(|report| report.name == plugin) {
                let reason = report.reason.clone().unwrap_or_default();
                return Err(ResolveError::Refused { plugin: plugin.to_owned(), reason });
            }
            let known = view.slots.values().filter(|slot| slot.current().is_some()).map(|slot| slot.name.as_str());
            return Err(ResolveError::UnknownPlugin { plugin: plugin.to_owned(), hint: hint(plugin, known) });
        };
        slot::check(generation, handler, kind)?;
        Ok(Handler { slot: Arc::clone(slot), name: handler.into(), kind })
    }

    /// Every loaded plugin, every retired generation that still has jobs, every refused file.
    #[must_use]
    pub fn reports(&self) -> Vec<PluginReport> {
        let view = self.inner.view();
        let current = view.slots.values().filter_map(|slot| slot.current());
        let retired = view.retired.iter().copied().filter(|generation| !generation.is_drained());
        let mut reports: Vec<PluginReport> = current.chain(retired).map(PluginReport::of).collect();
        reports.sort_by(|a, b| (&a.name, b.generation).cmp(&(&b.name, a.generation)));
        reports.extend(view.refused.iter().cloned());
        reports
    }

    /// Every loaded plugin that described its settings: its name, the schema, and the settings as it got them.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, serde_json::Value, serde_json::Value)> {
        let options = lock(&self.inner.options).clone();
        let view = self.inner.view();
        let current = view.slots.values().filter_map(|slot| slot.current());
        current
            .filter_map(|generation| {
                let schema = generation.description.settings.clone()?;
                Some((generation.name().to_owned(), schema, options.prepared(&generation.description).ok()?))
            })
            .collect()
    }

    /// What plugins need of this machine and do not find, in words; `/health` tells it.
    #[must_use]
    pub fn lacking(&self) -> Vec<String> {
        self.inner.view().lacking.clone()
    }

    /// Sets it.
    pub fn set_lacking(&self, lacking: Vec<String>) {
        self.inner.view.write().unwrap_or_else(PoisonError::into_inner).lacking = lacking;
    }

    /// The tools that loaded plugins bring along.
    #[must_use]
    pub fn tools(&self) -> Vec<PluginTool> {
        let view = self.inner.view();
        view.slots.values().filter_map(|slot| slot.current()).flat_map(|g| PluginTool::all(&g.description)).collect()
    }

    /// Takes no more jobs, cancels those that run, and calls `shutdown` of every live generation on
    /// its own thread, all at the same time and all within `grace`. The registry stays readable.
    pub async fn shutdown(&self, grace: Duration) {
        let live: Vec<&'static Generation> = {
            let mut view = self.inner.view.write().unwrap_or_else(PoisonError::into_inner);
            view.closed = true;
            view.slots.values().for_each(|slot| slot.close());
            let retired = view.retired.iter().copied().filter(|generation| !generation.is_drained());
            view.slots.values().filter_map(|slot| slot.current()).chain(retired).collect()
        };
        futures::future::join_all(live.into_iter().map(|generation| generation.stop(grace))).await;
    }
}

impl Inner {
    fn view(&self) -> std::sync::RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks as long as the plugins' `describe` and `configure` take.
    fn reload(&self, options: HostOptions, accept: &reload::Accept) -> bool {
        let mut known = lock(&self.known);
        if self.view().closed {
            return false;
        }
        if !known.cleaned {
            known.cleaned = true;
            image::remove_old_copies(&options.copies());
        }
        let Some(changes) = reload::reload(&mut known, &options, accept) else { return false };
        known.loaded = true;
        {
            let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
            view.slots.clone_from(&known.slots);
            if view.closed {
                view.slots.values().for_each(|slot| slot.close());
            }
            view.refused = changes.refused;
            view.retired.retain(|generation| !generation.is_drained());
            view.retired.extend(changes.retired);
        }
        *lock(&self.options) = options;
        true
    }
}
