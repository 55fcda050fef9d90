//! Looks into a library without loading it: loading runs its constructors, and a plugin folder (a
//! cargo `deps` folder above all) may hold libraries that are nobody's business here.

use nexus_plugin_api::abi::ENTRY_SYMBOL;
use object::{Object, ObjectKind, ObjectSegment, ObjectSymbol, ReadRef, SymbolKind};

use crate::plugins::refusal::Refusal;

/// The size in bytes of the exported table, or why the file is no plugin for this host.
///
/// `data` may be a [`object::ReadCache`], which reads only the pages that are needed, or a whole file.
pub(in crate::plugins) fn entry_size<'d, R: ReadRef<'d>>(data: R) -> Result<u64, Refusal> {
    let length = data.len().map_err(|()| Refusal::Unreadable("its length is unknown".into()))?;
    if length == 0 {
        return Err(Refusal::NotALibrary("it is empty"));
    }
    if data.read_bytes_at(0, 4).ok() != Some(b"\x7fELF") {
        return Err(Refusal::NotALibrary("it does not begin as an ELF file"));
    }
    let file = object::File::parse(data).map_err(|e| Refusal::Damaged(e.to_string()))?;
    let found = machine(file.architecture());
    if found != std::env::consts::ARCH || file.is_64() != (size_of::<usize>() == 8) {
        return Err(Refusal::WrongMachine { found });
    }
    if file.kind() != ObjectKind::Dynamic {
        return Err(Refusal::NotALibrary("it is a program or an object file"));
    }
    // The linker maps these ranges unseen: beyond the end of the file each access would be a SIGBUS.
    for segment in file.segments() {
        let (offset, size) = segment.file_range();
        if offset.checked_add(size).is_none_or(|end| end > length) {
            return Err(Refusal::Damaged(format!("it needs {} bytes and has {length}", offset.saturating_add(size))));
        }
    }
    let entry = file
        .dynamic_symbols()
        .find(|symbol| !symbol.is_undefined() && symbol.name_bytes() == Ok(ENTRY_SYMBOL.to_bytes()))
        .ok_or(Refusal::NoEntry)?;
    // A function is no table, and a thread-local dies with the thread that asked for its address.
    if matches!(entry.kind(), SymbolKind::Text | SymbolKind::Tls) {
        return Err(Refusal::Damaged("NEXUS_PLUGIN_V1 is no constant".into()));
    }
    Ok(entry.size())
}

/// The name that `std::env::consts::ARCH` uses.
fn machine(architecture: object::Architecture) -> String {
    use object::Architecture as A;
    match architecture {
        A::X86_64 => "x86_64".into(),
        A::Aarch64 => "aarch64".into(),
        A::I386 => "x86".into(),
        A::Arm => "arm".into(),
        A::Riscv64 => "riscv64".into(),
        A::S390x => "s390x".into(),
        A::PowerPc64 => "powerpc64".into(),
        A::LoongArch64 => "loongarch64".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}
