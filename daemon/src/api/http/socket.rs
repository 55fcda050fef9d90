//! The Unix socket: a second door for those who run as the daemon's user, or as root. The kernel says who connects; who may
//! not is let go before a byte of his is read.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use salvo::{
    conn::{Accepted, Acceptor, ConnCtrl, Holding, StraightStream, tcp::TcpCoupler},
    fuse::{ArcFusePolicy, FuseAction, FuseInfo, TransProto},
    http::{Version, uri::Scheme},
};
use tokio::net::{UnixListener, UnixStream};

use crate::auth::peer::Peer;

/// See the module. The file is removed when it is dropped.
pub(crate) struct SocketDoor {
    listener: UnixListener,
    holdings: Vec<Holding>,
    path: PathBuf,
}

impl SocketDoor {
    /// Takes the path. A socket that nobody listens on any more makes room; anything else stays, and is an error.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(meta) if !meta.file_type().is_socket() => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "there is a file at this path that is no socket",
                ));
            }
            Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
                return Err(io::Error::from(io::ErrorKind::AddrInUse));
            }
            Ok(_) => fs::remove_file(path)?,
        }
        // The umask of the daemon keeps others out from the first moment; this says so once more.
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        let holding = Holding {
            local_addr: listener.local_addr()?.into(),
            http_versions: vec![Version::HTTP_11],
            http_scheme: Scheme::HTTP,
        };
        Ok(Self { listener, holdings: vec![holding], path: path.to_owned() })
    }

    /// Somebody who may come in.
    async fn admitted(&self) -> io::Result<(UnixStream, tokio::net::unix::SocketAddr)> {
        loop {
            let (stream, address) = self.listener.accept().await?;
            let credentials = stream.peer_cred()?;
            let peer = Peer { uid: credentials.uid(), pid: credentials.pid() };
            match peer.admit() {
                Ok(()) => return Ok((stream, address)),
                Err(reason) => {
                    tracing::warn!(uid = peer.uid, pid = peer.pid, %reason, "a peer of the socket was let go")
                }
            }
        }
    }
}

impl Drop for SocketDoor {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Acceptor for SocketDoor {
    type Coupler = TcpCoupler<Self::Stream>;
    type Stream = StraightStream<UnixStream>;

    fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    async fn accept(&mut self, fuse: Option<ArcFusePolicy>) -> io::Result<Accepted<Self::Coupler, Self::Stream>> {
        let local = self.holdings.first().map(|holding| holding.local_addr.clone());
        let local = local.ok_or_else(|| io::Error::other("the socket has no address"))?;
        loop {
            let (stream, address) = self.admitted().await?;
            let (control, remote) = (ConnCtrl::new(), Arc::new(address));
            let mut limits = (None, None);
            if let Some(policy) = &fuse {
                let (remote_addr, local_addr) = (Arc::clone(&remote).into(), local.clone());
                let info = FuseInfo { trans_proto: TransProto::Tcp, remote_addr, local_addr };
                match policy.decide(&info).await {
                    FuseAction::Accept(config) => limits = (Some(config), policy.observe(&info, &control)),
                    FuseAction::Reject => continue,
                }
            }
            let (fuse_config, observer) = limits;
            return Ok(Accepted {
                coupler: TcpCoupler::new(),
                stream: StraightStream::new(stream, fuse_config, control.clone(), observer),
                fuse_config,
                conn_ctrl: control,
                local_addr: local,
                remote_addr: remote.into(),
                http_scheme: Scheme::HTTP,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_socket_makes_room_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nexusd.sock");
        let door = SocketDoor::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SocketDoor::open(&path).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        drop(door);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists() && SocketDoor::open(&path).is_ok());
        fs::write(&path, "text").unwrap();
        assert_eq!(SocketDoor::open(&path).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
    }
}
