//! What systemd is told: ready, reloading, status, stopping, and that we are alive. Without systemd all of it does nothing.
//!
//! `app.rs` reads [`Systemd::from_environment`] once at start and keeps it to the end; the root actor feeds the watchdog.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

use sd_notify::NotifyState;

/// Variables that are meant for this process alone. Whoever starts a child removes them: a child that says `READY=1`
/// or `STOPPING=1` on our socket would speak for us.
pub const PRIVATE_VARIABLES: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// The service manager above this process, if there is one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Systemd {
    notify: bool,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// Reads what systemd has set.
    #[must_use]
    pub fn from_environment() -> Self {
        let notify = std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        Self { notify, watchdog: sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) }
    }

    /// How often [`Systemd::alive`] must be called: a third of what the unit allows, so that two calls may be late.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 3)
    }

    /// Everything is up (again): ends `systemctl start` and `systemctl reload`.
    pub fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// A reload has begun; [`Systemd::ready`] must follow, also when the new settings were refused.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "no monotonic clock: systemd is not told of the reload"),
        }
    }

    /// The start takes longer, and why: `systemctl start` waits for so much longer from now on.
    pub fn starting(&self, status: &str, longer: Duration) {
        let micros = u32::try_from(longer.as_micros()).unwrap_or(u32::MAX);
        self.send(&[NotifyState::ExtendTimeoutUsec(micros), NotifyState::Status(status)]);
    }

    /// One line for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.send(&[NotifyState::Status(status)]);
    }

    /// The end has begun.
    pub fn stopping(&self, status: &str) {
        self.send(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// Feeds the watchdog.
    pub fn alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        if self.notify
            && let Some(socket) = std::env::var_os("NOTIFY_SOCKET")
            && let Err(error) = send_to(&socket, states)
        {
            tracing::warn!(%error, "systemd could not be told {states:?}");
        }
    }
}

/// Sends states to a socket: a path, or behind `@` a name in the abstract namespace, as containers' managers give it.
fn send_to(socket: &OsStr, states: &[NotifyState<'_>]) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let mut message = String::new();
    for state in states {
        writeln!(message, "{state}").map_err(io::Error::other)?;
    }
    let sent = UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address)?;
    if sent == message.len() { Ok(()) } else { Err(io::Error::new(io::ErrorKind::WriteZero, "only a part was sent")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_sockets_are_told() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("notify.sock");
        let name = format!("nexusd-test-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, given) in [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (UnixDatagram::bind_addr(&abstract_address).unwrap(), format!("@{name}").into()),
        ] {
            send_to(&given, &[NotifyState::Ready, NotifyState::Status("up")]).unwrap();
            let mut told = [0; 100];
            let length = socket.recv(&mut told).unwrap();
            assert_eq!(told.get(..length), Some("READY=1\nSTATUS=up\n".as_bytes()), "{given:?}");
        }
        assert!(send_to(OsStr::new("@nobody-listens-here"), &[NotifyState::Ready]).is_err());
    }
}
