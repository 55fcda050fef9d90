//! Files that come with a message, as base64 in its JSON.

use serde_json::{Map, Value};

use crate::{
    agents::conversation::attachments::Attachment,
    api::http::request::{fields::Fields, rules::rule},
};

/// Most files of a message.
pub(crate) const MAX_FILES: usize = 10;
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
    Attachment::decode(file_id, filename, content_type, data)
        .map_err(|_| ("data", "base64_decode", "Input should be valid base64"))
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
