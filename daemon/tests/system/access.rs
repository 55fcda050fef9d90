//! The walls around the real daemon: who it runs as, who gets in by which door, what it shows of what it knows.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::support::{Home, eventually};

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t")
}

/// Makes daemons of this home run as nobody, when the tests run as root.
fn as_an_ordinary_user(home: &mut Home) {
    if is_root() {
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let dropped = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "-u", "NEXUSD_ALLOW_ROOT"];
        home.launch_by(dropped.map(str::to_owned).to_vec());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_looks_into_the_process_or_its_folder() {
    let mut home = Home::new("");
    as_an_ordinary_user(&mut home);
    let daemon = home.start();
    // The kernel gives what belongs to a process that is not dumpable to root.
    use std::os::unix::fs::MetadataExt as _;
    let owner = std::fs::metadata(format!("/proc/{}/mem", daemon.pid())).unwrap().uid();
    assert_eq!(owner, 0, "another process of its user could read its memory");
    assert_eq!(daemon.get("/system").await.0, 200, "it works all the same");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.data()), 0o700);
    for entry in std::fs::read_dir(home.data()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn as_root_it_runs_only_when_it_is_told_to() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |extra: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nexusd"));
        command
            .env_clear()
            .env("HOME", folder.path())
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path().join("data"));
        command.args(extra);
        command
    };
    let output = run(&["serve"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("--allow-root"), "{said}");
    assert!(!folder.path().join("data").exists(), "it had begun");
    // Commands that only ask do not mind.
    assert!(run(&["check-config", "--no-plugins"]).output().unwrap().status.success());
    let mut child =
        run(&["--allow-root", "serve"]).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
    let mut screen = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut screen).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_commands_need_no_key_and_strangers_do() {
    let home = Home::new("");
    let daemon = home.start();
    let (code, listed) = home.run(&["--url", &daemon.url, "projects", "list"]);
    assert_eq!(code, Some(0), "{listed}");
    let token = home.run(&["token"]).1;
    let stranger = reqwest::Client::new();
    let path = daemon.at("/projects");
    let without = stranger.get(&path).send().await.unwrap();
    assert_eq!((without.status().as_u16(), without.headers()["www-authenticate"].to_str().unwrap()), (401, "Bearer"));
    assert_eq!(stranger.get(&path).bearer_auth(token.trim()).send().await.unwrap().status(), 200);
    assert_eq!(stranger.get(daemon.at("//health")).send().await.unwrap().status(), 200);
    // Somebody who cannot read the token is told where one comes from.
    let elsewhere = tempfile::tempdir().unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_nexusd"))
        .args(["--data-dir"])
        .arg(elsewhere.path())
        .args(["--url", &daemon.url, "projects", "list"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("NEXUSD_TOKEN"), "{said}");
    // A key, made, used and revoked.
    let (code, key) = home.run(&["--url", &daemon.url, "--json", "keys", "create", "ci", "--role", "viewer"]);
    let key: Value = serde_json::from_str(key.trim()).unwrap_or_else(|_| panic!("{code:?} {key}"));
    let bearer = key["token"].as_str().unwrap();
    assert_eq!(stranger.get(&path).bearer_auth(bearer).send().await.unwrap().status(), 200);
    let (code, said) = home.run(&["--url", &daemon.url, "keys", "revoke", key["id"].as_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(stranger.get(&path).bearer_auth(bearer).send().await.unwrap().status(), 401);
    // A link of one use, and a user of the form.
    let link = home.run(&["--url", &daemon.url, "login-link"]).1;
    let code = link.trim().rsplit_once("/#code=").unwrap().1;
    let answer = stranger.post(daemon.at("/auth/code")).json(&json!({ "code": code })).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut child = home.command(&["users", "add", "ann", "--role", "editor"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"open sesame!\n").unwrap();
    assert!(child.wait().unwrap().success());
    let login = json!({ "username": "ann", "password": "open sesame!" });
    let answer = stranger.post(daemon.at("/auth/login")).json(&login).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(home.run(&["users", "list"]).1.trim(), "ann  editor");
    // All of that is in the audit, which holds together until somebody changes it.
    let head = eventually("the audit is written", async || {
        let (code, head) = home.run(&["audit", "verify"]);
        assert_eq!(code, Some(0), "{head}");
        home.run(&["audit", "export"]).1.contains("/api/v2/auth/login").then_some(head)
    })
    .await;
    let exported = home.run(&["audit", "export"]).1;
    for what in ["POST /api/v2/keys", "DELETE /api/v2/keys/{key}", "nexusd users add", "refused: unknown"] {
        assert!(exported.contains(what), "{what} is missing in {exported}");
    }
    let file = home.data().join("audit/audit-000001.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, whole.replacen("nobody", "friend", 1)).unwrap();
    assert_eq!(home.run(&["audit", "verify"]).0, Some(1));
    let cut: Vec<&str> = whole.lines().take(2).collect();
    std::fs::write(&file, cut.join("\n") + "\n").unwrap();
    assert_eq!(home.run(&["audit", "verify"]).0, Some(0));
    assert_eq!(home.run(&["audit", "verify", "--head", head.trim()]).0, Some(1), "the end was cut off");
}

/// Any account of the machine may listen on the daemon's port while no daemon does, and wait for who asks there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_goes_to_no_process_of_another_user() {
    if !is_root() {
        return;
    }
    const LISTENER: &str = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); \
                            print(s.accept()[0].recv(65536), flush=True)";
    let home = Home::new("");
    drop(home.start());
    let mut listener = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        // A Python in root's home is nobody's.
        .args(["env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", "python3", "-c", LISTENER])
        .current_dir("/")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(listener.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port: u16 = lines.next().unwrap().parse().unwrap();
    let url = format!("http://127.0.0.1:{port}");
    for arguments in [["projects", "list"], ["agents", "list"], ["keys", "list"]] {
        let (code, said) = home.run(&["--url", &url, arguments[0], arguments[1]]);
        assert!(
            code == Some(1) && said.contains("process of another user (uid 65534)"),
            "{arguments:?}: {code:?} {said}"
        );
    }
    // The first who sends it anything is this one.
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap().write_all(b"nothing").unwrap();
    assert_eq!(lines.next().unwrap(), "b'nothing'");
    listener.wait().unwrap();
    // The daemon's own process is no stranger, whoever asks as root.
    let daemon = home.start();
    assert_eq!(home.run(&["--url", &daemon.url, "projects", "list"]).0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_socket_is_a_door_for_its_own_user() {
    let home = Home::new("");
    let path = home.path().join("nexusd.sock");
    home.configure(&format!("[server]\nsocket = {path:?}\n"));
    let daemon = home.start();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /api/v2/auth/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"role\":\"admin\""), "{answer}");
    assert_eq!(reqwest::get(daemon.at("/auth/me")).await.unwrap().status(), 401);
    let (_, code) = daemon.terminate();
    assert_eq!((code, path.exists()), (Some(0), false));
}

fn certificate(folder: &Path) -> reqwest::Certificate {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_needs_no_restart() {
    let home = Home::new("");
    let first = certificate(home.path());
    home.configure("[server]\ntls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"\n");
    let daemon = home.start();
    let health = daemon.at("//health/live");
    assert!(health.starts_with("https://"), "{health}");
    let trusting =
        |one: reqwest::Certificate| reqwest::Client::builder().no_proxy().tls_certs_only([one]).build().unwrap();
    assert_eq!(trusting(first.clone()).get(&health).send().await.unwrap().status(), 200);
    let plain =
        reqwest::Client::new().get(health.replace("https", "http")).timeout(Duration::from_secs(5)).send().await;
    assert!(plain.is_err(), "it speaks without TLS, too");
    // Half of a pair changes nothing; the whole pair is taken.
    let second = certificate(home.path());
    let client = trusting(second);
    eventually("the new certificate is in force", async || {
        client.get(&health).send().await.ok().filter(|answer| answer.status() == 200)
    })
    .await;
    assert!(trusting(first).get(&health).send().await.is_err());
}

fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_bodies_take_little_and_keep_nobody_out() {
    let home = Home::new("");
    let daemon = home.start();
    let address = daemon.url.trim_start_matches("http://").to_owned();
    let token = std::fs::read_to_string(home.data().join("admin.token")).unwrap();
    let before = resident_mib(daemon.pid());
    let head = format!(
        "POST /api/v2/projects HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 1048576\r\n\r\n{{\"requirement\": \"",
        token.trim()
    );
    let body: std::sync::Arc<[u8]> = vec![b'x'; 1_000_000].into();
    let mut clients = Vec::new();
    for _ in 0..1600 {
        let mut client = TcpStream::connect(&address).await.unwrap();
        client.write_all(head.as_bytes()).await.unwrap();
        clients.push(client);
    }
    // What the daemon does not take stays in the sockets: nobody waits for it here.
    let senders: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let body = std::sync::Arc::clone(&body);
            tokio::spawn(async move {
                let _ = tokio::time::timeout(Duration::from_secs(8), client.write_all(&body)).await;
                client
            })
        })
        .collect();
    let mut most = 0;
    let mut held = Vec::new();
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        most = most.max(resident_mib(daemon.pid()));
        // Small requests go on meanwhile.
        let (status, _) = daemon.post("/projects", &json!({ "requirement": "too short" })).await;
        assert_eq!(status, 422);
    }
    for sender in senders {
        held.push(sender.await.unwrap());
    }
    println!("1600 unfinished bodies: {before} MiB before, {most} MiB at most");
    assert!(most < before + 100, "{before} MiB before, {most} MiB at most");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_health_is_told_when_all_connections_are_taken() {
    let home = Home::new("[server]\nmax_connections = 32\n");
    let daemon = home.start();
    let address = daemon.url.trim_start_matches("http://").to_owned();
    let token = std::fs::read_to_string(home.data().join("admin.token")).unwrap();
    let ask =
        async |path: &str| reqwest::Client::new().get(daemon.at(path)).bearer_auth(token.trim()).send().await.unwrap();
    // Streams may have three quarters of the connections.
    let mut streams = Vec::new();
    let refused = loop {
        let answer = ask("/events").await;
        if answer.status() != 200 {
            break answer.status();
        }
        streams.push(answer);
        assert!(streams.len() < 40, "there is no end of streams");
    };
    assert_eq!((refused.as_u16(), streams.len()), (503, 24));
    // The rest is taken by clients that only came.
    let mut idle = Vec::new();
    for _ in 0..32 - streams.len() {
        let mut client = TcpStream::connect(&address).await.unwrap();
        client.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
        idle.push(client);
    }
    eventually("all connections are taken", async || (ask("/projects").await.status() == 503).then_some(())).await;
    for _ in 0..100 {
        assert_eq!(ask("//health/live").await.status(), 200);
    }
    drop((streams, idle));
    eventually("there is room again", async || (ask("/projects").await.status() == 200).then_some(())).await;
}

/// Secrets of all kinds, each marked, and none of them in anything that the daemon says or writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told_anywhere() {
    const MARK: &str = "sesame7";
    let mut home = Home::new("");
    home.set("AWS_SECRET_ACCESS_KEY", &format!("{MARK}-environment"));
    home.set("SOME_PASSWORD", &format!("{MARK}-password"));
    let settings = format!(
        "[backend]\nendpoint_url = \"http://user:{MARK}-url@127.0.0.1:1/?key={MARK}-query\"\n\
         [plugins.deploy-local.env]\nTOKEN = \"{MARK}-plugin\"\n[log]\nfilter = \"debug\"\n# old = \"{MARK}-comment\"\n"
    );
    home.configure(&settings);
    std::fs::create_dir_all(home.data()).unwrap();
    let servers = json!({ "mcpServers": { "docs": {
        "command": "uvx", "args": ["--key", format!("{MARK}-argument")], "env": { "KEY": format!("{MARK}-env") },
    }, "web": { "url": format!("https://u:{MARK}-mcp@host/?k={MARK}-mcp-query") } } });
    std::fs::write(home.data().join("mcp_servers.json"), servers.to_string()).unwrap();
    let daemon = home.start();
    let token = std::fs::read_to_string(home.data().join("admin.token")).unwrap().trim().to_owned();
    let secrets_of_tokens = |token: &str| token.rsplit('_').next().unwrap().to_owned();
    let mut secrets = vec![MARK.to_owned(), secrets_of_tokens(&token)];
    let mut said = Vec::new();
    let (_, made) = daemon.post("/keys", &json!({ "name": "ci" })).await;
    secrets.push(secrets_of_tokens(made["data"]["token"].as_str().unwrap()));
    // The form, with a right and a wrong password, a code, a wrong token.
    let password = format!("{MARK}-user-password");
    let mut child = home.command(&["users", "add", "ann"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    for password in [password.clone(), format!("{MARK}-wrong")] {
        let login = json!({ "username": "ann", "password": password });
        let answer = daemon.http().post(daemon.at("/auth/login")).json(&login).send().await.unwrap();
        // The token is told to him who has logged in, in body and cookie, and nowhere else.
        let answer: Value = answer.json().await.unwrap();
        secrets.extend(answer["access_token"].as_str().map(secrets_of_tokens));
    }
    let strange = format!("nxk_{MARK}_{MARK}");
    said.push(
        reqwest::Client::new()
            .get(daemon.at("/projects"))
            .bearer_auth(&strange)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
    );
    let project = daemon.create("Build an agent that tells the weather", "agent_build").await;
    let name = home.config().file_name().unwrap().to_str().unwrap().to_owned();
    for path in [
        "/config",
        &format!("/config/{name}"),
        "/system",
        "/plugins",
        "/tools/mcp/servers",
        "/tools/mcp/servers/docs",
        "/keys",
        "/auth/me",
        "/projects",
        &format!("/projects/{project}"),
        "//metrics",
        "//health",
        "//openapi.json",
        "/statistics/overview",
        "/workflows",
    ] {
        said.push(daemon.text(path).await);
    }
    // A plugin's value of the wrong type, and a file that is no TOML any more.
    let before = said.len();
    for wrong in [
        format!("[plugins.deploy-local]\nmax_agents = \"{MARK}-type\"\n"),
        format!("[plugins.deploy-local]\nenv = \"{MARK}-type\"\n"),
        format!("[plugins.agent-build]\npython = 7\nkey = \"{MARK}-unknown\"\n"),
        format!("[backend]\nendpoint_url = \"user:{MARK}-form@host\"\n"),
        format!("[backend\nkey = \"{MARK}-broken\"\n"),
    ] {
        home.configure(&wrong);
        said.push(home.run(&["check-config"]).1);
        let reload = daemon.http().post(daemon.at("/plugins/reload")).send().await.unwrap();
        said.push(reload.text().await.unwrap());
        said.push(daemon.text(&format!("/config/{name}")).await);
    }
    assert!(said.len() > before + 14);
    home.configure(&settings);
    said.push(home.run(&["dump-config"]).1);
    said.push(home.run(&["audit", "export"]).1);
    said.push(daemon.log());
    let tells = |text: &str| secrets.iter().find(|secret| text.contains(secret.as_str())).cloned();
    for text in &said {
        if let Some(secret) = tells(text) {
            let at = text.find(secret.as_str()).unwrap();
            panic!(
                "{:?} is told: …{}…",
                secret,
                text.chars().skip(at.saturating_sub(200)).take(300).collect::<String>()
            );
        }
    }
    // In the data folder only where it was put by hand, and where the token of the first start is.
    let mut folders = vec![home.data()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.file_name().unwrap().to_str().unwrap();
            if name == "admin.token" || name == "mcp_servers.json" || name.ends_with(".so") {
                continue;
            }
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned();
            assert_eq!(tells(&text), None, "{}", path.display());
        }
    }
}
