//! The server: bound early, so that a taken port is an error at start and not later; served until it
//! is told to stop.

use std::{io, net::SocketAddr, path::Path, pin::Pin, sync::Arc};

use salvo::{
    Server,
    conn::{Acceptor, rustls::RustlsAcceptor},
    server::ServerHandle,
};

use crate::api::{
    http::{
        access::Entrance,
        idle_limits::{HEAD_LIMIT, Limits},
        listener::Door,
        places::{GUESTS, Places},
        request::bodies,
        socket::SocketDoor,
        tls,
    },
    state::AppState,
};

/// Largest head of a request, in bytes, and most headers.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
const HEADERS: usize = 100;

/// A bound port.
pub struct Bound {
    door: Open,
    /// Where it listens, with the port that the system chose.
    pub address: SocketAddr,
}

enum Open {
    Plain(Door),
    Tls(Box<RustlsAcceptor<Door>>),
}

/// Takes the port.
///
/// # Errors
/// The address is taken or not of this machine.
pub async fn bind(address: SocketAddr) -> io::Result<Bound> {
    let door = Door::open(address).await?;
    let address = door.local_addr()?;
    Ok(Bound { door: Open::Plain(door), address })
}

/// A socket in the file system that is bound.
pub struct BoundSocket(SocketDoor);

/// Takes the path of the Unix socket.
///
/// # Errors
/// Somebody listens there, or it cannot be made.
pub fn bind_socket(path: &Path) -> io::Result<BoundSocket> {
    SocketDoor::open(path).map(BoundSocket)
}

/// What ends when the server was stopped by its handle.
pub(crate) type Serving = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl Bound {
    /// Speaks TLS on it, by these files.
    ///
    /// # Errors
    /// They cannot be read, or do not fit each other.
    pub async fn with_tls(self, certificate: &Path, key: &Path) -> io::Result<Self> {
        let files = tls::Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let door = match self.door {
            Open::Plain(door) => Open::Tls(Box::new(tls::before(door, files).await?)),
            tls @ Open::Tls(_) => tls,
        };
        Ok(Self { door, ..self })
    }

    /// Serves. The future ends when the server was stopped by the handle; streams end when
    /// `state.shutdown` fires, so fire it first.
    pub fn serve(self, state: Arc<AppState>) -> (ServerHandle, Serving) {
        match self.door {
            Open::Plain(door) => serve(door, state, Entrance::Network),
            Open::Tls(door) => serve(*door, state, Entrance::Network),
        }
    }
}

impl BoundSocket {
    /// Serves, as a port does.
    pub fn serve(self, state: Arc<AppState>) -> (ServerHandle, Serving) {
        serve(self.0, state, Entrance::Socket)
    }
}

fn serve<A>(door: A, state: Arc<AppState>, entrance: Entrance) -> (ServerHandle, Serving)
where
    A: Acceptor + Send + 'static,
{
    let server = &state.config.load().server;
    bodies::set_budget(server);
    let places = Places::new(server.max_connections);
    // More are accepted than there are places, so that the health can be asked for when all are taken.
    let most = server.max_connections.saturating_add(GUESTS);
    let mut server = Server::new(door).fuse_policy(Limits { places: places.clone() }).max_connections(most);
    // No pipeline_flush: hyper then never sends its answers to heads that it cannot read.
    // A client that says it will send no more still wants its answer. One that is gone altogether is noticed when
    // something is written to it.
    server.http1_mut().max_buf_size(HEAD_BYTES).max_headers(HEADERS).half_close(true);
    server.http1_mut().header_read_timeout(HEAD_LIMIT);
    let handle = server.handle();
    (handle, Box::pin(server.try_serve(crate::api::service(state, entrance, places))))
}
