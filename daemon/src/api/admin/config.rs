//! `/config`: settings and workflow files, for administrators. Only workflow files can be changed, and a change
//! counts only when the whole daemon takes it.

use salvo::{Writer as _, http::StatusCode, oapi::endpoint};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::plugins::NoFields;
use crate::api::{
    http::{
        error::{ApiError, Resource},
        request::{
            extract::{Body, ConfigName, OptionalBody, Part, State},
            rules::{Verbatim, fields_of},
        },
        response::{Answer, Reply},
    },
    projects::files::{blocking, timestamp},
    state::AppState,
};
use crate::{
    config::{ConfigFile, ConfigFiles, FileKind, MASK, Problem, check_text, is_file_name, shown, told},
    domain::{
        text::{pathless, shorten},
        time::Timestamp,
    },
};

/// Changes come one after another.
static TURN: Mutex<()> = Mutex::const_new(());

/// Where changed files are, for people: below the data folder.
const CONFIG_DIR: &str = "workflows";

/// A file of the configuration.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConfigEntry")]
struct Entry {
    name: String,
    /// `shipped/…` is part of the program.
    path: String,
    /// Bytes.
    size: u64,
    modified_at: Option<Timestamp>,
    /// `settings` or `workflow`.
    #[serde(rename = "type")]
    kind: &'static str,
}

/// The files of the configuration.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConfigListing")]
struct Listing {
    files: Vec<Entry>,
    /// Where changed files are, below the data folder.
    config_dir: &'static str,
}

/// A file of the configuration with its content; secrets are masked.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConfigContent")]
struct Content {
    filename: String,
    /// What it says.
    content: Value,
    raw_content: String,
    /// `settings` or `workflow`.
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Whether a text is good.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConfigVerdict")]
struct Verdict {
    valid: bool,
    /// What it says.
    parsed: Option<Value>,
    /// What is wrong, for people: a line for each problem.
    error: Option<String>,
    /// Each with `message`, and where known `line`, `column` and `help`.
    problems: Vec<Value>,
}

fields_of! {
    /// The text of a file.
    pub(crate) ConfigBody {
        raw_content: Verbatim<1, 1_000_000>,
    }
}

const fn word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Settings => "settings",
        FileKind::Workflow => "workflow",
    }
}

fn files_of(state: &AppState) -> ConfigFiles {
    ConfigFiles::new(&state.config.load(), state.settings_file.as_deref())
}

fn unknown(name: &str) -> ApiError {
    ApiError::not_found(Resource::File, name)
}

/// `GET /config`
///
/// List settings and workflow files.
#[endpoint(operation_id = "listConfig", tags("config"))]
pub(crate) async fn list(state: State) -> Answer<Listing> {
    listing(&state).await.map(Reply::new)
}

async fn listing(state: &AppState) -> Result<Listing, ApiError> {
    let files = files_of(state);
    let found = blocking(move || files.list()).await?;
    let entry = |file: ConfigFile| Entry {
        path: match (file.kind, &file.path) {
            (FileKind::Settings, _) => file.name.clone(),
            (FileKind::Workflow, None) => format!("shipped/{}", file.name),
            (FileKind::Workflow, Some(_)) => format!("{CONFIG_DIR}/{}", file.name),
        },
        name: file.name,
        size: file.size,
        modified_at: file.modified.and_then(timestamp),
        kind: word(file.kind),
    };
    Ok(Listing { files: found.into_iter().map(entry).collect(), config_dir: CONFIG_DIR })
}

/// `GET /config/{file}`
///
/// Read a file of the configuration. Secrets are masked.
#[endpoint(operation_id = "getConfig", tags("config"))]
pub(crate) async fn show(state: State, file: Part<ConfigName>) -> Answer<Content> {
    content(&state, file.text).await.map(Reply::new)
}

async fn content(state: &AppState, name: String) -> Result<Content, ApiError> {
    let files = files_of(state);
    let asked = name.clone();
    let found = blocking(move || {
        let file = files.find(&asked)?;
        files.read(&file).ok().map(|text| (file.kind, text))
    });
    let (kind, text) = found.await?.ok_or_else(|| unknown(&name))?;
    let (content, raw_content) = shown(kind, &text);
    Ok(Content { filename: name, content, raw_content, kind: word(kind) })
}

/// `POST /config/{file}/validate`
///
/// Check a text as the content of a file. Nothing is changed.
#[endpoint(operation_id = "validateConfig", tags("config"))]
pub(crate) async fn validate(state: State, file: Part<ConfigName>, body: Body<ConfigBody>) -> Answer<Verdict> {
    let name = file.text;
    let known = files_of(&state).find(&name).map(|file| file.kind);
    let kind = known.or_else(|| is_file_name(&name).then_some(FileKind::Workflow)).ok_or_else(|| unknown(&name))?;
    let verdict = match check_text(kind, &name, &body.0.raw_content) {
        Ok(parsed) => Verdict { valid: true, parsed: Some(parsed), error: None, problems: Vec::new() },
        Err(problems) => {
            let error = problems.iter().map(sentence).collect::<Vec<_>>().join("\n");
            let problems = problems.iter().map(told).collect();
            Verdict { valid: false, parsed: None, error: Some(error), problems }
        }
    };
    Ok(Reply::new(verdict))
}

