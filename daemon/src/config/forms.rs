//! The forms a text may have to have: addresses, names, handlers, log filters. Used by `config::schema`.

use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

use super::schema::Wrong;

fn wrong(must_be: &str, help: Option<String>) -> Result<(), Wrong> {
    Err(Wrong { must_be: must_be.to_owned(), help })
}

/// `127.0.0.1:8000`, `[::1]:8000`.
pub(super) fn address(text: &str) -> Result<(), Wrong> {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    let bare = text.trim().trim_start_matches("http://").trim_start_matches("https://").trim_end_matches('/');
    let (host, port) = bare.rsplit_once(':').unwrap_or((bare, "8000"));
    let (host, port) = match host {
        digits if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) => ("127.0.0.1", digits),
        "" | "localhost" => ("127.0.0.1", port),
        "*" => ("0.0.0.0", port),
        other => (other, port),
    };
    let guess = format!("{host}:{port}").parse::<SocketAddr>().ok();
    let too_large = port.parse::<u64>().is_ok_and(|port| port > u64::from(u16::MAX));
    let help = guess
        .map(|guess| format!("write \"{guess}\""))
        .or_else(|| too_large.then(|| "the largest port is 65535".to_owned()));
    wrong("an IP address and a port, such as 127.0.0.1:8000", help)
}

/// A path; `~` is not expanded, and a folder of that name is never what was meant.
pub(super) fn path(text: &str) -> Result<(), Wrong> {
    if text == "~" || text.starts_with("~/") {
        return wrong("a path", Some("`~` is not expanded here: write the full path".to_owned()));
    }
    if text.contains('\0') {
        return wrong("a path without a NUL character", None);
    }
    Ok(())
}

/// `agent_build`, `deploy-local`: letters, digits, `_` and `-`.
pub(super) fn name(text: &str) -> Result<(), Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=64).contains(&text.len()) && text.chars().all(fits) {
        return Ok(());
    }
    wrong("1 to 64 letters, digits, `_` or `-`", None)
}

/// `https://console.example.org`, or `*`.
pub(super) fn origin(text: &str) -> Result<(), Wrong> {
    let plain = |rest: &str| !rest.is_empty() && !rest.contains(['/', ' ', '?', '#', '@']);
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if text == "*" || rest.is_some_and(plain) {
        return Ok(());
    }
    let guess = rest.and_then(|rest| rest.split('/').next()).filter(|host| plain(host));
    let scheme = if text.starts_with("http://") { "http" } else { "https" };
    wrong(
        "an origin (scheme, host and perhaps port, no path), such as https://console.example.org",
        guess.map(|host| format!("write \"{scheme}://{host}\"")),
    )
}

/// `https://example.org/nexus`: where clients reach the daemon; may be empty.
pub(super) fn public_url(text: &str) -> Result<(), Wrong> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
    let fits =
        |rest: &str| !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(plain) && !rest.contains("//");
    if text.is_empty() || rest.is_some_and(fits) {
        return Ok(());
    }
    let guess = (rest.is_none() && fits(text)).then(|| format!("write \"https://{text}\""));
    wrong("an address without query and user, such as https://example.org/nexus", guess)
}

/// `nexus.example.org`, or `*`: a name without port.
pub(super) fn host(text: &str) -> Result<(), Wrong> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text == "*" || (!text.is_empty() && text.len() <= 253 && text.chars().all(fits)) {
        return Ok(());
    }
    wrong("a host name without scheme and port, such as nexus.example.org", None)
}

/// `plugin/handler`.
pub(super) fn handler(text: &str) -> Result<(), Wrong> {
    match text.split_once('/') {
        Some((plugin, handler)) if name(plugin).is_ok() && name(handler).is_ok() => Ok(()),
        _ => wrong("a plugin and its handler, such as agent-build/orchestrator", None),
    }
}

/// A program: a path, or a name that is looked up.
pub(super) fn program(text: &str) -> Result<(), Wrong> {
    if !text.trim().is_empty() && text.trim() == text && text.len() <= 4096 && !text.contains('\0') {
        return Ok(());
    }
    wrong("the path or the name of a program", None)
}

