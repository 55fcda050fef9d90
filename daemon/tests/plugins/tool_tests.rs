//! Tools that misbehave when they are tried out: each with what comes of it, and nothing left behind.
//! Real processes of the real Python.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use nexus_daemon::tools::{Busy, OUTPUT_BYTES, Sources, ToolTests, Trial, Verdict};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Far above what any of these take that does not wait on purpose, on a busy machine too: one takes 5 s of CPU time.
const LIMIT: Duration = Duration::from_secs(60);

struct Bench {
    home: TempDir,
    tests: Arc<ToolTests>,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let tests = ToolTests::new(home.path().join("tool-tests"));
        Self { home, tests }
    }

    /// The function `f` of a module with this text, to be called with these parameters.
    fn trial(&self, code: &str, parameters: &Value) -> Trial {
        let folder = self.home.path().join("project/agent/tools");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("t.py"), code).unwrap();
        let sources = Sources::of_project(&self.home.path().join("project"), "agent/tools/t.py").unwrap();
        Trial { sources, entry: "f".into(), parameters: parameters.as_object().unwrap().clone() }
    }

    async fn run_with(&self, code: &str, parameters: &Value, limit: Duration, left: &CancellationToken) -> Verdict {
        let trial = self.trial(code, parameters);
        self.tests.turn(4).unwrap().run("python3", limit, trial, left).await
    }

    async fn run(&self, code: &str) -> Verdict {
        let verdict = self.run_with(code, &json!({}), LIMIT, &CancellationToken::new()).await;
        self.nothing_is_left().await;
        verdict
    }

    /// Why it failed.
    async fn error(&self, code: &str) -> String {
        let verdict = self.run(code).await;
        verdict.result.expect_err(code)
    }

    /// No folder, no process.
    async fn nothing_is_left(&self) {
        let folder = self.home.path().join("tool-tests");
        let begun = Instant::now();
        loop {
            let folders = std::fs::read_dir(&folder).map_or(0, Iterator::count);
            let processes = processes_with(&folder);
            if folders == 0 && processes.is_empty() {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{folders} folders, processes: {processes:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Processes in whose command line the folder stands.
fn processes_with(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    let line = |pid: &str| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        .filter(|pid| String::from_utf8_lossy(&line(pid)).contains(&folder))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_gives_back_what_it_found() {
    let bench = Bench::new();
    let code = "def f(a, b=2):\n    print('adding')\n    return {'sum': a + b}";
    let verdict = bench.run_with(code, &json!({"a": 40}), LIMIT, &CancellationToken::new()).await;
    assert_eq!(verdict.result, Ok(json!({"sum": 42})));
    assert_eq!(verdict.printed, "adding\n");
    assert!(verdict.duration < LIMIT);
    // Whatever is no JSON becomes text.
    let verdict = bench.run("import datetime\ndef f(): return [datetime.date(2026, 1, 2), 'ä', None]").await;
    assert_eq!(verdict.result, Ok(json!(["2026-01-02", "ä", null])));
    let verdict = bench.run("def f(): return float('nan')").await;
    assert_eq!(verdict.result, Ok(json!("nan")));
    let verdict = bench.run("async def f(): return 5").await;
    assert_eq!(verdict.result, Ok(json!(5)));
    // It works in a folder of its own.
    let code = "import os\ndef f():\n    open('note', 'w').write('x')\n    os.mkdir('d')\n    os.rename('note', 'd/note')\n    return sorted(os.listdir('d'))";
    assert_eq!(bench.run(code).await.result, Ok(json!(["note"])));
    // Threads are its own affair.
    let code = "import threading\ndef f():\n    seen = []\n    thread = threading.Thread(target=lambda: seen.append(1))\n    thread.start()\n    thread.join()\n    return seen";
    assert_eq!(bench.run(code).await.result, Ok(json!([1])));
    // And sees nothing of the daemon's environment.
    let verdict = bench.run("import os, sys\ndef f(): return [dict(os.environ), sys.argv[1:]]").await;
    assert_eq!(verdict.result, Ok(json!([{}, []])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_fails_says_why() {
    let bench = Bench::new();
    for (code, wanted) in [
        ("def f(): raise ValueError('no such city')", "ValueError: no such city"),
        ("def f(): return 1 / 0", "ZeroDivisionError: division by zero"),
        ("def g(): pass", "ImportError: the tool's file has no function 'f'"),
        ("def f(:", "SyntaxError"),
        ("import no_such_module\ndef f(): pass", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def f(needed): pass", "TypeError: the parameters do not fit: missing a required argument: 'needed'"),
        ("import sys\ndef f(): sys.exit(3)", "the tool ended its process with 3"),
        ("import os\ndef f(): os._exit(3)", "the tool ended its process with code 3"),
        ("import os\ndef f(): os.abort()", "the tool's process crashed with signal"),
        ("def f(): f()", "RecursionError"),
        ("def f(): return 'x' * (1 << 31)", "the tool wanted more than 512 MiB of memory"),
        (
            "def f():\n    kept = []\n    while True: kept.append(bytearray(1 << 20))",
            "the tool wanted more than 512 MiB",
        ),
        ("def f(): return 'x' * (300 << 10)", "the result has more than 262144 bytes"),
        ("def f(): open('big', 'wb').write(b'x' * (8 << 20))", "OSError: [Errno 27] File too large"),
        (
            "def f():\n    for n in range(1000): open(f'{n}', 'w').close()",
            "PermissionError: the tool wrote too many files",
        ),
        ("def f(): return [open('a', 'w') for _ in range(60)]", "OSError: [Errno 24]"),
    ] {
        let error = bench.error(code).await;
        assert!(error.starts_with(wanted), "{code}\n{error}");
        assert!(!error.contains(&*bench.home.path().to_string_lossy()), "no path is told: {error}");
    }
    assert!(bench.error("def f(): raise ValueError('x' * 100000)").await.len() < 5000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_reaches_nothing_outside() {
    let bench = Bench::new();
    let secret = bench.home.path().join("secret.txt");
    std::fs::write(&secret, "top secret").unwrap();
    let (secret, out) = (secret.display(), bench.home.path().join("out.txt"));
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let network = "the network is not allowed";
    let processes = "other processes are not allowed";
    let files = "only files of the tool itself can be read";
    for (code, wanted) in [
        (format!("import socket\ndef f(): socket.create_connection(('127.0.0.1', {port}))"), network),
        ("import socket\ndef f(): socket.getaddrinfo('example.org', 80)".to_owned(), network),
        (format!("import urllib.request\ndef f(): urllib.request.urlopen('http://127.0.0.1:{port}/')"), network),
        ("import subprocess\ndef f(): return subprocess.run(['id'], capture_output=True)".to_owned(), processes),
        ("import os\ndef f(): return os.system('true')".to_owned(), processes),
        ("import os\ndef f(): return os.fork()".to_owned(), processes),
        (format!("import os\ndef f(): os.kill({}, 0)", std::process::id()), processes),
        ("def f(): return open('/etc/passwd').read()".to_owned(), files),
        (format!("def f(): return open('{secret}').read()"), files),
        (format!("import os\ndef f():\n    os.symlink('{secret}', 's')\n    return open('s').read()"), files),
        ("import os\ndef f(): return os.listdir('/')".to_owned(), files),
        (format!("def f(): open('{}', 'w')", out.display()), files),
        ("def f(): open('../code/tools/t.py', 'w')".to_owned(), files),
        ("import ctypes\ndef f(): ctypes.CDLL(None)".to_owned(), "not allowed"),
    ] {
        let error = bench.error(&code).await;
        assert!(error.contains(wanted), "{code}\n{error}");
    }
    server.set_nonblocking(true).unwrap();
    assert!(server.accept().is_err(), "somebody came");
    assert!(!out.exists());
}

/// The audit hook is Python, and Python can be got around: then the kernel refuses. What is called here
/// makes no audit event, or is called after the hook's own helpers were replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kernel_refuses_what_python_cannot() {
    let bench = Bench::new();
    let secret = bench.home.path().join("secret.txt");
    std::fs::write(&secret, "top secret").unwrap();
    // What the hook asks is made to answer that every file lies in the working folder.
    let open = format!(
        "import os, posixpath\ndef f():\n    posixpath._joinrealpath = lambda *_: (os.getcwd() + '/x', True)\n    posixpath.abspath = lambda _: os.getcwd() + '/x'\n    return open('{}').read()",
        secret.display()
    );
    let fork = "import _posixsubprocess, os\ndef f():\n    r, w = os.pipe()\n    return _posixsubprocess.fork_exec([b'/bin/true'], [b'/bin/true'], True, (), None, [], -1, -1, -1, -1, -1, -1, r, w, False, False, 0, None, None, None, -1, None, False)";
    for code in [open.as_str(), fork] {
        let error = bench.error(code).await;
        // A Python with other insides than those that are replaced here refuses by its hook.
        assert!(error.starts_with("PermissionError"), "{code}\n{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_does_not_end_is_ended() {
    let bench = Bench::new();
    let begun = Instant::now();
    assert_eq!(bench.error("def f():\n    while True: pass").await, "the tool used more than 5 s of CPU time");
    assert!(begun.elapsed() < LIMIT);

    let second = Duration::from_secs(1);
    let sleeps = "import time\ndef f(): time.sleep(60)";
    let verdict = bench.run_with(sleeps, &json!({}), second, &CancellationToken::new()).await;
    assert_eq!(verdict.result, Err("the tool did not end within 1 s".into()));
    bench.nothing_is_left().await;

    // A regular expression that never lets go of the interpreter.
    let hopeless = "import re\ndef f(): re.match('(a+)+$', 'a' * 60 + 'b')";
    let verdict = bench.run_with(hopeless, &json!({}), second, &CancellationToken::new()).await;
    assert_eq!(verdict.result, Err("the tool did not end within 1 s".into()));
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_test_that_nobody_waits_for() {
    let bench = Bench::new();
    let left = CancellationToken::new();
    let nothing = json!({});
    let running = bench.run_with("import time\ndef f(): time.sleep(60)", &nothing, LIMIT, &left);
    let folder = bench.home.path().join("tool-tests");
    let gone = async {
        while processes_with(&folder).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        left.cancel();
    };
    let begun = Instant::now();
    let (verdict, ()) = tokio::join!(running, gone);
    assert_eq!(verdict.result, Err("the test was given up".into()));
    assert!(begun.elapsed() < LIMIT);
    bench.nothing_is_left().await;
}

#[tokio::test]
async fn as_many_run_as_may() {
    let bench = Bench::new();
    let turns: Vec<_> = (0..3).map(|_| bench.tests.turn(3).unwrap()).collect();
    assert_eq!(bench.tests.turn(3).err(), Some(Busy { running: 3 }));
    drop(turns);
    assert!(bench.tests.turn(3).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_python_there_is_an_answer() {
    let bench = Bench::new();
    let trial = bench.trial("def f(): return 1", &json!({}));
    let turn = bench.tests.turn(1).unwrap();
    let verdict = turn.run("/no/such/python3", LIMIT, trial, &CancellationToken::new()).await;
    assert_eq!(verdict.result, Err("Python cannot be run on the daemon's machine".into()));
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_tool_says_is_bounded() {
    let bench = Bench::new();
    let verdict = bench.run("def f():\n    for _ in range(100000): print('x' * 100)\n    return 1").await;
    assert_eq!((verdict.result, verdict.printed.len()), (Ok(json!(1)), 16 << 10));
    // Straight to the descriptor that the answer goes through: an answer nobody can read, and no more.
    let flood = "import os\ndef f():\n    for n in range(3, 32):\n        try:\n            while True: os.write(n, b'x' * 65536)\n        except OSError: pass";
    let error = bench.error(flood).await;
    assert!(error.starts_with("the tool's process said too much"), "{error}");
    let most = format!("def f(): return 'x' * ({OUTPUT_BYTES} - 2)");
    assert_eq!(bench.run(&most).await.result.unwrap().as_str().unwrap().len(), OUTPUT_BYTES - 2);
}
