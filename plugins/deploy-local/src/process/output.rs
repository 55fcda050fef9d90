//! What an agent prints: into its log, the last lines into memory, the listening line to who waits for it.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{SecondsFormat, Utc};
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::watch,
    time::{Instant, sleep},
};

use super::log::RotatingLog;
use crate::Settings;

/// Longer lines are cut into pieces of this size.
const MAX_LINE_BYTES: usize = 8 * 1024;
const READ_BYTES: usize = 32 * 1024;
const TAIL_LINES: usize = 20;
const TAIL_LINE_CHARS: usize = 300;
/// An agent that prints more per second waits in its own `write`: it cannot keep the daemon busy.
const MAX_BYTES_PER_SECOND: usize = 4 * 1024 * 1024;

/// The sink of one process's output streams.
pub(crate) struct Output {
    log: Mutex<RotatingLog>,
    tail: Mutex<VecDeque<String>>,
    port: watch::Sender<Option<u16>>,
}

/// The line of an agent that was started with `PORT=0`.
#[derive(Deserialize)]
struct Listening {
    event: String,
    #[serde(default)]
    port: u16,
}

impl Output {
    pub(crate) fn new(folder: &Path, settings: &Settings) -> Self {
        Self {
            log: Mutex::new(RotatingLog::new(folder, settings.log_max_bytes, settings.log_files)),
            tail: Mutex::new(VecDeque::new()),
            port: watch::Sender::new(None),
        }
    }

    /// The port the process said it listens on; 0 when it is none.
    pub(crate) fn port(&self) -> watch::Receiver<Option<u16>> {
        self.port.subscribe()
    }

    /// The last lines, at most about 6 KB; empty when nothing was printed.
    pub(crate) fn tail(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Takes one line; appends what goes to the log to `batch`.
    fn line(&self, stream: &str, line: &[u8], batch: &mut String) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if stream == "out" && line.starts_with(b"{") && self.port.borrow().is_none() {
            self.note_port(line);
        }
        // Control characters could play tricks on the terminal of whoever reads the log.
        let text: String = String::from_utf8_lossy(line)
            .chars()
            .map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        if !text.trim().is_empty() {
            let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
            if tail.len() >= TAIL_LINES {
                tail.pop_front();
            }
            tail.push_back(text.chars().take(TAIL_LINE_CHARS).collect());
        }
        batch.push_str(&Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true));
        batch.push(' ');
        batch.push_str(stream);
        batch.push(' ');
        batch.push_str(&text);
        batch.push('\n');
    }

    fn note_port(&self, line: &[u8]) {
        if let Ok(listening) = serde_json::from_slice::<Listening>(line)
            && listening.event == "listening"
        {
            self.port.send_replace(Some(listening.port));
        }
    }

    fn write(&self, batch: &str) {
        // A full disk loses log lines, never the agent.
        let _ = self.log.lock().unwrap_or_else(PoisonError::into_inner).write(batch.as_bytes());
    }
}

/// Reads one stream until its end. Holds at most one line and one read's worth of bytes.
pub(crate) async fn pump(mut stream: impl AsyncRead + Unpin, name: &'static str, output: Arc<Output>) {
    let mut buffer = vec![0; READ_BYTES];
    let mut rest: Vec<u8> = Vec::new();
    let mut second = Instant::now();
    let mut in_second = 0;
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        let mut batch = String::new();
        for piece in buffer.get(..read).unwrap_or_default().split_inclusive(|b| *b == b'\n') {
            take_piece(&output, name, &mut rest, piece, &mut batch);
        }
        if read == 0 && !rest.is_empty() {
            output.line(name, &rest, &mut batch);
        }
        if !batch.is_empty() {
            let sink = Arc::clone(&output);
            // The disk may be slow; the runtime's workers have other agents to serve.
            let _ = tokio::task::spawn_blocking(move || sink.write(&batch)).await;
        }
        if read == 0 {
            return;
        }
        in_second += read;
        if second.elapsed() >= Duration::from_secs(1) {
            (second, in_second) = (Instant::now(), 0);
        } else if in_second > MAX_BYTES_PER_SECOND {
            sleep(Duration::from_secs(1).saturating_sub(second.elapsed())).await;
        }
    }
}

fn take_piece(output: &Output, name: &str, rest: &mut Vec<u8>, mut piece: &[u8], batch: &mut String) {
    while !piece.is_empty() {
        let room = MAX_LINE_BYTES.saturating_sub(rest.len()).min(piece.len());
        let (head, tail) = piece.split_at(room);
        rest.extend_from_slice(head);
        piece = tail;
        let whole = rest.strip_suffix(b"\n").map(<[u8]>::len);
        if whole.is_some() || rest.len() >= MAX_LINE_BYTES {
            let length = whole.unwrap_or(rest.len());
            output.line(name, rest.get(..length).unwrap_or_default(), batch);
            rest.clear();
        }
    }
}
