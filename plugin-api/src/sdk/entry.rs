//! The exported functions behind [`export_plugin!`](crate::export_plugin). No panic leaves them.
#![allow(unsafe_code)] // this module is the boundary

use std::{ffi::c_void, panic::AssertUnwindSafe, sync::Arc};

use serde_json::Value;
use tokio::sync::watch;

pub use super::instance::Instance;
use super::{
    Context, Plugin,
    context::EventSink,
    handlers::AnyHandler,
    instance::{CatchUnwind, panic_message},
    panics::contained as catch_unwind,
};
use crate::{
    abi::{self, Bytes, HostV1, OwnedBytes, PluginV1},
    payload::{Event, Failure, FailureKind, Operation, PAYLOAD_VERSION, Request},
};

/// A plugin with its library-wide instance; the macro implements it.
pub trait Exported: Plugin {
    /// The library's one instance.
    fn instance() -> &'static Instance;
}

/// The table of plugin `P`.
#[must_use]
pub const fn table<P: Exported>() -> PluginV1 {
    PluginV1 {
        magic: abi::MAGIC,
        abi_major: abi::ABI_MAJOR,
        size: size_of::<PluginV1>() as u32,
        layout_hash: abi::LAYOUT_HASH,
        panic_unwind: cfg!(panic = "unwind") as u8,
        reserved: [0; 7],
        describe: Some(describe::<P>),
        configure: Some(configure::<P>),
        start: Some(start::<P>),
        cancel: Some(cancel),
        destroy: Some(destroy),
        shutdown: Some(shutdown::<P>),
    }
}

/// `start` was given a table or a request it cannot use.
pub const START_REFUSED: u32 = 1;

unsafe extern "C" fn describe<P: Exported>() -> OwnedBytes {
    match catch_unwind(|| serde_json::to_vec(&P::describe()).unwrap_or_default()) {
        Ok(json) => OwnedBytes::from_vec(json),
        // The host refuses a failure in place of a description, with this message.
        Err(payload) => to_owned_bytes(&Failure::permanent(format!("it panicked: {}", panic_message(payload)))),
    }
}

unsafe extern "C" fn configure<P: Exported>(settings: Bytes, error: *mut OwnedBytes) -> u32 {
    // SAFETY: the host keeps the bytes alive during the call.
    let settings = unsafe { settings.as_slice() };
    let result = catch_unwind(|| configure_instance::<P>(settings));
    let (status, failure) = match result {
        Ok(Ok(())) => return abi::STATUS_OK,
        Ok(Err(failure)) => (abi::STATUS_FAILED, failure),
        Err(payload) => (abi::STATUS_PANICKED, Failure::permanent(panic_message(payload))),
    };
    if !error.is_null() {
        // SAFETY: the host points to a slot for one buffer.
        unsafe { error.write(to_owned_bytes(&failure)) };
    }
    status
}

fn configure_instance<P: Exported>(settings: &[u8]) -> Result<(), Failure> {
    let settings = if settings.is_empty() { b"{}" } else { settings };
    let mut reader = serde_json::Deserializer::from_slice(settings);
    let settings: P::Settings = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        Failure::invalid_input(wrong_setting(&error.path().to_string(), &error.inner().to_string()))
    })?;
    let instance = P::instance();
    let _in_runtime = instance.runtime()?.enter();
    let handlers = P::configure(settings)?;
    for described in P::describe().handlers {
        match handlers.kind_of(&described.name) {
            Some(kind) if kind == described.kind => {}
            Some(_) => {
                return Err(Failure::permanent(format!(
                    "handler {} is described as another kind than it is",
                    described.name
                )));
            }
            None => {
                return Err(Failure::permanent(format!("handler {} is described but not built", described.name)));
            }
        }
    }
    instance.set_handlers(handlers)
}

/// Says which setting is wrong and what is expected there, and nothing of what it is: that may be a secret.
fn wrong_setting(path: &str, told: &str) -> String {
    let told = told.rsplit_once(" at line ").map_or(told, |(told, _)| told);
    let what = match told.rsplit_once(", expected ") {
        Some((_, expected)) => format!("must be {expected}"),
        None if told.starts_with("missing field ") => told.to_owned(),
        None => "is not of the expected form".to_owned(),
    };
    format!("settings: `{path}` {what}")
}

/// What the host holds for a running job.
struct JobHandle {
    cancel: watch::Sender<bool>,
}

unsafe extern "C" fn start<P: Exported>(
    host: *const HostV1,
    job: u64,
    request: Bytes,
    handle: *mut *mut c_void,
) -> u32 {
    if host.is_null() || handle.is_null() {
        return START_REFUSED;
    }
    // SAFETY: the host's table lives as long as the process; its size is checked before use.
    let host = unsafe {
        if ((&raw const (*host).size).read() as usize) < size_of::<HostV1>() {
            return START_REFUSED;
        }
        host.read()
    };
    let (Some(event), Some(try_event), Some(done)) = (host.event, host.try_event, host.done) else {
        return START_REFUSED;
    };
    let end = End { job, done: Some(done) };
    // SAFETY: the host keeps the bytes alive during the call.
    let request = unsafe { request.as_slice() };
    let (cancel, cancelled) = watch::channel(false);
    // SAFETY: the host points to a slot for one pointer.
    unsafe { handle.write(Box::into_raw(Box::new(JobHandle { cancel })).cast()) };

    let parsed = catch_unwind(AssertUnwindSafe(|| Ok((P::instance().runtime()?, parse::<P>(request)?))));
    match parsed {
        Ok(Ok((runtime, (handler, operation)))) => {
            let cx = Context::new(Box::new(HostSink { job, event, try_event }), cancelled);
            // Should this panic, `end` says so as it is dropped.
            contain(|| spawn(runtime, handler, operation, cx, end));
        }
        Ok(Err(failure)) => end.failed(&failure),
        Err(payload) => end.panicked(panic_message(payload)),
    }
    abi::STATUS_OK
}

