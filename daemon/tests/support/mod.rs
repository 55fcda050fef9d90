//! Runs the real `nexusd` for black-box tests: a data folder of its own, a port that the system
//! chooses, ended by its own process id.
#![allow(dead_code, unreachable_pub)] // every test binary uses a part of it
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

#[cfg(feature = "aws")]
pub mod account;
pub mod agent_code;
pub mod alone;
pub mod api;
pub mod clock;
pub mod document;
#[cfg(feature = "aws")]
pub mod emulator;
#[cfg(feature = "aws")]
pub mod faulty;
pub mod marked;
pub mod prices;
pub mod sse;
pub mod stages;
pub mod tree;
pub mod venv;
#[cfg(feature = "aws")]
pub mod wire;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with everything a daemon needs, kept over restarts.
pub struct Home {
    folder: tempfile::TempDir,
    config: PathBuf,
    environment: Vec<(String, String)>,
    data: PathBuf,
    launcher: Vec<String>,
    servers: bool,
}

impl Home {
    /// With these settings (TOML).
    pub fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let config = folder.path().join("nexusd.toml");
        std::fs::write(&config, marked::settings(settings)).expect("the settings are written");
        let data = folder.path().join("data");
        Self { folder, config, environment: Vec::new(), data, launcher: Vec::new(), servers: true }
    }

    /// A daemon whose workflow `noop` has nine stages that take `delay_ms` and do nothing.
    pub fn with_noop_workflow(settings: &str, delay_ms: u64) -> Self {
        let home = Self::new("");
        let (workflows, plugins) = (home.path().join("workflows"), home.path().join("plugins"));
        std::fs::create_dir(&workflows).expect("a folder for workflows");
        std::fs::create_dir(&plugins).expect("a folder for plugins");
        let fixture = plugin_dir().join("libnexus_fixture_noop.so");
        let copied = std::fs::copy(&fixture, plugins.join("libnoop.so"));
        copied.unwrap_or_else(|e| panic!("{} is not built: {e}", fixture.display()));
        std::fs::write(workflows.join("noop.toml"), noop_workflow(9, delay_ms)).expect("the workflow is written");
        let bundled = plugin_dir();
        home.configure(&format!(
            "{settings}\n[workflows]\ndirs = [{workflows:?}]\n\n[plugins]\ndirs = [{bundled:?}, {plugins:?}]\nmax_jobs = 512\n"
        ));
        home
    }

    /// Lets everybody in, for tests of what lies behind the gate.
    #[must_use]
    pub fn open_to_all(mut self) -> Self {
        self.set("NEXUSD_AUTH__MODE", "none");
        self
    }

    /// Without the marked MCP servers, for tests of how servers are shown.
    #[must_use]
    pub fn without_servers(mut self) -> Self {
        self.servers = false;
        self
    }

    /// Sets a variable for its daemons.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The file of settings.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Replaces the settings.
    pub fn configure(&self, settings: &str) {
        std::fs::write(&self.config, marked::settings(settings)).expect("the settings are written");
    }

    /// The test's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The daemon's data folder.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// Puts the data folder elsewhere.
    pub fn place_data(&mut self, data: PathBuf) {
        self.data = data;
    }

    /// Starts its daemons by this program and its arguments, which must become the daemon (`exec`).
    pub fn launch_by(&mut self, launcher: Vec<String>) {
        self.launcher = launcher;
    }

    /// A command of `nexusd` on this home: with its settings, data folder and variables.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nexusd"));
        command.arg("--config").arg(&self.config).arg("--data-dir").arg(&self.data).args(arguments);
        command.envs(self.variables());
        command
    }

    /// What its daemons and commands have in their environment beside this process's: marked secrets, and what the test
    /// has set, which comes last and so counts.
    fn variables(&self) -> Vec<(String, String)> {
        let settings = std::fs::read_to_string(&self.config).unwrap_or_default();
        let cloud = settings.contains("[backend]")
            || self.environment.iter().any(|(name, _)| name.contains("ENDPOINT") || name.contains("BACKEND"));
        let marked = marked::variables(cloud).into_iter().map(|(name, value)| (name.to_owned(), value));
        marked.chain(self.environment.iter().cloned()).collect()
    }

    /// Runs such a command: exit code, and all that it said.
    pub fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.command(arguments).output().expect("nexusd can be run");
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        marked::assert_untold(&format!("`nexusd {}`", arguments.join(" ")), &said, None);
        (output.status.code(), said)
    }

    /// Starts the daemon and waits until it is up.
    pub fn start(&self) -> Daemon {
        self.try_start().unwrap_or_else(|output| panic!("nexusd did not start:\n{output}"))
    }

    /// Starts the daemon; what it said when it does not come up.
    pub fn try_start(&self) -> Result<Daemon, String> {
        let log = self.folder.path().join("nexusd.log");
        let err = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log file");
        let mut words = self.launcher.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_nexusd")]);
        let mut child = Command::new(words.next().expect("a program"))
            .args(words)
            .args(["--listen", "127.0.0.1:0", "--config"])
            .arg(&self.config)
            .arg("--data-dir")
            .arg(self.data())
            .envs(self.variables())
            .env("RUST_LOG", std::env::var("NEXUSD_TEST_LOG").unwrap_or_else(|_| "info".into()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(err)
            .spawn()
            .expect("nexusd can be run");
        let stdout = child.stdout.take().expect("a pipe");
        let (send, address) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // A screen, or a line of JSON.
                let words = line.split(|c: char| c.is_whitespace() || c == '"');
                if let Some(url) =
                    words.into_iter().find(|word| word.starts_with("http://") || word.starts_with("https://"))
                {
                    let _ = send.send(url.to_owned());
                }
            }
        });
        match address.recv_timeout(PATIENCE) {
            Ok(url) => {
                // As another user it could not read what this one leaves there.
                if self.servers && self.launcher.is_empty() {
                    marked::leave_servers(&self.data);
                }
                let settings = self.config.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
                Ok(Daemon { child, url, log, http: client(&self.data()), data: self.data(), settings })
            }
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(std::fs::read_to_string(&log).unwrap_or_default())
            }
        }
    }
}

