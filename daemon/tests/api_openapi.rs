//! The document that the API gives of itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

use nexus_daemon::api;

/// The whole document; a change of the API is seen in the review of this file.
#[test]
fn the_document_is_as_it_was_reviewed() {
    let text = serde_json::to_string_pretty(api::openapi()).unwrap();
    insta::assert_snapshot!("openapi", text);
}
