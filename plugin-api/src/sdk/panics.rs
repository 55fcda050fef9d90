//! Panics in a plugin's code. A plugin has a standard library of its own, and with it a panic hook of its own, which would
//! write its lines raw between those of the daemon's log.
//!
//! What the SDK catches is reported to the daemon with its message, and so is not written here. What nobody catches (a thread
//! or task of the plugin's own) is written by itself: as one line of JSON where no person watches, so that a log of JSON
//! stays one.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    cell::Cell,
    io::{IsTerminal, Write},
    panic::{PanicHookInfo, UnwindSafe, catch_unwind},
    sync::Once,
    thread,
};

use serde_json::json;

thread_local! {
    /// How many calls of [`contained`] this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Counts while it lives.
struct Inside;

impl Inside {
    fn new() -> Self {
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}

/// As [`catch_unwind`], by callers that report what they caught.
pub(crate) fn contained<T>(work: impl FnOnce() -> T + UnwindSafe) -> thread::Result<T> {
    static HOOK: Once = Once::new();
    // A hook cannot be changed in the middle of a panic; a call before that has set it.
    if !thread::panicking() {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| told(panic, &*before)));
        });
    }
    let _inside = Inside::new();
    catch_unwind(work)
}

fn told(panic: &PanicHookInfo<'_>, before: &(dyn Fn(&PanicHookInfo<'_>) + Send + Sync)) {
    if DEPTH.with(Cell::get) > 0 {
        return;
    }
    let mut output = std::io::stderr().lock();
    if output.is_terminal() {
        drop(output);
        return before(panic);
    }
    // A log's reader that has gone is no reason to panic again.
    let _ = writeln!(output, "{}", line(panic));
}

fn line(panic: &PanicHookInfo<'_>) -> serde_json::Value {
    let text = panic.payload_as_str().unwrap_or("panicked with a value that is no text");
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    json!({
        "level": "ERROR",
        "message": format!("panic in a thread or task of a plugin: {text}"),
        "place": panic.location().map(ToString::to_string),
        "thread": thread::current().name(),
        "backtrace": backtrace,
        "target": env!("CARGO_PKG_NAME"),
    })
}
