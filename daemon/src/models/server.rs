//! The doors of the gate: a unix socket and a loopback port of its own, apart from the API's.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use salvo::conn::tcp::TcpAcceptor;
use salvo::conn::unix::UnixListener;
use salvo::conn::{Acceptor, Listener as _};
use salvo::server::ServerHandle;
use salvo::{Router, Server, Service};

use super::Gateway;
use super::answers::{Answer, Models, Protocol, nothing_here};

/// A unix socket's path is no longer than this.
const LONGEST_PATH: usize = 107;

/// Where callers reach the gate.
#[derive(Debug, Clone)]
pub struct Place {
    /// `http://127.0.0.1:<port>/v1`
    pub base_url: String,
    pub address: SocketAddr,
    /// `None` where the data folder's path is too long for a socket.
    pub socket: Option<PathBuf>,
}

/// The open doors. Dropping them lets calls end by themselves.
pub struct Doors {
    pub place: Place,
    handles: Vec<ServerHandle>,
}

impl Doors {
    /// Lets nobody in any more; calls under way end, or are cut after `grace`.
    pub fn close(&self, grace: std::time::Duration) {
        for handle in &self.handles {
            handle.stop_graceful(Some(grace));
        }
        if let Some(socket) = &self.place.socket {
            let _gone = std::fs::remove_file(socket);
        }
    }
}

fn service(gateway: &Gateway) -> Service {
    let answer = |protocol| Answer { gateway: gateway.clone(), protocol };
    let router = Router::new()
        .push(Router::with_path("v1/chat/completions").post(answer(Protocol::Chat)))
        .push(Router::with_path("v1/responses").post(answer(Protocol::Responses)))
        .push(Router::with_path("v1/models").get(Models { gateway: gateway.clone() }))
        .push(Router::with_path("{**rest}").goal(nothing_here));
    Service::new(router)
}

fn serve<A: Acceptor + Send + 'static>(acceptor: A, service: Service) -> ServerHandle {
    let mut server = Server::new(acceptor);
    // A client that closes its side has left: its call is dropped at once, and with it the provider's.
    server.http1_mut().half_close(false);
    let handle = server.handle();
    tokio::spawn(async move {
        if let Err(error) = server.try_serve(service).await {
            tracing::error!(%error, "a door of the model gate is lost");
        }
    });
    handle
}

/// Opens both doors. `folder` is the daemon's alone.
///
/// # Errors
/// The port is taken, or the folder cannot be written.
pub async fn open(gateway: &Gateway, listen: SocketAddr, folder: &Path) -> io::Result<Doors> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
    let acceptor: TcpAcceptor = listener.try_into()?;
    let address = acceptor.local_addr()?;
    let mut handles = vec![serve(acceptor, service(gateway))];

    let path = folder.join("models.sock");
    let mut socket = None;
    if path.as_os_str().len() > LONGEST_PATH {
        tracing::warn!(path = %path.display(), "the path is too long for a socket: models are reached by the port alone");
    } else {
        // What a daemon before this one left behind; the folder is locked.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::new(path.clone()).permissions(std::fs::Permissions::from_mode(0o600));
        let acceptor = listener.try_bind().await.map_err(io::Error::other)?;
        handles.push(serve(acceptor, service(gateway)));
        socket = Some(path);
    }
    let place = Place { base_url: format!("http://{address}/v1"), address, socket };
    Ok(Doors { place, handles })
}
