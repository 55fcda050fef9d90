//! The listening socket. Accepted sockets send what is written at once (`TCP_NODELAY`, which they inherit from it): an
//! event stream writes small pieces, and each would wait for the acknowledgement of the last one. When the process has
//! no file left for a new connection, accepting pauses, and the log says so once in a while.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use salvo::{
    conn::{Accepted, Acceptor, Holding, tcp::TcpAcceptor},
    fuse::ArcFusePolicy,
};

/// First and longest pause after a refusal of the system.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// At most one line of the log in this time.
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Door {
    acceptor: TcpAcceptor,
    troubles: Troubles,
}

/// What went wrong since the last line of the log.
#[derive(Default)]
struct Troubles {
    pause: Option<Duration>,
    told: Option<Instant>,
    untold: u64,
}

impl Door {
    /// Takes the port.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind(address).await?;
        rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
        Ok(Self { acceptor: listener.try_into()?, troubles: Troubles::default() })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.acceptor.local_addr()
    }
}

impl Acceptor for Door {
    type Coupler = <TcpAcceptor as Acceptor>::Coupler;
    type Stream = <TcpAcceptor as Acceptor>::Stream;

    fn holdings(&self) -> &[Holding] {
        self.acceptor.holdings()
    }

    async fn accept(&mut self, fuse: Option<ArcFusePolicy>) -> io::Result<Accepted<Self::Coupler, Self::Stream>> {
        loop {
            match self.acceptor.accept(fuse.clone()).await {
                Ok(accepted) => {
                    self.troubles.pause = None;
                    return Ok(accepted);
                }
                // The client was gone before it was accepted: nobody's fault, and no reason to wait.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    let pause = self.troubles.note(&error);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

impl Troubles {
    /// How long to pause. Connections wait in the system's queue meanwhile.
    fn note(&mut self, error: &io::Error) -> Duration {
        self.untold += 1;
        if self.told.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
            let times = std::mem::take(&mut self.untold);
            self.told = Some(Instant::now());
            tracing::error!(
                %error, times,
                "connections cannot be accepted: raise the limit of open files (LimitNOFILE), or lower max_connections"
            );
        }
        let pause = self.pause.map_or(FIRST_PAUSE, |last| last.saturating_mul(2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_that_gives_no_file_is_told_once_in_a_while() {
        let mut troubles = Troubles::default();
        let error = io::Error::from_raw_os_error(24);
        let pauses: Vec<_> = (0..10).map(|_| troubles.note(&error)).collect();
        assert_eq!((pauses[0], pauses[9]), (FIRST_PAUSE, LONGEST_PAUSE));
        assert_eq!(troubles.untold, 9, "the first was told, the others wait for the next line");
    }

    #[tokio::test]
    async fn accepted_sockets_do_not_wait_to_fill_a_packet() {
        let door = Door::open(([127, 0, 0, 1], 0).into()).await.unwrap();
        let _client = std::net::TcpStream::connect(door.local_addr().unwrap()).unwrap();
        let (accepted, _) = door.acceptor.inner().accept().await.unwrap();
        assert!(accepted.nodelay().unwrap());
    }
}
