//! The document: what the framework gathered from the handlers, made complete. Handlers tell inputs,
//! answers and the conflicts of their own; what every request can meet is added here by rule.

use std::sync::{Arc, LazyLock};

use salvo::{
    Response, Writer as _,
    oapi::{OpenApi, endpoint},
};
use serde_json::{Map, Value, json};

use super::{
    super::state::AppState,
    shape::{described, reference, united},
};
use crate::api::http::{access, error::ApiError, json::put_json, request::extract::State, rules};

/// What a page about the API needs to know first.
const INTRODUCTION: &str = "\
A requirement becomes a running agent: post a project, watch its build, talk to what came out.\n\n\
Every path under `/api/v2` is also served under `/api/v1`. Answers come in an envelope (`data`, `message`, \
`timestamp`, `request_id`) unless their schema says otherwise; errors have one form for every status. HEAD works \
where GET does. Numbers and truth values may come as text, unknown fields are ignored, lengths count characters \
after trimming. Lists take `page` and `limit`, or the `cursor` that the page before gave as `next_cursor`.\n\n\
POSTs that create something take an `Idempotency-Key`: the same key with the same body gives the first answer \
again, with another body 409. Pages served from other origins than those allowed are refused.";

/// Tags in the order in which a reader meets the things.
const TAGS: [(&str, &str); 15] = [
    ("projects", "Requirements on their way to an agent."),
    ("events", "Builds watched live."),
    ("workflow", "The original's paths for control and results of a build; without an envelope."),
    ("tasks", "Queued work."),
    ("agents", "What came out of builds."),
    ("agent files", "Code, prompt and tools of an agent."),
    ("sessions", "Conversations with agents."),
    ("agentcore", "Bedrock AgentCore runtimes that have no agent record."),
    ("tools", "What agents are made of."),
    ("statistics", "Figures over all of it."),
    ("config", "Settings and workflow files."),
    ("auth", "Logging in (without an envelope), and the keys of programs."),
    ("plugins", "Stages and deployers."),
    ("system", "The daemon itself."),
    ("health", "For supervisors and load balancers; without an envelope."),
];

/// Operations that answer with a stream of events, and the schema of what `data:` holds.
const STREAMS: [(&str, &str, &str); 5] = [
    ("streamProjectEvents", "ProjectEvent", "What happened since `Last-Event-ID`, then what happens, to the end."),
    ("streamEvents", "ProjectEvent", "What happens in all projects, until the client leaves."),
    ("streamAnswer", "ChatEvent", "The answer as it comes; `done` is always the last."),
    ("resumeAnswer", "ChatEvent", "The answer from where the client was; `done` is always the last."),
    ("streamRuntime", "ChatEvent", "The answer as it comes; `done` is always the last."),
];

/// The document, and the names that two different schemas in it share.
static DOCUMENT: LazyLock<(Value, Vec<String>)> = LazyLock::new(build);

/// `GET /openapi.json`
///
/// This document. Names of workflows and deployment targets are those of the moment.
#[endpoint(operation_id = "getOpenApi", tags("system"))]
pub(crate) async fn openapi_json(state: State, res: &mut Response) -> Result<(), ApiError> {
    put_json(res, &of_today(&state));
    Ok(())
}

/// The document without what depends on the settings of the moment.
#[must_use]
pub fn openapi() -> &'static Value {
    &DOCUMENT.0
}

/// Schemas that are not in the document, because another one has their name. A test sees to it that there are none.
#[must_use]
pub fn openapi_conflicts() -> &'static [String] {
    &DOCUMENT.1
}

