//! Who listens on a port of this machine. Any account may take a port on which no daemon listens at the moment; the token of
//! this machine's daemon is sent to none of them.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

const ROOT: u32 = 0;
/// The state of a socket that listens, in the kernel's table.
const LISTENS: &str = "0A";

/// The user whose process listens there, when it is neither root nor whoever the file belongs to. `None` also when nobody
/// listens, or the kernel does not say: then the port is not one of this machine's.
pub(super) fn stranger(url: &str, owned: &Path) -> Option<u32> {
    let owner = fs::metadata(owned).ok()?.uid();
    let url = reqwest::Url::parse(url).ok()?;
    let port = url.port_or_known_default()?;
    let addresses: Vec<IpAddr> = match url.host_str()?.trim_matches(['[', ']']) {
        "localhost" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        host => vec![host.parse().ok()?],
    };
    let table = |name: &str| fs::read_to_string(format!("/proc/net/{name}")).or_else(no_table).unwrap_or_default();
    let listeners = listeners(&table("tcp")).chain(listeners(&table("tcp6"))).collect::<Vec<_>>();
    let there = |address: IpAddr| {
        let address = address.to_canonical();
        addresses.contains(&address) || address.is_unspecified()
    };
    let strange = |uid: &u32| *uid != owner && *uid != ROOT;
    listeners.into_iter().filter(|(at, _)| at.port() == port && there(at.ip())).map(|(_, uid)| uid).find(strange)
}

/// A machine may be without one of the two kinds of addresses.
fn no_table(error: io::Error) -> io::Result<String> {
    if error.kind() == io::ErrorKind::NotFound { Ok(String::new()) } else { Err(error) }
}

/// Address and user of each socket that listens: `sl local remote state queues timer retransmits uid …`.
fn listeners(table: &str) -> impl Iterator<Item = (SocketAddr, u32)> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next()?, fields.nth(1)?);
        let uid = fields.nth(3)?.parse().ok()?;
        (state == LISTENS).then(|| Some((address(local)?, uid)))?
    })
}

/// The kernel writes an address as words of this machine's byte order, in hexadecimal digits.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<[u8; 4]> = (0..address.len() / 8)
        .map(|at| Some(u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes()))
        .collect::<Option<_>>()?;
    let ip = match words.as_slice() {
        [word] => IpAddr::from(*word),
        [_, _, _, _] => IpAddr::from(<[u8; 16]>::try_from(words.concat()).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
           0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0\n\
           1: 0100007F:1F40 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1001        0 2 1 0 100 0 0 10 0\n\
           2: 00000000000000000000000001000000:0050 0:0000 0A 00000000:00000000 00:00000000 00000000  0 0 3\n\
           3: nonsense\n";
        if cfg!(target_endian = "little") {
            let found: Vec<_> = listeners(table).collect();
            let at = |text: &str| text.parse::<SocketAddr>().unwrap();
            assert_eq!(found, [(at("127.0.0.1:8000"), 1000), (at("[::1]:80"), 0)]);
        }
    }

    #[test]
    fn ones_own_listener_is_no_stranger() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = rustix::process::geteuid().as_raw();
        let tables = fs::read_to_string("/proc/net/tcp").unwrap();
        assert!(listeners(&tables).any(|(at, uid)| at.port() == port && uid == own));
        for host in ["127.0.0.1", "localhost"] {
            assert_eq!(stranger(&format!("http://{host}:{port}"), file.path()), None);
        }
    }
}
