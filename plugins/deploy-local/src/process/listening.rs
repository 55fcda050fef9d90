//! Finds the ports that an agent listens on, for agents that do not say it.

use std::{collections::HashSet, fs, path::Path};

const LISTEN: &str = "0A";

/// TCP ports on which any process of `group` listens. Reads `/proc`, so it blocks.
pub(crate) fn ports_of_group(group: i32) -> Vec<u16> {
    let members = members(group);
    let sockets: HashSet<String> = members.iter().flat_map(|pid| sockets_of(pid)).collect();
    // Any member will do, and the group's leader may be gone.
    let table = |name| members.iter().find_map(|pid| fs::read_to_string(format!("/proc/{pid}/net/{name}")).ok());
    let mut ports: Vec<u16> =
        ["tcp", "tcp6"].into_iter().filter_map(table).flat_map(|table| listening(&table, &sockets)).collect();
    ports.dedup();
    ports
}

fn members(group: i32) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()) && group_of(name) == Some(group))
        .collect()
}

/// The fifth field of `stat`; the second, the name in parentheses, may hold anything.
fn group_of(pid: &str) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

fn sockets_of(pid: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(Path::new("/proc").join(pid).join("fd")) else { return Vec::new() };
    entries
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()?.into_os_string().into_string().ok())
        .filter_map(|target| Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect()
}

/// Fields: slot, local address:port (hexadecimal), remote, state, …, inode is the tenth.
fn listening(table: &str, sockets: &HashSet<String>) -> Vec<u16> {
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let port = local.rsplit_once(':')?.1;
            (*state == LISTEN && sockets.contains(*inode)).then(|| u16::from_str_radix(port, 16).ok())?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let own_group = group_of("self").unwrap();
        // The group's leader may be in another place than this test; its network is the same.
        assert!(ports_of_group(own_group).contains(&listener.local_addr().unwrap().port()));
    }
}
