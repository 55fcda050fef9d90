use std::{fs, os::unix::fs::MetadataExt as _, process::Command};

use super::*;

/// A wheel of one module.
fn wheel(folder: &Path) {
    let script = r#"
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + "/nexus_probe-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("nexus_probe.py", "ANSWER = 42\n")
    info = "nexus_probe-1.0.dist-info/"
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: nexus-probe\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "")
"#;
    assert!(Command::new("python3").args(["-c", script]).arg(folder).status().unwrap().success());
}

/// Two daemons want the same packages at once, and somebody was killed over them before.
#[tokio::test]
async fn packages_are_installed_once_whoever_asks_and_whatever_was_left() {
    let root = tempfile::tempdir().unwrap();
    let (wheels, cache) = (root.path().join("wheels"), root.path().join("cache"));
    fs::create_dir(&wheels).unwrap();
    wheel(&wheels);
    let daemons = [Packages::new("python3", &wheels), Packages::new("python3", &wheels)];
    let wanted = Requirements::parse("nexus-probe==1.0").unwrap();
    let Place::Folder(_, folder) = daemons[0].place(&wanted, &cache).await.unwrap() else { panic!("it is installed") };
    // Without a mark it is a half, whatever it looks like.
    fs::create_dir_all(folder.join("bin")).unwrap();
    fs::write(folder.join("bin/python"), "half").unwrap();

    let (mut one, mut other, mut same) = (Vec::new(), Vec::new(), Vec::new());
    let (first, second, third) = tokio::join!(
        daemons[0].have(&wanted, &cache, Asker::Deployment, |line| one.push(line.to_owned())),
        daemons[1].have(&wanted, &cache, Asker::Deployment, |line| other.push(line.to_owned())),
        daemons[0].have(&wanted, &cache, Asker::Question, |line| same.push(line.to_owned())),
    );
    let python = first.unwrap();
    assert_eq!((&second.unwrap(), &third.unwrap()), (&python, &python));
    let told = [one, other, same].concat();
    assert_eq!(told.iter().filter(|line| line.contains("another deployment")).count(), 1, "{told:?}");
    assert!(told.iter().any(|line| line == "installing nexus-probe==1.0"), "{told:?}");
    let answer =
        Command::new(&python).args(["-I", "-c", "import nexus_probe; print(nexus_probe.ANSWER)"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "42", "{}", String::from_utf8_lossy(&answer.stderr));
    // Once it is there it is only looked at.
    let before = fs::metadata(&folder).unwrap().ino();
    let again = daemons[1].have(&wanted, &cache, Asker::Question, |line| panic!("{line}")).await.unwrap();
    assert_eq!((again, fs::metadata(&folder).unwrap().ino()), (python, before));
}

/// What the installer's own process holds, nobody takes from it: not even the daemon that comes after one that was killed.
#[tokio::test]
async fn an_installer_that_outlived_its_daemon_is_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let work = Work {
        requirements: Requirements::parse("nexus-probe==1.0").unwrap(),
        interpreter: "/bin/false".into(),
        wheels: root.path().into(),
        folder: root.path().join("venvs/x"),
    };
    fs::create_dir_all(root.path().join("venvs")).unwrap();
    let lock = fs::File::create(root.path().join("venvs/x.lock")).unwrap();
    lock.lock().unwrap();
    let mut orphan = Command::new("sleep").arg("60").stdin(lock.try_clone().unwrap()).spawn().unwrap();
    drop(lock);
    let (told, mut stand) = watch::channel(Stand::Working(String::new()));
    let making = tokio::spawn(async move { make(&work, &told).await });
    stand.wait_for(|stand| matches!(stand, Stand::Working(line) if line.contains("waiting"))).await.unwrap();
    assert!(!making.is_finished());
    orphan.kill().unwrap();
    orphan.wait().unwrap();
    // The interpreter of this test makes nothing, which is found out once it is its turn.
    let failure = making.await.unwrap().unwrap_err();
    assert!(failure.message.contains("wheels") && !root.path().join("venvs/x").exists(), "{failure}");
}

#[tokio::test]
async fn a_failure_is_not_tried_again_by_every_question() {
    let root = tempfile::tempdir().unwrap();
    let packages = Packages::new("python3", root.path());
    let wanted = Requirements::parse("nexus-probe==1.0").unwrap();
    let Place::Folder(_, folder) = packages.place(&wanted, root.path()).await.unwrap() else {
        panic!("it is installed")
    };
    packages.note(&folder, &Err(Failure::transient("no network")));
    let failure = packages.have(&wanted, root.path(), Asker::Question, |line| panic!("{line}")).await.unwrap_err();
    assert_eq!(failure.message, "no network");
}
