//! Answers: the envelope, its form with pages, its form for what was created, and bare JSON for the flat
//! paths. Each is serialised once, straight to the bytes that are sent, and tells the document its shape.

use schemars::JsonSchema;
use std::{borrow::Cow, fmt::Write as _};

use salvo::oapi::{Components, Content, EndpointOutRegister, Operation};
use salvo::{
    Depot, Request, Response, Writer, async_trait,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use serde::Serialize;
use serde_json::{Value, json};

use super::error::ApiError;
use crate::api::{
    http::{json::put_json, request_id::RequestId},
    openapi::{Shape, raw},
    state::AppState,
};
use crate::{
    backend::store::{Page, PageRequest},
    domain::time::Timestamp,
    idempotency::Repeatable,
};

/// Marks an answer that was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What a handler answers with: 200.
pub(crate) type Answer<T> = Result<Reply<T>, ApiError>;
/// A page of a list.
pub(crate) type PageAnswer<T> = Result<Paged<T>, ApiError>;
/// 201 with `Location`.
pub(crate) type CreatedAnswer<T> = Result<Created<T>, ApiError>;
/// 200 without an envelope.
pub(crate) type FlatAnswer<T> = Result<Flat<T>, ApiError>;

/// `data` and `message` of the envelope.
pub(crate) struct Reply<T> {
    data: T,
    message: Option<Cow<'static, str>>,
}

/// [`Reply`] of a page.
pub(crate) struct Paged<T> {
    data: Vec<T>,
    pagination: Pagination,
}

/// [`Reply`] of something that is new, or was when the same request came before.
pub(crate) struct Created<T> {
    what: What<T>,
    message: Option<Cow<'static, str>>,
    /// Where it is, below `/api/v2`.
    path: String,
}

enum What<T> {
    New(T),
    Again(Value),
}

/// Where a page is among the others.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Pagination {
    /// From 1.
    page: u64,
    limit: u64,
    /// Rows in all pages together.
    total: u64,
    pages: u64,
    has_next: bool,
    has_prev: bool,
    /// The `cursor` of the next page; none on the last.
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    success: bool,
    data: &'a T,
    message: Option<&'a str>,
    timestamp: Timestamp,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<&'a Pagination>,
}

impl<T> Reply<T> {
    /// 200 with data.
    pub(crate) const fn new(data: T) -> Self {
        Self { data, message: None }
    }

    /// Adds the text for people.
    pub(crate) fn message(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.message = Some(text.into());
        self
    }

    /// Makes it 201: the thing is now at `/api/v2` + `path`.
    pub(crate) fn created(self, path: impl Into<String>) -> Created<T> {
        Created { what: What::New(self.data), message: self.message, path: path.into() }
    }
}

impl<T> Created<T> {
    /// What was created now, or the answer that was kept when it was.
    pub(crate) fn of<N>(found: Repeatable<N>, new: impl FnOnce(N) -> Self) -> Self {
        match found {
            Repeatable::New(created) => new(created),
            Repeatable::Again(kept) => Self::again(kept),
        }
    }

    /// The answer that was kept.
    pub(crate) fn again(mut kept: Value) -> Self {
        let mut take = |name: &str| kept.get_mut(name).map(Value::take).unwrap_or_default();
        let (path, message, data) = (take("path"), take("message"), take("data"));
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        Self { what: What::Again(data), message: Some(text(message).into()), path: text(path) }
    }
}

impl<T> Paged<T> {
    /// A page of a list.
    pub(crate) fn new(page: Page<T>, asked: &PageRequest) -> Self {
        let pages = page.total.div_ceil(asked.limit.max(1));
        let pagination = Pagination {
            page: asked.page,
            limit: asked.limit,
            total: page.total,
            pages,
            has_next: page.next_cursor.is_some(),
            has_prev: asked.cursor.is_some() || (asked.page > 1 && page.total > 0),
            next_cursor: page.next_cursor,
        };
        Self { data: page.items, pagination }
    }
}

