//! Exports are verified: a changed character is named by its line, and nothing of what was refused is written.

use std::{fs, io::Write as _, process::Stdio};

use serde_json::Value;

use super::support::Home;

fn nexusd(home: &Home, arguments: &[&str], input: Option<&str>) -> (Option<i32>, String) {
    let mut command = home.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let text = input.unwrap_or_default().to_owned();
    // It may end before it has read everything.
    let writing = std::thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn projects(home: &Home) -> i64 {
    let file = rusqlite::Connection::open(home.data().join("nexus.db")).unwrap();
    file.query_row("SELECT count(*) FROM nexus_projects", [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_export_is_refused_with_its_line_and_leaves_nothing() {
    let here = Home::with_noop_workflow("", 1);
    let daemon = here.start();
    let project = daemon.create("export me soon", "noop").await;
    daemon.wait_for(&project, &["completed"]).await;
    daemon.terminate();
    let folder = here.data().join("projects").join(&project);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("large"), "the figures of the year ".repeat(30_000)).unwrap();
    let file = here.path().join("whole.jsonl");
    let named = file.to_str().unwrap();
    assert_eq!(nexusd(&here, &["export", named], None).0, Some(0));
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let of_file = lines.iter().position(|line| line.contains("\"path\":\"large\"")).unwrap();
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let at = |line: usize, from: &str, to: &str| {
        let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        assert!(changed[line].contains(from), "{from}: {}", changed[line]);
        changed[line] = changed[line].replacen(from, to, 1);
        changed.join("\n") + "\n"
    };
    let mut without = lines.clone();
    without.remove(2);
    let mut moved = lines.clone();
    moved.swap(2, 3);
    let last = lines.len() - 1;
    let number = of_file + 1;
    // One changed character of the file's content, which is still base64 and JSON.
    let cases = [
        (
            "a character of a file",
            at(of_file, "\"data\":\"dGhl", "\"data\":\"dGhm"),
            format!("line {number}: this line was changed"),
        ),
        ("a name", at(1, "export me", "export you"), "line 2: this line was changed".to_owned()),
        ("a sum", at(1, "\"sum\":\"", "\"sum\":\"0"), "line 2: this line was changed".to_owned()),
        ("a lost line", joined(&without), "lacks lines".to_owned()),
        ("lines in another order", joined(&moved), "SHA-256 over all lines".to_owned()),
        ("the digest", at(last, "\"sha256\":\"", "\"sha256\":\"0"), "SHA-256 over all lines".to_owned()),
        ("the head", at(0, "\"sums\"", "\"sumz\""), "SHA-256 over all lines".to_owned()),
        ("a cut", whole[..whole.len() / 2].to_owned(), "cut off".to_owned()),
    ];
    for (what, text, wanted) in &cases {
        let there = Home::with_noop_workflow("", 1);
        let bad = there.path().join("bad.jsonl");
        fs::write(&bad, text).unwrap();
        let (code, said) = nexusd(&there, &["import", bad.to_str().unwrap()], None);
        assert!(code == Some(1) && said.contains(wanted.as_str()), "{what}: {said}");
        assert_eq!(projects(&there), 0, "{what}: nothing of it is written");
        assert!(!there.data().join("projects").join(&project).exists(), "{what}");
        // Through a pipe it is said at the end at the latest, and loudly.
        let (code, said) = nexusd(&Home::with_noop_workflow("", 1), &["import"], Some(text));
        assert!(code == Some(1) && said.contains(wanted.as_str()) && said.contains("may be written"), "{what}: {said}");
    }
    let there = Home::with_noop_workflow("", 1);
    let (code, said) = nexusd(&there, &["import", named], None);
    assert!(code == Some(0) && !said.contains("warning"), "{said}");
    assert_eq!(projects(&there), 1);
    assert_eq!(fs::read(there.data().join("projects").join(&project).join("large")).unwrap().len(), 24 * 30_000);

    // One of a nexusd that knew no sums is taken, and said to be so.
    let older = lines.iter().map(|line| {
        let mut line: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
        for name in ["sum", "sums", "sha256"] {
            line.remove(name);
        }
        if let Some(file) = line.get_mut("files").and_then(Value::as_object_mut) {
            file.remove("sha256");
        }
        Value::Object(line).to_string() + "\n"
    });
    let older: String = older.collect();
    let (there, old) = (Home::with_noop_workflow("", 1), here.path().join("older.jsonl"));
    fs::write(&old, &older).unwrap();
    let (code, said) = nexusd(&there, &["import", old.to_str().unwrap()], None);
    assert!(code == Some(0) && said.contains("warning") && said.contains("no checksums"), "{said}");
    fs::write(&old, &older[..older.len() / 2]).unwrap();
    let (code, said) = nexusd(&here, &["export", "--resume", old.to_str().unwrap()], None);
    assert!(code == Some(1) && said.contains("begin a new one"), "{said}");
    // One that was changed is not gone on with.
    let (_, changed, _) = &cases[1];
    fs::write(&old, &changed[..changed.len() - 3]).unwrap();
    let (code, said) = nexusd(&here, &["export", "--resume", old.to_str().unwrap()], None);
    assert!(code == Some(1) && said.contains("line 2: this line was changed"), "{said}");
}
