//! The emulator of the cloud services: one process for the tests of a file, and an account for each test.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock},
    time::Duration,
};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};

static RUNNING: OnceLock<Emulator> = OnceLock::new();

/// The emulator, and what keeps it alive: it ends when this process does.
pub struct Emulator {
    /// Its address.
    pub url: String,
    _child: Mutex<Child>,
}

/// Clients of an account that is nobody else's.
#[derive(Clone)]
pub struct Account {
    /// Twelve digits: the emulator's account.
    pub access_key: String,
    pub url: String,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub sqs: aws_sdk_sqs::Client,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Started by the first who asks.
///
/// # Panics
/// When it cannot be had or does not come up: says what is missing.
pub fn emulator() -> &'static Emulator {
    RUNNING.get_or_init(|| {
        let programs = super::venv::bin_for("emulator", "emulator-venv");
        let port = free_port();
        // The shell ends it, by its own process id, when the pipe from here is closed, however this process ends.
        let script = r#""$0" >/dev/null 2>"$1" & pid=$!; echo started; cat >/dev/null; kill "$pid""#;
        let log = std::env::temp_dir().join(format!("emulator-{port}.log"));
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(programs.join("ministack"))
            .arg(&log)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let ready = |_: &u32| {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
            use std::io::{Read as _, Write as _};
            stream.write_all(b"GET /_ministack/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer.contains(" 200 ").then_some(())
        };
        let up = (0..600).any(|n| {
            ready(&n).is_some() || {
                std::thread::sleep(Duration::from_millis(50));
                false
            }
        });
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        let _ = std::fs::remove_file(&log);
        assert!(up, "the emulator of the cloud services (ministack, from the package index) did not come up:\n{said}");
        Emulator { url, _child: Mutex::new(child) }
    })
}

impl Account {
    /// An account of its own.
    pub fn new() -> Self {
        let url = emulator().url.clone();
        Self::at(&url, &format!("{:012}", rand_digits()))
    }

    /// The account of that key, by way of `url`.
    pub fn at(url: &str, access_key: &str) -> Self {
        let credentials = Credentials::new(access_key, "secret", None, None, "test");
        let dynamodb = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials.clone())
            .endpoint_url(url)
            .build();
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials)
            .endpoint_url(url)
            .build();
        Self {
            access_key: access_key.to_owned(),
            url: url.to_owned(),
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
        }
    }
}

fn rand_digits() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish() % 1_000_000_000_000
}
