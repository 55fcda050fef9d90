//! What cannot be refused is bounded: memory, disk, processes, time; and nothing is left behind.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nexus_sandbox::{Breach, Profile};

use crate::bench::*;

#[tokio::test]
async fn memory_of_one_process_is_bounded() {
    if !as_ordinary_user("bounds::memory_of_one_process_is_bounded") {
        return;
    }
    let bench = Bench::new().await;
    let script = "
try:
    blocks = []
    while True: blocks.append(bytearray(16 << 20))
except MemoryError: print(len(blocks) <= 16)";
    for profile in Profile::ALL {
        let done = finish(&bench.sandbox(profile, script)).await;
        assert_eq!(done.stdout.trim(), "True", "{profile:?}: {} {}", done.ending, done.stderr);
    }
}

/// Each within its own limit, all together beyond it.
#[tokio::test]
async fn memory_of_all_processes_is_bounded() {
    if !as_ordinary_user("bounds::memory_of_all_processes_is_bounded") {
        return;
    }
    let bench = Bench::new().await;
    let script = "
import os, time
for _ in range(4):
    if os.fork() == 0:
        block = b'x' * (150 << 20)
        time.sleep(60)
        os._exit(0)
time.sleep(60)";
    for profile in [Profile::Test, Profile::Agent] {
        let begun = Instant::now();
        let done = finish(&bench.sandbox(profile, script)).await;
        assert_eq!(done.ending.breach, Some(Breach::Memory), "{profile:?}: {} {}", done.ending, done.stderr);
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}

/// What a fork shares counts once.
#[tokio::test]
async fn memory_that_is_shared_counts_once() {
    let bench = Bench::new().await;
    let script = "
import os, time
block = b'x' * (100 << 20)
children = [os.fork() for _ in range(1)]
if 0 not in children: children.append(os.fork())
if 0 not in children: children.append(os.fork())
time.sleep(1.5)
print('done', flush=True)
os._exit(0)";
    let done = finish(&bench.sandbox(Profile::Test, script)).await;
    assert_eq!(done.ending.breach, None, "{}", done.stderr);
}

#[tokio::test]
async fn disk_is_bounded() {
    if !as_ordinary_user("bounds::disk_is_bounded") {
        return;
    }
    let bench = Bench::new().await;
    // Each writes without an end, and as fast as it can.
    let many = "
import itertools, os
for n in itertools.count():
    with open(f'{os.environ[\"TMPDIR\"]}/{n}', 'wb') as file: file.write(b'x' * (4 << 20))";
    let small = "
import itertools, os
for n in itertools.count(): open(f'{os.environ[\"TMPDIR\"]}/{n}', 'w').close()";
    // Removed, and kept by a descriptor or a mapping: as many as it may have open.
    let open = "
import os, time
kept = []
for n in range(40):
    file = open(f'{os.environ[\"TMPDIR\"]}/x', 'w+b'); os.unlink(file.name); file.write(b'x' * (4 << 20)); file.flush(); kept.append(file)
time.sleep(1000)";
    let mapped = "
import mmap, os, time
kept = []
for n in range(40):
    with open(f'{os.environ[\"TMPDIR\"]}/x', 'w+b') as file:
        os.unlink(file.name); file.write(b'x' * (4 << 20)); file.flush(); kept.append(mmap.mmap(file.fileno(), 0))
time.sleep(1000)";
    for profile in Profile::ALL {
        for (name, script) in [("many", many), ("small", small), ("open", open), ("mapped", mapped)] {
            let mut least = u64::MAX;
            // How much a burst writes before the next look depends on who has the processor: the best of three shows
            // what the walls do, not what the machine does besides.
            for _ in 0..3 {
                let done = finish(&bench.sandbox(profile, script)).await;
                let what = format!("{profile:?} {name}: {} {}", done.ending, done.stderr);
                assert_eq!(done.ending.breach, Some(Breach::Disk), "{what}");
                least = least.min(used_in(&bench));
                bench.empty_work();
                if least <= MOST_BY_A_BURST {
                    break;
                }
            }
            assert!(least <= MOST_BY_A_BURST, "{profile:?} {name}: {least}");
        }
    }
}

/// Ten times the limit, which a writer at the speed of memory fills between two looks and before it is ended.
const MOST_BY_A_BURST: u64 = 160 << 20;

fn used_in(bench: &Bench) -> u64 {
    let entries = std::fs::read_dir(bench.work()).unwrap();
    entries.map(|entry| std::os::unix::fs::MetadataExt::blocks(&entry.unwrap().metadata().unwrap()) * 512).sum()
}

/// Who has written more than it may and ended before anybody looked has passed the limit all the same.
#[tokio::test]
async fn what_is_left_counts_after_the_end() {
    let bench = Bench::new().await;
    let quick = "
import os
for n in range(5):
    with open(f'{os.environ[\"TMPDIR\"]}/{n}', 'wb') as file: file.write(b'x' * (4 << 20))
os._exit(0)";
    for profile in Profile::ALL {
        let done = finish(&bench.sandbox(profile, quick)).await;
        assert_eq!(done.ending.breach, Some(Breach::Disk), "{profile:?}: {} {}", done.ending, done.stderr);
        bench.empty_work();
    }
}

#[tokio::test]
async fn one_file_is_bounded() {
    let bench = Bench::new().await;
    let script = "
import os
try:
    with open(os.environ['TMPDIR'] + '/x', 'wb') as file: file.write(b'x' * (9 << 20))
except OSError as error: print(error.errno)";
    for profile in Profile::ALL {
        assert_eq!(finish(&bench.sandbox(profile, script)).await.stdout.trim(), "27", "{profile:?}");
    }
}

#[tokio::test]
async fn processes_are_bounded() {
    if !as_ordinary_user("bounds::processes_are_bounded") {
        return;
    }
    let bench = Bench::new().await;
    let bomb = "
import os, time
while True:
    try: os.fork()
    except OSError: time.sleep(0.01)";
    for profile in [Profile::Test, Profile::Agent] {
        let mut sandbox = bench.sandbox(profile, bomb);
        // It must not take the processes of the other tests, which run as the same user.
        sandbox.limits.user_processes = Some(1024);
        let done = finish(&sandbox).await;
        assert_eq!(done.ending.breach, Some(Breach::Processes), "{profile:?}: {}", done.ending);
        assert!(processes_in(bench.folder.path()).is_empty());
    }
    let tool = "
import os
try: os.fork()
except PermissionError: print('refused')";
    assert_eq!(finish(&bench.sandbox(Profile::Tool, tool)).await.stdout.trim(), "refused");
}

#[tokio::test]
async fn time_of_the_cpu_is_bounded() {
    let bench = Bench::new().await;
    let of = |profile| {
        let mut sandbox = bench.sandbox(profile, "while True: pass");
        sandbox.limits.cpu_seconds = Some(1);
        sandbox
    };
    let [tool, test, agent] = Profile::ALL.map(of);
    let (tool, test, agent) = tokio::join!(finish(&tool), finish(&test), finish(&agent));
    for done in [tool, test, agent] {
        use std::os::unix::process::ExitStatusExt as _;
        let signal = done.ending.status.signal();
        assert!([Some(libc::SIGXCPU), Some(libc::SIGKILL)].contains(&signal), "{}", done.ending);
    }
}

/// Double fork, own session, empty environment, signals ignored, other name; some ten of them.
const STRAYS: &str = "
import os, signal, sys, time
def stray():
    if os.fork() == 0:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
            for stream in range(3): os.close(stream)
            os.execve(sys.executable, ['kworker', '-I', '-S', '-c', 'import time\\nwhile True: time.sleep(1000)'], {})
        os._exit(0)
for _ in range(10): stray()
";
/// Each forks and ends, over and over: nobody lives long enough to be looked up.
const RUNNERS: &str = "
import os, time
def run():
    while True:
        if os.fork() != 0: os._exit(0)
        os.setsid()
for _ in range(3):
    if os.fork() == 0: run()
";

#[tokio::test]
async fn nothing_is_left_behind() {
    if !as_ordinary_user("bounds::nothing_is_left_behind") {
        return;
    }
    let bench = Bench::new().await;
    for profile in [Profile::Test, Profile::Agent] {
        for (name, strays) in [("strays", STRAYS), ("runners", RUNNERS)] {
            // It ends by itself.
            let done = finish(&bench.sandbox(profile, &format!("{strays}time.sleep(0.3)"))).await;
            assert!(done.ending.status.success(), "{name}: {} {}", done.ending, done.stderr);
            assert!(processes_in(bench.folder.path()).is_empty(), "{profile:?} {name}, by itself");
            assert!(done.ending.left > 0, "{name}");
            // It is ended.
            let script = format!("{strays}print('up', flush=True)\ntime.sleep(1000)");
            let mut confined = bench.sandbox(profile, &script).spawn().await.unwrap();
            let mut up = [0; 3];
            tokio::io::AsyncReadExt::read_exact(confined.stdout.as_mut().unwrap(), &mut up).await.unwrap();
            confined.stop(Duration::from_secs(1)).await.unwrap();
            assert!(processes_in(bench.folder.path()).is_empty(), "{profile:?} {name}, stopped");
            // Its owner lets go of it.
            let mut confined = bench.sandbox(profile, &script).spawn().await.unwrap();
            tokio::io::AsyncReadExt::read_exact(confined.stdout.as_mut().unwrap(), &mut up).await.unwrap();
            drop(confined);
            eventually(name, || processes_in(bench.folder.path()).is_empty()).await;
        }
    }
}

const HOST: &str = "NEXUS_SANDBOX_TEST_FOLDER";

/// Plays the daemon when the next test starts it in a process of its own, and lives until it is killed.
#[tokio::test]
async fn host() {
    if std::env::var_os(HOST).is_none() {
        return;
    }
    let bench = Bench::new().await;
    let script = format!("{STRAYS}print('up', flush=True)\ntime.sleep(1000)");
    let mut confined = bench.sandbox(Profile::Agent, &script).spawn().await.unwrap();
    let mut up = [0; 3];
    tokio::io::AsyncReadExt::read_exact(confined.stdout.as_mut().unwrap(), &mut up).await.unwrap();
    println!("\nfolder {}", bench.folder.path().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_outlives_a_killed_owner() {
    if !as_ordinary_user("bounds::nothing_outlives_a_killed_owner") {
        return;
    }
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "bounds::host", "--nocapture"])
        .env(HOST, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(host.stdout.take().unwrap()));
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("folder ")).expect("the host died early");
    let folder = std::path::PathBuf::from(line.trim_start_matches("folder "));
    eventually("all ten have set themselves apart", || processes_in(&folder).len() >= 11).await;
    host.kill().unwrap();
    host.wait().unwrap();
    eventually("all are gone", || processes_in(&folder).is_empty()).await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// Whoever kills the keeper does not free what it kept.
#[tokio::test]
async fn it_dies_with_its_keeper() {
    let bench = Bench::new().await;
    let confined = bench.sandbox(Profile::Agent, "import time\ntime.sleep(1000)").spawn().await.unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", confined.pid())).unwrap();
    let keeper = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().to_owned();
    assert!(Command::new("kill").args(["-9", &keeper]).status().unwrap().success());
    let pid = confined.pid();
    eventually("the confined process is gone", || !is_alive(pid)).await;
    let mut confined = confined;
    assert!(confined.ended().await.is_err());
}
