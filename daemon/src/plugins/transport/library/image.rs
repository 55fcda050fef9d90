//! Copies a plugin file to its own place and loads the copy.
//!
//! Why a copy: a file that is overwritten in place while mapped crashes the process, and the dynamic
//! linker answers a known path with the old code. Why never unloaded: a thread-local destructor or a
//! thread of the plugin may run its code at any later time.
#![allow(unsafe_code)] // loads foreign code

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use libloading::os::unix::{Library as SharedObject, RTLD_LOCAL, RTLD_NOW};
use nexus_plugin_api::abi::{ENTRY_SYMBOL, PluginV1};
use sha2::{Digest, Sha256};

use super::{Library, elf, handshake};
use crate::plugins::{refusal::Refusal, transport::Transport};

/// No plugin is larger; a mistake (a disk image named x.so) is not read into memory.
const MAX_FILE: u64 = 1 << 30;

/// A plugin file as it was read: later changes of the file do not matter any more.
pub(in crate::plugins) struct Image {
    bytes: Vec<u8>,
    /// Size of the exported table by the symbol table.
    pub(in crate::plugins) entry_size: u64,
    /// First 16 digits of the SHA-256.
    pub(in crate::plugins) content: String,
}

impl Image {
    /// Reads the file and proves that it is a whole library with our symbol.
    pub(in crate::plugins) fn read(file: &Path) -> Result<Self, Refusal> {
        let unreadable = |e: std::io::Error| Refusal::Unreadable(e.to_string());
        let metadata = fs::metadata(file).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Refusal::NotALibrary("it is no regular file"));
        }
        if metadata.len() > MAX_FILE {
            return Err(Refusal::NotALibrary("it has more than 1 GiB"));
        }
        let bytes = fs::read(file).map_err(unreadable)?;
        let after = fs::metadata(file).map_err(unreadable)?;
        if bytes.len() as u64 != after.len() || metadata.modified().ok() != after.modified().ok() {
            return Err(Refusal::Damaged("it changed while it was read".into()));
        }
        let entry_size = elf::entry_size(&*bytes)?;
        let content = Sha256::digest(&bytes).iter().take(8).map(|b| format!("{b:02x}")).collect();
        Ok(Self { bytes, entry_size, content })
    }

    /// Writes the copy, to be loaded in the file's place. Its name is unique in this process.
    pub(in crate::plugins) fn copy(&self, copies: &Path) -> Result<Copy, Refusal> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = copies.join(format!(".loading-{}-{serial}-{}.so", std::process::id(), self.content));
        self.write(&path)
            .map_err(|error| Refusal::Copy { folder: copies.display().to_string(), error: error.to_string() })?;
        Ok(Copy(path))
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::create_new(path)?;
        file.write_all(&self.bytes)?;
        file.sync_all()
    }
}

/// Loads a file into the process, for good, and checks its table of `entry_size` bytes.
pub(in crate::plugins) fn link(file: &Path, entry_size: u64) -> Result<Library, Refusal> {
    // Absolute, because the dynamic linker searches its own folders for a bare name.
    let file = fs::canonicalize(file).map_err(|e| Refusal::Unreadable(e.to_string()))?;
    // SAFETY: loading runs the library's constructors. Plugins are trusted code: whoever may write
    // into the plugin folders may run code as the daemon's user.
    // RTLD_NOW: a symbol that is missing must refuse the plugin here, not end the daemon when it is called.
    let library = unsafe { SharedObject::open(Some(&file), RTLD_NOW | RTLD_LOCAL) };
    let library = std::mem::ManuallyDrop::new(library.map_err(|e| Refusal::Link(text(&e)))?);
    // SAFETY: only the address is taken; what it points to is checked by the handshake.
    let symbol = unsafe { library.get::<*const PluginV1>(ENTRY_SYMBOL) };
    let table: *const PluginV1 = *symbol.map_err(|_| Refusal::NoEntry)?;
    // SAFETY: the symbol has `entry_size` bytes by the library's own symbol table, and the library
    // stays loaded for the life of the process.
    let entries = unsafe { handshake::entries(table, entry_size) }?;
    Ok(Library::new(entries))
}

/// A library that passed the handshake.
pub(in crate::plugins) struct Loaded {
    pub(in crate::plugins) transport: Arc<dyn Transport>,
    copy: Copy,
}

impl Loaded {
    /// Gives the copy its lasting name, which tells in `/proc/<pid>/maps` and in a debugger what runs.
    pub(in crate::plugins) fn keep(self, plugin: &str, content: &str, generation: u64) {
        let name = self.copy.0.with_file_name(format!("{plugin}-{content}-g{generation}.so"));
        if fs::rename(&self.copy.0, name).is_ok() {
            std::mem::forget(self.copy);
        }
    }
}

/// A copy of a plugin file. Dropping it removes the file, unless it became a generation; a mapping
/// does not need the name.
pub(in crate::plugins) struct Copy(PathBuf);

impl Copy {
    /// Where it is.
    pub(in crate::plugins) fn path(&self) -> &Path {
        &self.0
    }

    /// Loads the copy, for good, and checks its table.
    pub(in crate::plugins) fn load(self, entry_size: u64) -> Result<Loaded, Refusal> {
        let library = link(&self.0, entry_size)?;
        Ok(Loaded { transport: Arc::new(library), copy: self })
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes the copies of earlier processes. A daemon that still maps one keeps it: only the name goes.
pub(in crate::plugins) fn remove_old_copies(copies: &Path) {
    for entry in fs::read_dir(copies).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|e| e == "so") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// libloading's error hides the linker's text in its source.
fn text(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}
