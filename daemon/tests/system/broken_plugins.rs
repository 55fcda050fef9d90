//! Plugins that break whatever process loads them, and plugin files that anybody may change: the daemon says so, and goes on.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::support::{Home, plugin_dir};

fn compile(name: &str, define: &str, folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("cc")
        .args(["-std=c11", "-O1", "-shared", "-fPIC", "-pthread", "-Wno-unused-function", define])
        .arg("-I")
        .arg(root.join("../plugin-api/include"))
        .arg("-o")
        .arg(folder.join(name))
        .arg(root.join("tests/fixtures/faulty.c"))
        .output()
        .unwrap_or_else(|error| panic!("this test compiles C plugins and needs `cc` in the PATH: {error}"));
    assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
}

/// Files by what they do when they are loaded, and what is said of them.
const CONSTRUCTORS: [(&str, &str, &str); 3] = [
    // By the process itself, or by who waits for it.
    ("hangs.so", "-DCONSTRUCTOR_HANGS", "did not "),
    ("exits.so", "-DCONSTRUCTOR_EXITS", "exit code 0"),
    ("crashes.so", "-DCONSTRUCTOR_CRASHES", "signal 11"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_constructor_takes_no_daemon_along() {
    let home = Home::with_noop_workflow("", 0);
    let folder = home.path().join("plugins");
    let later = home.path().join("later");
    std::fs::create_dir(&later).unwrap();
    for (name, define, _) in CONSTRUCTORS {
        compile(name, define, &later);
    }
    // Into the running daemon, which answers meanwhile.
    let daemon = home.start();
    for (name, _, _) in CONSTRUCTORS {
        std::fs::rename(later.join(name), folder.join(name)).unwrap();
    }
    let reload = tokio::spawn(daemon.http().post(daemon.at("/plugins/reload")).send());
    let mut asked = 0;
    while !reload.is_finished() {
        let begun = Instant::now();
        assert_eq!(daemon.get("//health").await.0, 200);
        assert!(begun.elapsed() < Duration::from_secs(3), "the health took {:?}", begun.elapsed());
        asked += 1;
    }
    assert!(asked > 0);
    reload.await.unwrap().unwrap();
    let refused = async |daemon: &super::support::Daemon| {
        let (_, plugins) = daemon.get("/plugins").await;
        for (name, _, said) in CONSTRUCTORS {
            let all = plugins["data"].as_array().unwrap();
            let one = all.iter().find(|one| one["file"].as_str().unwrap().ends_with(name)).unwrap();
            assert_eq!(one["state"], "refused", "{one:#}");
            let reason = one["reason"].as_str().unwrap();
            assert!(reason.contains("a process of its own") && reason.contains(said), "{name}: {reason}");
        }
    };
    refused(&daemon).await;
    let project = daemon.create("the good plugin works on", "noop").await;
    daemon.wait_for(&project, &["completed"]).await;
    let (took, code) = daemon.terminate();
    assert!(code == Some(0) && took < Duration::from_secs(10), "{code:?} after {took:?}");
    // And at a start. What was tried has left no process.
    let daemon = home.start();
    refused(&daemon).await;
    assert!(daemon.log().contains("loading a plugin"), "the last word before a plugin's own is its name");
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let probes = line.contains("plugin-probe") && line.contains(home.path().to_str().unwrap());
        assert!(!probes, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_anybody_may_change_is_not_loaded() {
    let home = Home::with_noop_workflow("", 0);
    let folder = home.path().join("plugins");
    let open = folder.join("open.so");
    std::fs::copy(plugin_dir().join("libnexus_fixture_faulty.so"), &open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o666)).unwrap();
    let (code, said) = home.run(&["check-config"]);
    assert!(said.contains("may be written by everybody"), "{code:?} {said}");
    let daemon = home.start();
    let (_, plugins) = daemon.get("/plugins").await;
    let one = plugins["data"].as_array().unwrap().iter().find(|one| one["state"] == "refused").unwrap();
    assert!(one["reason"].as_str().unwrap().contains("may be written by everybody"), "{one:#}");
    assert!(one["remedy"].as_str().unwrap().contains("chmod go-w"), "{one:#}");
    drop(daemon);
    // A folder that anybody may write holds whatever anybody puts there.
    std::fs::remove_file(&open).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let refused = home.try_start().err().expect("its workflow wants the plugin");
    assert!(refused.contains("may be written by everybody"), "{refused}");
}
