//! What every key accepts: its type, its range, its form. The model says what a key means, this says what may be written.
//!
//! A test compares the two by serialising the model's defaults, so neither can grow a key alone.

use super::forms::{
    address, bucket, claim, filter, handler, host, issuer, loopback, model_id, name, origin, prefix, public_url,
    queue_name, role, url, word,
};

/// What a value must look like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// true or false.
    Bool,
    /// A whole number in a range, and what it counts.
    Integer(i64, i64, &'static str),
    /// A number of US dollars, 0 or more.
    Dollars,
    /// A text of a certain form.
    Text(Form),
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A path; relative ones are taken from the folder of the file that names them.
    Path,
    /// A program: a name that is looked up in `PATH`, or a path as above.
    Program,
    /// A list of paths.
    Paths,
    /// A list of texts of a certain form.
    Texts(Form),
    /// A table with these keys and no others.
    Table(&'static [Field]),
    /// A table with these keys; any other key must hold a free table.
    Open(&'static [Field]),
    /// A table from free names of a certain form to values of one shape.
    Map(Form, &'static Shape),
    /// A list of tables with these keys.
    Tables(&'static [Field]),
    /// A table nobody looks into here.
    Free,
}

/// Says what is wrong with a text, if anything: what it must be, and a remedy where one is known.
pub(super) type Form = fn(&str) -> Result<(), Wrong>;

/// Why a text has the wrong form.
#[derive(Debug, Clone)]
pub(super) struct Wrong {
    /// What the value must be, as in "must be …".
    pub(super) must_be: String,
    /// What to write instead.
    pub(super) help: Option<String>,
}

/// A key of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// The key.
    pub(super) key: &'static str,
    /// What it accepts.
    pub(super) shape: Shape,
    /// Whether it must be there.
    pub(super) required: bool,
}

const fn key(key: &'static str, shape: Shape) -> Field {
    Field { key, shape, required: false }
}

const fn required(key: &'static str, shape: Shape) -> Field {
    Field { key, shape, required: true }
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const MIB: i64 = 1024 * 1024;

const fn seconds(min: i64, max: i64) -> Shape {
    Shape::Integer(min, max, "seconds")
}

const fn count(min: i64, max: i64) -> Shape {
    Shape::Integer(min, max, "")
}

const QUEUE: Shape = Shape::Table(&[
    key("name", Shape::Text(queue_name)),
    key("dead_letters", Shape::Text(queue_name)),
    key("retention_days", Shape::Integer(1, 14, "days")),
]);

/// Tokens that a budget may name; 0 is no limit.
const TOKENS: Shape = Shape::Integer(0, 1_000_000_000_000, "tokens");

const BUDGETS: Shape = Shape::Table(&[
    key("run_usd", Shape::Dollars),
    key("run_tokens", TOKENS),
    key("project_usd", Shape::Dollars),
    key("project_tokens", TOKENS),
    key("agent_day_usd", Shape::Dollars),
    key("agent_day_tokens", TOKENS),
    key("caller_day_usd", Shape::Dollars),
    key("caller_day_tokens", TOKENS),
    key("day_usd", Shape::Dollars),
    key("day_tokens", TOKENS),
]);

const MODEL_PROVIDER: Shape = Shape::Table(&[
    required("kind", Shape::Choice(&["bedrock", "anthropic", "openai"])),
    key("server", Shape::Text(any)),
    key("server_file", Shape::Path),
    key("base_url", Shape::Text(url)),
    key("key_variable", Shape::Text(any)),
    key("key_file", Shape::Path),
    key("region", Shape::Text(any)),
]);

const ROLE: Shape = Shape::Choice(&["admin", "editor", "user", "viewer", "metrics"]);

const AUTH: Shape = Shape::Table(&[
    key("mode", Shape::Choice(&["token", "keys", "oidc", "none"])),
    key("session_hours", Shape::Integer(1, 24 * 365, "hours")),
    key("users_file", Shape::Path),
    key(
        "oidc",
        Shape::Table(&[
            key("issuer", Shape::Text(issuer)),
            key("jwks_file", Shape::Path),
            key("audience", Shape::Text(any)),
            key("user_claim", Shape::Text(claim)),
            key("role_claim", Shape::Text(claim)),
            key("shared_claim", Shape::Text(any)),
            key("roles", Shape::Map(word, &ROLE)),
            key("default_role", Shape::Choice(&["", "editor", "user", "viewer", "metrics"])),
        ]),
    ),
    key(
        "limits",
        Shape::Table(&[
            key("requests_per_minute", count(0, 100_000_000)),
            key("address_requests_per_minute", count(0, 100_000_000)),
            key("failures_per_minute", count(0, 1_000_000)),
            key("streams", count(0, 1_000_000)),
            key("builds_per_day", count(0, 100_000_000)),
            key("tokens_per_day", count(0, 1_000_000_000_000)),
            key("usd_per_day", Shape::Dollars),
        ]),
    ),
]);

/// The backends that this daemon was built with.
#[cfg(feature = "aws")]
const BACKENDS: &[&str] = &["embedded", "aws"];
#[cfg(not(feature = "aws"))]
const BACKENDS: &[&str] = &["embedded"];

/// The shape of `nexusd.toml`.
pub(super) static CONFIG: Shape = Shape::Table(&[
    key("version", Shape::Integer(1, 1, "")),
    key("roles", Shape::Texts(role)),
    key(
        "server",
        Shape::Table(&[
            key("listen", Shape::Text(address)),
            key("socket", Shape::Path),
            key("tls_certificate", Shape::Path),
            key("tls_key", Shape::Path),
            key("allowed_origins", Shape::Texts(origin)),
            key("allowed_hosts", Shape::Texts(host)),
            key("public_url", Shape::Text(public_url)),
            key("max_body_bytes", Shape::Integer(1024, 1024 * MIB, "bytes")),
            key("max_upload_bytes", Shape::Integer(1024, 16 * 1024 * MIB, "bytes")),
            key("max_connections", count(1, 1_000_000)),
            key("sse_keepalive_secs", seconds(1, HOUR)),
            key("shutdown_deadline_secs", seconds(1, HOUR)),
        ]),
    ),
    key("auth", AUTH),
    key("data", Shape::Table(&[key("dir", Shape::Path), key("trash_days", Shape::Integer(0, 3650, "days"))])),
    key(
        "backend",
        Shape::Table(&[
            key("kind", Shape::Choice(BACKENDS)),
            key("region", Shape::Text(any)),
            key("endpoint_url", Shape::Text(url)),
            key("dynamodb_endpoint_url", Shape::Text(url)),
            key("sqs_endpoint_url", Shape::Text(url)),
            key("prefix", Shape::Text(prefix)),
            key("artifacts", Shape::Text(bucket)),
        ]),
    ),
    key(
        "store",
        Shape::Table(&[
            key("readers", count(1, 64)),
            key("max_batch", count(1, 10_000)),
            key("event_retention_days", Shape::Integer(1, 3650, "days")),
            key("schema_backups", count(0, 1000)),
        ]),
    ),
    key(
        "retention",
        Shape::Table(&[
            key("projects_days", Shape::Integer(0, 36_500, "days")),
            key("sessions_days", Shape::Integer(0, 36_500, "days")),
            key("invocations_days", Shape::Integer(0, 36_500, "days")),
            key("agent_versions_days", Shape::Integer(0, 36_500, "days")),
        ]),
    ),
    key(
        "queues",
        Shape::Table(&[
            key("dead_letter_retention_days", Shape::Integer(1, 14, "days")),
            key("build", QUEUE),
            key("deploy", QUEUE),
        ]),
    ),
    key(
        "worker",
        Shape::Table(&[
            key("builds", count(1, 10_000)),
            key("deploys", count(1, 10_000)),
            key("parallel_stages", count(1, 256)),
            key("lease_secs", seconds(2, DAY)),
            key("heartbeat_secs", seconds(1, HOUR)),
            key("visibility_timeout_secs", seconds(2, 12 * HOUR)),
            key("max_receive_count", count(1, 1000)),
            key("reconcile_secs", seconds(1, HOUR)),
        ]),
    ),
    key("workflows", Shape::Table(&[key("dirs", Shape::Paths), key("default", Shape::Text(name))])),
    key(
        "deploy",
        Shape::Table(&[key("default", Shape::Text(name)), key("targets", Shape::Map(name, &Shape::Text(handler)))]),
    ),
    key(
        "plugins",
        Shape::Open(&[
            key("dirs", Shape::Paths),
            key("shipped", Shape::Bool),
            key("max_jobs", count(1, 10_000)),
            key("max_answers", count(1, 100_000)),
            key("cancel_grace_secs", seconds(0, HOUR)),
            key("max_stuck", count(1, 10_000)),
            key("max_result_bytes", Shape::Integer(1024, 1024 * MIB, "bytes")),
            key("max_event_bytes", Shape::Integer(256, 64 * MIB, "bytes")),
        ]),
    ),
    key("agents", Shape::Table(&[key("editable", Shape::Bool)])),
    key(
        "tools",
        Shape::Table(&[
            key("python", Shape::Program),
            key("test_timeout_secs", seconds(1, 300)),
            key("max_tests", count(1, 64)),
        ]),
    ),
    key(
        "sandbox",
        Shape::Table(&[key("mode", Shape::Choice(&["landlock", "bwrap"])), key("allow_weaker", Shape::Bool)]),
    ),
    key(
        "models",
        Shape::Table(&[
            key("listen", Shape::Text(loopback)),
            key("discover", Shape::Bool),
            key("max_output_tokens", count(1, 1_000_000)),
            key("attempts", count(1, 10)),
            key("first_event_secs", seconds(1, HOUR)),
            key("between_events_secs", seconds(1, HOUR)),
            key("call_secs", seconds(1, DAY)),
            key("budget", BUDGETS),
            key("routes", Shape::Map(name, &Shape::Texts(model_id))),
            key("providers", Shape::Map(name, &MODEL_PROVIDER)),
        ]),
    ),
    key(
        "pricing",
        Shape::Map(
            model_id,
            &Shape::Table(&[
                key("input_usd_per_million", Shape::Dollars),
                key("output_usd_per_million", Shape::Dollars),
                key("cache_read_usd_per_million", Shape::Dollars),
                key("cache_write_usd_per_million", Shape::Dollars),
            ]),
        ),
    ),
    key(
        "log",
        Shape::Table(&[
            key("format", Shape::Choice(&["auto", "pretty", "json", "journald"])),
            key("filter", Shape::Text(filter)),
        ]),
    ),
]);

/// The shape of a workflow file.
pub(super) static WORKFLOW: Shape = Shape::Table(&[
    required("name", Shape::Text(name)),
    key("description", Shape::Text(any)),
    key("max_retries", count(0, 100)),
    key("retry_base_delay_secs", seconds(0, HOUR)),
    key("total_timeout_secs", seconds(1, 30 * DAY)),
    required(
        "stages",
        Shape::Tables(&[
            required("name", Shape::Text(name)),
            key("display_name", Shape::Text(any)),
            key("display_name_en", Shape::Text(any)),
            required("handler", Shape::Text(handler)),
            key("prerequisites", Shape::Texts(name)),
            key("optional", Shape::Bool),
            key("timeout_secs", seconds(1, 30 * DAY)),
            key("max_retries", count(0, 100)),
            key("aliases", Shape::Texts(name)),
            key("options", Shape::Free),
        ]),
    ),
]);

#[allow(clippy::unnecessary_wraps, reason = "it stands where a form is wanted")]
const fn any(_: &str) -> Result<(), Wrong> {
    Ok(())
}

/// The sections of `nexusd.toml`.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    let fields = if let Shape::Table(fields) = CONFIG { fields } else { &[] };
    fields.iter().map(|field| field.key)
}

/// The keys of `[plugins]` that are not names of plugins.
pub(super) fn plugin_host_keys() -> impl Iterator<Item = &'static str> {
    let fields = if let Shape::Table(fields) = CONFIG { fields } else { &[] };
    let open = fields.iter().find_map(|field| if let Shape::Open(keys) = field.shape { Some(keys) } else { None });
    open.unwrap_or_default().iter().map(|field| field.key)
}
