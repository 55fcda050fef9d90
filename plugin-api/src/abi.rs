//! The binary interface, version 1: every type here is `repr(C)`, size-prefixed and append-only.
//!
//! A plugin exports one static per major version, named [`ENTRY_SYMBOL`]. The host reads it through
//! a raw pointer in this order: `magic`, `abi_major`, `size`, `layout_hash`, `panic_unwind`, entries.
//! Within a major version fields are only appended, and `layout_hash` covers the fields of 1.0.
//!
//! Nothing but integers, byte ranges and function pointers crosses. No Rust `String`, `Result`,
//! enum or future does, so any compiler (and C) can speak it.

#![allow(unsafe_code)] // this module is the boundary

use core::ffi::c_void;

/// Name of the exported table, NUL-terminated for `dlsym`.
pub const ENTRY_SYMBOL: &core::ffi::CStr = c"NEXUS_PLUGIN_V1";
/// First field of the table: the bytes `NEXUSPLG` read as a big-endian number.
pub const MAGIC: u64 = 0x4E45_5855_5350_4C47;
/// Major version of this interface. A host loads plugins of its own major only.
pub const ABI_MAJOR: u32 = 1;

/// `done`: the job succeeded and the payload is its result.
pub const STATUS_OK: u32 = 0;
/// `done`: the job failed and the payload is a [`Failure`](crate::payload::Failure).
pub const STATUS_FAILED: u32 = 1;
/// `done`: plugin code panicked and the payload is a [`Failure`](crate::payload::Failure).
pub const STATUS_PANICKED: u32 = 2;
/// `done`: the job stopped because it was cancelled.
pub const STATUS_CANCELLED: u32 = 3;

/// A borrowed byte range, valid only during the call it is passed to. `ptr` may be null when `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// First byte.
    pub ptr: *const u8,
    /// Length in bytes.
    pub len: usize,
}

/// A byte buffer that knows how to free itself with the allocator that made it.
///
/// The receiver copies what it needs and then calls `free(ptr, len, cap)` once, unless `free` is null
/// (a static buffer).
#[repr(C)]
#[derive(Debug)]
pub struct OwnedBytes {
    /// First byte; null when empty.
    pub ptr: *mut u8,
    /// Length in bytes.
    pub len: usize,
    /// Capacity in bytes, handed back to `free`.
    pub cap: usize,
    /// Frees the buffer; null for a buffer that needs no freeing.
    pub free: Option<unsafe extern "C" fn(ptr: *mut u8, len: usize, cap: usize)>,
}

/// What the host offers to a job. One immutable table per process: it outlives every job.
///
/// `job` is the token given to `start`. Tokens are never reused, so a late or repeated call is
/// recognised and ignored (and reported), never a fault. All functions are thread-safe and may be
/// called inside `start` too. `event` waits while the job's queue is full: that is the backpressure.
/// Inside `start`, `cancel` and `destroy` it never waits; what does not fit is dropped there.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HostV1 {
    /// Size of this table in bytes, as the host knows it.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// 1 once the job is cancelled or unknown, else 0.
    pub is_cancelled: Option<unsafe extern "C" fn(job: u64) -> u8>,
    /// Reports one [`Event`](crate::payload::Event) as JSON.
    pub event: Option<unsafe extern "C" fn(job: u64, json: Bytes)>,
    /// Ends the job: exactly once, last. The host takes ownership of `json`.
    pub done: Option<unsafe extern "C" fn(job: u64, status: u32, json: OwnedBytes)>,
    /// As `event`, but never waits: 0 when the job's queue is full and nothing was taken, else 1. For
    /// threads that serve more than one job; such a thread hands the waiting to another one.
    pub try_event: Option<unsafe extern "C" fn(job: u64, json: Bytes) -> u8>,
}

/// The table a plugin exports as `NEXUS_PLUGIN_V1`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PluginV1 {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`ABI_MAJOR`].
    pub abi_major: u32,
    /// Size of this table in bytes, as the plugin knows it.
    pub size: u32,
    /// [`LAYOUT_HASH`].
    pub layout_hash: u64,
    /// 1 when panics unwind (or the language has none); a build that aborts is refused.
    pub panic_unwind: u8,
    /// Zero.
    pub reserved: [u8; 7],
    /// Answers a [`Description`](crate::payload::Description) as JSON. Callable at any time.
    /// Its optional field `settings` is a JSON schema of what `configure`
    /// takes: with it the daemon checks settings, shows them, and resolves their paths.
    pub describe: Option<unsafe extern "C" fn() -> OwnedBytes>,
    /// Takes the settings (a JSON object), once, before the first `start`. Returns 0, or another
    /// value with a [`Failure`](crate::payload::Failure) in `error`.
    pub configure: Option<unsafe extern "C" fn(settings: Bytes, error: *mut OwnedBytes) -> u32>,
    /// Begins a job and returns at once; the work belongs on a thread of the plugin's. `request` is a
    /// [`Request`](crate::payload::Request) as JSON. `handle` receives the plugin's own handle for
    /// `cancel` and `destroy`; a job that leaves it null gets neither call and must poll
    /// `is_cancelled`. A value other than 0 means that the job never began: then `done` must not be
    /// called. The host calls `start`, `cancel` and `destroy` from one thread, one after the other; a
    /// call that does not return within seconds counts as hung, and its job as stuck.
    pub start:
        Option<unsafe extern "C" fn(host: *const HostV1, job: u64, request: Bytes, handle: *mut *mut c_void) -> u32>,
    /// Asks the job to end soon. May come more than once, and after `done`, never after `destroy`.
    pub cancel: Option<unsafe extern "C" fn(handle: *mut c_void)>,
    /// Frees the handle, once, after `done`.
    pub destroy: Option<unsafe extern "C" fn(handle: *mut c_void)>,
    /// Optional: the generation is being retired or the daemon stops. May block for the grace period.
    pub shutdown: Option<unsafe extern "C" fn()>,
}