/// The document with the names that requests may use today.
fn of_today(state: &Arc<AppState>) -> Value {
    let mut document = openapi().clone();
    if let Some(info) = document.get_mut("info").and_then(Value::as_object_mut) {
        info.insert("version".to_owned(), state.version.into());
    }
    let public = state.config.load().server.public_url.trim_end_matches('/').to_owned();
    if let (false, Some(servers)) = (public.is_empty(), document.get_mut("servers")) {
        *servers = json!([{ "url": public }]);
    }
    let workflows: Vec<String> = state.workflows.load().all().into_iter().map(|w| w.name().to_owned()).collect();
    let member = "/components/schemas/NewProjectBody/properties/workflow";
    if let Some(Value::Object(schema)) = document.pointer_mut(member) {
        let names = workflows.into_iter().map(Value::from).chain([json!(""), Value::Null]);
        schema.insert("enum".to_owned(), names.collect());
    }
    let stages = state.workflows.load();
    let stages = stages.all().into_iter().flat_map(|workflow| workflow.stages());
    let stages = stages.flat_map(|stage| std::iter::once(&stage.name).chain(&stage.aliases)).cloned();
    let stages: std::collections::BTreeSet<String> = stages.chain([String::new()]).collect();
    if let Some(Value::Object(schema)) = document.pointer_mut("/components/schemas/StageReference") {
        schema.insert("enum".to_owned(), stages.into_iter().map(Value::from).collect());
    }
    let targets: Vec<Value> = state.config.load().deploy.targets.keys().map(|t| json!(t)).collect();
    let member = "/components/schemas/DeploymentTarget/enum";
    if let Some(Value::Array(known)) = document.pointer_mut(member) {
        known.splice(0..0, targets);
    }
    document
}

fn build() -> (Value, Vec<String>) {
    // The framework warns of each path whose last part may hold slashes, since it looks for the parameter `**path`. That
    // every parameter is described is tested.
    let gathered = tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || {
        OpenApi::new("Nexus-AI API", env!("CARGO_PKG_VERSION")).merge_router(&super::super::documented())
    });
    let mut document = serde_json::to_value(gathered).unwrap_or_default();
    let mut paths = document.get_mut("paths").map(Value::take).unwrap_or_default();
    let mut answers = Vec::new();
    if let Value::Object(found) = &mut paths {
        // The framework's mark of a part that may hold slashes is none of the document's.
        *found = std::mem::take(found).into_iter().map(|(path, item)| (path.replace("{**", "{"), item)).collect();
        for (path, item) in found.iter_mut() {
            let Value::Object(item) = item else { continue };
            item.remove("head");
            for (method, operation) in item.iter_mut() {
                complete(path, method, operation);
                answers.extend(name_answer(operation));
            }
        }
    }
    super::links::add(&mut paths);
    let tags: Vec<Value> =
        TAGS.iter().map(|(name, description)| json!({ "name": name, "description": description })).collect();
    if let Value::Object(document) = &mut document {
        document.insert("paths".to_owned(), paths);
        document.insert("tags".to_owned(), tags.into());
        document.insert(
            "info".to_owned(),
            json!({
                "title": "Nexus-AI API", "version": env!("CARGO_PKG_VERSION"), "description": INTRODUCTION,
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            }),
        );
        document.insert("servers".to_owned(), json!([{ "url": "/" }]));
        document.insert("security".to_owned(), json!([{ "bearer": [] }, { "cookie": [] }]));
    }
    let mut conflicts = Vec::new();
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        let written = [further_schemas(), super::events::referred(), super::events::project_events()];
        let written = written.into_iter().chain([super::events::chat_events()]).flatten();
        (*schemas, conflicts) = united(std::mem::take(schemas).into_iter().chain(written).chain(answers));
    }
    if let Some(Value::Object(components)) = document.get_mut("components") {
        components.insert("responses".to_owned(), error_responses());
        components.insert("securitySchemes".to_owned(), security_schemes());
    }
    forget_unused(&mut document);
    (document, conflicts)
}

/// Removes schemas that nothing refers to: those that others took their members from.
fn forget_unused(document: &mut Value) {
    let text = document.to_string();
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        schemas.retain(|name, _| text.contains(&format!("#/components/schemas/{name}\"")));
    }
}

