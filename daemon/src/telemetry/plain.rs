//! How the fields of a line for people are written: what comes from elsewhere (an agent's output, a plugin's words, a
//! client's) begins no line of its own and steers no terminal.

use std::fmt;

use tracing_subscriber::{
    field::{MakeExt as _, RecordFields},
    fmt::{
        FormatFields,
        format::{self, Writer},
    },
};

/// Writes a message as it is and every other field by its name, all control characters escaped.
pub(super) fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    Fields
}

struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let each = format::debug_fn(|writer, field, value| {
            let text = format!("{value:?}");
            match field.name() {
                "message" => writer.write_str(&escaped(&text)),
                // The daemon's own, and of many lines.
                "backtrace" => write!(writer, "backtrace={text}"),
                name => write!(writer, "{name}={}", escaped(&text)),
            }
        });
        each.delimited(" ").format_fields(writer, fields)
    }
}

/// The text with everything escaped that would end the line, or write elsewhere on the screen.
fn escaped(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn foreign_text_makes_no_line_and_steers_no_terminal() {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = tracing_subscriber::fmt::layer().compact().with_ansi(false).fmt_fields(fields());
        let subscriber = tracing_subscriber::registry().with(layer.with_writer(move || writer.clone()));
        let forged = "done\n2026-01-01T00:00:00Z  INFO nexus_daemon: all is well\x1b[2K\r\u{202e}\u{2028}";
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(output = forged, shown = %forged, debug = ?forged, "agent said: {forged}");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(text.ends_with('\n') && !text.contains(['\x1b', '\r', '\u{202e}', '\u{2028}']), "{text:?}");
        assert!(text.contains("agent said: done\\n2026") && text.contains("output=\"done"), "{text}");
    }
}
