//! A wire before a server that can be cut: connections refused, closed, or torn in the middle of an answer.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// How the wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Whole,
    /// Nothing gets through, and what was open is closed.
    Cut,
    /// Every connection is torn within its first answers.
    Tearing,
    /// One in twenty is.
    Shaky,
}

/// Sets the state; the wire lives as long as the test.
pub struct Wire(watch::Sender<State>);

impl Wire {
    pub fn set(&self, state: State) {
        self.0.send(state).expect("the wire is there");
    }
}

/// A wire to `url` (`http://host:port`); answers its own address.
pub async fn to(url: &str) -> (String, Wire) {
    let target = url.rsplit('/').next().expect("an address").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (set, state) = watch::channel(State::Whole);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            if *state.borrow() == State::Cut {
                continue;
            }
            tokio::spawn(carry(client, target.clone(), state.clone()));
        }
    });
    (format!("http://{address}"), Wire(set))
}

async fn carry(mut client: TcpStream, target: String, mut state: watch::Receiver<State>) {
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    let tearing = match *state.borrow_and_update() {
        State::Tearing => true,
        State::Shaky => rand::random_range(0..20) == 0,
        State::Whole | State::Cut => false,
    };
    let carried = async {
        if !tearing {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            return;
        }
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let asked = tokio::io::copy(&mut from_client, &mut to_server);
        let answered = async {
            let mut answer = vec![0; rand::random_range(1..600)];
            if let Ok(read) = from_server.read(&mut answer).await {
                let _ = to_client.write_all(&answer[..read]).await;
            }
        };
        tokio::select! { _ = asked => {}, () = answered => {} }
    };
    tokio::select! {
        () = carried => {}
        _ = state.changed() => {}
    }
    // Torn, not closed: the other side is reset.
    let _ = client.set_zero_linger();
    tokio::time::sleep(Duration::from_millis(1)).await;
}
