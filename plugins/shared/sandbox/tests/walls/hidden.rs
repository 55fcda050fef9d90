//! What is hidden from who counts: files in folders that cannot be listed or are too deep, files that only a socket
//! holds, memory that maps memory, processes whose first thread is dead.

use nexus_sandbox::{Breach, Profile};

use crate::bench::*;

/// Each writes 64 MiB, four times its limit, and waits.
const DISK: [(&str, &str); 4] = [
    (
        "in a folder that cannot be listed",
        "
os.mkdir('shut', 0o300)
for n in range(16): write(open(f'shut/{n}', 'wb'))",
    ),
    (
        "deeper than a path is long",
        "
for _ in range(30):
    os.mkdir('d' * 200); os.chdir('d' * 200)
for n in range(16): write(open(str(n), 'wb'))",
    ),
    (
        "in files that are on their way",
        "
one, other = socket.socketpair()
for n in range(16):
    file = open('x', 'wb'); os.unlink('x'); write(file)
    socket.send_fds(one, [b'x'], [file.fileno()]); file.close()",
    ),
    (
        "in files that never had a name",
        "
kept = []
for n in range(16):
    file = os.fdopen(os.open('.', os.O_TMPFILE | os.O_WRONLY, 0o600), 'wb'); write(file); kept.append(file)",
    ),
];

#[tokio::test]
async fn hidden_files_are_counted() {
    if !as_ordinary_user("hidden::hidden_files_are_counted") {
        return;
    }
    let bench = Bench::new().await;
    for profile in Profile::ALL {
        for (name, script) in DISK {
            let script = format!(
                "
import os, socket, time
os.chdir(os.environ['TMPDIR'])
def write(file):
    file.write(b'x' * (4 << 20)); file.flush()
{script}
time.sleep(20)
print('all of it')"
            );
            let done = finish(&bench.sandbox(profile, &script)).await;
            assert_eq!(done.ending.breach, Some(Breach::Disk), "{profile:?} {name}: {} {}", done.ending, done.stderr);
            assert_eq!(done.stdout, "", "{profile:?} {name}");
            open_up(&bench.work());
            bench.empty_work();
        }
    }
}

fn open_up(folder: &std::path::Path) {
    let shut = folder.join("shut");
    if shut.exists() {
        std::fs::set_permissions(shut, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    }
}

/// Reading one byte of every two megabytes costs no memory but that of the tables: 128 GiB cost 256 MiB.
#[tokio::test]
async fn memory_of_page_tables_is_bounded() {
    if !as_ordinary_user("hidden::memory_of_page_tables_is_bounded") {
        return;
    }
    let bench = Bench::new().await;
    let one = "
import mmap
def reserve(size):
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)
def tables():
    return int(open('/proc/self/status').read().split('VmPTE:')[1].split()[0])
kept = []
try:
    for _ in range(64): kept.append(reserve(4 << 30))
except (OSError, MemoryError): pass
for part in kept:
    for at in range(0, len(part), 2 << 20): part[at]
print(sum(map(len, kept)) >> 30, flush=True)";
    for profile in Profile::ALL {
        let done = finish(&bench.sandbox(profile, one)).await;
        let reserved: u64 = done.stdout.trim().parse().unwrap_or_else(|_| panic!("{} {}", done.ending, done.stderr));
        assert!((1..=16).contains(&reserved), "{profile:?}: {reserved} GiB, whose tables take {} MiB", reserved * 2);
    }
    // Many, each with all that it may reserve.
    let many = format!(
        "
import os, time
for _ in range(15):
    if os.fork() == 0: break
{one}
time.sleep(60)"
    );
    for profile in [Profile::Test, Profile::Agent] {
        let mut sandbox = bench.sandbox(profile, &many);
        sandbox.limits.memory = Some(128 << 20);
        let done = finish(&sandbox).await;
        assert_eq!(done.ending.breach, Some(Breach::Memory), "{profile:?}: {} {}", done.ending, done.stderr);
    }
}

/// The first thread ends alone; the process table shows a dead process, which runs on.
const HEADLESS: &str = "
import ctypes, os, threading, time
def behead(work):
    threading.Thread(target=work).start()
    ctypes.CDLL(None).syscall({exit}, 0)
def fill():
    for n in range(16):
        file = open(os.environ['TMPDIR'] + '/x', 'wb'); os.unlink(file.name)
        file.write(b'x' * (4 << 20)); file.flush(); kept.append(file)
    time.sleep(20)
kept = []
";
#[cfg(target_arch = "x86_64")]
const EXIT: &str = "60";
#[cfg(not(target_arch = "x86_64"))]
const EXIT: &str = "93";

#[tokio::test]
async fn who_lost_the_first_thread_is_counted_and_ended() {
    if !as_ordinary_user("hidden::who_lost_the_first_thread_is_counted_and_ended") {
        return;
    }
    let bench = Bench::new().await;
    let headless = HEADLESS.replace("{exit}", EXIT);
    for profile in Profile::ALL {
        let done = finish(&bench.sandbox(profile, &format!("{headless}behead(fill)"))).await;
        assert_eq!(done.ending.breach, Some(Breach::Disk), "{profile:?}: {} {}", done.ending, done.stderr);
        bench.empty_work();
    }
    // Its parent ends, and it is left behind.
    let stray = format!(
        "{headless}
pipe = os.pipe()
if os.fork() == 0:
    os.setsid()
    behead(lambda: (os.write(pipe[1], b'x'), time.sleep(1000)))
os.read(pipe[0], 1)
print('up', flush=True)
"
    );
    for profile in [Profile::Test, Profile::Agent] {
        let done = finish(&bench.sandbox(profile, &stray)).await;
        assert_eq!((done.stdout.trim(), done.ending.left), ("up", 1), "{profile:?}: {} {}", done.ending, done.stderr);
        assert!(processes_in(bench.folder.path()).is_empty());
        let waits = format!("{stray}time.sleep(1000)");
        let mut confined = bench.sandbox(profile, &waits).spawn().await.unwrap();
        let mut up = [0; 2];
        tokio::io::AsyncReadExt::read_exact(confined.stdout.as_mut().unwrap(), &mut up).await.unwrap();
        confined.kill().await.unwrap();
        assert!(processes_in(bench.folder.path()).is_empty());
    }
}
