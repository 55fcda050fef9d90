//! How a confined process begins and ends, and what it may do.

use nexus_sandbox::{Mode, Profile, SandboxError, Stdio};

use crate::bench::*;

#[tokio::test]
async fn what_is_allowed_works_in_every_profile() {
    if !as_ordinary_user("life::what_is_allowed_works_in_every_profile") {
        return;
    }
    let bench = Bench::new().await;
    std::fs::write(bench.code().join("data.txt"), "seven").unwrap();
    let script = r#"
import asyncio, json, os, pathlib, random, sqlite3, ssl, tempfile, threading, zoneinfo, ctypes, decimal, hashlib
pathlib.Path(os.environ["TMPDIR"], "made").mkdir()
with tempfile.TemporaryFile() as file: file.write(b"x" * 1000)
base = sqlite3.connect(os.environ["TMPDIR"] + "/base.db"); base.execute("create table t (a)"); base.commit()
threads = [threading.Thread(target=random.random) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
async def later():
    await asyncio.sleep(0.001)
    return await asyncio.to_thread(sum, [1, 2])
print(json.dumps([open("data.txt").read(), asyncio.run(later()), str(zoneinfo.ZoneInfo("Europe/Berlin")), os.getpid() == os.getsid(0)]))
"#;
    for profile in Profile::ALL {
        for landlock in [None, Some(1), Some(3), Some(5)] {
            let mut sandbox = bench.sandbox(profile, script);
            sandbox.landlock_at_most = landlock;
            let done = finish(&sandbox).await;
            assert!(done.ending.status.success(), "{profile:?} {landlock:?}: {}", done.stderr);
            assert_eq!(done.stdout.trim(), r#"["seven", 3, "Europe/Berlin", true]"#);
            std::fs::remove_dir_all(bench.work()).unwrap();
            std::fs::create_dir(bench.work()).unwrap();
        }
    }
}

#[tokio::test]
async fn tests_and_agents_start_programs() {
    if !as_ordinary_user("life::tests_and_agents_start_programs") {
        return;
    }
    let bench = Bench::new().await;
    let script = "import subprocess, sys\nprint(subprocess.run(['sh', '-c', 'echo one; ls / >/dev/null 2>&1 || echo two'], capture_output=True, text=True).stdout.split(), subprocess.run([sys.executable, '-c', 'print(3)'], capture_output=True, text=True).stdout)";
    for profile in [Profile::Test, Profile::Agent] {
        let done = finish(&bench.sandbox(profile, script).variable("PATH", "/usr/bin:/bin")).await;
        assert_eq!(done.stdout.trim(), "['one', 'two'] 3", "{}", done.stderr);
    }
}

#[tokio::test]
async fn what_cannot_be_started_is_said() {
    let bench = Bench::new().await;
    let mut missing = bench.sandbox(Profile::Test, "");
    missing.program = "/usr/bin/no-such-program".into();
    let error = missing.spawn().await.unwrap_err();
    assert!(error.to_string().contains("/usr/bin/no-such-program"), "{error}");
    assert_eq!(error.into_io().kind(), std::io::ErrorKind::NotFound);
    let mut unreadable = bench.sandbox(Profile::Test, "");
    unreadable.reads.push("/no/such/folder".into());
    let error = unreadable.spawn().await.unwrap_err();
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
    for wrong in ["", "/"] {
        let mut policy = bench.sandbox(Profile::Test, "");
        policy.writes.push(wrong.into());
        assert!(matches!(policy.spawn().await.unwrap_err(), SandboxError::Policy { .. }));
    }
    let mut network = bench.sandbox(Profile::Test, "");
    network.connect.push(80);
    assert!(matches!(network.spawn().await.unwrap_err(), SandboxError::Policy { .. }));
}

#[tokio::test]
async fn nobody_reads_what_is_not_asked_for() {
    let bench = Bench::new().await;
    let mut sandbox = bench.sandbox(Profile::Tool, "print('x' * 1_000_000)");
    sandbox.stdio = Stdio::Null;
    let mut confined = sandbox.spawn().await.unwrap();
    assert!(confined.stdout.is_none() && confined.stderr.is_none());
    assert!(confined.ended().await.unwrap().status.success());
}

#[tokio::test]
async fn it_is_asked_to_end_and_then_ended() {
    let bench = Bench::new().await;
    let polite = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\nprint('up', flush=True)\ntime.sleep(1000)";
    let rude =
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(1000)";
    for (script, grace, code) in [(polite, 20, Some(5)), (rude, 1, None)] {
        let mut confined = bench.sandbox(Profile::Agent, script).spawn().await.unwrap();
        let mut up = [0; 3];
        tokio::io::AsyncReadExt::read_exact(confined.stdout.as_mut().unwrap(), &mut up).await.unwrap();
        let ending = confined.stop(std::time::Duration::from_secs(grace)).await.unwrap();
        assert_eq!(ending.status.code(), code, "{ending}");
        assert_eq!(confined.ended().await.unwrap(), ending, "an end is told as often as one asks");
    }
}

/// The same walls inside namespaces. `attacks` tries them.
#[tokio::test]
async fn bubblewrap_holds_the_same() {
    if !as_ordinary_user("life::bubblewrap_holds_the_same") {
        return;
    }
    let bench = Bench::new().await;
    let script = "import os\nprint(os.getpid() < 10, os.path.exists('/home'), os.access(os.environ['TMPDIR'], os.W_OK))\nopen('secret')";
    let mut sandbox = bench.sandbox(Profile::Agent, script);
    sandbox.mode = Some(Mode::Bwrap);
    let confined = match sandbox.spawn().await {
        Ok(confined) => confined,
        Err(SandboxError::NoBubblewrap) => panic!("this test needs `bwrap` (Debian: bubblewrap)"),
        Err(SandboxError::NoNamespaces) => panic!("this test needs a kernel that lets users make namespaces"),
        Err(error) => panic!("{error}"),
    };
    assert!(confined.guards().iter().any(|guard| guard == "bubblewrap"));
    let done = read_to_the_end(confined).await;
    assert_eq!(done.stdout.trim(), "True False True", "{}", done.stderr);
    assert!(!done.ending.status.success() && done.stderr.contains("secret"), "{}", done.stderr);
}