/// What its daemons left behind: all of them have ended.
impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let admin = marked::admins_secret(&self.data);
        marked::assert_not_in_files(self.folder.path(), admin.as_deref());
        if !self.data.starts_with(self.folder.path()) {
            marked::assert_not_in_files(&self.data, admin.as_deref());
        }
    }
}

/// A client with the token of the first start, where there is one.
pub fn client(data: &Path) -> reqwest::Client {
    let mut headers = reqwest::header::HeaderMap::new();
    if let Ok(token) = std::fs::read_to_string(data.join("admin.token")) {
        let value = format!("Bearer {}", token.trim()).parse().expect("a header");
        headers.insert(reqwest::header::AUTHORIZATION, value);
    }
    reqwest::Client::builder().no_proxy().default_headers(headers).build().expect("a client")
}

/// Where cargo puts the shared objects of bundled and test plugins.
pub fn plugin_dir() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_nexusd")).parent().expect("a folder").join("deps")
}

/// A workflow of `count` stages in a row that take `delay_ms` each.
pub fn noop_workflow(count: usize, delay_ms: u64) -> String {
    let mut text = "name = \"noop\"\nretry_base_delay_secs = 1\n".to_owned();
    for i in 0..count {
        let needs = if i == 0 { String::new() } else { format!("\"s{}\"", i - 1) };
        text.push_str(&format!(
            "\n[[stages]]\nname = \"s{i}\"\ndisplay_name = \"s{i}\"\nhandler = \"noop/noop\"\nprerequisites = [{needs}]\noptions = {{ delay_ms = {delay_ms} }}\n"
        ));
    }
    text
}

/// A running daemon. Dropping it kills it.
pub struct Daemon {
    child: Child,
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    log: PathBuf,
    http: reqwest::Client,
    data: PathBuf,
    settings: String,
}

