//! `nexusd backup` beside a working daemon, and `nexusd restore` elsewhere: nothing is lost, and builds go on.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use super::support::{Home, eventually, prices::PRICES};

fn good(home: &Home, arguments: &[&str]) -> String {
    let (code, said) = home.run(arguments);
    assert_eq!(code, Some(0), "{said}");
    said
}

/// Fills a folder with files whose sum is known.
fn fill(folder: &Path, files: usize, bytes: usize) -> u64 {
    fs::create_dir_all(folder).unwrap();
    let mut sum = 0;
    for file in 0..files {
        let content: Vec<u8> =
            (0..bytes as u32 / 4).flat_map(|n| (n ^ file as u32).wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        sum += content.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        fs::write(folder.join(format!("data-{file}")), content).unwrap();
    }
    sum
}

fn sum(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let data = entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("data-"));
    data.flat_map(|path| fs::read(path).unwrap()).map(u64::from).sum()
}

/// Backs a daemon up while it builds, restores elsewhere, and lets both go on. Answers seconds, and POST times meanwhile.
async fn there_and_on(files: usize, bytes: usize, settings: &str) -> (f64, Vec<Duration>, String) {
    let here = Home::with_noop_workflow(settings, 100);
    let daemon = here.start();
    let (made, agent) = daemon.build_agent(PRICES).await;
    daemon.comes_to_know_prices(&agent).await;
    let folder = here.data().join("projects").join(&made);
    let wanted = fill(&folder, files, bytes);
    let mut before = Vec::new();
    for n in 0..12 {
        before.push(daemon.create(&format!("built before the backup, number {n}"), "noop").await);
    }
    eventually("some stages are done", async || {
        let (_, answer) = daemon.get(&format!("/projects/{}", before[0])).await;
        answer["data"]["stages"].as_array()?.iter().any(|stage| stage["status"] == "completed").then_some(())
    })
    .await;

    let file = here.path().join("all.tar");
    let named = file.to_str().unwrap();
    let (ended, begun) = (AtomicBool::new(false), Instant::now());
    let mut child = here.command(&["backup", named]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // People go on meanwhile: they begin builds, and delete some.
    let load = async {
        let mut took = Vec::new();
        while !ended.load(Ordering::Relaxed) {
            let at = Instant::now();
            let id = daemon.create("begun while it was backed up", "noop").await;
            took.push(at.elapsed());
            if took.len() % 3 == 0 {
                let (status, answer) = daemon.delete(&format!("/projects/{id}")).await;
                assert!(status < 300, "{answer}");
            }
        }
        took
    };
    let waited = async {
        while child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ended.store(true, Ordering::Relaxed);
    };
    let (took, ()) = tokio::join!(load, waited);
    let seconds = begun.elapsed().as_secs_f64();
    let output = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert_eq!(said.lines().count(), 1, "one line for people: {said}");

    let told = good(&here, &["backup", "--verify", named]);
    assert!(told.contains("is whole") && told.contains("schema"), "{told}");
    for project in &before {
        daemon.wait_for(project, &["completed"]).await;
    }
    // Into what is there: no.
    let (code, refused) = here.run(&["restore", named]);
    assert!(code == Some(1) && refused.contains("not empty"), "{refused}");
    daemon.terminate();

    let there = Home::with_noop_workflow("", 100);
    let restored = good(&there, &["restore", named]);
    assert!(restored.contains("builds go on"), "{restored}");
    assert_eq!(sum(&there.data().join("projects").join(&made)), wanted, "every byte of the files");
    let on = there.start();
    on.comes_to_know_prices(&agent).await;
    for project in &before {
        let done = on.wait_for(project, &["completed"]).await;
        assert_eq!(done["stages"].as_array().unwrap().len(), 9);
    }
    // Whatever the copy has of what was begun and deleted meanwhile comes to its end, too.
    let (_, all) = on.get("/projects?limit=100").await;
    for project in all["data"].as_array().unwrap() {
        on.wait_for(project["project_id"].as_str().unwrap(), &["completed"]).await;
    }
    on.terminate();
    (seconds, took, said)
}

/// A gigabyte, with what it costs: `NEXUSD_BACKUP_GIB=1 cargo test -p nexus-daemon --test system under_load -- --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_restored_elsewhere_and_builds_go_on() {
    let gib = std::env::var("NEXUSD_BACKUP_GIB").map(|text| text.parse::<usize>().expect("a number of gigabytes"));
    let (files, bytes) = gib.map_or((20, 300_000), |gib| (2048 * gib, 512 << 10));
    let (seconds, mut took, said) = there_and_on(files, bytes, "").await;
    assert!(!took.is_empty(), "{said}");
    took.sort();
    let at = |part: usize| took.get(took.len() * part / 100).copied().unwrap_or_default();
    let longest = took.last();
    println!("{said}in {seconds:.1} s; {} POST: p50 {:?}, p99 {:?}, longest {longest:?}", took.len(), at(50), at(99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_ended_leaves_nothing_and_a_cut_restore_starts_no_daemon() {
    let home = Home::with_noop_workflow("", 1);
    let daemon = home.start();
    let project = daemon.create("of a stopped backup", "noop").await;
    daemon.wait_for(&project, &["completed"]).await;
    fill(&home.data().join("projects").join(&project), 200, 1 << 20);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("b.tar");
    let named = file.to_str().unwrap();
    for signal in ["INT", "TERM", "KILL"] {
        let mut child = home.command(&["backup", named]).stderr(Stdio::piped()).spawn().unwrap();
        eventually("it has begun to write", async || {
            folder.path().join(".b.tar.part").metadata().ok().filter(|m| m.len() > 1 << 20)
        })
        .await;
        let told = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        assert!(told.success());
        assert!(!child.wait().unwrap().success(), "{signal}");
        assert!(!file.exists(), "{signal}: no half file has the name");
        if signal != "KILL" {
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{signal}");
        }
    }
    good(&home, &["backup", named]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "what the killed one left was taken over");
    daemon.terminate();

    // The same, while a daemon does not run.
    good(&home, &["backup", folder.path().join("at-rest.tar").to_str().unwrap()]);

    let there = Home::with_noop_workflow("", 1);
    fs::create_dir_all(there.data().join(".restoring/projects")).unwrap();
    let (code, said) = there.run(&["--listen", "127.0.0.1:0", "serve"]);
    assert!(code == Some(1) && said.contains("nexusd restore"), "{said}");
    assert!(!there.data().join("nexus.db").exists());
    good(&there, &["restore", named]);
    let daemon = there.start();
    daemon.wait_for(&project, &["completed"]).await;
}

#[test]
fn a_disk_without_room_gets_no_backup() {
    let home = Home::new("");
    fs::create_dir_all(home.data().join("projects/proj_1")).unwrap();
    drop(home.start());
    fill(&home.data().join("projects/proj_1"), 8, 1 << 20);
    // A file of this user may not grow beyond 2 MiB: what a full disk does to a writer, without a disk.
    let target = tempfile::tempdir().unwrap();
    let file = target.path().join("b.tar");
    let text = format!(
        "trap '' XFSZ; ulimit -f 4096; exec {:?} --data-dir {:?} backup {file:?}",
        env!("CARGO_BIN_EXE_nexusd"),
        home.data()
    );
    let output = Command::new("sh").arg("-c").arg(text).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("b.tar"), "{said}");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "nothing is left behind");
}
