//! What was done, and when: written as it happens, read when something was found.

use std::{
    fmt::Display,
    fs::File,
    io::Write as _,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Most lines that are shown about one finding.
const SHOWN: usize = 40;

pub(super) struct Trace {
    begun: Instant,
    lines: Mutex<(Vec<(Duration, String)>, File)>,
    /// Where it is written.
    pub(super) path: PathBuf,
}

impl Trace {
    /// Of a run of this name.
    pub(super) fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{name}.log"));
        let file = File::create(&path).expect("the trace can be written");
        Self { begun: Instant::now(), lines: Mutex::new((Vec::new(), file)), path }
    }

    /// Notes what somebody did or saw.
    pub(super) fn say(&self, who: &str, what: impl Display) {
        let (at, text) = (self.begun.elapsed(), format!("{who}: {what}"));
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(lines.1, "{:9.3} {text}", at.as_secs_f64());
        lines.0.push((at, text));
    }

    /// The last lines that speak of one of these ids, and what was done to the daemons between the first and the last.
    pub(super) fn about(&self, ids: &[String]) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let speaks = |text: &str| ids.iter().any(|id| text.contains(id.as_str()));
        let first = lines.0.iter().position(|(_, text)| speaks(text)).unwrap_or(lines.0.len());
        let wanted = |text: &str| speaks(text) || text.starts_with("fault");
        let chosen: Vec<_> = lines.0.iter().skip(first.saturating_sub(1)).filter(|(_, text)| wanted(text)).collect();
        let skipped = chosen.len().saturating_sub(SHOWN);
        let shown = chosen.iter().skip(skipped).map(|(at, text)| format!("    {:9.3} {text}\n", at.as_secs_f64()));
        shown.collect()
    }
}
