//! Control groups, where some are delegated: a tree has one of its own, and is gone with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nexus_sandbox::{Profile, Walls, cgroup};

use crate::bench::*;

const GROUP: &str = "NEXUS_SANDBOX_TEST_GROUP";

/// Plays the daemon in a delegated group when the next test starts it there.
#[tokio::test]
async fn in_a_delegated_group() {
    let Some(group) = std::env::var_os(GROUP).map(PathBuf::from) else { return };
    cgroup::take_over().unwrap();
    cgroup::take_over().unwrap();
    assert_eq!(fs::read_to_string(group.join("cgroup.procs")).unwrap(), "", "it moved into a leaf");
    assert!(Walls::probe().cgroup.is_some());
    let bench = Bench::new().await;
    let script = "
import os, time
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: time.sleep(1000)
        os._exit(0)
time.sleep(0.3)
print('up', flush=True)
time.sleep(1000)";
    let trees = || {
        let names = fs::read_dir(&group).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("confined-")).collect::<Vec<_>>()
    };
    let up = async |confined: &mut nexus_sandbox::Confined| {
        let mut text = [0; 3];
        tokio::io::AsyncReadExt::read_exact(confined.stdout.as_mut().unwrap(), &mut text).await.unwrap();
    };
    let mut confined = bench.sandbox(Profile::Agent, script).spawn().await.unwrap();
    up(&mut confined).await;
    assert!(confined.guards().iter().any(|guard| guard == "cgroup"));
    let held = fs::read_to_string(trees()[0].join("cgroup.procs")).unwrap();
    assert_eq!(held.lines().count(), 6, "the program and its five strays, not the keeper: {held}");
    confined.stop(std::time::Duration::ZERO).await.unwrap();
    assert_eq!(trees(), Vec::<PathBuf>::new());
    assert!(processes_in(bench.folder.path()).is_empty());

    // Not even the death of the keeper frees the strays.
    let mut confined = bench.sandbox(Profile::Agent, script).spawn().await.unwrap();
    up(&mut confined).await;
    let stat = fs::read_to_string(format!("/proc/{}/stat", confined.pid())).unwrap();
    let keeper = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().to_owned();
    assert!(Command::new("kill").args(["-9", &keeper]).status().unwrap().success());
    drop(confined);
    eventually("the strays are gone", || processes_in(bench.folder.path()).is_empty()).await;
    assert_eq!(trees(), Vec::<PathBuf>::new());
    println!("held in groups");
}

#[test]
fn a_tree_is_gone_with_its_group() {
    use std::os::unix::fs::chown;
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let root = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2")).and_then(|l| l.split(' ').nth(1));
    let Some(root) = root else {
        println!("no unified control groups here: nothing to try");
        return;
    };
    let group = Path::new(root).join(format!("nexus-test-{}", std::process::id()));
    if let Err(error) = fs::create_dir(&group) {
        println!("control groups cannot be delegated by this user ({error}): nothing to try");
        return;
    }
    for name in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        chown(group.join(name), Some(65534), Some(65534)).unwrap();
    }
    // Moved in by root, as systemd does it, and then nobody.
    let script = r#"echo $$ > "$NEXUS_SANDBOX_TEST_GROUP/cgroup.procs" && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0" --exact groups::in_a_delegated_group --nocapture"#;
    let output = Command::new("/bin/sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env(GROUP, &group)
        .current_dir("/")
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for _ in 0..100 {
        let _ = fs::remove_dir(group.join("nexusd"));
        if fs::remove_dir(&group).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(output.status.success() && text.contains("held in groups"), "{text}");
    assert!(!group.exists());
}
