//! The first look at a loaded library's table, in the order that the interface prescribes.
#![allow(unsafe_code)] // reads a foreign table

use std::ffi::c_void;

use nexus_plugin_api::{
    abi::{ABI_MAJOR, Bytes, HostV1, LAYOUT_HASH, MAGIC, OwnedBytes, PluginV1},
    payload::{Description, Failure},
};

use crate::plugins::{description, refusal::Refusal};

/// `describe` may answer this much.
const MAX_DESCRIPTION: usize = 1 << 20;

/// The entries of a table that passed. The library behind them is never unloaded.
#[derive(Clone, Copy)]
pub(super) struct Entries {
    pub(super) describe: unsafe extern "C" fn() -> OwnedBytes,
    pub(super) configure: unsafe extern "C" fn(Bytes, *mut OwnedBytes) -> u32,
    pub(super) start: unsafe extern "C" fn(*const HostV1, u64, Bytes, *mut *mut c_void) -> u32,
    pub(super) cancel: unsafe extern "C" fn(*mut c_void),
    pub(super) destroy: unsafe extern "C" fn(*mut c_void),
    pub(super) shutdown: Option<unsafe extern "C" fn()>,
}

/// Checks magic, major, size, layout, panic strategy and entries, and reads nothing before its turn.
///
/// # Safety
/// `table` must point to `readable` bytes that stay valid for the life of the process.
pub(super) unsafe fn entries(table: *const PluginV1, readable: u64) -> Result<Entries, Refusal> {
    // Up to here every table of every version is the same; less than this is none.
    if table.is_null() || readable < 24 {
        return Err(Refusal::Size { found: if table.is_null() { 0 } else { readable } });
    }
    // SAFETY: the first 24 bytes are readable (checked above); unaligned because nothing is proven yet.
    let magic = unsafe { (&raw const (*table).magic).read_unaligned() };
    if magic != MAGIC {
        return Err(Refusal::Magic { found: magic });
    }
    // SAFETY: as above.
    let major = unsafe { (&raw const (*table).abi_major).read_unaligned() };
    if major != ABI_MAJOR {
        return Err(Refusal::Major { found: major });
    }
    // SAFETY: as above.
    let size = u64::from(unsafe { (&raw const (*table).size).read_unaligned() });
    // The symbol's own size is the linker's word against the plugin's.
    if size.min(readable) < size_of::<PluginV1>() as u64 {
        return Err(Refusal::Size { found: size.min(readable) });
    }
    // SAFETY: the whole 1.0 table is readable (checked above). Every bit pattern is a value of every
    // field: integers and nullable function pointers.
    let table = unsafe { table.read_unaligned() };
    if table.layout_hash != LAYOUT_HASH {
        return Err(Refusal::Layout { found: table.layout_hash });
    }
    if table.panic_unwind != 1 {
        return Err(Refusal::PanicAborts);
    }
    Ok(Entries {
        describe: table.describe.ok_or(Refusal::MissingEntry("describe"))?,
        configure: table.configure.ok_or(Refusal::MissingEntry("configure"))?,
        start: table.start.ok_or(Refusal::MissingEntry("start"))?,
        cancel: table.cancel.ok_or(Refusal::MissingEntry("cancel"))?,
        destroy: table.destroy.ok_or(Refusal::MissingEntry("destroy"))?,
        shutdown: table.shutdown,
    })
}

impl Entries {
    /// Asks the plugin what it is. Blocks as long as the plugin does.
    pub(super) fn describe(&self) -> Result<Description, Refusal> {
        // SAFETY: a non-null entry of a table that passed the handshake; the buffer is taken once.
        let answer = unsafe { (self.describe)().take(MAX_DESCRIPTION) };
        let answer = answer.map_err(|n| Refusal::Describe(format!("{n} bytes; {MAX_DESCRIPTION} are allowed")))?;
        description::read(&answer)
    }

    /// Hands the settings over. Blocks as long as the plugin does.
    pub(super) fn configure(&self, settings: &[u8]) -> Result<(), Refusal> {
        let mut error = OwnedBytes::EMPTY;
        // SAFETY: a non-null entry of a table that passed the handshake; both arguments outlive the call.
        let status = unsafe { (self.configure)(Bytes::new(settings), &raw mut error) };
        // SAFETY: the slot holds what the plugin wrote, or the empty buffer; it is taken once.
        let error = unsafe { error.take(MAX_DESCRIPTION) }.unwrap_or_default();
        if status == 0 {
            return Ok(());
        }
        let failure: Failure = serde_json::from_slice(&error)
            .unwrap_or_else(|_| Failure::permanent(format!("code {status}: {}", String::from_utf8_lossy(&error))));
        if status == nexus_plugin_api::abi::STATUS_PANICKED {
            return Err(Refusal::ConfigurePanicked(failure.message));
        }
        Err(Refusal::Configure(failure))
    }
}
