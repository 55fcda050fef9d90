//! The owner's side of the socket that is made for a confined process.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::AsRawFd as _,
    path::Path,
};

use tokio::net::UnixStream;

/// Connects to a unix socket, also where its path is longer than a socket's name may be.
///
/// # Errors
/// When nobody listens there.
pub async fn connect(socket: &Path) -> io::Result<UnixStream> {
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket's path names no file"));
    };
    let folder = File::open(folder)?;
    UnixStream::connect(Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name)).await
}

/// 256 random bits as text: what a run is told to ask for, so that nobody else of this user is answered.
///
/// # Errors
/// When the system has no randomness.
pub fn token() -> io::Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_path_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(100)).join("y".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let opened = File::open(&deep).unwrap();
        let short = format!("/proc/self/fd/{}/agent", opened.as_raw_fd());
        let listener = std::os::unix::net::UnixListener::bind(short).unwrap();
        let connected = connect(&deep.join("agent")).await.unwrap();
        assert!(listener.accept().is_ok());
        drop(connected);
        assert!(connect(&deep.join("other")).await.is_err());
    }

    #[test]
    fn no_token_comes_twice() {
        let (one, other) = (token().unwrap(), token().unwrap());
        assert!(one.len() == 64 && one != other);
    }
}
