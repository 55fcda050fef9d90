use super::*;

fn entry(action: &str) -> Entry {
    Entry {
        at: Timestamp::now(),
        caller: "key:ci".to_owned(),
        address: "127.0.0.1".to_owned(),
        action: action.to_owned(),
        resource: "daemon".to_owned(),
        outcome: "allowed".to_owned(),
        request_id: "req_1".to_owned(),
    }
}

fn chain(lines: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path()).unwrap();
    (0..lines).for_each(|number| writer.add(&entry(&format!("act{number}"))).unwrap());
    folder
}

fn head(folder: &Path) -> Result<u64, AuditError> {
    verify(folder, |_| ()).map(|found| found.head.seq)
}

#[test]
fn a_chain_goes_on_over_restarts_and_processes() {
    let folder = chain(3);
    let mut writers = [Writer::open(folder.path()).unwrap(), Writer::open(folder.path()).unwrap()];
    for round in 0..6 {
        writers[round % 2].add(&entry("a \"quoted\"\nline, \",\\\"hash\\\":\\\"")).unwrap();
    }
    let mut lines = Vec::new();
    let head = verify(folder.path(), |line| lines.push(line.to_owned())).unwrap().head;
    assert_eq!((head.seq, lines.len()), (9, 9));
    assert!(lines[8].contains(&head.hash));
    assert_eq!(verify(&folder.path().join("none"), |_| ()).unwrap(), Verified::default());
}

#[test]
fn every_change_of_a_line_is_found() {
    let folder = chain(5);
    let path = name(folder.path(), 1);
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let broken = |text: &str| {
        std::fs::write(&path, text).unwrap();
        head(folder.path()).unwrap_err().to_string()
    };
    assert!(broken(&whole.replacen("act2", "act9", 1)).contains("line 3: it was changed"));
    let without: Vec<&str> = [&lines[..2], &lines[3..]].concat();
    assert!(broken(&(without.join("\n") + "\n")).contains("line 3: lines are missing"));
    let swapped = [lines[1], lines[0]].join("\n");
    assert!(broken(&(swapped + "\n")).contains("line 1: lines are missing"));
    let doubled = [lines[0], lines[0]].join("\n");
    assert!(broken(&(doubled + "\n")).contains("line 2: lines are missing"));
    assert!(broken(&whole.replacen("act1", "act1\\u0041", 1)).contains("line 2: it was changed"));
    assert!(broken(&whole.replacen(lines[1], "nonsense", 1)).contains("line 3: lines are missing"));
    // What is cut off at the end shows only in the head.
    std::fs::write(&path, lines[..4].join("\n") + "\n").unwrap();
    assert_eq!(head(folder.path()).unwrap(), 4);
}

#[test]
fn a_line_that_a_crash_cut_off_is_counted_and_followed() {
    let folder = chain(2);
    let path = name(folder.path(), 1);
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"seq\":3,\"at\":");
    std::fs::write(&path, text).unwrap();
    let mut writer = Writer::open(folder.path()).unwrap();
    writer.add(&entry("after")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 4);
    let found = verify(folder.path(), |_| ()).unwrap();
    assert_eq!((found.head.seq, found.strays), (3, 1));
}

#[tokio::test]
async fn what_is_noted_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(folder.path()).unwrap();
    for number in 0..100 {
        audit.note(entry(&format!("act{number}"))).await;
    }
    let begun = std::time::Instant::now();
    while head(folder.path()).unwrap() < 100 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "not written");
        tokio::task::yield_now().await;
    }
}
