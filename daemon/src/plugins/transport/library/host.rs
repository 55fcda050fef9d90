//! The functions that a library calls in this process. They run on the plugin's threads, trust no argument but the byte
//! ranges (which no host can check), and let no panic out. What they mean is in `inbound`.
#![allow(unsafe_code)] // called by plugins

use std::panic::{AssertUnwindSafe, catch_unwind};

use nexus_plugin_api::abi::{Bytes, HostV1, OwnedBytes};

use super::lane;
use crate::plugins::inbound::{self, Taken};

/// The table that every job gets.
pub(super) static HOST: HostV1 = HostV1 {
    size: size_of::<HostV1>() as u32,
    reserved: 0,
    is_cancelled: Some(is_cancelled),
    event: Some(event),
    done: Some(done),
    try_event: Some(try_event),
};

unsafe extern "C" fn is_cancelled(token: u64) -> u8 {
    guarded(1, || u8::from(inbound::is_cancelled(token)))
}

unsafe extern "C" fn event(token: u64, json: Bytes) {
    // A lane must not wait for the job's reader: other jobs wait for the lane.
    // SAFETY: the plugin promises that the range is readable during the call.
    let taken = guarded(Taken::Yes, || inbound::event(token, json.len, || unsafe { json.as_slice() }, lane::wait()));
    if taken == Taken::NoRoom {
        guarded((), || inbound::flooded(token));
    }
}

unsafe extern "C" fn try_event(token: u64, json: Bytes) -> u8 {
    // SAFETY: as above.
    let taken =
        guarded(Taken::Yes, || inbound::event(token, json.len, || unsafe { json.as_slice() }, inbound::Wait::Never));
    u8::from(taken == Taken::Yes)
}

unsafe extern "C" fn done(token: u64, status: u32, json: OwnedBytes) {
    // SAFETY: the plugin hands the buffer over; it is taken once.
    guarded((), || inbound::done(token, status, |most| unsafe { json.take(most) }));
}

/// Runs `body`; a panic becomes `otherwise`, for no panic may cross the boundary.
fn guarded<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        // Dropping a foreign payload could panic again.
        std::mem::forget(payload);
        tracing::error!("the plugin host panicked inside a call from a plugin");
        otherwise
    })
}
