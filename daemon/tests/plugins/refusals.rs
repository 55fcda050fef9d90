//! Files that are no plugins, or not good ones: each is refused with its reason, and the good ones
//! beside it load.

use std::os::unix::fs::{PermissionsExt, symlink};

use nexus_daemon::plugins::{PluginReport, PluginState, check_dirs, check_file};
use nexus_plugin_api::payload::HandlerKind;
use serde_json::json;

use crate::place::*;

fn refusal<'a>(reports: &'a [PluginReport], file: &str) -> &'a PluginReport {
    let found = reports.iter().find(|r| r.file.file_name().unwrap() == file);
    let report = found.unwrap_or_else(|| panic!("{file} is not in {reports:#?}"));
    assert_eq!(report.state, PluginState::Refused, "{report:#?}");
    assert!(!report.remedy.as_deref().unwrap_or_default().is_empty(), "{report:#?}");
    report
}

/// Compiles every variant, loads all at once beside a good plugin, and looks for each reason.
#[tokio::test]
async fn every_bad_table_and_description_is_refused_with_its_reason() {
    let description = |json: &str| format!("DESCRIPTION={json:?}");
    let handler = r#"{"name":"h","kind":"stage"}"#;
    let owned: Vec<(&str, Vec<String>, &str)> = vec![
        ("magic", vec!["TABLE_MAGIC=1".into()], "begins with 0x0000000000000001"),
        ("major", vec!["TABLE_MAJOR=2".into()], "speaks plugin ABI 2, nexusd 0.1.0 speaks 1"),
        ("size", vec!["TABLE_SIZE=40".into()], "the exported table has 40 bytes, ABI 1.0 has 80"),
        ("short", vec!["SHORT_TABLE".into()], "the exported table has 24 bytes"),
        ("tiny", vec!["TINY_TABLE".into()], "the exported table has 1 bytes"),
        ("tls", vec!["THREAD_LOCAL".into()], "NEXUS_PLUGIN_V1 is no constant"),
        ("function", vec!["FUNCTION".into()], "NEXUS_PLUGIN_V1 is no constant"),
        ("undefined", vec!["UNDEFINED_SYMBOL".into()], "undefined symbol: nobody_has_this_function"),
        ("hash", vec!["TABLE_HASH=1".into()], "laid out otherwise (hash 0x0000000000000001"),
        ("abort", vec!["TABLE_UNWIND=0".into()], "panic = \"abort\""),
        ("null-describe", vec!["NO_DESCRIBE".into()], "`describe` of the exported table is null"),
        ("null-configure", vec!["NO_CONFIGURE".into()], "`configure` of the exported table is null"),
        ("null-start", vec!["NO_START".into()], "`start` of the exported table is null"),
        ("null-cancel", vec!["NO_CANCEL".into()], "`cancel` of the exported table is null"),
        ("null-destroy", vec!["NO_DESTROY".into()], "`destroy` of the exported table is null"),
        ("d-empty", vec![description("")], "it is empty"),
        ("d-garbage", vec![description("garbage")], "expected value at line 1"),
        ("d-huge", vec!["DESCRIBE_HUGE".into()], "2097152 bytes; 1048576 are allowed"),
        ("d-hangs", vec!["DESCRIBE_HANGS".into()], "`describe` did not return within 3s"),
        ("d-name", vec![description(r#"{"name":"../x","version":"1","handlers":[]}"#)], "the name \"../x\""),
        ("d-version", vec![description(r#"{"name":"x","version":"","handlers":[]}"#)], "the version must have"),
        ("d-none", vec![description(r#"{"name":"x","version":"1","handlers":[]}"#)], "there is no handler"),
        (
            "d-twice",
            vec![description(&format!(r#"{{"name":"x","version":"1","handlers":[{handler},{handler}]}}"#))],
            "handler \"h\" is described twice",
        ),
        (
            "d-kind",
            vec![description(r#"{"name":"x","version":"1","handlers":[{"name":"h","kind":"oracle"}]}"#)],
            "unknown variant `oracle`",
        ),
        (
            "c-hangs",
            vec!["CONFIGURE_HANGS".into(), "NAME=\"c-hangs\"".into()],
            "`configure` did not return within 1.5s",
        ),
        (
            "c-fails",
            vec!["CONFIGURE_FAILS".into(), "NAME=\"c-fails\"".into()],
            "`configure` refused the settings: code 7",
        ),
    ];
    let mut place = Place::new().with("noop");
    // All of them begin at the same moment, on a machine that may be busy.
    place.options.call_limit = std::time::Duration::from_secs(3);
    for (name, defines, _) in &owned {
        faulty_c(&place, name, &defines.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let plugins = place.load().await;
    let reports = plugins.reports();
    for (name, _, reason) in &owned {
        let report = refusal(&reports, &format!("{name}.so"));
        let said = report.reason.as_deref().unwrap();
        assert!(said.contains(reason), "{name}: {said}");
    }
    stage_handler(&plugins, "noop/noop");
    assert_eq!(reports.iter().filter(|r| r.state == PluginState::Loaded).count(), 1);
    let error = plugins.resolve("c-fails/do", HandlerKind::Stage).unwrap_err().to_string();
    assert!(error.contains("was refused: `configure` refused"), "{error}");
    // A second look costs no second load of what can only be refused again, and says the same.
    let again = plugins.reload(place.options.clone()).await;
    assert_eq!(again.len(), reports.len());
    let copies = std::fs::read_dir(place.options.runtime_dir.join("plugins")).unwrap().count();
    assert!(copies <= 3, "{copies} copies left: one of noop and those of the threads that hang");
}

#[tokio::test]
async fn what_is_no_library_is_refused_or_passed_over() {
    let place = Place::new().with("noop");
    let whole = std::fs::read(fixture_so("noop")).unwrap();
    std::fs::write(place.file("empty.so"), "").unwrap();
    std::fs::write(place.file("text.so"), "INPUT(libc.so.6)").unwrap();
    for (name, part) in [("cut-half", whole.len() / 2), ("cut-end", whole.len() - 1), ("cut-head", 40)] {
        std::fs::write(place.file(&format!("{name}.so")), &whole[..part]).unwrap();
    }
    let mut foreign = whole.clone();
    foreign[18] = 183; // e_machine: aarch64
    std::fs::write(place.file("foreign.so"), &foreign).unwrap();
    symlink("nowhere", place.file("broken-link.so")).unwrap();
    std::fs::create_dir(place.file("folder.so")).unwrap();
    std::fs::copy(fixture_so("noop"), place.file("libnexus_fixture_noop.so")).unwrap();
    std::fs::write(place.file("notes.txt"), "no library").unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(place.file("pipe.so")).status().unwrap();
    assert!(fifo.success());
    std::fs::write(place.file("secret.so"), &whole).unwrap();
    std::fs::set_permissions(place.file("secret.so"), std::fs::Permissions::from_mode(0o000)).unwrap();

    let reports = within(20, place.load()).await.reports();
    let reason = |file| refusal(&reports, file).reason.clone().unwrap();
    assert!(reason("empty.so").contains("it is empty"));
    assert!(reason("text.so").contains("does not begin as an ELF file"));
    for file in ["cut-half.so", "cut-end.so", "cut-head.so"] {
        assert!(reason(file).contains("is damaged or cut off"), "{}", reason(file));
    }
    assert!(reason("broken-link.so").contains("cannot be read"));
    if std::env::consts::ARCH == "x86_64" {
        assert!(reason("foreign.so").contains("is built for aarch64"), "{}", reason("foreign.so"));
    }
    let named = |file: &str| reports.iter().filter(|r| r.file.ends_with(file)).count();
    assert_eq!(named("folder.so") + named("pipe.so") + named("libnexus_fixture_noop.so") + named("notes.txt"), 0);
    // Root reads everything.
    if std::fs::File::open(place.file("secret.so")).is_err() {
        assert!(reason("secret.so").contains("cannot be read"));
    }
}

/// A cargo `deps` folder is full of libraries that are nobody's business, proc macros above all.
#[tokio::test]
async fn other_libraries_are_passed_over_without_loading_them() {
    let mut place = Place::new();
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let macros = std::fs::read_dir(&deps).unwrap().flatten();
    let macros = macros.filter(|e| e.file_name().to_string_lossy().starts_with("libserde_derive-")).count();
    assert!(macros > 0, "no proc macro in {}: this test tests nothing", deps.display());
    place.options.dirs = vec![deps];
    let reports = place.load().await.reports();
    assert!(reports.iter().all(|r| r.file.to_string_lossy().contains("libnexus_")), "{reports:#?}");
    assert!(reports.iter().all(|r| !r.file.to_string_lossy().contains("libnexus_fixture_")));
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.contains("serde_derive"));
}

#[tokio::test]
async fn the_first_folder_wins_and_the_loser_is_told() {
    let mut place = Place::new().with("noop");
    let second = place.root.path().join("second");
    std::fs::create_dir(&second).unwrap();
    // Another content, so that it is not recognised by its hash.
    let mut other = std::fs::read(fixture_so("noop")).unwrap();
    other.extend_from_slice(b"padding");
    std::fs::write(second.join("noop.so"), other).unwrap();
    // A link to the same file, or a copy of it, is no second plugin and not worth a word.
    symlink(place.file("noop.so"), place.file("a-link.so")).unwrap();
    std::fs::copy(place.file("noop.so"), second.join("copy.so")).unwrap();
    place.options.dirs.push(second.clone());
    place.options.dirs.push("/nonexistent".into());
    let plugins = place.load().await;
    let reports = plugins.reports();
    assert_eq!(reports.iter().filter(|r| r.state == PluginState::Loaded).count(), 1);
    let loser = reports.iter().find(|r| r.file.starts_with(&second)).unwrap();
    assert!(loser.reason.as_ref().unwrap().contains("which comes first"), "{loser:#?}");
    // The same again by hash, and the winner is not disturbed.
    let again = plugins.reload(place.options.clone()).await;
    assert_eq!(again.iter().filter(|r| r.state == PluginState::Loaded && r.generation == 1).count(), 1, "{again:#?}");
    assert_eq!(again.iter().filter(|r| r.state == PluginState::Refused).count(), 1, "{again:#?}");
    let checked = check_dirs(&place.options.dirs, &[], check_file);
    let states: Vec<_> = checked.iter().map(|r| r.state).collect();
    assert_eq!(states, [PluginState::Loaded, PluginState::Refused], "{checked:#?}");
}

#[tokio::test]
async fn a_rust_plugin_that_panics_or_hangs_while_it_loads_is_refused() {
    for (fault, reason) in [
        ("panic", "`configure` panicked: configure says no"),
        ("fail", "`configure` refused the settings: the key is missing"),
        ("hang", "`configure` did not return within 1.5s"),
    ] {
        let place = Place::new().with("noop").with("faulty").setting("faulty", json!({"configure": fault}));
        let plugins = place.load().await;
        let reports = plugins.reports();
        let report = refusal(&reports, "faulty.so");
        assert_eq!((report.name.as_str(), report.reason.as_deref()), ("faulty", Some(reason)));
        stage_handler(&plugins, "noop/noop");
        // With better settings it loads: the file itself was never at fault.
        let place = place.setting("faulty", json!({}));
        plugins.reload(place.options.clone()).await;
        stage_handler(&plugins, "faulty/do");
    }
    let place = Place::new().with("faulty").setting("faulty", json!({"colour": "red"}));
    let reports = place.load().await.reports();
    let reason = refusal(&reports, "faulty.so").reason.clone().unwrap();
    assert!(reason.contains("settings: `colour` must be one of `configure`"), "{reason}");
}

#[tokio::test]
async fn a_runtime_folder_that_cannot_be_written_is_said() {
    let mut place = Place::new().with("noop");
    place.options.runtime_dir = "/proc/self/nowhere".into();
    let reports = place.load().await.reports();
    let reason = refusal(&reports, "noop.so").reason.clone().unwrap();
    assert!(reason.contains("cannot be copied to /proc/self/nowhere/plugins"), "{reason}");
}

#[test]
fn check_says_what_the_daemon_would() {
    let place = Place::new().with("noop");
    let good = check_file(&place.file("noop.so"));
    assert_eq!((good.name.as_str(), good.state, good.handlers.len()), ("noop", PluginState::Loaded, 2));
    let check = |file: &std::path::Path| check_file(file).reason.unwrap();
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let mut entries = std::fs::read_dir(deps).unwrap().flatten();
    let macros = entries.find(|e| e.file_name().to_string_lossy().starts_with("libserde_derive-")).unwrap().path();
    assert!(check(&macros).contains("does not export NEXUS_PLUGIN_V1"));
    assert!(check(&place.file("nowhere.so")).contains("cannot be read"));
    assert!(check(place.dir()).contains("no regular file"));
    assert!(
        check(&std::env::current_exe().unwrap()).contains("does not export"),
        "a test binary is position-independent"
    );
    faulty_c(&place, "hash", &["TABLE_HASH=1"]);
    let report = check_file(&place.file("hash.so"));
    assert_eq!(report.name, "hash");
    assert!(report.remedy.unwrap().contains("rebuild the plugin"));
}