/// Runs what reports its own failures; nothing leaves it.
fn contain(work: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
        panic_message(payload);
    }
}

fn parse<P: Exported>(request: &[u8]) -> Result<(Arc<dyn AnyHandler>, Operation), Failure> {
    let request: Request =
        serde_json::from_slice(request).map_err(|e| Failure::permanent(format!("request not understood: {e}")))?;
    if request.version > PAYLOAD_VERSION {
        return Err(Failure::permanent(format!(
            "the daemon speaks payload version {}, this plugin {PAYLOAD_VERSION}: rebuild the plugin",
            request.version
        )));
    }
    let handlers = P::instance().handlers().ok_or_else(|| Failure::permanent("start was called before configure"))?;
    let handler = handlers
        .get(&request.handler)
        .ok_or_else(|| Failure::permanent(format!("this plugin has no handler {:?}", request.handler)))?;
    Ok((handler, request.operation))
}

fn spawn(runtime: &tokio::runtime::Handle, handler: Arc<dyn AnyHandler>, operation: Operation, cx: Context, end: End) {
    runtime.spawn(async move {
        let context = cx.clone();
        let work = async move { handler.call(operation, context).await };
        let outcome = CatchUnwind(Box::pin(work)).await;
        cx.close();
        match outcome {
            Ok(Ok(value)) => end.ok(&value),
            Ok(Err(failure)) => end.failed(&failure),
            Err(message) => end.panicked(message),
        }
    });
}

unsafe extern "C" fn cancel(handle: *mut c_void) {
    if handle.is_null() {
        return;
    }
    // SAFETY: the handle came from `start` and `destroy` has not been called.
    let handle = unsafe { &*handle.cast::<JobHandle>() };
    contain(|| {
        handle.cancel.send_replace(true);
    });
}

unsafe extern "C" fn destroy(handle: *mut c_void) {
    if handle.is_null() {
        return;
    }
    // SAFETY: the handle came from `start`, and the host calls this once.
    let handle = unsafe { Box::from_raw(handle.cast::<JobHandle>()) };
    contain(move || drop(handle));
}

unsafe extern "C" fn shutdown<P: Exported>() {
    contain(|| {
        let instance = P::instance();
        let hook = instance.handlers().and_then(|handlers| handlers.run_shutdown());
        if let (Some(hook), Ok(runtime)) = (hook, instance.runtime()) {
            let _ = runtime.block_on(CatchUnwind(Box::pin(hook)));
        }
    });
    contain(|| P::instance().stop());
}

struct HostSink {
    job: u64,
    event: unsafe extern "C" fn(u64, Bytes),
    try_event: unsafe extern "C" fn(u64, Bytes) -> u8,
}

impl EventSink for HostSink {
    fn send(&self, event: &Event) {
        if let Ok(json) = serde_json::to_vec(event) {
            // SAFETY: the functions are the host's, valid for the life of the process.
            let wait = || unsafe { (self.event)(self.job, Bytes::new(&json)) };
            // SAFETY: as above.
            if unsafe { (self.try_event)(self.job, Bytes::new(&json)) } != 0 {
                return;
            }
            // The reader is slow. The runtime's few threads serve all jobs: let another take this one's place.
            match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
                Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
                _ => wait(),
            }
        }
    }
}

/// The job's way to `done`, taken exactly once: dropping it unused (a panic in the clean-up of the
/// handler's future) reports a panic, so that no job is left without an end.
struct End {
    job: u64,
    done: Option<unsafe extern "C" fn(u64, u32, OwnedBytes)>,
}

impl End {
    fn ok(self, value: &Value) {
        match serde_json::to_vec(value) {
            Ok(json) => self.call(abi::STATUS_OK, OwnedBytes::from_vec(json)),
            Err(e) => self.failed(&Failure::permanent(format!("result cannot be written as JSON: {e}"))),
        }
    }

    fn failed(self, failure: &Failure) {
        let cancelled = failure.kind == FailureKind::Cancelled;
        self.call(if cancelled { abi::STATUS_CANCELLED } else { abi::STATUS_FAILED }, to_owned_bytes(failure));
    }

    fn panicked(self, message: String) {
        self.call(abi::STATUS_PANICKED, to_owned_bytes(&Failure::permanent(message)));
    }

    fn call(mut self, status: u32, json: OwnedBytes) {
        self.call_once(status, json);
    }

    fn call_once(&mut self, status: u32, json: OwnedBytes) {
        if let Some(done) = self.done.take() {
            // SAFETY: the function is the host's, valid for the life of the process.
            unsafe { done(self.job, status, json) };
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.done.is_some() {
            let (status, failure) = if std::thread::panicking() {
                let message = "panicked while the handler's future was dropped";
                (abi::STATUS_PANICKED, Failure::permanent(message))
            } else {
                (abi::STATUS_FAILED, Failure::transient("the plugin was shut down while the job ran"))
            };
            self.call_once(status, to_owned_bytes(&failure));
        }
    }
}

fn to_owned_bytes(failure: &Failure) -> OwnedBytes {
    serde_json::to_vec(failure).map_or(OwnedBytes::EMPTY, OwnedBytes::from_vec)
}
