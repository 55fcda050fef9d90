//! What README, the pages of `daemon/docs` and the documentation of `plugin-api` tell a reader to type, typed: word for word,
//! in their order, by the real binary, with real crates and a real C compiler. `reader.rs` says what is replaced.

mod blocks;
mod reader;

use std::process::Command;

use reader::{Reader, checkout};

use self::blocks::Block;

#[test]
fn readme_leads_to_an_answer() {
    let mut reader = Reader::new("readme");
    reader.goes_to("nexusd");
    assert_eq!(reader.follows("README.md"), 1, "blocks that are not run: cargo test, which runs this");
    assert!(reader.said().contains("= 12 EUR"), "{}", reader.said());
}

#[test]
fn readme_is_short() {
    let text = std::fs::read_to_string(checkout().join("README.md")).unwrap();
    assert!(text.lines().count() <= 100);
}

#[test]
fn the_api_page_builds_follows_and_chats() {
    let mut reader = Reader::new("api");
    assert_eq!(reader.follows("daemon/docs/API.md"), 0);
    // By curl, where it is a frame, and by the ten lines, where it is a line.
    assert_eq!(reader.said().matches("3 × pear (4 EUR) = 12 EUR").count(), 2, "{}", reader.said());
    let page = blocks::read(&checkout().join("daemon/docs/API.md"));
    let client = page.iter().find(|block| block.language == "python").unwrap();
    assert_eq!(client.text.lines().count(), 10);
    for word in ["while", "sleep", "try", "except"] {
        assert!(!client.text.contains(word), "{word}");
    }
}

#[test]
fn the_plugin_page_goes_from_nothing_to_a_build_and_a_target() {
    let mut reader = Reader::new("plugins");
    assert_eq!(reader.follows("daemon/docs/PLUGINS.md"), 0);
    for told in ["Hello, World!", "Good morning, World!", "\ngood morning\n", "tiny 0.1.0", "example-c 1.0.0"] {
        assert!(reader.said().contains(told), "{told}: {}", reader.said());
    }
}

#[test]
fn the_documentation_of_the_crate_does_too() {
    let mut reader = Reader::new("rustdoc");
    assert_eq!(reader.follows("plugin-api/src/lib.rs"), 0);
}

#[test]
fn the_example_in_c_says_how_it_is_built() {
    let mut reader = Reader::new("example-c");
    reader.goes_to("nexusd/plugins/example-c");
    assert_eq!(reader.follows("plugins/example-c/README.md"), 0);
}

#[test]
fn the_pages_for_operators_hold() {
    let mut reader = Reader::new("operating");
    assert_eq!(reader.follows("daemon/docs/OPERATING.md"), 6, "blocks that need root, systemd, promtool or a daemon");
    assert_eq!(reader.follows("daemon/docs/CLOUD.md"), 0);
}

/// No page may show what nobody tries: every page of the folder is followed above, or has no blocks but drawings.
#[test]
fn no_page_is_forgotten() {
    // The requests and files of the page on models are tried by tests/models/page.rs.
    let followed = ["API.md", "PLUGINS.md", "OPERATING.md", "CLOUD.md", "MODELS.md"];
    for entry in std::fs::read_dir(checkout().join("daemon/docs")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") && !followed.contains(&name.as_str()) {
            let blocks = blocks::read(&entry.path());
            let tried: Vec<&Block> = blocks.iter().filter(|block| block.language != "text").collect();
            assert!(tried.is_empty(), "{name} is in no test: {tried:?}");
        }
    }
}

/// `nexusd plugins new` beside what the pages show of it: other names, other places, and every no.
#[test]
fn a_new_plugin_builds_tests_and_loads_or_is_refused_with_a_remedy() {
    let mut reader = Reader::new("new");
    // Names whose parts mean something in the templates.
    for (name, options) in [("greet-2", ""), ("target", "--deploy"), ("settings", "--api nexusd/plugin-api")] {
        let file = name.replace('-', "_");
        reader.run(&format!("nexusd plugins new {name} {options}"), name);
        reader.run(&format!("cargo test --manifest-path {name}/Cargo.toml"), name);
        assert!(reader.last().contains("1 passed"), "{}", reader.last());
        reader.run(&format!("cargo build --manifest-path {name}/Cargo.toml"), name);
        reader.run(&format!("cp {name}/target/debug/lib{file}.so {name}/plugins/"), name);
        reader.run(&format!("nexusd check-config {name}/nexusd.toml"), name);
        reader.run(&format!("nexusd plugins list --config {name}/nexusd.toml"), name);
        let loaded = format!("{name} 0.1.0 (interface");
        assert!(reader.last().contains(&loaded) && !reader.last().contains("refused"), "{}", reader.last());
    }
    reader.run("nexusd plugins new versioned --api-version 0.1.2", "a version");
    let manifest = std::fs::read_to_string(reader.here().join("versioned/Cargo.toml")).unwrap();
    assert!(manifest.contains("nexus-plugin-api = \"0.1.2\""), "{manifest}");

    let before = std::fs::read_to_string(reader.here().join("target/src/lib.rs")).unwrap();
    for (arguments, remedy) in [
        ("target", "choose another name"),
        ("Hello_World", "try \"hello-world\""),
        ("../outside", "try \"outside\""),
        ("serde", "try \"my-serde\""),
        ("deploy-local", "try \"my-deploy-local\""),
        ("one --api nexusd/daemon", "`plugin-api` in a checkout"),
        ("one --api nowhere", "`plugin-api` in a checkout"),
        ("one --api-version newest", "such as \"0."),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nexusd"));
        command.args(["plugins", "new"]).args(arguments.split(' ')).current_dir(reader.here());
        let output = command.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && told.contains(remedy), "{arguments}: {:?} {told}", output.status);
    }
    assert!(!reader.here().join("one").exists() && !reader.here().join("../outside").exists());
    assert_eq!(std::fs::read_to_string(reader.here().join("target/src/lib.rs")).unwrap(), before);
}