impl Daemon {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All it wrote to standard error, over all starts of its home.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it has ended by itself, and how.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("it can be waited for")
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }

    /// `kill -TERM`; the time it took to end and its exit code.
    pub fn terminate(mut self) -> (Duration, Option<i32>) {
        self.signal("TERM");
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return (begun.elapsed(), status.code());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("nexusd did not end; its log:\n{}", self.log());
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(status.expect("kill can be run").success());
    }

    /// A GET below `/api/v2`: status and body.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.http.get(self.at(path)).send().await).await
    }

    /// A POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.http.post(self.at(path)).json(body).send().await).await
    }

    /// A DELETE.
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        answer(self.http.delete(self.at(path)).send().await).await
    }

    /// A page as text.
    pub async fn text(&self, path: &str) -> String {
        let text = self.http.get(self.at(path)).send().await.expect("an answer").text().await.expect("a text");
        marked::assert_untold(path, &text, None);
        text
    }

    /// The absolute address of a path below `/api/v2`, or of one that begins with `//` at the top.
    pub fn at(&self, path: &str) -> String {
        match path.strip_prefix("//") {
            Some(top) => format!("{}/{top}", self.url),
            None => format!("{}/api/v2{path}", self.url),
        }
    }

    /// Requests to DynamoDB and to SQS so far, as `/metrics` tells them.
    pub async fn cloud_requests(&self) -> (f64, f64) {
        let text = self.text("//metrics").await;
        let of = |service: &str| {
            let lines =
                text.lines().filter(|line| line.starts_with("nexus_cloud_requests_total") && line.contains(service));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
        };
        (of("service=\"dynamodb\""), of("service=\"sqs\""))
    }

    /// The client, for requests of another kind.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Posts a project and answers its id.
    pub async fn create(&self, requirement: &str, workflow: &str) -> String {
        let body = json!({"requirement": requirement, "workflow": workflow});
        let (status, answer) = self.post("/projects", &body).await;
        assert_eq!(status, 201, "{answer}");
        answer["data"]["project_id"].as_str().expect("an id").to_owned()
    }

    /// Waits until a project has one of these states; answers the project.
    pub async fn wait_for(&self, project: &str, states: &[&str]) -> Value {
        let begun = Instant::now();
        loop {
            let (status, answer) = self.get(&format!("/projects/{project}")).await;
            assert_eq!(status, 200, "{answer}");
            let state = answer["data"]["status"].as_str().unwrap_or_default();
            if states.contains(&state) {
                return answer["data"].clone();
            }
            let ended = ["completed", "failed", "cancelled"].contains(&state);
            assert!(!ended && begun.elapsed() < PATIENCE, "waited for {states:?}: {answer:#}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the agent of a project runs; answers the agent.
    pub async fn wait_for_agent(&self, project: &str) -> Value {
        let begun = Instant::now();
        loop {
            let (_, answer) = self.get(&format!("/agents?project_id={project}")).await;
            match answer["data"][0]["status"].as_str() {
                Some("running") => return answer["data"][0].clone(),
                Some("error") => panic!("the agent failed: {answer:#}\n{}", self.log()),
                _ => assert!(begun.elapsed() < PATIENCE, "no agent: {answer:#}\n{}", self.log()),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let lives = matches!(self.child.try_wait(), Ok(None));
        let answers = (lives && !std::thread::panicking()).then(|| {
            let token = std::fs::read_to_string(self.data.join("admin.token")).ok();
            std::panic::catch_unwind(|| marked::assert_answers_are_clean(&self.url, &self.settings, token.as_deref()))
        });
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(Err(told)) = answers {
            std::panic::resume_unwind(told);
        }
    }
}

async fn answer(response: reqwest::Result<reqwest::Response>) -> (u16, Value) {
    let response = response.expect("an answer");
    let status = response.status().as_u16();
    let text = response.text().await.expect("a text");
    marked::assert_untold("an answer", &text, None);
    let value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON with status {status}: {text:?}"));
    (status, value)
}

/// Waits until `check` gives a value; fails with `what` after a minute.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited for a minute: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// All stored events of a finished project, without the closing `end`.
pub async fn events(daemon: &Daemon, project: &str) -> Vec<Value> {
    let response = daemon.http().get(daemon.at(&format!("/projects/{project}/events"))).send().await;
    let frames = sse::Stream::new(response.expect("a stream")).all().await;
    frames.into_iter().filter(|f| f.event.as_deref() != Some("end")).map(|f| f.data).collect()
}