/// `PUT /config/{file}`
///
/// Change a workflow file. It is checked, the version before is kept, and the daemon reads its configuration again;
/// when it refuses, the file is as before.
#[endpoint(operation_id = "putConfig", tags("config"), responses((status_code = 409, description = "The daemon refuses it.")))]
pub(crate) async fn put(state: State, file: Part<ConfigName>, body: Body<ConfigBody>) -> Answer<Content> {
    let (State(state, _), name, text) = (state, file.text, body.0.raw_content);
    changeable(&state, &name)?;
    if let Err(problems) = check_text(FileKind::Workflow, &name, &text) {
        return Err(refused_text(&problems));
    }
    if text.contains(&format!("\"{MASK}\"")) {
        let msg = format!("Input should not contain masked values ({MASK}): write what they stand for");
        return Err(ApiError::invalid("body", "raw_content", "value_error", msg, Value::Null));
    }
    let tasks = state.tasks.clone();
    // A file that is half changed helps nobody: goes on without its client.
    let work = tasks.spawn(async move {
        let _turn = TURN.lock().await;
        let files = files_of(&state);
        let (writer, of) = (files.clone(), name.clone());
        blocking(move || writer.write(&of, &text)).await?.map_err(unwritable)?;
        taken(&state, files, &name).await?;
        content(&state, name).await
    });
    Ok(Reply::new(work.await.map_err(ApiError::internal)??).message("workflow file changed"))
}

/// `POST /config/{file}/restore`
///
/// Put the version before of a workflow file back. Doing it twice changes nothing.
#[endpoint(operation_id = "restoreConfig", tags("config"), responses((status_code = 409, description = "There is none, or the daemon refuses it.")))]
pub(crate) async fn restore(state: State, file: Part<ConfigName>, body: OptionalBody<NoFields>) -> Answer<Listing> {
    let (State(state, _), name, OptionalBody(NoFields {})) = (state, file.text, body);
    changeable(&state, &name)?;
    let tasks = state.tasks.clone();
    let work = tasks.spawn(async move {
        let _turn = TURN.lock().await;
        let files = files_of(&state);
        if !files.can_swap(&name) {
            let message = "there is no version before of this file";
            return Err(ApiError::plain(StatusCode::CONFLICT, "NO_PREVIOUS_VERSION", message));
        }
        let (swapper, of) = (files.clone(), name.clone());
        blocking(move || swapper.swap(&of)).await?.map_err(unwritable)?;
        taken(&state, files, &name).await?;
        listing(&state).await
    });
    Ok(Reply::new(work.await.map_err(ApiError::internal)??).message("the version before is back"))
}

fn changeable(state: &AppState, name: &str) -> Result<(), ApiError> {
    if !is_file_name(name) {
        return Err(unknown(name));
    }
    if files_of(state).find(name).is_some_and(|file| file.kind == FileKind::Settings) {
        let message = "only workflow files can be changed here; settings are the operator's";
        return Err(ApiError::plain(StatusCode::CONFLICT, "NOT_CHANGEABLE", message));
    }
    Ok(())
}

fn unwritable(error: std::io::Error) -> ApiError {
    tracing::error!(%error, "a workflow file could not be written");
    ApiError::Unavailable { code: "NOT_WRITABLE", message: "the file cannot be written now".to_owned() }
}

/// Reads the configuration again; when that is refused, the file goes back.
async fn taken(state: &AppState, files: ConfigFiles, name: &str) -> Result<(), ApiError> {
    let of = name.to_owned();
    let Err(reason) = state.operations.reload().await else {
        return blocking(move || files.accepted(&of)).await?.map_err(unwritable);
    };
    blocking(move || files.refused(&of)).await?.map_err(unwritable)?;
    // The lines below a problem's sentence say where on this machine it stands.
    let reason: Vec<String> = reason.lines().filter(|line| !line.starts_with(' ')).take(3).map(pathless).collect();
    tracing::warn!(file = name, "a changed workflow file was refused");
    let message = format!("the daemon refuses the file, which is as before: {}", reason.join("; "));
    Err(ApiError::plain(StatusCode::CONFLICT, "CONFIG_REFUSED", shorten(&message, 500)))
}

fn refused_text(problems: &[Problem]) -> ApiError {
    let fault = |problem| {
        crate::api::http::fault::Fault::new("body", "raw_content", "value_error", sentence(problem), Value::Null)
    };
    ApiError::Invalid(problems.iter().take(20).map(fault).collect())
}

/// A problem in a line: where, what, and the remedy.
fn sentence(problem: &Problem) -> String {
    let told = told(problem);
    let number = |name: &str| told.get(name).and_then(Value::as_u64);
    let place = match (number("line"), number("column")) {
        (Some(line), Some(column)) => format!("line {line}, column {column}: "),
        _ => String::new(),
    };
    let help = problem.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
    format!("{place}{}{help}", problem.message)
}