/// What every error says.
const ERRORS: [(&str, &str, &str); 14] = [
    ("400", "BadRequest", "The request could not be read."),
    ("401", "Unauthenticated", "No credential came along, or one that is not taken."),
    ("403", "Forbidden", "The caller may not, or pages of this origin, or this `Host`, may not use the API."),
    ("404", "NotFound", "There is no such thing."),
    ("408", "RequestTimeout", "The request took too long to arrive."),
    ("409", "Conflict", "The state does not allow it; `details` says what it is."),
    ("413", "PayloadTooLarge", "The body is too large."),
    ("415", "UnsupportedMediaType", "The body must be of the type that is described."),
    ("422", "Invalid", "Fields break a rule; `detail` lists them."),
    ("429", "TooManyRequests", "Too much of it: try again after `Retry-After` seconds."),
    ("500", "InternalError", "The daemon's own fault; its log says more, under `request_id`."),
    ("502", "AgentFailed", "The agent, or what runs it, failed."),
    ("503", "Unavailable", "Not now: try again after `Retry-After` seconds."),
    ("504", "AgentTimeout", "The agent did not answer in time."),
];

/// How callers show who they are.
fn security_schemes() -> Value {
    let bearer = "The token of the first start (`nexusd token`), a key (`nexusd keys create`), or the token of an \
                  identity provider.";
    json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": bearer },
        "cookie": { "type": "apiKey", "in": "cookie", "name": access::COOKIE, "description": "The session of a login." },
    })
}

fn error_responses() -> Value {
    let each = ERRORS.iter().map(|(status, name, description)| {
        let mut response =
            json!({ "description": description, "content": { "application/json": { "schema": reference("Error") } } });
        if let (true, Value::Object(response)) = (matches!(*status, "429" | "503"), &mut response) {
            let seconds = json!({ "description": "Seconds.", "schema": { "type": "integer", "minimum": 1 } });
            response.insert("headers".to_owned(), json!({ "Retry-After": seconds }));
        }
        ((*name).to_owned(), response)
    });
    Value::Object(each.collect())
}