/// An address that only this machine reaches.
pub(super) fn loopback(text: &str) -> Result<(), Wrong> {
    address(text)?;
    match text.parse::<std::net::SocketAddr>() {
        Ok(address) if address.ip().to_canonical().is_loopback() => Ok(()),
        _ => wrong("an address of this machine alone, such as 127.0.0.1:0", None),
    }
}

/// A model id as its provider writes it.
pub(super) fn model_id(text: &str) -> Result<(), Wrong> {
    if !text.trim().is_empty() && text.trim() == text && text.len() <= 256 {
        return Ok(());
    }
    wrong("a model id of 1 to 256 characters", None)
}

/// The form of `RUST_LOG`. A lone word is a target there, so a mistyped level would silence everything: refused.
pub(super) fn filter(text: &str) -> Result<(), Wrong> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let must_be = "a log filter, such as info or warn,nexus_daemon::queue=debug";
    for part in text.split(',').map(str::trim) {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level).to_ascii_lowercase();
        let known = LEVELS.contains(&level.as_str()) || level.parse::<u8>().is_ok_and(|number| number <= 5);
        let close = LEVELS.into_iter().find(|name| strsim::damerau_levenshtein(name, &level) == 1);
        if !known && let Some(close) = close {
            return wrong(must_be, Some(format!("did you mean `{}`?", part.replace(&level, close))));
        }
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(()),
        Err(error) => wrong(must_be, Some(error.to_string())),
    }
}

/// An address of a service, or nothing.
pub(super) fn url(text: &str) -> Result<(), Wrong> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    if text.is_empty() || rest.is_some_and(|host| !host.is_empty()) {
        return Ok(());
    }
    wrong("an address that begins with http:// or https://", None)
}

/// The address of an issuer of tokens, or nothing. Over plain HTTP its keys could be anybody's, except from this machine.
pub(super) fn issuer(text: &str) -> Result<(), Wrong> {
    let local = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
    let safe = text.starts_with("https://") || local.iter().any(|prefix| text.starts_with(prefix));
    if text.is_empty() || (safe && !text.contains(['?', '#', '@', ' '])) {
        return Ok(());
    }
    wrong("an address that begins with https://, without user and query", None)
}

/// The name of a claim.
pub(super) fn claim(text: &str) -> Result<(), Wrong> {
    if !text.is_empty() && text.len() <= 200 && text.trim() == text {
        return Ok(());
    }
    wrong("the name of a claim, such as `sub` or `realm_access.roles`", None)
}

/// A word that a claim may hold.
pub(super) fn word(text: &str) -> Result<(), Wrong> {
    if !text.is_empty() && text.len() <= 200 { Ok(()) } else { wrong("a word of 1 to 200 bytes", None) }
}

/// The name of a queue: with the longest prefix what SQS takes.
pub(super) fn queue_name(text: &str) -> Result<(), Wrong> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if (1..=40).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(());
    }
    wrong("1 to 40 letters, digits, `-` and `_`", None)
}

/// What names of tables and queues begin with.
pub(super) fn prefix(text: &str) -> Result<(), Wrong> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if text.len() <= 40 && text.chars().all(allowed) {
        return Ok(());
    }
    wrong("at most 40 letters, digits, `-` and `_`", None)
}

/// A bucket, with or without a folder in it, or nothing.
pub(super) fn bucket(text: &str) -> Result<(), Wrong> {
    if text.is_empty() || text.strip_prefix("s3://").is_some_and(|name| !name.is_empty() && !name.starts_with('/')) {
        return Ok(());
    }
    wrong("a bucket like `s3://name` or `s3://name/folder`", None)
}

/// What a daemon does.
pub(super) fn role(text: &str) -> Result<(), Wrong> {
    if matches!(text, "api" | "worker") { Ok(()) } else { wrong("`api` or `worker`", None) }
}
