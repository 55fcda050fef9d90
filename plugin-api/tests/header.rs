//! Keeps `include/nexus_plugin.h` in step with `src/abi.rs`. `UPDATE_HEADER=1` rewrites it.
#![allow(clippy::expect_used, clippy::panic)]
#![cfg(target_pointer_width = "64")] // the sizes and the hash in the header are those of LP64

use std::{fmt::Write, path::Path};

use nexus_plugin_api::abi::{Bytes, HostV1, LAYOUT_HASH, MAGIC, OwnedBytes, PluginV1};

const HEADER: &str = "\
/* The plugin interface of nexusd, ABI 1.
 *
 * Generated from plugin-api/src/abi.rs by the test `header`; do not edit.
 * The payloads are JSON: see plugin-api/tests/golden for one of each.
 * A complete plugin in C: plugins/example-c/example.c.
 */";

#[test]
fn the_committed_header_is_the_generated_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("include/nexus_plugin.h");
    let mut generated = Vec::new();
    let config = config();
    cbindgen::Builder::new()
        .with_src(root.join("src/abi.rs"))
        .with_config(config)
        .generate()
        .expect("src/abi.rs has a C form")
        .write(&mut generated);
    let generated = for_c(&String::from_utf8(generated).expect("cbindgen writes text"));
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&file, &generated).expect("the header can be written");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == generated,
        "{} is not what src/abi.rs says: run `UPDATE_HEADER=1 cargo test -p nexus-plugin-api --test header`",
        file.display()
    );
}

/// Turns what only rustdoc and Rust understand into what a C reader does.
fn for_c(text: &str) -> String {
    let mut text = text.replace(&MAGIC.to_string(), &format!("UINT64_C({MAGIC:#x})"));
    for table in ["Bytes", "OwnedBytes", "HostV1", "PluginV1"] {
        text = text.replace(&format!("[`{table}`]"), &format!("`Nexus{table}`"));
    }
    for name in ["MAGIC", "ABI_MAJOR", "LAYOUT_HASH"] {
        text = text.replace(&format!("[`{name}`]"), &format!("`NEXUS_{name}`"));
    }
    // [`Event`](crate::payload::Event) → `Event`
    while let Some((before, link, after)) = link_in(&text) {
        text = format!("{before}{link}{after}");
    }
    text
}

fn link_in(text: &str) -> Option<(&str, &str, &str)> {
    let (head, tail) = text.split_once("](crate::")?;
    let (_, after) = tail.split_once(')')?;
    let (before, link) = head.rsplit_once('[')?;
    Some((before, link, after))
}

fn config() -> cbindgen::Config {
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        pragma_once: true,
        header: Some(HEADER.into()),
        trailer: Some(trailer()),
        cpp_compat: true,
        usize_is_size_t: true,
        no_includes: true,
        sys_includes: vec!["stddef.h".into(), "stdint.h".into()],
        style: cbindgen::Style::Type,
        documentation_style: cbindgen::DocumentationStyle::C99,
        line_length: 110,
        ..cbindgen::Config::default()
    };
    for name in ["Bytes", "OwnedBytes", "HostV1", "PluginV1"] {
        config.export.rename.insert(name.into(), format!("Nexus{name}"));
        config.export.include.push(name.into());
    }
    for name in ["MAGIC", "ABI_MAJOR", "STATUS_OK", "STATUS_FAILED", "STATUS_PANICKED", "STATUS_CANCELLED"] {
        config.export.rename.insert(name.into(), format!("NEXUS_{name}"));
    }
    config
}

/// What cbindgen cannot know: the layout, its hash, and the one symbol.
fn trailer() -> String {
    let mut text = String::from(
        "#if !defined(__LP64__)\n#error \"this header knows the layout of 64-bit Unix targets only\"\n#endif\n\n\
         #if defined(__cplusplus)\n#define NEXUS_STATIC_ASSERT static_assert\n#else\n\
         #define NEXUS_STATIC_ASSERT _Static_assert\n#endif\n\n",
    );
    let _ = writeln!(text, "/* For `layout_hash`: the fingerprint of the sizes and offsets below. */");
    let _ = writeln!(text, "#define NEXUS_LAYOUT_HASH UINT64_C({LAYOUT_HASH:#018x})\n");
    let mut size = |name: &str, bytes: usize| {
        let _ = writeln!(text, "NEXUS_STATIC_ASSERT(sizeof(Nexus{name}) == {bytes}, \"layout of Nexus{name}\");");
    };
    size("Bytes", size_of::<Bytes>());
    size("OwnedBytes", size_of::<OwnedBytes>());
    size("HostV1", size_of::<HostV1>());
    size("PluginV1", size_of::<PluginV1>());
    macro_rules! offsets {
        ($($table:ident . $field:ident),* $(,)?) => { $(
            let _ = writeln!(
                text,
                "NEXUS_STATIC_ASSERT(offsetof(Nexus{0}, {1}) == {2}, \"layout of Nexus{0}\");",
                stringify!($table), stringify!($field), std::mem::offset_of!($table, $field),
            );
        )* };
    }
    offsets!(
        Bytes.len,
        OwnedBytes.cap,
        OwnedBytes.free,
        HostV1.is_cancelled,
        HostV1.event,
        HostV1.done,
        HostV1.try_event,
        PluginV1.layout_hash,
        PluginV1.panic_unwind,
        PluginV1.describe,
        PluginV1.configure,
        PluginV1.start,
        PluginV1.cancel,
        PluginV1.destroy,
        PluginV1.shutdown,
    );
    text.push_str(
        "\n/* The one symbol that a plugin exports. Define it with these words in front. */\n\
         #define NEXUS_PLUGIN_EXPORT __attribute__((visibility(\"default\")))\n\n\
         #ifdef __cplusplus\nextern \"C\" {\n#endif\n\
         extern NEXUS_PLUGIN_EXPORT const NexusPluginV1 NEXUS_PLUGIN_V1;\n\
         #ifdef __cplusplus\n}\n#endif",
    );
    text
}
