//! The API describes itself: `/openapi.json` is made from the handlers, `/docs` shows it without the
//! internet. `shape` tells what values look like, `document` puts the whole together.

mod document;
mod events;
mod examples;
mod links;
mod page;
pub(crate) mod shape;

pub(crate) use document::openapi_json;
pub use document::{openapi, openapi_conflicts};
pub(crate) use page::{docs, docs_file};
pub(crate) use shape::{ID_PATTERN, Pattern, Shape, described, named, nullable, object, raw};
