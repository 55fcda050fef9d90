//! Files that come with a message, as base64 in its JSON.
//!
//! What becomes of them: a text file is shown to the agent as part of the question, between two marks,
//! cut at a limit; any other file goes to the deploy handler as `metadata.files` with its data. The
//! stored message keeps name, type and size only.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use crate::api::http::request::{fields::Fields, rules::rule};
use crate::domain::text::shorten_bytes;

/// Most files of a message.
pub(crate) const MAX_FILES: usize = 10;
/// Most bytes of text shown of one file, and of all of a message.
const SHOWN_OF_ONE: usize = 64 * 1024;
const SHOWN_OF_ALL: usize = 128 * 1024;

/// A file with its content.
pub(crate) struct Attachment {
    file_id: Option<String>,
    filename: String,
    content_type: String,
    size: usize,
    content: Content,
}

enum Content {
    Text(String),
    /// As it came.
    Binary(String),
}

impl Attachment {
    /// What is kept of it.
    pub(crate) fn described(&self) -> Value {
        self.with_data(None)
    }

    fn with_data(&self, data: Option<&str>) -> Value {
        let mut object = Map::new();
        object.insert("file_id".to_owned(), self.file_id.clone().into());
        object.insert("filename".to_owned(), self.filename.as_str().into());
        object.insert("content_type".to_owned(), self.content_type.as_str().into());
        object.insert("size".to_owned(), self.size.into());
        if let Some(data) = data {
            object.insert("data".to_owned(), data.into());
        }
        object.into()
    }
}

rule! {
    /// Files in a message's JSON.
    pub(crate) Files -> Vec<Attachment>,
    |fields, name| {
        debug_assert_eq!(name, "files");
        take(fields)
    },
    serde_json::json!({ "type": "array", "maxItems": MAX_FILES, "items": {
        "type": "object",
        "properties": {
            "filename": { "type": "string", "maxLength": 255, "pattern": r"^[^\u0000\n\r]*[^\s\u0000][^\u0000\n\r]*$" },
            "content_type": { "type": ["string", "null"], "maxLength": 255, "pattern": r"^[^\u0000\n\r]*$" },
            "file_id": { "type": ["string", "null"], "maxLength": 128, "pattern": r"^[^\u0000\n\r]*$" },
            "data": { "type": "string", "contentEncoding": "base64",
                "pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$" },
        },
        "required": ["filename", "data"],
    } })
}

/// Takes `files` off a message.
pub(crate) fn take(fields: &mut Fields) -> Vec<Attachment> {
    let items = match fields.take("files") {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(other) => {
            fields.fault("files", "list_type", "Input should be a valid list", other);
            return Vec::new();
        }
    };
    if items.len() > MAX_FILES {
        let msg = format!("List should have at most {MAX_FILES} items after validation, not {}", items.len());
        fields.fault("files", "too_long", msg, Value::Null);
        return Vec::new();
    }
    let mut files = Vec::with_capacity(items.len());
    for (position, item) in items.into_iter().enumerate() {
        let Value::Object(object) = item else {
            fields.fault_at("files", position, "", "dict_type", "Input should be a valid dictionary");
            continue;
        };
        match one(object) {
            Ok(file) => files.push(file),
            Err((field, kind, msg)) => fields.fault_at("files", position, field, kind, msg),
        }
    }
    files
}

/// The name of a file without the folders that a client put before it; `None` when nothing is left that names one.
pub(crate) fn bare_name(given: &str) -> Option<&str> {
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    (!name.is_empty() && name != "." && name != "..").then_some(name)
}

type Wrong = (&'static str, &'static str, &'static str);

fn one(mut object: Map<String, Value>) -> Result<Attachment, Wrong> {
    let mut text = |field: &'static str, most: usize| match object.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() > most || text.contains(['\0', '\n', '\r']) => {
            Err((field, "value_error", "Input should be a short text of one line"))
        }
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err((field, "string_type", "Input should be a valid string")),
    };
    let filename = text("filename", 255)?.and_then(|name| bare_name(&name).map(str::to_owned));
    let filename = filename.ok_or(("filename", "missing", "Field required"))?;
    let content_type = text("content_type", 255)?.unwrap_or_else(|| "application/octet-stream".to_owned());
    let file_id = text("file_id", 128)?;
    let data = match object.remove("data") {
        Some(Value::String(data)) => data,
        None | Some(Value::Null) => return Err(("data", "missing", "Field required")),
        Some(_) => return Err(("data", "string_type", "Input should be a valid string")),
    };
    let bytes = STANDARD.decode(&data).map_err(|_| ("data", "base64_decode", "Input should be valid base64"))?;
    let size = bytes.len();
    let content = match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Content::Text(text),
        _ => Content::Binary(data),
    };
    Ok(Attachment { file_id, filename, content_type, size, content })
}

/// The question as the agent gets it: what was written, then the text files.
pub(crate) fn question(written: &str, files: &[Attachment]) -> String {
    let mut whole = written.to_owned();
    let mut room = SHOWN_OF_ALL;
    for file in files {
        let Content::Text(text) = &file.content else { continue };
        let shown = shorten_bytes(text, room.min(SHOWN_OF_ONE));
        room = room.saturating_sub(shown.len());
        let cut = if shown.len() < text.len() { "\n[cut]" } else { "" };
        whole.push_str(&format!("\n\n--- file {} ---\n{shown}{cut}\n--- end of file ---", file.filename));
    }
    whole
}

/// The other files, for the deploy handler; none is null.
pub(crate) fn for_handler(files: &[Attachment]) -> Option<Value> {
    let each = files.iter().filter_map(|file| {
        let Content::Binary(data) = &file.content else { return None };
        Some(file.with_data(Some(data)))
    });
    let all: Vec<Value> = each.collect();
    (!all.is_empty()).then_some(Value::Array(all))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn files(value: Value) -> Result<Vec<Attachment>, crate::api::ApiError> {
        let mut fields = Fields::new("body", Map::from_iter([("files".to_owned(), value)]));
        let files = take(&mut fields);
        fields.finish().map(|()| files)
    }

    #[test]
    fn text_is_shown_and_the_rest_is_passed_on() {
        let given = json!([
            {"filename": "a.txt", "content_type": "text/plain", "data": "aGVsbG8="},
            {"filename": "b.png", "data": "/wD/"},
        ]);
        let files = files(given).unwrap();
        assert_eq!(question("read", &files), "read\n\n--- file a.txt ---\nhello\n--- end of file ---");
        assert_eq!(for_handler(&files).unwrap()[0]["data"], "/wD/");
        assert_eq!(files[1].described()["size"], 3);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for bad in [
            json!("x"),
            json!([7]),
            json!([{}]),
            json!([{"filename": "a", "data": "***"}]),
            json!([{"filename": "a", "data": "aGVsbG8"}]),
            json!([{"filename": "a\nb", "data": ""}]),
            json!([{"filename": "a", "data": 7}]),
            json!(vec![json!({"filename": "a", "data": ""}); 11]),
        ] {
            assert!(files(bad.clone()).is_err(), "{bad}");
        }
    }
}
