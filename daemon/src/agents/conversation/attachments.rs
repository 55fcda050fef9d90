//! Files that come with a message.
//!
//! What becomes of them: a text file is shown to the agent as part of the question, between two marks,
//! cut at a limit; any other file goes to the deploy handler as `metadata.files` with its data. The
//! stored message keeps name, type and size only.

use base64::{DecodeError, Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use crate::domain::text::shorten_bytes;

/// Most bytes of text shown of one file, and of all of a message.
const SHOWN_OF_ONE: usize = 64 * 1024;
const SHOWN_OF_ALL: usize = 128 * 1024;

/// A file with its content.
pub struct Attachment {
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
    /// A file whose content came as base64.
    pub fn decode(
        file_id: Option<String>,
        filename: String,
        content_type: String,
        data: String,
    ) -> Result<Self, DecodeError> {
        let bytes = STANDARD.decode(&data)?;
        let size = bytes.len();
        let content = match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Content::Text(text),
            _ => Content::Binary(data),
        };
        Ok(Self { file_id, filename, content_type, size, content })
    }

    /// What is kept of it.
    pub fn described(&self) -> Value {
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

/// The question as the agent gets it: what was written, then the text files.
pub(super) fn question(written: &str, files: &[Attachment]) -> String {
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
pub(super) fn for_handler(files: &[Attachment]) -> Option<Value> {
    let each = files.iter().filter_map(|file| {
        let Content::Binary(data) = &file.content else { return None };
        Some(file.with_data(Some(data)))
    });
    let all: Vec<Value> = each.collect();
    (!all.is_empty()).then_some(Value::Array(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_and_the_rest_is_passed_on() {
        let file = |name: &str, data: &str| {
            Attachment::decode(None, name.to_owned(), "text/plain".to_owned(), data.to_owned()).unwrap()
        };
        let files = [file("a.txt", "aGVsbG8="), file("b.png", "/wD/")];
        assert_eq!(question("read", &files), "read\n\n--- file a.txt ---\nhello\n--- end of file ---");
        assert_eq!(for_handler(&files).unwrap()[0]["data"], "/wD/");
        assert_eq!(files[1].described()["size"], 3);
    }
}
