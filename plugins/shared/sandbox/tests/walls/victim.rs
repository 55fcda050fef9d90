//! What the attacks are after.

use std::{
    fs::File,
    io::ErrorKind,
    net::{TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            net::{SocketAddr, UnixDatagram, UnixListener},
            process::CommandExt as _,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A process, files and sockets of the same user.
pub(crate) struct Victim {
    process: Child,
    folder: PathBuf,
    tcp: TcpListener,
    udp: UdpSocket,
    door: UnixListener,
    hidden: UnixListener,
    mail: UnixDatagram,
    abstract_name: String,
    /// Whoever is started by this process and closes nothing has it.
    _inheritable: File,
    before: String,
}

impl Victim {
    pub(crate) fn new(place: &Path) -> Self {
        let folder = place.join("victim");
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
            // It alone is in its group.
            .process_group(0)
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
        let inheritable = File::open(folder.join("secret.txt")).unwrap();
        rustix::io::fcntl_setfd(&inheritable, rustix::io::FdFlags::empty()).unwrap();
        let before = String::new();
        let mut victim =
            Self { process, folder, tcp, udp, door, hidden, mail, abstract_name, _inheritable: inheritable, before };
        victim.before = victim.state();
        victim
    }

    pub(crate) fn arguments(&self, work: &Path) -> Vec<String> {
        vec![
            self.process.id().to_string(),
            self.folder.display().to_string(),
            work.display().to_string(),
            self.abstract_name.clone(),
            self.tcp.local_addr().unwrap().port().to_string(),
            self.udp.local_addr().unwrap().port().to_string(),
            std::process::id().to_string(),
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

    pub(crate) fn assert_untouched(&mut self, when: &str) {
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
