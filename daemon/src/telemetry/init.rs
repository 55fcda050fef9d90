//! Sets up log output and the metrics recorder. `main.rs` by way of `cli::serve` calls it once, before anything is logged.

use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use super::names::{ALL, BUILD_INFO, Kind, describe_all};
use crate::config::{LogConfig, LogFormat};

/// Pause between two sweeps of the recorder, which otherwise keeps every sample until the next scrape.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is no filter.
    #[error("log filter {filter:?}: {reason}")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// systemd's journal was asked for and is not there.
    #[error("the journal cannot be reached: {0}; set [log] format = \"json\"")]
    Journal(#[source] std::io::Error),
    /// Log output or recorder were set up before in this process.
    #[error("telemetry: {0}")]
    Twice(String),
    /// A bucket list is empty.
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// On a terminal, or in a file of text.
    People,
    /// JSON, or the journal's fields.
    Programs,
}

/// Log output and metrics of this process. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry {
    metrics: PrometheusHandle,
    filter: reload::Handle<EnvFilter, Registry>,
    readers: Readers,
}

impl Telemetry {
    /// Sets both up for the whole process.
    ///
    /// # Errors
    /// When the filter is wrong, the journal is away, or this is the second call.
    pub fn init(log: &LogConfig) -> Result<Self, TelemetryError> {
        let filter = init_log(log)?;
        log_panics();
        let metrics = recorder()?.install_recorder()?;
        describe_all();
        metrics_process::Collector::default().describe();
        super::zeros::of_process();
        metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        let readers = match chosen(log.format, std::io::stderr().is_terminal(), is_journal()) {
            LogFormat::Json | LogFormat::Journald => Readers::Programs,
            LogFormat::Pretty | LogFormat::Auto => Readers::People,
        };
        Ok(Self { metrics, filter, readers })
    }

    /// Who reads the log.
    #[must_use]
    pub const fn readers(&self) -> Readers {
        self.readers
    }

    /// The text for `GET /metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        metrics_process::Collector::default().collect();
        self.metrics.render()
    }

    /// Replaces the log filter.
    ///
    /// # Errors
    /// When the filter is wrong; the old one stays.
    pub fn set_filter(&self, filter: &str) -> Result<(), TelemetryError> {
        let parsed = parse(filter)?;
        self.filter.reload(parsed).map_err(|error| TelemetryError::Twice(error.to_string()))
    }

    /// Sweeps the recorder until `end`; without it a daemon that nobody scrapes would grow.
    pub async fn upkeep(self, end: CancellationToken) {
        let mut tick = tokio::time::interval(UPKEEP);
        while end.run_until_cancelled(tick.tick()).await.is_some() {
            self.metrics.run_upkeep();
        }
    }
}

fn recorder() -> Result<PrometheusBuilder, TelemetryError> {
    let mut builder = PrometheusBuilder::new();
    for metric in ALL {
        if let Kind::Histogram(buckets) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
        }
    }
    Ok(builder)
}

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter)
        .map_err(|error| TelemetryError::Filter { filter: filter.to_owned(), reason: error.to_string() })
}

/// Logs go to standard error: standard output belongs to the start-up screen and to what commands print.
fn init_log(log: &LogConfig) -> Result<reload::Handle<EnvFilter, Registry>, TelemetryError> {
    let (filter, handle) = reload::Layer::new(parse(&log.filter)?);
    let terminal = std::io::stderr().is_terminal();
    let output: Box<dyn Layer<_> + Send + Sync> = match chosen(log.format, terminal, is_journal()) {
        LogFormat::Journald => Box::new(tracing_journald::layer().map_err(TelemetryError::Journal)?),
        LogFormat::Json => Box::new(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)),
        LogFormat::Pretty | LogFormat::Auto => {
            let colours = terminal && colours_wanted(std::env::var_os("NO_COLOR").as_deref());
            let fields = super::plain::fields();
            Box::new(fmt::layer().compact().with_ansi(colours).fmt_fields(fields).with_writer(std::io::stderr))
        }
    };
    let registry = tracing_subscriber::registry().with(filter).with(output);
    registry.try_init().map_err(|error| TelemetryError::Twice(error.to_string()))?;
    Ok(handle)
}

/// A panic becomes a log line like any other, so that it reaches the journal with its place.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        // Empty unless RUST_BACKTRACE asks for it.
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(place, thread, %backtrace, "panic: {text}");
    }));
}

/// By the convention of no-color.org: any value but the empty one means no.
fn colours_wanted(no_color: Option<&std::ffi::OsStr>) -> bool {
    no_color.is_none_or(std::ffi::OsStr::is_empty)
}

const fn chosen(wanted: LogFormat, terminal: bool, journal: bool) -> LogFormat {
    match wanted {
        LogFormat::Auto if terminal => LogFormat::Pretty,
        LogFormat::Auto if journal => LogFormat::Journald,
        LogFormat::Auto => LogFormat::Json,
        other => other,
    }
}

/// Whether standard error is systemd's journal: systemd names its device and inode in `JOURNAL_STREAM`, which is
/// inherited by processes whose output somebody has since sent elsewhere.
fn is_journal() -> bool {
    let Some(stream) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|file| stream == format!("{}:{}", file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn promtool_finds_no_fault_in_any_metric() {
        let recorder = recorder().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            describe_all();
            metrics_process::Collector::default().describe();
            metrics_process::Collector::default().collect();
            for metric in ALL {
                match metric.kind {
                    Kind::Counter => metrics::counter!(metric.name, "by" => "x").increment(1),
                    Kind::Gauge => metrics::gauge!(metric.name, "by" => "x").set(1.0),
                    Kind::Histogram(_) => metrics::histogram!(metric.name, "by" => "x").record(1.0),
                }
            }
        });
        let text = recorder.handle().render();
        for metric in ALL {
            assert!(text.contains(&format!("# HELP {} ", metric.name)), "{}", metric.name);
        }
        let mut command = Command::new("promtool");
        command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Debian's package `prometheus` has it; .ci/run installs that.
        let Ok(mut promtool) = command.spawn() else { return };
        promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn no_color_means_no_colours() {
        assert!(colours_wanted(None) && colours_wanted(Some("".as_ref())));
        assert!(!colours_wanted(Some("1".as_ref())));
    }

    #[test]
    fn the_format_fits_the_output() {
        assert_eq!(chosen(LogFormat::Auto, true, true), LogFormat::Pretty);
        assert_eq!(chosen(LogFormat::Auto, false, true), LogFormat::Journald);
        assert_eq!(chosen(LogFormat::Auto, false, false), LogFormat::Json);
        assert_eq!(chosen(LogFormat::Json, true, false), LogFormat::Json);
    }
}
