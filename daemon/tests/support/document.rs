//! Holds answers and events against the document: a status must be in it, and a body or an event must be what its
//! schema says, with every member that is there named.
#![allow(dead_code, unreachable_pub)] // every test binary uses a part of it
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

use serde_json::Value;

/// Fails unless an event, a frame's `data`, fits the document. Project events have a number, those of a chat a name.
pub fn check_event(data: &Value) {
    check_named(if data.get("seq").is_some() { "ProjectEvent" } else { "ChatEvent" }, data);
    if data["event"] == "message" {
        // The kinds of a piece are schemas of their own, which say more.
        let kind = match data["type"].as_str() {
            Some("text") => "ChatText",
            Some("tool_use") => "ChatToolUse",
            Some("tool_input") => "ChatToolInput",
            Some("tool_end") => "ChatToolEnd",
            other => panic!("no kind of a piece: {other:?}"),
        };
        check_named(kind, data);
    }
}

/// Fails unless a message of a WebSocket fits the document.
pub fn check_message(data: &Value) {
    check_named("WebSocketMessage", data);
    // One that carries an event says its place, too.
    assert_eq!(data.get("seq").is_some(), data["id"].is_string(), "{data}");
}

/// Fails unless a value fits a schema of the document.
pub fn check_named(name: &str, data: &Value) {
    static DOCUMENT: std::sync::LazyLock<Document> =
        std::sync::LazyLock::new(|| Document(nexus_daemon::api::openapi().clone()));
    let faults = DOCUMENT.faults_of(name, data);
    assert!(faults.is_empty(), "it does not fit {name}: {data}\n{}", faults.join("\n"));
}

/// The document, or one like it.
pub struct Document(pub Value);

impl Document {
    /// What is wrong with an answer; nothing for paths that the document leaves out on purpose.
    pub fn faults(&self, method: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
        let Some((_, operation)) = self.operation(method, path) else { return Vec::new() };
        let Some(mut response) = operation["responses"].get(status.to_string()) else {
            return vec![format!("status {status} is not in the document")];
        };
        while let Some(reference) = response["$ref"].as_str() {
            response = self.0.pointer(&reference[1..]).expect("a response");
        }
        let schema = &response["content"]["application/json"]["schema"];
        let mut faults = Vec::new();
        if !schema.is_null() {
            self.check(schema, body, "", &mut faults);
        }
        faults
    }

    /// What is wrong with a value of a named schema.
    pub fn faults_of(&self, name: &str, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let schema = self.0["components"]["schemas"].get(name).unwrap_or_else(|| panic!("there is no schema {name}"));
        self.check(schema, value, "", &mut faults);
        faults
    }

    /// The path as the document has it, and its operation.
    pub fn operation(&self, method: &str, path: &str) -> Option<(String, &Value)> {
        let asked = path.split('?').next().unwrap().trim_end_matches('/').replacen("/api/v1", "/api/v2", 1);
        let asked = if asked.is_empty() { "/".to_owned() } else { asked };
        let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
        let mut found: Vec<(&String, &Value)> =
            self.0["paths"].as_object().unwrap().iter().filter(|(known, _)| fits(known, &asked)).collect();
        // The one with the most fixed parts.
        found.sort_by_key(|(known, _)| known.matches('{').count());
        let (known, item) = found.into_iter().find(|(_, item)| item.get(&method).is_some())?;
        Some((format!("{} {known}", method.to_uppercase()), &item[&method]))
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        if let Some(reference) = schema["$ref"].as_str() {
            let schema = self.0.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference}"));
            return self.check(schema, value, at, faults);
        }
        if let Some(any) = schema["anyOf"].as_array() {
            let fit = |one: &Value| {
                let mut own = Vec::new();
                self.check(one, value, at, &mut own);
                own.is_empty()
            };
            if !any.iter().any(fit) {
                faults.push(format!("{at}: {value} fits none of {any:?}"));
            }
            return;
        }
        if let Some(one) = schema["oneOf"].as_array() {
            // Told apart by a word, so that the faults are those of the kind that is meant.
            let tag =
                schema["discriminator"]["propertyName"].as_str().unwrap_or_else(|| panic!("{at}: no discriminator"));
            let word = value[tag].as_str().unwrap_or_default();
            let Some(kind) = schema["discriminator"]["mapping"][word].as_str() else {
                return faults.push(format!("{at}: {tag} {word:?} is no kind that is known"));
            };
            assert!(one.iter().any(|one| one["$ref"] == kind), "{kind} is no alternative");
            let kind = self.0.pointer(&kind[1..]).unwrap_or_else(|| panic!("{kind}"));
            return self.check(kind, value, at, faults);
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            faults.push(format!("{at}: {value} is none of {words:?}"));
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => return,
        };
        if !kinds.iter().any(|kind| is(kind, value)) {
            faults.push(format!("{at}: {value} is no {kinds:?}"));
        }
        if let (Some(items), false) = (value.as_array(), schema["items"].is_null()) {
            items.iter().for_each(|item| self.check(&schema["items"], item, &format!("{at}[]"), faults));
        }
        let (Some(members), Some(known)) = (value.as_object(), schema["properties"].as_object()) else {
            if let (Some(members), true) = (value.as_object(), schema["additionalProperties"].is_object()) {
                let each = &schema["additionalProperties"];
                members.values().for_each(|member| self.check(each, member, &format!("{at}.*"), faults));
            }
            return;
        };
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                faults.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, member) in members {
            match known.get(name) {
                Some(schema) => self.check(schema, member, &format!("{at}.{name}"), faults),
                None => faults.push(format!("{at}: {name} is not in the document")),
            }
        }
    }
}

fn fits(known: &str, asked: &str) -> bool {
    let (mut known, mut asked) = (known.split('/').peekable(), asked.split('/').peekable());
    while let (Some(part), Some(given)) = (known.next(), asked.next()) {
        if part == "{path}" {
            return true;
        }
        if part != given && !part.starts_with('{') {
            return false;
        }
        if known.peek().is_none() != asked.peek().is_none() {
            return false;
        }
    }
    true
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
