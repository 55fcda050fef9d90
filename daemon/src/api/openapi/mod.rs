//! The API describes itself: `/openapi.json` is made from the handlers, `/docs` shows it without the
//! internet. `shape` tells what values look like, `records` those of the domain, `document` puts the
//! whole together.

mod document;
mod events;
mod examples;
mod links;
mod page;
mod records;
pub(super) mod shape;

pub(super) use document::openapi_json;
pub use document::{openapi, openapi_conflicts};
pub(super) use page::{docs, docs_file};
pub(super) use shape::{ID_PATTERN, Pattern, Shape, describe, described, named, nullable, object, raw, words};
