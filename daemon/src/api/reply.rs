//! Answers: the envelope, its form with pages, and bare JSON for the flat paths. Each is serialised
//! once, straight to the bytes that are sent.

use std::{borrow::Cow, fmt::Write as _};

use salvo::{
    Depot, Request, Response, Writer, async_trait,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use serde::Serialize;

use super::{edge::RequestId, error::ApiError};
use crate::{
    domain::time::Timestamp,
    store::{Page, PageRequest},
};

/// What a handler answers with.
pub(super) type Answer<T> = Result<Reply<T>, ApiError>;

/// `data` and `message` of the envelope, with the status and `Location` of what was created.
pub(super) struct Reply<T> {
    data: T,
    message: Option<Cow<'static, str>>,
    pagination: Option<Pagination>,
    created: Option<String>,
}

/// Where a page is among the others.
#[derive(Debug, Serialize)]
pub(super) struct Pagination {
    page: u64,
    limit: u64,
    total: u64,
    pages: u64,
    has_next: bool,
    has_prev: bool,
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
    pub(super) const fn new(data: T) -> Self {
        Self { data, message: None, pagination: None, created: None }
    }

    /// Adds the text for people.
    pub(super) fn message(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.message = Some(text.into());
        self
    }

    /// Makes it 201: the thing is now at `/api/v2` + `path`.
    pub(super) fn created(mut self, path: &str) -> Self {
        self.created = Some(format!("/api/v2{path}"));
        self
    }
}

impl<T> Reply<Vec<T>> {
    /// A page of a list.
    pub(super) fn page(page: Page<T>, asked: &PageRequest) -> Self {
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
        Self { data: page.items, message: None, pagination: Some(pagination), created: None }
    }
}

/// Puts JSON into the response. A value that cannot be serialised is a fault of ours: 500, logged.
pub(super) fn put_json<T: Serialize>(res: &mut Response, value: &T) {
    let mut bytes = Vec::with_capacity(512);
    if let Err(error) = serde_json::to_writer(&mut bytes, value) {
        tracing::error!(%error, "an answer could not be serialised");
        bytes = br#"{"success":false,"error":{"code":"INTERNAL_ERROR","message":"internal error"}}"#.to_vec();
        res.status_code(StatusCode::INTERNAL_SERVER_ERROR);
    }
    res.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    res.replace_body(bytes.into());
}

#[async_trait]
impl<T: Serialize + Send> Writer for Reply<T> {
    async fn write(self, _req: &mut Request, depot: &mut Depot, res: &mut Response) {
        let id = RequestId::of(depot);
        if let Some(path) = &self.created {
            res.status_code(StatusCode::CREATED);
            if let Ok(location) = HeaderValue::try_from(path) {
                res.headers_mut().insert(header::LOCATION, location);
            }
        }
        let envelope = Envelope {
            success: true,
            data: &self.data,
            message: self.message.as_deref(),
            timestamp: Timestamp::now(),
            request_id: id.as_str(),
            pagination: self.pagination.as_ref(),
        };
        put_json(res, &envelope);
    }
}

/// Bare JSON for the flat paths.
pub(super) struct Flat<T>(pub(super) StatusCode, pub(super) T);

#[async_trait]
impl<T: Serialize + Send> Writer for Flat<T> {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        res.status_code(self.0);
        put_json(res, &self.1);
    }
}

/// Seconds with microseconds, as `X-Process-Time` writes them.
pub(super) fn seconds(duration: std::time::Duration) -> HeaderValue {
    let mut text = String::with_capacity(12);
    let _ = write!(text, "{:.6}", duration.as_secs_f64());
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("0"))
}
