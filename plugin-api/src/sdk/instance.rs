//! The one configured plugin of a library: its runtime and its handlers.

use std::{
    any::Any,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context as TaskContext, Poll},
};

use tokio::runtime::{Builder, Handle, Runtime};

use super::{Handlers, panics::contained};
use crate::payload::Failure;

/// State behind the exported functions. Public for the macro only.
pub struct Instance {
    runtime: Mutex<Option<Runtime>>,
    handle: OnceLock<Handle>,
    handlers: OnceLock<Arc<Handlers>>,
}

impl Instance {
    /// Nothing configured yet.
    #[must_use]
    #[allow(clippy::new_without_default)] // const, for a static
    pub const fn new() -> Self {
        Self { runtime: Mutex::new(None), handle: OnceLock::new(), handlers: OnceLock::new() }
    }

    /// The plugin's own runtime, made on first use. Two workers: one may be held up by a handler
    /// that blocks, the daemon's threads never are.
    pub(crate) fn runtime(&self) -> Result<&Handle, Failure> {
        if let Some(handle) = self.handle.get() {
            return Ok(handle);
        }
        let mut slot = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = self.handle.get() {
            return Ok(handle);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("plugin")
            .enable_all()
            .build()
            .map_err(|e| Failure::transient(format!("cannot start the plugin's runtime: {e}")))?;
        Ok(self.handle.get_or_init(|| slot.insert(runtime).handle().clone()))
    }

    /// Ends the runtime's threads without waiting for them: the library stays loaded for ever, and a
    /// daemon that is reloaded often would gather threads. Jobs that still run are dropped.
    pub(crate) fn stop(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }

    pub(crate) fn set_handlers(&self, handlers: Handlers) -> Result<(), Failure> {
        self.handlers
            .set(Arc::new(handlers))
            .map_err(|_| Failure::permanent("the plugin is configured already; a reload loads a new generation"))
    }

    pub(crate) fn handlers(&self) -> Option<&Arc<Handlers>> {
        self.handlers.get()
    }
}

/// The text of a panic. Consumes it here, because its value may panic again when it is dropped, and
/// outside of `catch_unwind` that would end the daemon.
pub(crate) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked with a value that is no text".to_owned());
    if let Err(again) = contained(AssertUnwindSafe(move || drop(payload))) {
        std::mem::forget(again);
    }
    text
}

/// A future whose panic becomes a value.
pub(crate) struct CatchUnwind<F>(pub(crate) Pin<Box<F>>);

impl<F: Future> Future for CatchUnwind<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let inner = &mut self.0;
        match contained(AssertUnwindSafe(|| inner.as_mut().poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(panic_message(payload))),
        }
    }
}
