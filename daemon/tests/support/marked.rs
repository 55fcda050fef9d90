//! Marked secrets: every daemon of the system tests carries some, and whatever it says or leaves behind is searched for
//! them. What is found fails the test whose daemon it was, by the place and the kind of the secret.
//!
//! | secret | where the daemon has it | where it may stand |
//! |---|---|---|
//! | passwords, keys of a cloud | environment | nowhere |
//! | addresses with user, password, query | environment (`DYNAMODB_ENDPOINT_URL`), where a test has no cloud of its own | nowhere |
//! | what an operator wrote and crossed out | a comment of the settings | the file of settings |
//! | a plugin's variable | environment (`NEXUSD_PLUGINS__DEPLOY_LOCAL__ENV__…`) | nowhere; agents are given it |
//! | arguments, variables, address of an MCP server | `mcp_servers.json` | that file |
//! | the token of the first start | `admin.token` | that file, and what `nexusd token` prints |
//! | every other token of the daemon, by its form | its owner | the one answer that makes it |
//!
//! The store has hashes of tokens, `users.toml` those of passwords: both are searched like everything else.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::json;

/// All of them begin so.
pub const MARK: &str = "hush7-";
/// A key or a session's token, whoever made it: kind, id, secret with checksum.
const TOKENS: &str = "nx[ks]_[0-9A-Za-z]{1,32}_[0-9A-Za-z]{49}";
/// Files in which an operator or the daemon keeps secrets on purpose, and code, which has none.
const KEPT: [&str; 5] = ["admin.token", "mcp_servers.json", "nexusd.toml", "*.so", "*.tar"];
/// A daemon that was stopped by a signal accepts connections and answers none.
const SHORT: Duration = Duration::from_secs(2);

/// Variables for a daemon; `cloud`: it has addresses and credentials of a cloud already.
pub fn variables(cloud: bool) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("DATABASE_PASSWORD", format!("{MARK}password")),
        ("OPENAI_API_KEY", format!("{MARK}api-key")),
        // Nobody is asked with that key.
        ("NEXUSD_MODELS__DISCOVER", "false".to_owned()),
        ("NEXUSD_PLUGINS__DEPLOY_LOCAL__ENV__UPSTREAM_KEY", format!("{MARK}plugin")),
    ];
    if !cloud {
        let address = |service: &str| format!("http://user:{MARK}{service}@127.0.0.1:1/?key={MARK}{service}-query");
        all.extend([
            ("AWS_SECRET_ACCESS_KEY", format!("{MARK}cloud-key")),
            ("AWS_SESSION_TOKEN", format!("{MARK}cloud-token")),
            ("DYNAMODB_ENDPOINT_URL", address("dynamodb")),
            ("SQS_ENDPOINT_URL", address("sqs")),
        ]);
    }
    all
}

/// Settings, and behind them a line that nobody is to read.
pub fn settings(text: &str) -> String {
    format!("{text}\n# password = \"{MARK}comment\"\n")
}

/// Leaves MCP servers in a data folder, unless a test has its own there.
pub fn leave_servers(data: &Path) {
    let path = data.join("mcp_servers.json");
    let servers = json!({ "mcpServers": {
        "marked": { "command": "uvx", "args": [format!("--key={MARK}argument")], "env": { "KEY": format!("{MARK}variable") } },
        "marked-web": { "url": format!("https://user:{MARK}mcp@host/?key={MARK}mcp-query"), "disabled": true },
    } });
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Ok(mut file) = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        file.write_all(servers.to_string().as_bytes()).expect("the servers are written");
    }
}

/// The secret part of the token in a data folder.
pub fn admins_secret(data: &Path) -> Option<String> {
    let text = fs::read_to_string(data.join("admin.token")).ok()?;
    Some(text.trim().rsplit('_').next()?.to_owned())
}

/// Fails when something that was said has a marked secret in it.
#[track_caller]
pub fn assert_untold(what: &str, said: &str, admin: Option<&str>) {
    for secret in [Some(MARK), admin].into_iter().flatten() {
        if let Some(at) = said.find(secret) {
            let from = said[..at].char_indices().rev().nth(200).map_or(0, |(from, _)| from);
            let around: String = said[from..].chars().take(400).collect();
            panic!("a marked secret is told in {what}: …{around}…");
        }
    }
}

/// Fails when a file below this folder has a secret in it that does not belong there: logs, store, audit, and the files
/// of projects and agents.
#[track_caller]
pub fn assert_not_in_files(folder: &Path, admin: Option<&str>) {
    // A process of its own, since this one is not optimised: it reads hundreds of megabytes in some milliseconds.
    let mut search = Command::new("grep");
    search.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C");
    search.args(["-r", "-a", "-o", "-E", "-s"]).args(KEPT.map(|name| format!("--exclude={name}")));
    search.args(["-e", &format!("{MARK}[a-z-]*"), "-e", TOKENS]);
    if let Some(secret) = admin {
        search.args(["-e", secret]);
    }
    let found = search.arg("--").arg(folder).output().expect("these tests search files with `grep`");
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    let places: Vec<&str> = found.lines().take(20).collect();
    assert!(places.is_empty(), "secrets stand in files:\n{}", places.join("\n"));
}

/// Asks a running daemon for what it shows of itself, and for errors of each kind, and searches the answers.
#[track_caller]
pub fn assert_answers_are_clean(url: &str, settings: &str, token: Option<&str>) {
    // What TLS hides from this plain client is asked by the test of certificates alone.
    let Some(address) = url.strip_prefix("http://") else { return };
    let admin = token.and_then(|token| token.trim().rsplit('_').next().map(str::to_owned));
    let bearer = token.map_or_else(String::new, |token| format!("Authorization: Bearer {}\r\n", token.trim()));
    let stranger = format!("Authorization: Bearer nxk_{MARK}_{MARK}\r\n");
    let shown = format!("/api/v2/config/{settings}");
    let questions = [
        ("GET", "/health", "", ""),
        ("GET", "/metrics", bearer.as_str(), ""),
        ("GET", "/api/v2/config", &bearer, ""),
        ("GET", &shown, &bearer, ""),
        ("GET", "/api/v2/system", &bearer, ""),
        ("GET", "/api/v2/plugins", &bearer, ""),
        ("GET", "/api/v2/tools/mcp/servers", &bearer, ""),
        ("GET", "/api/v2/keys", &bearer, ""),
        ("GET", "/api/v2/nothing", &bearer, ""),
        ("GET", "/api/v2/projects", &stranger, ""),
        ("POST", "/api/v2/projects", &bearer, "{\"requirement\": 7"),
        ("POST", "/api/v2/auth/login", "", "{\"username\": 7, \"password\": [\"hush7-login\"]}"),
    ];
    for (method, path, credential, body) in questions {
        let Some(answer) = ask(address, method, path, credential, body) else { return };
        assert_untold(&format!("{method} {path}"), &answer, admin.as_deref());
    }
}

/// `None`: it does not answer any more.
fn ask(address: &str, method: &str, path: &str, credential: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address.trim_end_matches('/').parse().ok()?, SHORT).ok()?;
    stream.set_read_timeout(Some(SHORT)).ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{credential}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    (read.is_ok() && !answer.is_empty()).then(|| String::from_utf8_lossy(&answer).into_owned())
}
