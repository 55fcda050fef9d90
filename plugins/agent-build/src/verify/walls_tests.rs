//! Tests that an agent brings along reach nothing, and leave nothing behind.

use super::*;

const TESTS: &str = r#"
import os, signal, socket, unittest

class Walls(unittest.TestCase):
    def test_secret(self):
        with self.assertRaises(PermissionError):
            open("{secret}")

    def test_own_code(self):
        with self.assertRaises(PermissionError):
            open("agent.py", "a")

    def test_network(self):
        with self.assertRaises(PermissionError):
            socket.create_connection(("127.0.0.1", {port}))

    def test_builder(self):
        with self.assertRaises(PermissionError):
            os.kill({builder}, signal.SIGTERM)

    def test_scratch(self):
        with open(os.path.join(os.environ["TMPDIR"], "note"), "w") as file:
            file.write("x")

    def test_stray(self):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 64)
                os.execve("/bin/sleep", ["sleep", "1000"], {{}})
            os._exit(0)
"#;

fn processes_in(folder: &Path) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries.filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder)).count()
}

#[tokio::test]
async fn an_agents_own_tests_reach_nothing_and_leave_nothing() {
    let place = tempfile::tempdir().unwrap();
    let (folder, secret) = (place.path().join("agent"), place.path().join("secret"));
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::fs::create_dir_all(folder.join("tests")).unwrap();
    for (name, text) in [
        ("agent.py", String::new()),
        ("tests/__init__.py", String::new()),
        (
            "tests/test_walls.py",
            TESTS
                .replace("{secret}", &secret.display().to_string())
                .replace("{port}", &port.to_string())
                .replace("{builder}", &std::process::id().to_string())
                .replace("{{}}", "{}"),
        ),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(&secret, "hunter2").unwrap();
    let limit = Duration::from_secs(60);
    let (agent, events) = RunningAgent::examined("python3", &folder, limit).await.unwrap();
    let report = checks::report("python3", events.checked, limit).await.unwrap();
    assert_eq!(report.tests, 6);
    agent.kill().await;
    assert_eq!(processes_in(&folder), 0, "a stray lives on");
    server.set_nonblocking(true).unwrap();
    assert!(server.accept().is_err(), "somebody came");
}
