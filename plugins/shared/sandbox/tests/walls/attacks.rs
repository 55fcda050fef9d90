//! Attacks in C and Python on a victim of the same user: each is refused, in every profile, with every Landlock.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    net::{TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram, UnixListener},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use nexus_sandbox::{Profile, Sandbox, SandboxError};

use crate::bench::*;

const C: &str = include_str!("attacks/attacks.c");
const PYTHON: &str = include_str!("attacks/attacks.py");
/// The newest, and those of kernels 5.13, 6.2 and 6.10.
const LANDLOCKS: [Option<u32>; 4] = [None, Some(1), Some(3), Some(5)];

/// What the attacks are after: a process, files and sockets of the same user.
struct Victim {
    process: Child,
    folder: PathBuf,
    tcp: TcpListener,
    udp: UdpSocket,
    door: UnixListener,
    hidden: UnixListener,
    mail: UnixDatagram,
    abstract_name: String,
    before: String,
}

impl Victim {
    fn new(bench: &Bench) -> Self {
        let folder = bench.folder.path().join("victim");
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in [("secret.txt", "hunter2"), ("data.txt", "kept"), ("module.py", "VALUE = 1")] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        // Its own working folder is the place with the secret, its environment holds one more.
        let process = Command::new("/bin/sleep")
            .arg("1000")
            .env("TOKEN", "hunter2")
            .current_dir(&folder)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let abstract_name = format!("nexus-victim-{}-{}", std::process::id(), process.id());
        let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&abstract_name).unwrap()).unwrap();
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let (door, mail) =
            (UnixListener::bind(folder.join("door")).unwrap(), UnixDatagram::bind(folder.join("mail")).unwrap());
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        door.set_nonblocking(true).unwrap();
        hidden.set_nonblocking(true).unwrap();
        mail.set_nonblocking(true).unwrap();
        let mut victim = Self { process, folder, tcp, udp, door, hidden, mail, abstract_name, before: String::new() };
        victim.before = victim.state();
        victim
    }

    fn arguments(&self, work: &Path) -> Vec<String> {
        vec![
            self.process.id().to_string(),
            self.folder.display().to_string(),
            work.display().to_string(),
            self.abstract_name.clone(),
            self.tcp.local_addr().unwrap().port().to_string(),
            self.udp.local_addr().unwrap().port().to_string(),
        ]
    }

    /// All that an attack could have changed.
    fn state(&self) -> String {
        use std::os::unix::fs::MetadataExt as _;
        let proc = PathBuf::from(format!("/proc/{}", self.process.id()));
        let stat = std::fs::read_to_string(proc.join("stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // Its state is not among them: it sleeps.
        let (nice, policy) = (fields[16], fields[38]);
        let status = std::fs::read_to_string(proc.join("status")).unwrap();
        let allowed = status.lines().find(|line| line.starts_with("Cpus_allowed_list")).unwrap();
        let limits = std::fs::read_to_string(proc.join("limits")).unwrap();
        let badness = std::fs::read_to_string(proc.join("oom_score_adj")).unwrap();
        let mut files: Vec<String> = std::fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let about = path.symlink_metadata().unwrap();
                let text = std::fs::read(&path).unwrap_or_default();
                format!("{path:?} {:o} {} {} {text:?}", about.mode(), about.mtime(), about.nlink())
            })
            .collect();
        files.sort();
        let stopped = fields[0] == "T";
        format!("{stopped} {nice} {policy} {allowed} {badness} {limits} {files:?}")
    }

    fn assert_untouched(&mut self, when: &str) {
        assert!(self.process.try_wait().unwrap().is_none(), "{when}: the victim was killed");
        assert_eq!(self.state(), self.before, "{when}");
        let mut bytes = [0; 8];
        for (door, found) in [
            ("tcp", self.tcp.accept().map(|_| ()).unwrap_err()),
            ("door", self.door.accept().map(|_| ()).unwrap_err()),
            ("hidden door", self.hidden.accept().map(|_| ()).unwrap_err()),
            ("udp", self.udp.recv(&mut bytes).unwrap_err()),
            ("mail", self.mail.recv(&mut bytes).unwrap_err()),
        ] {
            assert_eq!(found.kind(), ErrorKind::WouldBlock, "{when}: somebody came by {door}");
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn compile(bench: &Bench) -> PathBuf {
    let source = bench.folder.path().join("attacks.c");
    std::fs::write(&source, C).unwrap();
    let program = bench.code().join("attacks");
    let output = Command::new("cc").args(["-w", "-o"]).arg(&program).arg(&source).output();
    let output = output.expect("these tests compile an attack: they need `cc` in PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

fn outcomes(text: &str) -> BTreeMap<String, bool> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(name, outcome)| (name.to_owned(), outcome == "LEAK")).collect()
}

fn leaks(outcomes: &BTreeMap<String, bool>) -> Vec<&str> {
    outcomes.iter().filter(|(_, leaked)| **leaked).map(|(name, _)| name.as_str()).collect()
}

/// Runs one of the two suites with each profile and each Landlock.
async fn attack(bench: &Bench, name: &str, least: usize, make: impl Fn(Profile, &[String]) -> Sandbox) {
    let mut victim = Victim::new(bench);
    for profile in Profile::ALL {
        for landlock in LANDLOCKS {
            let when = format!("{name}, {}, Landlock {landlock:?}", profile.word());
            let mut sandbox = make(profile, &victim.arguments(&bench.work()));
            sandbox.landlock_at_most = landlock;
            let done = finish(&sandbox).await;
            let outcomes = outcomes(&done.stdout);
            assert!(
                outcomes.contains_key("done"),
                "{when}: it did not come to its end: {} {}",
                done.ending,
                done.stderr
            );
            assert!(outcomes.len() >= least, "{when}: {} attacks", outcomes.len());
            assert!(leaks(&outcomes).is_empty(), "{when}: {:?}", leaks(&outcomes));
            victim.assert_untouched(&when);
            std::fs::remove_dir_all(bench.work()).unwrap();
            std::fs::create_dir(bench.work()).unwrap();
        }
    }
}

#[tokio::test]
async fn attacks_in_c_are_refused() {
    if !as_ordinary_user("attacks::attacks_in_c_are_refused") {
        return;
    }
    let bench = Bench::new().await;
    let program = compile(&bench);
    attack(&bench, "C", 120, |profile, arguments| {
        let mut sandbox = Sandbox::new(profile, &program, bench.code()).arguments(arguments);
        sandbox.writes = vec![bench.work()];
        sandbox.limits = limits();
        sandbox
    })
    .await;
}

#[tokio::test]
async fn attacks_in_python_are_refused() {
    if !as_ordinary_user("attacks::attacks_in_python_are_refused") {
        return;
    }
    let bench = Bench::new().await;
    std::fs::write(bench.code().join("attacks.py"), PYTHON).unwrap();
    attack(&bench, "Python", 70, |profile, arguments| {
        let mut sandbox = bench.sandbox(profile, "");
        sandbox.arguments = ["-I", "attacks.py"].iter().map(Into::into).collect();
        sandbox.arguments(arguments)
    })
    .await;
    assert_eq!(std::fs::read_to_string(bench.code().join("attacks.py")).unwrap(), PYTHON);
}

/// Who may use some ports may use no others, and no other protocol.
#[tokio::test]
async fn attacks_by_an_agent_with_ports_are_refused() {
    if !as_ordinary_user("attacks::attacks_by_an_agent_with_ports_are_refused") {
        return;
    }
    let bench = Bench::new().await;
    let program = compile(&bench);
    let mut victim = Victim::new(&bench);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    for landlock in LANDLOCKS {
        let arguments = victim.arguments(&bench.work());
        let mut sandbox = Sandbox::new(Profile::Agent, &program, bench.code()).arguments(arguments);
        sandbox.writes = vec![bench.work()];
        sandbox.limits = limits();
        sandbox.landlock_at_most = landlock;
        (sandbox.connect, sandbox.bind) = (vec![other.local_addr().unwrap().port()], vec![0]);
        if landlock.is_some_and(|version| version < 4) {
            // No rules for ports: closed, not open.
            let error = sandbox.spawn().await.unwrap_err();
            assert!(matches!(&error, SandboxError::Weak { missing } if missing[0].contains("TCP")), "{error}");
            continue;
        }
        let done = finish(&sandbox).await;
        let outcomes = outcomes(&done.stdout);
        assert!(outcomes.contains_key("done"), "{} {}", done.ending, done.stderr);
        assert_eq!(leaks(&outcomes), ["listen-on-tcp", "listen-unbound"], "{landlock:?}");
        victim.assert_untouched("an agent with ports");
        std::fs::remove_dir_all(bench.work()).unwrap();
        std::fs::create_dir(bench.work()).unwrap();
    }
}

/// The attacks are real: without walls most of them succeed.
#[tokio::test]
async fn the_attacks_succeed_without_walls() {
    if !as_ordinary_user("attacks::the_attacks_succeed_without_walls") {
        return;
    }
    let bench = Bench::new().await;
    let program = compile(&bench);
    let victim = Victim::new(&bench);
    std::fs::write(bench.code().join("attacks.py"), PYTHON).unwrap();
    let arguments = victim.arguments(&bench.work());
    let run = |command: &mut Command| {
        let output = command.args(&arguments).current_dir(bench.code()).output().unwrap();
        outcomes(&String::from_utf8_lossy(&output.stdout))
    };
    // By a parent of its own: some attacks are on the parent.
    let c = run(Command::new("/bin/sh").args(["-c", "\"$0\" \"$@\"; true"]).arg(&program));
    assert!(leaks(&c).len() >= 70, "only {} of {}: {:?}", leaks(&c).len(), c.len(), leaks(&c));
    for expected in ["read-secret", "idle-victim", "pin-victim", "connect-tcp", "connect-door", "shared-memory"] {
        assert!(c[expected], "{expected}");
    }
}