/// Gives an operation what its handler did not tell.
fn complete(path: &str, method: &str, operation: &mut Value) {
    let Value::Object(operation) = operation else { return };
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let own_words = operation.get("summary").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    if own_words.starts_with('`') {
        // The first line of a handler's documentation repeats its path, the rest describes it.
        let text = operation.remove("description").unwrap_or_default();
        let text = text.as_str().unwrap_or_default().trim().replace('\n', " ");
        let text = text.as_str();
        let (first, rest) = text.split_once(". ").map_or((text, ""), |(first, rest)| (first, rest));
        let first = first.trim_end_matches('.').to_owned();
        operation.insert("summary".to_owned(), first.into());
        if !rest.is_empty() {
            operation.insert("description".to_owned(), rest.into());
        }
    }
    let has_query = operation.get("parameters").and_then(Value::as_array).is_some_and(|all| {
        let place = |parameter: &Value| parameter.get("in").and_then(Value::as_str).map(str::to_owned);
        all.iter().any(|parameter| place(parameter).as_deref() == Some("query"))
    });
    if id == "openWebSocket" {
        // The specification has no place for them.
        let both = json!({ "receives": reference("WebSocketMessage"), "sends": reference("WebSocketRequest") });
        operation.insert("x-messages".to_owned(), both);
    }
    let has_body = operation.contains_key("requestBody");
    if let Some(example) = super::examples::of(&id)
        && let Some(Value::Object(json)) =
            operation.get_mut("requestBody").and_then(|b| b.pointer_mut("/content/application~1json"))
    {
        json.insert("example".to_owned(), example);
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Value::Object(responses) = responses else { return };
    if id == "getOpenApi" {
        let content = json!({ "application/json": { "schema": { "type": "object" } } });
        responses.insert("200".to_owned(), json!({ "description": "OpenAPI 3.1.", "content": content }));
    }
    if let Some((_, schema, description)) = STREAMS.iter().find(|(of, ..)| *of == id) {
        responses.insert("200".to_owned(), stream(schema, description));
    }
    let mut wanted = vec!["400", "403", "429", "500", "503"];
    match rules::told(method, path) {
        // Nobody is asked who he is.
        Some(None) => drop(operation.insert("security".to_owned(), json!([]))),
        Some(Some(right)) => {
            wanted.push("401");
            operation.insert("x-right".to_owned(), json!(right));
        }
        None => {}
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Value::Object(responses) = responses else { return };
    if path.contains('{') {
        wanted.push("404");
    }
    if has_query || has_body {
        wanted.push("422");
    }
    if has_body {
        wanted.extend(["408", "413", "415"]);
    }
    if method != "get" && !has_body {
        wanted.push("415");
    }
    for (status, name, _) in ERRORS {
        let told = responses.get(status);
        let bare = told.is_some_and(|response| response.get("content").is_none());
        if bare || (told.is_none() && wanted.contains(&status)) {
            responses.insert(status.to_owned(), json!({ "$ref": format!("#/components/responses/{name}") }));
        }
    }
}

/// Gives the envelope of an operation's answer a name: the operation's.
fn name_answer(operation: &mut Value) -> Option<(String, Value)> {
    let id = operation.get("operationId")?.as_str()?.to_owned();
    let responses = operation.get_mut("responses")?.as_object_mut()?;
    let (_, response) = responses.iter_mut().find(|(status, _)| status.starts_with('2'))?;
    let schema = response.pointer_mut("/content/application~1json/schema")?;
    schema.pointer("/properties/data")?;
    let (first, rest) = id.split_at_checked(1)?;
    let name = format!("{}{rest}Response", first.to_uppercase());
    let named = std::mem::replace(schema, reference(&name));
    Some((name, named))
}

/// An answer that is a stream: a text, as far as generators go, whose events have a schema of their own.
fn stream(schema: &str, description: &str) -> Value {
    let told = format!("Server-sent events; the `data` of each is a {schema} as JSON in one line.");
    let content = json!({ "schema": { "type": "string", "description": told, "x-event-data": reference(schema) } });
    json!({ "description": description, "content": { "text/event-stream": content } })
}

/// Schemas that no handler names: errors, and what streams hold.
fn further_schemas() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let fault = json!({
        "type": "object",
        "properties": {
            "type": text(), "loc": { "type": "array", "items": { "type": ["string", "integer"] } },
            "msg": text(), "input": described(json!({}), "What was given, shortened."),
        },
        "required": ["type", "loc", "msg", "input"],
    });
    let body = json!({
        "type": "object",
        "properties": {
            "code": { "type": "string", "pattern": "^[A-Z][A-Z0-9_]*$", "description": "Stable." },
            "message": text(),
            "details": described(json!({}), "State and what is allowed, where that helps."),
        },
        "required": ["code", "message"],
    });
    let error = json!({
        "type": "object",
        "properties": {
            "success": { "type": "boolean", "description": "False." },
            "error": reference("ErrorBody"),
            "message": described(text(), "The same, for old clients."),
            "detail": {
                "description": "The same for old clients, or the list of faults.",
                "anyOf": [text(), { "type": "array", "items": reference("Fault") }],
            },
            "timestamp": { "type": "string", "format": "date-time" },
            "request_id": text(),
        },
        "required": ["success", "error", "message", "detail", "timestamp", "request_id"],
    });
    let target = json!({ "type": "string", "enum": ["none"] });
    Map::from_iter([
        ("StageReference".to_owned(), described(text(), "A stage of the project's workflow, also by an old name.")),
        ("DeploymentTarget".to_owned(), described(target, "`none`, or a target of the settings.")),
        ("Fault".to_owned(), described(fault, "One broken rule.")),
        ("ErrorBody".to_owned(), described(body, "What went wrong.")),
        ("Error".to_owned(), described(error, "Every error, whatever its status.")),
    ])
}
