//! The daemon as systemd sees it: what it says on the notify socket, reload, watchdog, the end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::support::marked;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon with a service manager above it, which is this test.
struct Service {
    socket: UnixDatagram,
    daemon: Child,
    address: String,
    token: String,
    home: PathBuf,
}

impl Service {
    fn start(home: &Path, settings: &str) -> Self {
        let path = home.join("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        std::fs::write(home.join("nexusd.toml"), marked::settings(settings)).unwrap();
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_nexusd"))
            .args(["--listen", "127.0.0.1:0", "--config"])
            .arg(home.join("nexusd.toml"))
            .env_clear()
            .env("NEXUSD_ALLOW_ROOT", "1")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("STATE_DIRECTORY", home.join("state"))
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "600000")
            .envs(marked::variables(false))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let screen = BufReader::new(daemon.stdout.take().unwrap());
        let address = screen.lines().map_while(Result::ok).find_map(|line| {
            line.trim().strip_prefix("address").map(|rest| rest.trim().trim_start_matches("http://").to_owned())
        });
        let token = std::fs::read_to_string(home.join("state/admin.token")).expect("the token of the first start");
        let address = address.expect("the screen says the address");
        Self { socket, daemon, token, address, home: home.to_owned() }
    }

    /// The next message that says `word`; others, such as watchdog pings, are passed over.
    fn told(&self, word: &str) -> String {
        let begun = Instant::now();
        let mut buffer = [0; 4096];
        while begun.elapsed() < PATIENCE {
            let length = self.socket.recv(&mut buffer).expect("a message from the daemon");
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if message.contains(word) {
                return message;
            }
        }
        panic!("the daemon never said {word}");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.daemon.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let (host, token) = (&self.address, self.token.trim());
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        if !std::thread::panicking() {
            marked::assert_not_in_files(&self.home, marked::admins_secret(&self.home.join("state")).as_deref());
        }
    }
}

#[test]
fn systemd_is_told_what_happens() {
    let home = tempfile::tempdir().unwrap();
    let mut service = Service::start(home.path(), "[log]\nfilter = \"warn\"");
    let ready = service.told("READY=1");
    assert!(ready.contains(&service.address), "{ready}");
    // Ready means that it answers, and systemd's state folder is the data folder.
    assert!(service.get("/health/ready").starts_with("HTTP/1.1 200"));
    assert!(home.path().join("state/nexus.db").exists());
    service.told("WATCHDOG=1");

    std::fs::write(home.path().join("nexusd.toml"), "[log]\nfilter = \"info\"\n[server]\nmax_connections = 7").unwrap();
    service.signal("HUP");
    assert!(service.told("RELOADING=1").contains("MONOTONIC_USEC="));
    service.told("READY=1");

    // Refused settings: the daemon says so and goes on.
    std::fs::write(home.path().join("nexusd.toml"), "[log]\nfilter = 3").unwrap();
    service.signal("HUP");
    service.told("RELOADING=1");
    assert!(service.told("READY=1").contains("refused"));
    assert!(service.get("/health/live").starts_with("HTTP/1.1 200"));
    let metrics = service.get("/metrics");
    for name in ["nexus_build_info{version=", "nexus_http_requests_total{", "process_resident_memory_bytes"] {
        assert!(metrics.contains(name), "{name} is missing in {metrics}");
    }

    service.signal("TERM");
    service.told("STOPPING=1");
    assert_eq!(service.daemon.wait().unwrap().code(), Some(0));
}

#[test]
fn a_taken_port_is_no_start() {
    let home = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexusd"));
    let output = command
        .env_clear()
        .env("NEXUSD_ALLOW_ROOT", "1")
        .env("HOME", home.path())
        .args(["--listen", &address])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(&address), "{told}");
}

/// In a container the daemon may be the first process: what loses its parent there becomes its child.
#[test]
fn as_the_first_process_it_reaps_what_it_inherits() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("nexusd.toml"), "").unwrap();
    // In a namespace of its own, where the next process is the first; then an orphan of an orphan that ends at once.
    let mut daemon = Command::new("unshare")
        .args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"])
        .arg("(sh -c 'sleep 0.2 & exec true' &) ; exec \"$0\" \"$@\"")
        .arg(env!("CARGO_BIN_EXE_nexusd"))
        .args(["--listen", "127.0.0.1:0", "--config"])
        .arg(home.path().join("nexusd.toml"))
        .env_clear()
        .env("NEXUSD_ALLOW_ROOT", "1")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("STATE_DIRECTORY", home.path().join("state"))
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let screen = BufReader::new(daemon.stdout.take().unwrap());
    let up = screen.lines().map_while(Result::ok).any(|line| line.trim().starts_with("address"));
    assert!(up, "unshare (util-linux) must be able to make a user and a process namespace here");
    let children = |of: u32| -> Vec<u32> {
        let text = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
        text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    };
    let name = |of: u32| std::fs::read_to_string(format!("/proc/{of}/stat")).unwrap_or_default();
    let first = children(daemon.id())[0];
    let begun = Instant::now();
    // The daemon itself stays, and nothing beside it: neither what ran nor what is dead.
    while children(first).len() != 1 {
        let left: Vec<String> = children(first).into_iter().map(name).collect();
        assert!(begun.elapsed() < PATIENCE, "{left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    // A signal to the first process reaches the daemon, and its code comes back.
    let status = Command::new("kill").args(["-s", "TERM", &first.to_string()]).status();
    assert!(status.unwrap().success());
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
}