// SAFETY: the table is immutable data and function pointers.
unsafe impl Sync for PluginV1 {}

/// Fingerprint of the 1.0 layout: sizes, alignments and offsets of the tables on this target.
///
/// A plugin built for another word size or with other padding differs here before anything is called.
pub const LAYOUT_HASH: u64 = layout_hash();

const fn layout_hash() -> u64 {
    let parts = [
        size_of::<usize>(),
        size_of::<Bytes>(),
        core::mem::offset_of!(Bytes, len),
        size_of::<OwnedBytes>(),
        core::mem::offset_of!(OwnedBytes, cap),
        core::mem::offset_of!(OwnedBytes, free),
        core::mem::offset_of!(HostV1, is_cancelled),
        core::mem::offset_of!(HostV1, event),
        core::mem::offset_of!(HostV1, done),
        core::mem::offset_of!(HostV1, try_event),
        core::mem::offset_of!(PluginV1, layout_hash),
        core::mem::offset_of!(PluginV1, panic_unwind),
        core::mem::offset_of!(PluginV1, describe),
        core::mem::offset_of!(PluginV1, configure),
        core::mem::offset_of!(PluginV1, start),
        core::mem::offset_of!(PluginV1, cancel),
        core::mem::offset_of!(PluginV1, destroy),
        core::mem::offset_of!(PluginV1, shutdown),
    ];
    // FNV-1a over the numbers: stable across compilers, computable by hand for the C header.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut i = 0;
    while i < parts.len() {
        #[allow(clippy::indexing_slicing)] // bounded by the loop, evaluated at compile time
        let part = parts[i] as u64;
        hash = (hash ^ part).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

impl Bytes {
    /// Borrows `data` for one call.
    #[must_use]
    pub const fn new(data: &[u8]) -> Self {
        Self { ptr: data.as_ptr(), len: data.len() }
    }

    /// The bytes behind the range.
    ///
    /// # Safety
    /// `ptr` and `len` must describe memory that stays valid and unchanged for `'a`.
    #[must_use]
    pub unsafe fn as_slice<'a>(self) -> &'a [u8] {
        if self.ptr.is_null() || self.len == 0 {
            return &[];
        }
        // SAFETY: promised by the caller.
        unsafe { core::slice::from_raw_parts(self.ptr, self.len) }
    }
}

impl OwnedBytes {
    /// An empty buffer.
    pub const EMPTY: Self = Self { ptr: core::ptr::null_mut(), len: 0, cap: 0, free: None };

    /// Hands a vector over; the receiver gives it back to this library's allocator through `free`.
    #[must_use]
    pub fn from_vec(data: Vec<u8>) -> Self {
        unsafe extern "C" fn free(ptr: *mut u8, len: usize, cap: usize) {
            // SAFETY: the three values came from `from_vec` of this very library and are used once.
            drop(unsafe { Vec::from_raw_parts(ptr, len, cap) });
        }
        let mut data = core::mem::ManuallyDrop::new(data);
        Self { ptr: data.as_mut_ptr(), len: data.len(), cap: data.capacity(), free: Some(free) }
    }

    /// Copies at most `limit` bytes, frees the buffer with its own function and returns the copy,
    /// or the length in bytes as an error when it is longer.
    ///
    /// # Errors
    /// The buffer's length when it exceeds `limit`; it is freed all the same.
    ///
    /// # Safety
    /// The buffer must be as its maker described it, and must not be used again.
    pub unsafe fn take(self, limit: usize) -> Result<Vec<u8>, usize> {
        let result = if self.len > limit {
            Err(self.len)
        } else if self.ptr.is_null() || self.len == 0 {
            Ok(Vec::new())
        } else {
            // SAFETY: promised by the caller.
            Ok(unsafe { core::slice::from_raw_parts(self.ptr, self.len) }.to_vec())
        };
        if let Some(free) = self.free {
            // SAFETY: `free` is the maker's, called once with the maker's values.
            unsafe { free(self.ptr, self.len, self.cap) };
        }
        result
    }
}
