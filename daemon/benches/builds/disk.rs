//! What the disk can do: the yardstick of the store.

use std::{io::Write, path::Path, time::Duration, time::Instant};

/// Mean time of `count` appends of 4 KiB with a data sync each.
pub(crate) fn fsync(folder: &Path, count: u32) -> Duration {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("fsync")).unwrap();
    let begun = Instant::now();
    for _ in 0..count {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
    }
    begun.elapsed() / count
}
