//! `POST /sessions/{id}/upload`: files for a message, read from a multipart body and handed back as the message
//! wants them. Nothing is stored: a file is kept with the message that brings it.

use schemars::JsonSchema;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use multra::{Error, Multipart};
use salvo::{
    Depot, Extractible, Request, Writer as _,
    extract::Metadata,
    http::{StatusCode, header},
    oapi::{Components, Content, EndpointArgRegister, Operation, RequestBody, Required, endpoint},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::attachments::MAX_FILES;
use crate::api::{
    agents::attachments::bare_name,
    http::{
        error::ApiError,
        fault::Fault,
        request::{
            extract::{Id, State},
            input,
        },
        response::{Answer, Reply},
    },
    openapi::raw,
    state::AppState,
};
use crate::domain::ids::SessionId;

/// The whole body must have arrived within this.
const BODY_LIMIT: Duration = Duration::from_secs(300);
/// Longest name of a file, in characters.
const NAME_CHARS: usize = 255;

/// A file, as a message takes it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UploadedFile")]
struct Uploaded {
    filename: String,
    content_type: String,
    /// Bytes.
    size: usize,
    /// Base64.
    data: String,
    file_id: String,
}

/// Files, as a message takes them.
#[derive(Serialize, JsonSchema)]
struct Upload {
    files: Vec<Uploaded>,
    count: usize,
    session_id: SessionId,
}

/// The files of a multipart body.
pub(crate) struct Multi(Vec<Uploaded>);

static METADATA: std::sync::LazyLock<Metadata> = std::sync::LazyLock::new(|| Metadata::new(""));

impl<'ex> Extractible<'ex> for Multi {
    fn metadata() -> &'static Metadata {
        &METADATA
    }

    #[allow(refining_impl_trait)]
    async fn extract(req: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, ApiError> {
        let limit = AppState::of(depot)?.upload_limit();
        let late = || ApiError::of_status(StatusCode::REQUEST_TIMEOUT);
        tokio::time::timeout(BODY_LIMIT, read(req, limit)).await.unwrap_or_else(|_| Err(late())).map(Self)
    }
}

impl EndpointArgRegister for Multi {
    fn register(_components: &mut Components, operation: &mut Operation, _arg: &str) {
        let files = json!({
            "type": "array", "minItems": 1, "maxItems": MAX_FILES,
            "items": { "type": "string", "contentMediaType": "application/octet-stream" },
        });
        let schema = json!({ "type": "object", "properties": { "files": files }, "required": ["files"] });
        let content = Content::new(raw(schema));
        operation.request_body = Some(
            RequestBody::new()
                .description("The files, each a part of this name.")
                .required(Required::True)
                .add_content("multipart/form-data", content),
        );
    }
}

async fn read(req: &mut Request, limit: usize) -> Result<Vec<Uploaded>, ApiError> {
    let kind = req.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let Ok(boundary) = multra::parse_boundary(kind) else {
        input::read_away(req).await;
        let message =
            "the body must be a form with files: send the header `Content-Type: multipart/form-data; boundary=…`";
        return Err(ApiError::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message));
    };
    let announced = req.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        input::read_away(req).await;
        return Err(too_large(limit));
    }
    let _turn = input::large_turn().await;
    let mut parts = Multipart::with_constraints(input::stream(req.take_body()), boundary, constraints(limit));
    let (mut files, mut room) = (Vec::new(), limit);
    while let Some(mut part) = parts.next_field().await.map_err(|error| broken(&error, limit))? {
        let filename = part.file_name().map(str::to_owned);
        let content_type = part.content_type().map_or("application/octet-stream".to_owned(), ToString::to_string);
        if part.name() != Some("files") {
            // Other parts are as unknown fields are: left alone.
            while part.chunk().await.map_err(|error| broken(&error, limit))?.is_some() {}
            continue;
        }
        if files.len() == MAX_FILES {
            let msg = format!("List should have at most {MAX_FILES} items after validation");
            return Err(ApiError::invalid("body", "files", "too_long", msg, Value::Null));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(|error| broken(&error, limit))? {
            room = room.checked_sub(chunk.len()).ok_or_else(|| too_large(limit))?;
            bytes.extend_from_slice(&chunk);
        }
        files.push(uploaded(filename, content_type, bytes)?);
    }
    if files.is_empty() {
        return Err(ApiError::Invalid(vec![Fault::new("body", "files", "missing", "Field required", Value::Null)]));
    }
    Ok(files)
}

fn constraints(limit: usize) -> multra::Constraints {
    multra::Constraints::new().size_limit(multra::SizeLimit::new().whole_stream(limit as u64))
}

fn uploaded(filename: Option<String>, content_type: String, bytes: Vec<u8>) -> Result<Uploaded, ApiError> {
    let wrong = |msg: &str| ApiError::invalid("body", "files", "value_error", msg, Value::Null);
    let filename = filename.unwrap_or_default();
    let trimmed = bare_name(&filename).unwrap_or_default();
    if trimmed.is_empty() || trimmed.chars().count() > NAME_CHARS || trimmed.contains(['\0', '\n', '\r']) {
        return Err(wrong("Each file should have a name of one line and at most 255 characters"));
    }
    Ok(Uploaded {
        filename: trimmed.to_owned(),
        content_type: content_type.chars().take(NAME_CHARS).collect(),
        size: bytes.len(),
        data: STANDARD.encode(bytes),
        file_id: format!("file_{:024x}", rand::random::<u128>() & 0xffff_ffff_ffff_ffff_ffff_ffff),
    })
}

fn too_large(limit: usize) -> ApiError {
    let message = format!("the files are larger than {limit} bytes");
    ApiError::plain(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
}

fn broken(error: &Error, limit: usize) -> ApiError {
    match error {
        Error::StreamSizeExceeded { .. } | Error::FieldSizeExceeded { .. } => too_large(limit),
        error => {
            tracing::debug!(%error, "a multipart body cannot be read");
            ApiError::Invalid(vec![Fault::bare("body", "multipart_invalid", "the multipart body cannot be read")])
        }
    }
}

/// `POST /sessions/{id}/upload`
///
/// Read files for a message. They come back as the `files` of a message; nothing is stored.
#[endpoint(operation_id = "uploadFiles", tags("sessions"), responses((status_code = 409, description = "Not in this state.")))]
pub(crate) async fn upload(state: State, id: Id<SessionId>, files: Multi) -> Answer<Upload> {
    state.conversations.open_session(state.caller(), &id.0).await?;
    let Multi(files) = files;
    Ok(Reply::new(Upload { count: files.len(), files, session_id: id.0 }))
}
