//! The server: bound early, so that a taken port is an error at start and not later; served until it
//! is told to stop.

use std::{io, net::SocketAddr, sync::Arc};

use salvo::{Server, server::ServerHandle};

use crate::api::{
    http::{
        access::Entrance,
        idle_limits::{HEAD_LIMIT, Limits},
        listener::Door,
    },
    state::AppState,
};

/// Largest head of a request, in bytes, and most headers.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
const HEADERS: usize = 100;

/// A bound port.
pub struct Bound {
    door: Door,
    /// Where it listens, with the port that the system chose.
    pub address: SocketAddr,
}

/// Takes the port.
///
/// # Errors
/// The address is taken or not of this machine.
pub async fn bind(address: SocketAddr) -> io::Result<Bound> {
    let door = Door::open(address).await?;
    let address = door.local_addr()?;
    Ok(Bound { door, address })
}

impl Bound {
    /// Serves. The future ends when the server was stopped by the handle; streams end when
    /// `state.shutdown` fires, so fire it first.
    pub fn serve(self, state: Arc<AppState>) -> (ServerHandle, impl Future<Output = io::Result<()>> + Send) {
        let connections = state.config.load().server.max_connections;
        let mut server = Server::new(self.door).fuse_policy(Limits).max_connections(connections);
        // No pipeline_flush: hyper then never sends its answers to heads that it cannot read.
        // A client that says it will send no more still wants its answer. One that is gone altogether is noticed when
        // something is written to it.
        server.http1_mut().max_buf_size(HEAD_BYTES).max_headers(HEADERS).half_close(true);
        server.http1_mut().header_read_timeout(HEAD_LIMIT);
        let handle = server.handle();
        (handle, server.try_serve(crate::api::service(state, Entrance::Network)))
    }
}