/// What a proxy takes off the paths of requests, and links therefore have before theirs.
fn public_path(depot: &Depot) -> String {
    AppState::of(depot).map(|state| state.config.load().server.public_path().to_owned()).unwrap_or_default()
}

fn put_envelope<T: Serialize>(
    depot: &Depot,
    res: &mut Response,
    data: &T,
    message: Option<&str>,
    pagination: Option<&Pagination>,
) {
    let id = RequestId::of(depot);
    let timestamp = Timestamp::now();
    put_json(res, &Envelope { success: true, data, message, timestamp, request_id: id.as_str(), pagination });
}

#[async_trait]
impl<T: Serialize + Send> Writer for Reply<T> {
    async fn write(self, _req: &mut Request, depot: &mut Depot, res: &mut Response) {
        put_envelope(depot, res, &self.data, self.message.as_deref(), None);
    }
}

#[async_trait]
impl<T: Serialize + Send> Writer for Paged<T> {
    async fn write(self, _req: &mut Request, depot: &mut Depot, res: &mut Response) {
        put_envelope(depot, res, &self.data, None, Some(&self.pagination));
    }
}

#[async_trait]
impl<T: Serialize + Send> Writer for Created<T> {
    async fn write(self, _req: &mut Request, depot: &mut Depot, res: &mut Response) {
        res.status_code(StatusCode::CREATED);
        let prefix = public_path(depot);
        if let Ok(location) = HeaderValue::try_from(format!("{prefix}/api/v2{}", self.path)) {
            res.headers_mut().insert(header::LOCATION, location);
        }
        match &self.what {
            What::New(data) => put_envelope(depot, res, data, self.message.as_deref(), None),
            What::Again(data) => {
                res.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
                put_envelope(depot, res, data, self.message.as_deref(), None);
            }
        }
    }
}

/// Bare JSON for the flat paths.
pub(crate) struct Flat<T>(pub(crate) StatusCode, pub(crate) T);

impl<T> Flat<T> {
    /// 200.
    pub(crate) const fn ok(body: T) -> Self {
        Self(StatusCode::OK, body)
    }
}

#[async_trait]
impl<T: Serialize + Send> Writer for Flat<T> {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        res.status_code(self.0);
        put_json(res, &self.1);
    }
}

/// The envelope around a shape.
fn enveloped(components: &mut Components, data: Value, paged: bool) -> Value {
    let mut properties = json!({
        "success": { "type": "boolean", "description": "True." },
        "data": data,
        "message": { "type": ["string", "null"], "description": "For people." },
        "timestamp": Timestamp::shape(components),
        "request_id": { "type": "string" },
    });
    let mut required = vec!["success", "data", "message", "timestamp", "request_id"];
    if let (true, Value::Object(properties)) = (paged, &mut properties) {
        properties.insert("pagination".to_owned(), Pagination::shape(components));
        required.push("pagination");
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

fn insert(operation: &mut Operation, status: &str, description: &str, schema: Value) {
    let content = Content::new(raw(schema));
    operation
        .responses
        .insert(status, salvo::oapi::Response::new(description).add_content("application/json", content));
}

impl<T: JsonSchema> EndpointOutRegister for Reply<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let data = T::shape(components);
        let schema = enveloped(components, data, false);
        insert(operation, "200", "Done.", schema);
    }
}

impl<T: JsonSchema> EndpointOutRegister for Paged<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let data = Vec::<T>::shape(components);
        let schema = enveloped(components, data, true);
        insert(operation, "200", "A page.", schema);
    }
}

impl<T: JsonSchema> EndpointOutRegister for Created<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let data = T::shape(components);
        let schema = enveloped(components, data, false);
        insert(operation, "201", "Created; `Location` says where it is.", schema);
    }
}

impl<T: JsonSchema> EndpointOutRegister for Flat<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let schema = T::shape(components);
        insert(operation, "200", "Done.", schema);
    }
}

/// Seconds with microseconds, as `X-Process-Time` writes them.
pub(crate) fn seconds(duration: std::time::Duration) -> HeaderValue {
    let mut text = String::with_capacity(12);
    let _ = write!(text, "{:.6}", duration.as_secs_f64());
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("0"))
}
