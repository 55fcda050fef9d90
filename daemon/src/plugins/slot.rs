//! A plugin name's place in the registry: outlives generations, so that handlers and permits do.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use nexus_plugin_api::payload::HandlerKind;

use super::{
    error::{JobError, ResolveError, hint},
    generation::Generation,
    lock,
    permits::Permits,
};

pub(super) struct Slot {
    pub(super) name: String,
    pub(super) permits: Arc<Permits>,
    /// Of answers of agents, which take as long as a conversation: they leave the other jobs their permits.
    pub(super) answers: Arc<Permits>,
    current: Mutex<Current>,
    closing: AtomicBool,
}

#[derive(Clone, Copy, Default)]
struct Current {
    generation: Option<&'static Generation>,
    /// How many generations there have been.
    number: u64,
}

impl Slot {
    pub(super) fn new(name: &str, max_jobs: usize, max_answers: usize) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            permits: Permits::new(max_jobs),
            answers: Permits::new(max_answers),
            current: Mutex::default(),
            closing: AtomicBool::new(false),
        })
    }

    pub(super) fn current(&self) -> Option<&'static Generation> {
        lock(&self.current).generation
    }

    /// Reserves the number of the next generation.
    pub(super) fn next_number(&self) -> u64 {
        let mut current = lock(&self.current);
        current.number += 1;
        current.number
    }

    /// Puts a generation (or none) in place and retires the one before. In this order, so that
    /// whoever finds the old one retired finds its successor here.
    pub(super) fn replace(&self, generation: Option<&'static Generation>) -> Option<&'static Generation> {
        let old = std::mem::replace(&mut lock(&self.current).generation, generation);
        if let Some(old) = old {
            old.retire();
        }
        old
    }

    /// No more jobs: the daemon stops.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// The generation that a new job of this handler runs in.
    pub(super) fn generation(&self, handler: &str, kind: HandlerKind) -> Result<&'static Generation, JobError> {
        if self.closing.load(Ordering::Acquire) {
            return Err(JobError::ShuttingDown);
        }
        let generation = self.current().ok_or_else(|| ResolveError::UnknownPlugin {
            plugin: self.name.clone(),
            hint: "; its file is gone since the last reload".into(),
        })?;
        check(generation, handler, kind)?;
        Ok(generation)
    }
}

/// Whether the generation has this handler, of this kind.
pub(super) fn check(generation: &Generation, handler: &str, kind: HandlerKind) -> Result<(), ResolveError> {
    let handlers = &generation.description.handlers;
    let Some(found) = handlers.iter().find(|h| h.name == handler) else {
        return Err(ResolveError::UnknownHandler {
            plugin: generation.name().to_owned(),
            handler: handler.to_owned(),
            hint: hint(handler, handlers.iter().map(|h| h.name.as_str())),
        });
    };
    if found.kind != kind {
        let name = format!("{}/{handler}", generation.name());
        return Err(ResolveError::WrongKind { name, wanted: kind, found: found.kind });
    }
    Ok(())
}
