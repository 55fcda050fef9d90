//! The attacks are real: each of them succeeds without walls, alone and on a fresh victim, but for those of which it
//! is said here what else refuses them.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    attacks::{Suite, outcomes},
    bench::*,
    victim::Victim,
};

/// What an ordinary user cannot do on some kernel, or on any; these attacks show that the walls add no way.
const REFUSED_ANYWAY: [(&str, &[&str]); 5] = [
    (
        "only root may",
        &[
            "watch-all",
            "write-kernel-setting",
            "write-to-kernel",
            "real-time",
            "raw-socket",
            "packets",
            "bluetooth",
            "ports",
            "mount",
            "open-file-system",
            "copy-tree-of-mounts",
            "change-root",
            "be-root",
            "be-somebody-by-program",
            "set-clock",
            "name-machine",
            "make-device",
            "nicer-oneself",
        ],
    ),
    (
        "a hard limit is never raised by an ordinary user",
        &["raise-files", "raise-data", "raise-file-size", "raise-cores", "raise-limit"],
    ),
    (
        "the call has no such form, or refuses the leader of a session",
        &[
            "shared-memory-validated",
            "send-mail-from-a-stream",
            "join-group-of-victim",
            "join-group-of-keeper",
            "timer-of-victim",
        ],
    ),
    (
        "set so by many an operator (sysctl), or without a network or a terminal",
        &[
            "ping-socket",
            "kernel-log",
            "programs-in-the-kernel",
            "performance-counters",
            "io-uring",
            "be-traced",
            "type-for-others",
            "ask-names",
        ],
    ),
    (
        "not built into every kernel, or only into newer ones (6.1 is the oldest that is tried)",
        &[
            "connect-sctp",
            "kernel-crypto",
            "to-the-host",
            "huge-pages",
            "interface-of-x32",
            "secret-memory",
            "share-a-core-with-victim",
            "migrate-pages-of-victim",
            "protection-key",
            "seal-mapping",
            "change-mode-by-newer-call",
            "scheduling-group-of-victim",
            "set-attribute",
            "attribute-of-own",
        ],
    ),
];

/// One attack, as this user does it without walls. Its parent stands for the keeper.
fn succeeds(bench: &Bench, program: &Path, first: &[String], name: &str) -> Option<bool> {
    let place = tempfile::tempdir().unwrap();
    let work = place.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let victim = Victim::new(place.path());
    let mut keeper = Command::new("/bin/sh")
        .args(["-c", "setsid \"$0\" \"$@\"; true"])
        .arg(program)
        .args(first)
        .args(victim.arguments(&work))
        .arg(name)
        .current_dir(bench.code())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut lines = BufReader::new(keeper.stdout.take().unwrap());
    // Not to the end: a parent that was stopped keeps the pipe open.
    while !text.contains("done ") && lines.read_line(&mut text).is_ok_and(|read| read > 0) {}
    let _ = keeper.kill();
    let _ = keeper.wait();
    outcomes(&text).get(name).copied()
}

fn names(bench: &Bench, program: &Path, first: &[String]) -> Vec<String> {
    let victim = Victim::new(bench.folder.path());
    let arguments = victim.arguments(&bench.work());
    let output = Command::new(program).args(first).args(arguments).arg("?").current_dir(bench.code()).output().unwrap();
    let names = outcomes(&String::from_utf8_lossy(&output.stdout));
    names.into_keys().filter(|name| name != "done").collect()
}

#[tokio::test]
async fn each_attack_succeeds_without_walls() {
    if !as_ordinary_user("controls::each_attack_succeeds_without_walls") {
        return;
    }
    let excused: BTreeSet<&str> = REFUSED_ANYWAY.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let (mut all, mut refused, mut found) = (0, Vec::new(), BTreeSet::new());
    for suite in Suite::ALL {
        let bench = Bench::new().await;
        let (program, first) = suite.make(&bench);
        for name in names(&bench, &program, &first) {
            if suite == Suite::Python {
                // It changes itself.
                suite.make(&bench);
            }
            all += 1;
            if succeeds(&bench, &program, &first, &name) != Some(true) {
                refused.push(name.clone());
            }
            found.insert(name);
        }
    }
    println!("{all} attacks, {} of them succeed without walls; refused anyway: {refused:?}", all - refused.len());
    let unexplained: Vec<&String> = refused.iter().filter(|name| !excused.contains(name.as_str())).collect();
    assert!(unexplained.is_empty(), "these prove nothing, for they fail without walls too: {unexplained:?}");
    let stale: Vec<&&str> = excused.iter().filter(|name| !found.contains(**name)).collect();
    assert!(stale.is_empty(), "no such attacks: {stale:?}");
    assert!(refused.len() * 4 < all, "too few succeed to be a control");
}
